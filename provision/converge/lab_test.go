package converge_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/provision/converge"
	"github.com/gemini-claude-adapter/gca/provision/lab"
)

func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }

// What fails on a fresh server leaves it as it was.
func TestLab_NothingIsLeft(t *testing.T) {
	t.Parallel()
	tg := newTarget(t)
	tg.sh("echo 3s >/root/commit-time")
	before := tg.tree()

	_, _, err := tg.planned("")
	if refusal, ok := errors.AsType[*converge.Refusal](err); !ok || refusal.Kind != converge.RefusedKeys {
		t.Errorf("without keys: %v", err)
	}
	tg.same(before, "without keys")

	s, _, err := tg.planned("AIzaSyTest1")
	if err := errors.Join(err, s.Cancel(), s.cmd.Wait()); err != nil {
		t.Errorf("cancelled: %v", err)
	}
	tg.same(before, "cancelled")

	_, err = tg.deploy("malformed")
	back, ok := errors.AsType[*converge.RolledBackError](err)
	if !ok || back.Step != "check:settings" || !strings.Contains(strings.Join(back.Log, "\n"), "line 1 is malformed") || len(back.FailedUndo) > 0 {
		t.Errorf("malformed keys: %v", err)
	}
	tg.same(before, "malformed keys")

	s, _, err = tg.planned("AIzaSyTest1")
	if err == nil {
		_, err = s.Apply(converge.Events{})
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.stdin.Close(), s.cmd.Wait()); err != nil {
		t.Errorf("vanished laptop: %v", err)
	}
	tg.sh("flock -w 60 " + converge.LockFile + " true")
	tg.same(before, "vanished laptop")
	for _, want := range []string{"no laptop committed within 3s", ""} {
		s, _, err := tg.planned("AIzaSyTest1")
		if err := errors.Join(err, s.Cancel(), s.cmd.Wait()); err != nil || !strings.Contains(s.hello.Last, want) || want == "" && s.hello.Last != "" {
			t.Errorf("the next hello tells %q of it, %v", s.hello.Last, err)
		}
	}
	if out := tg.sh("iptables -S 2>/dev/null | grep ufw || true; systemctl list-unit-files | grep -E 'gemini|nginx|ufw' || true"); out != "" {
		t.Errorf("after the laptop vanished there is still:\n%s", out)
	}
}

func TestLab_Converge(t *testing.T) {
	t.Parallel()
	tg := newTarget(t)
	begun := time.Now()
	applied, err := tg.deploy("AIzaSyTest1")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("a fresh server took %.1f s", time.Since(begun).Seconds())
	if token := applied.ClientToken.Reveal(); len(token) != 36 {
		t.Errorf("client token of %d characters", len(token))
	}
	if status, body := tg.get("/health"); status != http.StatusOK || !strings.Contains(body, "healthy") {
		t.Errorf("health: %d %s", status, body)
	}
	tg.sh("systemd-analyze security --threshold=15 gemini-adapter.service >/dev/null")
	t.Log(strings.TrimSpace(tg.sh("systemd-analyze security --no-pager gemini-adapter.service | tail -n 1")))
	t.Run("stream", tg.stream)
	t.Run("errors", tg.errors)
	t.Run("second run", tg.secondRun)
	t.Run("sick release", tg.sickRelease)
	t.Run("killed agent", tg.killedAgent)
	t.Run("locked", tg.locked)
	t.Run("new port", tg.newPort)
	t.Run("default site", tg.defaultSite)
	t.Run("host", tg.host)
	t.Run("firewall at boot", tg.firewallAtBoot)
	t.Run("large file", tg.largeFile)
	t.Run("no drain", tg.noDrain)
	t.Run("reboot", tg.reboot)
}

// stream hangs if Nginx holds an event back: the next one is sent only when this one has come through.
func (tg *target) stream(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+tg.server.Addr+"/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	events := 0
	for scan := bufio.NewScanner(resp.Body); scan.Scan(); {
		if strings.HasPrefix(scan.Text(), "data: ") {
			events++
			tg.get("/next")
		}
	}
	if err := resp.Body.Close(); err != nil || events != 4 {
		t.Errorf("%d events of 4, %v", events, err)
	}
}

// errors are Nginx's own, each in the protocol of its path.
func (tg *target) errors(t *testing.T) {
	large := bytes.Repeat([]byte("x"), 51<<20)
	f := func(path, want string) {
		t.Helper()
		resp, err := http.Post("http://"+tg.server.Addr+path, "application/json", bytes.NewReader(large))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err := errors.Join(err, resp.Body.Close()); err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != http.StatusRequestEntityTooLarge || !strings.HasPrefix(string(body), want) {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
	}
	f("/v1/messages", `{"type":"error","error":{"type":"request_too_large","message":"the request body is larger than 50 MiB`)
	f("/v1/chat/completions", `{"error":{"message":"the request body is larger than 50 MiB`)
	f("/v1beta/models/gemini:generateContent?key=NEVERLOGGED", `{"error":{"code":413,"message":"the request body is larger than 50 MiB`)

	f("/upload/v1beta/files", `{"error":{"code":413,`)

	tg.sh("systemctl stop gemini-adapter.socket gemini-adapter.service")
	if status, body := tg.get("/v1/messages"); status != http.StatusBadGateway || !strings.Contains(body, "gemini-manage status") {
		t.Errorf("stopped: %d %s", status, body)
	}
	if out := tg.sh("systemctl is-active gemini-adapter.socket gemini-adapter.service || true"); strings.Contains(out, "\nactive") || strings.HasPrefix(out, "active") {
		t.Errorf("a request brought the stopped service back: %s", out)
	}
	tg.sh("systemctl start gemini-adapter.service")
	if out := tg.sh("grep -r NEVERLOGGED /var/log/nginx || true"); out != "" {
		t.Errorf("a query is in Nginx's logs: %s", out)
	}
}

// host reaches the adapter as the client wrote it, port and all: behind a tunnel that is another one than Nginx's.
func (tg *target) host(t *testing.T) {
	f := func(request, want string) {
		t.Helper()
		conn, err := net.Dial("tcp", net.JoinHostPort(tg.server.Addr, "80"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.WriteString(conn, request)
		answer, readErr := io.ReadAll(conn)
		if err := errors.Join(err, readErr, conn.Close()); err != nil || !strings.HasSuffix(string(answer), "\r\n\r\n"+want) {
			t.Errorf("%q: %q, %v", request, answer, err)
		}
	}
	f("GET /host HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nConnection: close\r\n\r\n", "127.0.0.1:8080")
	f("GET /host HTTP/1.0\r\n\r\n", "_")
}

const mainPIDs = "systemctl show -p MainPID nginx gemini-adapter; "

func (tg *target) secondRun(t *testing.T) {
	before, pids := tg.tree(), tg.sh(mainPIDs+"ufw status; ls -i /opt/gemini-adapter/current/gca")
	begun := time.Now()
	applied, err := tg.deploy("")
	t.Logf("a second run took %.2f s", time.Since(begun).Seconds())
	if err != nil || applied.Changed != 0 {
		t.Errorf("%d changes, %v", applied.Changed, err)
	}
	tg.same(before, "second run")
	if after := tg.sh(mainPIDs + "ufw status; ls -i /opt/gemini-adapter/current/gca"); after != pids {
		t.Errorf("before %s after %s", pids, after)
	}
}

func (tg *target) sickRelease(t *testing.T) {
	before := tg.tree()
	_, err := tg.deploy("sick")
	back, ok := errors.AsType[*converge.RolledBackError](err)
	if !ok || len(back.FailedUndo) > 0 || !strings.Contains(strings.Join(back.Log, "\n"), "the stand-in is sick") {
		t.Errorf("sick release: %v", err)
	}
	tg.same(before, "sick release")
	if status, body := tg.get("/health"); status != http.StatusOK {
		t.Errorf("the old release does not serve again: %d %s", status, body)
	}
}

// killedAgent cuts an agent down between apply and commit; the next one takes its work back first.
func (tg *target) killedAgent(t *testing.T) {
	before := tg.tree()
	s, _, err := tg.planned("AIzaSyOther")
	if err == nil {
		_, err = s.Apply(converge.Events{})
	}
	if err != nil {
		t.Fatal(err)
	}
	tg.sh(`kill -9 "$(sed 's/pid \([0-9]*\) .*/\1/' /run/gca.lock)"`)
	if _, err := s.Commit(); err == nil {
		t.Error("the worker was killed, yet its deploy was committed")
	}
	if out := tg.sh("cat /etc/gemini-adapter/keys"); out != "AIzaSyOther\n" {
		t.Fatalf("nothing to take back: %q", out)
	}
	s, plan, err := tg.planned("")
	if err != nil || len(plan.Steps) > 0 || len(plan.Notes) != 1 {
		t.Errorf("plan after a death: %+v, %v", plan, err)
	}
	if _, err := s.Commit(); err != nil {
		t.Error(err)
	}
	tg.same(before, "killed agent")
}

func (tg *target) locked(t *testing.T) {
	first, _, err := tg.planned("AIzaSyOther")
	if err == nil {
		_, err = first.Apply(converge.Events{})
	}
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = tg.planned("")
	if refusal, ok := errors.AsType[*converge.Refusal](err); !ok || refusal.Kind != converge.RefusedLocked || !strings.Contains(refusal.Message, "pid ") {
		t.Errorf("a deploy beside another: %v", err)
	}
	if err := first.Rollback("no"); err != nil {
		t.Error(err)
	}
	if back, ok := errors.AsType[*converge.RolledBackError](first.RolledBack()); !ok || len(back.FailedUndo) > 0 {
		t.Errorf("%+v", back)
	}
}

func (tg *target) newPort(t *testing.T) {
	tg.sh("echo 'PORT=8123 ' >>/etc/gemini-adapter/adapter.env; sed -i '/^PORT=8000/d' /etc/gemini-adapter/adapter.env")
	if applied, err := tg.deploy(""); err != nil || applied.Changed == 0 {
		t.Errorf("%d changes, %v", applied.Changed, err)
	}
	if status, body := tg.get("/health"); status != http.StatusOK {
		t.Errorf("on the new port: %d %s", status, body)
	}
	if applied, err := tg.deploy(""); err != nil || applied.Changed != 0 {
		t.Errorf("once more: %d changes, %v", applied.Changed, err)
	}
}

func (tg *target) reboot(t *testing.T) {
	if err := tg.server.Reboot(t.Context()); err != nil {
		t.Fatal(err)
	}
	if status, body := tg.get("/health"); status != http.StatusOK {
		t.Errorf("after a reboot: %d %s", status, body)
	}
	if out := tg.sh("ufw status"); !strings.Contains(out, "Status: active") {
		t.Errorf("after a reboot: %s", out)
	}
	if applied, err := tg.deploy(""); err != nil || applied.Changed != 0 {
		t.Errorf("after a reboot: %d changes, %v", applied.Changed, err)
	}
}
