package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

// everything is what a deploy could change, as one text. The journal, the tools' own backups (passwd-), and what SQLite keeps
// beside a database while it is open, are left out.
const everything = `
find /etc -type f ! -name '*-' -exec sha256sum {} + | sort
find /etc -type l -printf '%p -> %l\n' | sort
find /opt /usr/local /var/lib/gemini-adapter /var/lib/gca ! -name 'state.db-*' -printf '%p %m %u %g %l\n' 2>/dev/null | sort
getent passwd; getent group
systemctl list-unit-files --state=enabled --no-legend | sort
if command -v ufw >/dev/null; then ufw status verbose; fi
dpkg-query -W`

// running names the processes and the binary that must stay the same when nothing changes.
const running = `
systemctl show --property=MainPID --value gemini-adapter.service nginx.service
stat -L -c %i /opt/gemini-adapter/current/gca`

// sampler keeps on writing down what every process on the server was started with.
const sampler = `cat >/root/sampler <<'EOF'
while :; do for p in /proc/[0-9]*; do tr '\0' ' ' <$p/cmdline; tr '\0' ' ' <$p/environ; done >>/root/seen 2>/dev/null; sleep 0.2; done
EOF
systemd-run -q --unit=sampler sh /root/sampler`

// The walk of a user: a fresh server, a first answer, a second deploy, a reboot.
func TestDeploy(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.on(sampler)
	first := r.deploy()
	r.on("systemctl stop sampler")
	token := regexp.MustCompile(`Client token, shown this once: (\S+)`).FindStringSubmatch(first.out)
	if token == nil {
		t.Fatalf("no client token in:\n%s", first.out)
	}
	for _, want := range []string{"http://" + r.server.Addr, "export ANTHROPIC_BASE_URL=http://" + r.server.Addr, "export ANTHROPIC_AUTH_TOKEN=" + token[1], "unencrypted"} {
		if !strings.Contains(first.out, want) {
			t.Errorf("the deploy did not print %q:\n%s", want, first.out)
		}
	}
	t.Run("answers", func(t *testing.T) { testAnswers(t, r.in(t)) })
	t.Run("lock-step stream through Nginx", func(t *testing.T) { testLockStep(t, r.in(t), token[1]) })
	t.Run("errors through Nginx", func(t *testing.T) { testErrors(t, r.in(t), token[1]) })
	t.Run("hardened", func(t *testing.T) { testHardened(t, r.in(t)) })
	admin := regexp.MustCompile(`Admin token, shown this once: (\S+)`).FindStringSubmatch(first.out)
	if admin == nil {
		t.Fatalf("no admin token in:\n%s", first.out)
	}
	t.Run("no secret in sight", func(t *testing.T) { testSecrets(t, r.in(t), token[1], admin[1]) })
	t.Run("user over SSH", func(t *testing.T) { testUserOverSSH(t, r.in(t)) })
	t.Run("again changes nothing", func(t *testing.T) { testAgain(t, r.in(t)) })
	t.Run("stop and start", func(t *testing.T) { testStop(t, r.in(t)) })
	t.Run("alerts", func(t *testing.T) { testAlerts(t, r.in(t)) })
	t.Run("reboot", func(t *testing.T) { testReboot(t, r.in(t)) })
}

func testAnswers(t *testing.T, r *rig) {
	got := r.ok(nil, "test")
	for _, want := range []string{"connected    http://" + r.server.Addr, "status       healthy", "active keys  3/3", "first text after"} {
		if !strings.Contains(got.out, want) {
			t.Errorf("gca test did not print %q:\n%s", want, got.out)
		}
	}
	r.fake.Enqueue(fakegemini.Say("hello ", "from ", "afar"))
	if got := r.ok(nil, "ask", "hi"); got.out != "hello from afar\n" {
		t.Errorf("gca ask printed %q", got.out)
	}
	status := r.ok(nil, append(append([]string{"status"}, r.login()...), "--json", r.target())...)
	var report struct {
		Schema int    `json:"schema"`
		State  string `json:"state"`
		Health string `json:"health"`
	}
	if err := json.Unmarshal([]byte(status.out), &report); err != nil || report.Schema != 1 || report.State != "active" || report.Health != "healthy" {
		t.Errorf("gca status --json printed %s (%v)", status.out, err)
	}
	logs := r.ok(nil, append(append([]string{"logs"}, r.login()...), "-n", "20", r.target())...)
	if !strings.Contains(logs.out, "/v1/messages") {
		t.Errorf("gca logs shows no request:\n%s", logs.out)
	}
	one := r.ok(nil, append(append([]string{"logs"}, r.login()...), "-n", "1", "--since", "1h", "--grep", "/v1/messages", "--level", "info", "--json", r.target())...)
	if strings.Count(one.out, "\n") != 1 || !strings.Contains(one.out, `"source":"adapter"`) || !strings.Contains(one.out, "/v1/messages") {
		t.Errorf("one line that was asked for: %s", one.out)
	}
	if none := r.ok(nil, append(append([]string{"logs"}, r.login()...), "--level", "error", r.target())...); none.out != "" || !strings.Contains(none.err, "no such line") {
		t.Errorf("errors of an adapter that has none: %s%s", none.out, none.err)
	}
}

// testLockStep lets the fake send a chunk only when the one before has arrived here. Whatever buffers hangs the stream.
func testLockStep(t *testing.T, r *rig, token string) {
	pieces := []string{"one ", "two ", "three ", "four"}
	r.fake.Enqueue(fakegemini.Say(pieces...).LockStep("stream"))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	resp := post(t, ctx, "http://"+r.server.Addr+"/v1/messages", token, `{"model":"gemini-2.5-flash","max_tokens":100,"stream":true,"messages":[{"role":"user","content":"count"}]}`)
	defer func() { _ = resp.Body.Close() }()
	arrived := 0
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if arrived < len(pieces) && strings.Contains(lines.Text(), `"text":"`+pieces[arrived]+`"`) {
			arrived++
			if err := r.fake.Arrived("stream"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if arrived != len(pieces) || ctx.Err() != nil {
		t.Errorf("%d of %d chunks arrived one by one, %v", arrived, len(pieces), ctx.Err())
	}
}

func post(t *testing.T, ctx context.Context, url, token, body string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

func testErrors(t *testing.T, r *rig, token string) {
	f := func(path, token, body string, status int, want string) {
		t.Helper()
		resp := post(t, t.Context(), "http://"+r.server.Addr+path, token, body)
		var got bytes.Buffer
		_, err := got.ReadFrom(resp.Body)
		if closeErr := resp.Body.Close(); err != nil || closeErr != nil {
			t.Errorf("%s: %v %v", path, err, closeErr)
		}
		if resp.StatusCode != status || !strings.Contains(got.String(), want) || !json.Valid(got.Bytes()) {
			t.Errorf("%s: got %d %.300s, want %d and %q", path, resp.StatusCode, got.String(), status, want)
		}
	}
	huge := strings.Repeat("x", 51<<20)
	for range 3 { // an answer that races with the body would be a reset now and then
		f("/v1/messages", token, huge, 413, `"type":"request_too_large"`)
		f("/v1/chat/completions", token, huge, 413, `"error":{"message":`)
	}
	f("/v1/messages", token, `{"model":`, 400, `"type":"invalid_request_error"`)
	f("/v1/messages", token, `{"max_tokens":9,"messages":[{"role":"user","content":"x"}]}`, 400, "model")
	f("/v1/messages", token, `{"model":"gemini-2.5-flash","max_tokens":9,"messages":[]}`, 400, "messages")
	f("/v1/chat/completions", token, `{"model":"gemini-2.5-flash","messages":[]}`, 400, "messages")
	f("/v1/unknown", token, `{}`, 404, `"error"`)
	f("/v1/messages", "wrong", `{}`, 401, `"type":"authentication_error"`)
	f("/v1/chat/completions", "", `{}`, 401, `invalid_api_key`)
}

func testHardened(t *testing.T, r *rig) {
	r.scores("gemini-adapter.service")
	status := r.on("ufw status")
	for _, want := range []string{"Status: active", "22/tcp", "80/tcp"} {
		if !strings.Contains(status, want) {
			t.Errorf("ufw status lacks %q:\n%s", want, status)
		}
	}
	modes := r.on("stat -c '%a %U %G %n' /etc/gemini-adapter/*")
	for _, want := range []string{"640 root gemini /etc/gemini-adapter/adapter.env", "600 root root /etc/gemini-adapter/keys", "640 root gemini /etc/gemini-adapter/tokens"} {
		if !strings.Contains(modes, want) {
			t.Errorf("want %q in:\n%s", want, modes)
		}
	}
}

// scores wants a unit to be well shut in.
func (r *rig) scores(unit string) {
	r.t.Helper()
	r.scoresUnder(unit, 1.5)
}

func (r *rig) scoresUnder(unit string, most float64) {
	r.t.Helper()
	line := r.on("systemd-analyze security " + unit + " | tail -n 1")
	score := regexp.MustCompile(`([0-9]+\.[0-9]+)`).FindString(line)
	if f, err := strconv.ParseFloat(score, 64); err != nil || f > most {
		r.t.Errorf("the live exposure score of %s is %q, want %.1f or better", unit, line, most)
	}
}

// planted is a prompt that must be found nowhere.
const planted = "prompt-PLANTED-4711"

// testSecrets looks where keys, tokens and prompts have no business: logs, journals, processes, errors, figures.
func testSecrets(t *testing.T, r *rig, client, admin string) {
	said := r.tellsOf(client, admin)
	places := said + r.on(`cat /root/seen; journalctl --no-pager -o json; cat /var/log/nginx/*.log; find /var/lib/gca -type f -exec cat {} +
for p in /proc/[0-9]*; do tr '\0' ' ' <$p/cmdline; tr '\0' ' ' <$p/environ; done 2>/dev/null || true`)
	for _, want := range []string{"gca agent", "/etc/gemini-adapter/keys", "/v1/messages", `"total_keys"`, "gemini_requests_total", "authentication_error"} { // the places were looked at indeed
		if !strings.Contains(places, want) {
			t.Errorf("%q is nowhere", want)
		}
	}
	for _, secret := range append([]string{client, admin, planted}, goodKeys...) {
		if at := strings.Index(places, secret); at >= 0 {
			t.Errorf("what ends in %s shows in logs, journals, errors or figures, or in a process's arguments: %q", secret[len(secret)-4:], places[max(0, at-200):at])
		}
	}
}

// tellsOf has the adapter answer, refuse and fail, and returns all its errors and figures.
func (r *rig) tellsOf(client, admin string) string {
	r.t.Helper()
	var all strings.Builder
	ask := func(method, path, token, body string, keep bool) {
		r.t.Helper()
		req, err := http.NewRequestWithContext(r.t.Context(), method, "http://"+r.server.Addr+path, strings.NewReader(body))
		if err != nil {
			r.t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			r.t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		if closeErr := resp.Body.Close(); err != nil || closeErr != nil {
			r.t.Fatal(err, closeErr)
		}
		if keep {
			all.Write(text)
		}
	}
	good := `{"model":"gemini-2.5-flash","max_tokens":50,"messages":[{"role":"user","content":"` + planted + `"}]}`
	ask("POST", "/v1/messages", client, good, false)
	ask("POST", "/v1/messages", client+"x", good, true)
	ask("POST", "/v1/messages", client, strings.TrimSuffix(good, "}"), true)
	ask("POST", "/v1/messages", client, strings.Replace(good, `"user"`, `"nobody"`, 1), true)
	ask("POST", "/v1beta/models/gemini-2.5-flash:generateContent?key="+client, "", `{"contents":[{"parts":[{"text":"x"}]}],"`+planted+`":1}`, false) // Google's own words, which quote it
	r.fake.Respond(func(rec fakegemini.Recorded) (fakegemini.Answer, bool) {
		return fakegemini.Fail(fakegemini.ErrHighDemand()), bytes.Contains(rec.Body, []byte(planted))
	})
	ask("POST", "/v1/messages", client, good, true)
	ask("POST", "/v1/chat/completions", client, strings.Replace(good, "max_tokens", "max_completion_tokens", 1), true)
	r.fake.Respond(nil)
	for _, path := range []string{"/stats", "/stats?days=2", "/metrics", "/health"} {
		ask("GET", path, admin, "", true)
	}
	ask("GET", "/stats", client, "", true)
	return all.String()
}

func testAgain(t *testing.T, r *rig) {
	r.on("printf 'LogLevel VERBOSE\\n' >/etc/ssh/sshd_config.d/verbose.conf; systemctl restart ssh")
	before, processes := r.on(everything), r.on(running)
	sessions := sshSessions(r)
	again := r.ok(nil, r.deployArgs()...)
	used := sshSessions(r) - sessions - 1 // the second count is a session itself
	if !strings.Contains(again.out, "up to date") {
		t.Errorf("a second deploy said:\n%s%s", again.out, again.err)
	}
	if after := r.on(everything); after != before {
		t.Errorf("a second deploy changed something:\n%s", differ(before, after))
	}
	if after := r.on(running); after != processes {
		t.Errorf("a second deploy restarted or replaced something:\n%s", differ(processes, after))
	}
	if used != 1 {
		t.Errorf("a second deploy took %d SSH execs, want 1", used)
	}
}

// sshSessions counts the commands that sshd has started, this one among them.
func sshSessions(r *rig) int {
	r.t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(r.on("journalctl --sync; journalctl -o cat --no-pager -t sshd -t sshd-session | grep -c 'Starting session: command' || true")))
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

func differ(before, after string) string {
	old := make(map[string]bool)
	for line := range strings.Lines(before) {
		old[line] = true
	}
	var b strings.Builder
	for line := range strings.Lines(after) {
		if !old[line] {
			b.WriteString("+ " + line)
		}
		delete(old, line)
	}
	for line := range old {
		b.WriteString("- " + line)
	}
	return b.String()
}

func testStop(t *testing.T, r *rig) {
	r.ok(nil, append(append([]string{"stop"}, r.login()...), r.target())...)
	resp, err := http.Get("http://" + r.server.Addr + "/health")
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusBadGateway {
		t.Errorf("a stopped adapter answers %s (%v)", resp.Status, err)
	}
	if state := r.on("systemctl is-active gemini-adapter.service gemini-adapter.socket || true"); strings.TrimSpace(state) != "inactive\ninactive" {
		t.Errorf("after stop and a request the units are %q", state)
	}
	if got := r.run(nil, append(append([]string{"status"}, r.login()...), r.target())...); got.code != exitFailed || !strings.Contains(got.out, "cure: gca start "+r.named()) {
		t.Errorf("status of a stopped adapter: exit code %d\n%s%s", got.code, got.out, got.err)
	}
	r.ok(nil, append(append([]string{"start"}, r.login()...), r.target())...)
	r.ok(nil, "test")
	before := r.on(running)
	r.ok(nil, append(append([]string{"restart"}, r.login()...), r.target())...)
	r.ok(nil, "test")
	if after := r.on(running); after == before {
		t.Errorf("restart left the process as it was: %s", after)
	}
	if state := r.on("su -s /bin/sh nobody -c 'gemini-manage stop' 2>&1 || echo $?"); !strings.Contains(state, "needs root") || !strings.Contains(state, "\n4") {
		t.Errorf("stop without root said: %s", state)
	}
}

func testReboot(t *testing.T, r *rig) {
	if err := r.server.Reboot(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.on("for i in $(seq 100); do systemctl is-active -q nginx && exit 0; sleep 0.1; done; exit 1")
	r.ok(nil, "test")
}

// What cannot work is refused in one clear line with a hint, and nothing is changed.
func TestDeploy_refused(t *testing.T) {
	t.Parallel()
	r := newRig(t, ready()...)
	env := []string{keysVariable + "=" + strings.Join(goodKeys, ",")}
	r.on("systemctl disable -q --now nginx")
	before := r.on(everything)
	f := func(name string, code int, got result, want ...string) {
		t.Helper()
		for _, text := range append(want, "hint: ") {
			if !strings.Contains(got.err, text) {
				t.Errorf("%s: want %q in:\n%s", name, text, got.err)
			}
		}
		if got.code != code {
			t.Errorf("%s: exit code %d, want %d\n%s", name, got.code, code, got.err)
		}
		if after := r.on(everything); after != before {
			t.Errorf("%s changed something:\n%s", name, differ(before, after))
		}
	}
	f("a host key unknown and nobody to ask", exitHostKey, r.run(env, "deploy", "--yes", "-i", r.server.KeyFile, r.target()), "SHA256:")
	f("no keys", exitUsage, r.run(nil, r.deployArgs()...), "no Gemini API keys")
	f("nobody to ask", exitUsage, r.run(env, append(append([]string{"deploy"}, r.login()...), r.target())...), "--yes")

	other := filepath.Join(t.TempDir(), "other")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	f("a refused key", exitAuth, r.run(env, append([]string{"deploy", "--yes", "-i", other, "--accept-new-host-key"}, r.target())...), r.server.Addr)

	r.on("cp /etc/os-release /root/os-release; rm /etc/os-release; printf 'ID=fedora\\nPRETTY_NAME=\"Fedora Linux 44\"\\n' >/etc/os-release")
	got := r.run(env, r.deployArgs()...)
	r.on("rm /etc/os-release; ln -s ../usr/lib/os-release /etc/os-release")
	f("not Debian or Ubuntu", exitRefused, got, "Fedora Linux 44")

	r.on("systemd-run -q --unit=squatter python3 -m http.server 80; for i in $(seq 100); do ss -Hltn 'sport = :80' | grep -q . && exit 0; sleep 0.1; done; exit 1")
	f("port 80 held", exitRefused, r.run(env, r.deployArgs()...), "port 80, which Nginx needs, is held by python3")
	r.on("systemctl stop squatter")

	r.on("rm /etc/ssh/ssh_host_*; ssh-keygen -q -A; systemctl restart ssh")
	got = r.run(env, "deploy", "--yes", "-i", r.server.KeyFile, "--accept-new-host-key", r.target())
	if got.code != exitHostKey || !strings.Contains(got.err, "hint: if it was reinstalled: ssh-keygen ") {
		t.Errorf("a changed host key: exit code %d\n%s", got.code, got.err)
	}
}

// Every key dead: the client is told how many for which reason.
func TestDeploy_deadKeys(t *testing.T) {
	t.Parallel()
	r := newRig(t, ready()...)
	got := r.run([]string{keysVariable + "=dead-key-one,dead-key-two"}, r.deployArgs()...)
	if got.code != exitPartial || !strings.Contains(got.err, "2 invalid") || !strings.Contains(got.err, "few Gemini keys: 2") {
		t.Errorf("a deploy with dead keys: exit code %d\n%s%s", got.code, got.out, got.err)
	}
	if got := r.run(nil, "ask", "hi"); got.code == 0 || !strings.Contains(got.err, "no usable Gemini API key: 2 invalid") {
		t.Errorf("gca ask: exit code %d\n%s", got.code, got.err)
	}
	resp, err := http.Get(fmt.Sprintf("http://%s/health", r.server.Addr))
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("/health: %s (%v)", resp.Status, err)
	}
	// New keys bring it back.
	again := r.deploy()
	if !strings.Contains(again.out, "The adapter serves") {
		t.Errorf("a deploy with good keys said:\n%s", again.out)
	}
	r.ok(nil, "test")
	if _, err := os.Stat(filepath.Join(r.home, ".config", "gca", "profiles.json")); err != nil {
		t.Error(err)
	}
}

// A deploy that the laptop cannot see the end of is undone: the settings of before serve, with the token of before.
func TestDeploy_rolledBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, ready()...)
	r.deploy()
	before := r.on(everything)
	r.on("iptables -I INPUT -p tcp --dport 80 -s " + r.server.Gateway + " -j DROP")
	args := append([]string{"deploy", "--yes", "--gemini-base-url", "http://127.0.0.1:9"}, r.login()...)
	got := r.run(nil, append(args, r.target())...)
	r.on("iptables -D INPUT -p tcp --dport 80 -s " + r.server.Gateway + " -j DROP")
	if got.code != exitRolledBack || !strings.Contains(got.err, "hint: ") || !strings.Contains(got.err, "everything was put back") {
		t.Errorf("exit code %d\n%s%s", got.code, got.out, got.err)
	}
	if after := r.on(everything); after != before {
		t.Errorf("not everything was put back:\n%s", differ(before, after))
	}
	r.ok(nil, "test")
}
