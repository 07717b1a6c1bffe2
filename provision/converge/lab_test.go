package converge_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/provision/converge"
	"github.com/gemini-claude-adapter/gca/provision/lab"
)

func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }

// target is a lab server and the release to deploy to it.
type target struct {
	*testing.T
	server *lab.Server
	binary string
	sum    string
}

func newTarget(t *testing.T) *target {
	t.Helper()
	tg := &target{T: t, server: lab.Require(t, lab.Options{}), binary: filepath.Join(t.TempDir(), "gca")}
	build := exec.Command("go", "build", "-o", tg.binary, "./testdata/standin")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the stand-in: %v\n%s", err, out)
	}
	data, err := os.ReadFile(tg.binary)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	tg.sum = hex.EncodeToString(sum[:])
	return tg
}

func (tg *target) sh(script string) string {
	tg.Helper()
	out, err := tg.server.Sh(tg.Context(), script)
	if err != nil {
		tg.Fatal(err)
	}
	return out
}

func (tg *target) dir() string { return converge.ReleaseDir("0.0.1", tg.sum) }

// upload puts the release where an agent can be started from it.
func (tg *target) upload() {
	tg.Helper()
	f, err := os.Open(tg.binary)
	if err != nil {
		tg.Fatal(err)
	}
	cmd := tg.server.Command(tg.Context(), "sh", "-euc",
		fmt.Sprintf("test -x %[1]s/gca || { mkdir -p %[1]s; cat >%[1]s/gca; chmod 755 %[1]s/gca; }", tg.dir()))
	cmd.Stdin = f
	if out, err := cmd.CombinedOutput(); err != nil {
		tg.Fatalf("upload: %v\n%s", err, out)
	}
	if err := f.Close(); err != nil {
		tg.Fatal(err)
	}
}

// session is one conversation with an agent on the server.
type session struct {
	*converge.Client
	cmd   *exec.Cmd
	stdin io.Closer
}

func (tg *target) dial() *session {
	tg.Helper()
	tg.upload()
	cmd := tg.server.Command(tg.Context(), tg.dir()+"/gca", "agent")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		tg.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		tg.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		tg.Fatal(err)
	}
	s := &session{converge.NewClient(stdout, stdin), cmd, stdin}
	if _, err := s.Hello(); err != nil {
		tg.Fatal(err)
	}
	return s
}

func (tg *target) want(keys string) converge.Want {
	w := converge.Want{
		Version: "0.0.1", SHA256: tg.sum, Templates: map[string]string{}, Keys: converge.NewSecret(keys),
		Settings: []converge.Setting{{Name: "HOST", Value: "127.0.0.1"}, {Name: "PORT", Value: "8000", Default: true}},
	}
	for _, name := range converge.TemplateNames() {
		text, err := os.ReadFile(filepath.Join("..", "..", "templates", name))
		if err != nil {
			tg.Fatal(err)
		}
		w.Templates[name] = string(text)
	}
	return w
}

// planned is a session whose plan has been made.
func (tg *target) planned(keys string) (*session, converge.PlanMessage, error) {
	tg.Helper()
	s := tg.dial()
	if err := s.SendWant(tg.want(keys)); err != nil {
		tg.Fatal(err)
	}
	plan, err := s.Plan()
	return s, plan, err
}

// deploy applies and commits.
func (tg *target) deploy(keys string) (converge.Applied, error) {
	tg.Helper()
	s, plan, err := tg.planned(keys)
	if err != nil {
		return converge.Applied{}, err
	}
	var applied converge.Applied
	if len(plan.Steps) > 0 {
		if applied, err = s.Apply(converge.Events{}); err != nil {
			return applied, err
		}
	}
	_, err = s.Commit()
	return applied, errors.Join(err, s.cmd.Wait())
}

// tree lists what lies on the server: kinds, modes, owners, contents. Caches and logs are nobody's settings, and
// /var/www and ucf's bookkeeping are what Debian's own packages leave behind when they are purged.
func (tg *target) tree() string {
	tg.Helper()
	return tg.sh(`find / -xdev \( -path /proc -o -path /sys -o -path /run -o -path /tmp -o -path /dev -o -path /root \
		-o -path /var/cache -o -path /var/www -o -path /var/lib/ucf -o -path /var/log -o -path /var/tmp -o -path /var/lib/apt -o -path /var/lib/dpkg -o -path /var/lib/systemd \
		-o -path /etc/passwd- -o -path /etc/group- -o -path /etc/shadow- -o -path /etc/gshadow- -o -path /etc/ld.so.cache \) -prune -o -printf '%p %y %m %u %g %l\n' | sort
	find /etc /opt /usr/local /var/lib/gca /lib/systemd/system -xdev -type f ! -name '*-' ! -name ld.so.cache -exec sha256sum {} + 2>/dev/null | sort -k2 || true`)
}

func (tg *target) same(before, when string) {
	tg.Helper()
	after := tg.tree()
	if before == after {
		return
	}
	old := map[string]bool{}
	for line := range strings.Lines(before) {
		old[line] = true
	}
	now := map[string]bool{}
	for line := range strings.Lines(after) {
		if now[line] = true; !old[line] {
			tg.Errorf("%s: new: %s", when, strings.TrimSpace(line))
		}
	}
	for line := range old {
		if !now[line] {
			tg.Errorf("%s: gone: %s", when, strings.TrimSpace(line))
		}
	}
}

func (tg *target) get(path string) (int, string) {
	tg.Helper()
	resp, err := http.Get("http://" + tg.server.Addr + path)
	if err != nil {
		tg.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		tg.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// What fails on a fresh server leaves it as it was.
func TestLab_NothingIsLeft(t *testing.T) {
	t.Parallel()
	tg := newTarget(t)
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
	if !ok || back.Step != "check:settings" || !strings.Contains(back.Reason, "line 1 is malformed") || len(back.FailedUndo) > 0 {
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
	tg.same(before, "vanished laptop")
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
	if !ok || len(back.FailedUndo) > 0 || !strings.Contains(back.Reason, "the stand-in is sick") {
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
	if err := s.cmd.Wait(); err == nil {
		t.Error("the agent was killed, yet ended well")
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
	first, _, err := tg.planned("")
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = tg.planned("")
	if refusal, ok := errors.AsType[*converge.Refusal](err); !ok || refusal.Kind != converge.RefusedLocked || !strings.Contains(refusal.Message, "pid ") {
		t.Errorf("a deploy beside another: %v", err)
	}
	if _, err := first.Commit(); err != nil {
		t.Error(err)
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
