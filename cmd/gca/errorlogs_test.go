package main

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/provision/lab"
	"github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

// What went wrong, from the journal and from Nginx, in one.
func TestErrorLogs(t *testing.T) {
	t.Parallel()
	r := newRig(t, ready()...)
	r.deploy()
	r.on("journalctl --rotate -q; journalctl --vacuum-time=1s -q; rm -f /var/log/nginx/error.log; systemctl reload nginx")
	if got := r.ok(nil, r.verb(words("error-logs"))...); got.out != "" || !strings.Contains(got.err, "nothing went wrong") {
		t.Errorf("on a server without trouble:\n%s%s", got.out, got.err)
	}
	r.on(`printf '2019/05/04 03:02:01 [crit] 1#1: long ago\n' >/var/log/nginx/error.log.1`)
	r.ok(nil, "ask", "what works is no trouble")
	r.fake.Enqueue(fakegemini.Reply(fakegemini.Text("half an "), fakegemini.Hangup()))
	if got := r.run(nil, "ask", "hello"); got.code == 0 {
		t.Errorf("half an answer is taken for a whole one: %s", got.out)
	}
	// Nginx's lines have whole seconds, and all of this fits into one
	r.on("systemctl kill -s KILL gemini-adapter; until systemctl is-active -q gemini-adapter; do sleep 0.1; done; gemini-manage restart; printf '%s [crit] 1#1: disk on fire\\n' \"$(date -d '+1 second' '+%Y/%m/%d %H:%M:%S')\" >>/var/log/nginx/error.log")
	got := r.ok(nil, r.verb(words("error-logs"))...)
	lines := strings.Split(strings.TrimSpace(got.out), "\n")
	for _, want := range []string{"nginx: [crit] 1#1: long ago", "systemd: gemini-adapter.service: Failed with result 'signal'", "nginx: [crit] 1#1: disk on fire"} {
		if !strings.Contains(got.out, want) {
			t.Errorf("no %q in:\n%s", want, got.out)
		}
	}
	if len(lines) < 3 || !strings.Contains(lines[0], "long ago") || !strings.Contains(lines[len(lines)-1], "disk on fire") {
		t.Errorf("not in the order of time:\n%s", got.out)
	}
	if n := strings.Count(got.out, `"path":"/v1/messages"`); n != 1 {
		t.Errorf("%d requests, of which one failed, in:\n%s", n, got.out)
	}
	here := r.on("gemini-manage error-logs -n 1 --json")
	var line struct {
		Schema int
		Source string
		Text   string
	}
	if err := json.Unmarshal([]byte(here), &line); err != nil || line.Schema != 1 || line.Source != "nginx" || line.Text != "[crit] 1#1: disk on fire" {
		t.Errorf("the last line as JSON is %s (%v)", here, err)
	}
	if got := r.on("runuser -u sudoer -- gemini-manage error-logs 2>&1 || echo code $?"); !strings.Contains(got, "hint: ") || !strings.Contains(got, "code 4") {
		t.Errorf("without sudo:\n%s", got)
	}
	if got := r.on("runuser -u sudoer -- gemini-manage logs 2>&1 || echo code $?"); strings.Contains(got, "No entries") || !strings.Contains(got, "needs root") || !strings.Contains(got, "code 4") {
		t.Errorf("logs without sudo:\n%s", got)
	}
	testErrorsFollowed(t, r)
	testMonitor(t, r)
	asked := r.as("sudoer")
	for _, verb := range []string{"logs", "error-logs"} {
		got := asked.typed(nil, []answer{{"for sudo", lab.SudoerPassword}}, asked.verb(words(verb))...)
		if got.code != exitOK || strings.Contains(got.out, "needs root") {
			t.Errorf("%s with a password: exit code %d\n%s", verb, got.code, got.out)
		}
		if got := asked.run(nil, asked.verb(words(verb), "--no-input")...); got.code != exitAuth {
			t.Errorf("%s with nobody to ask: exit code %d\n%s%s", verb, got.code, got.out, got.err)
		}
	}
}

// testErrorsFollowed reads what comes while it looks, and ends with an interruption.
func testErrorsFollowed(t *testing.T, r *rig) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, r.gca, r.verb(words("error-logs"), "-n", "1", "-f")...)
	cmd.Env = []string{"HOME=" + r.home}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	seen := bufio.NewScanner(out)
	until := func(want string) {
		t.Helper()
		for seen.Scan() {
			if strings.Contains(seen.Text(), want) {
				return
			}
		}
		t.Errorf("the end came before %q: %v", want, seen.Err())
	}
	until("disk on fire")
	r.on("printf '%s [crit] 1#1: and again\\n' \"$(date '+%Y/%m/%d %H:%M:%S')\" >>/var/log/nginx/error.log")
	until("nginx: [crit] 1#1: and again")
	r.on("systemctl kill -s KILL gemini-adapter")
	until("Failed with result 'signal'")
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != exitInterrupted {
		t.Errorf("interrupted, it ended with %v", err)
	}
}
