package main

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/manage"
)

// testMonitor watches a server on which something went wrong, from afar and on it.
func testMonitor(t *testing.T, r *rig) {
	r.on("systemctl reset-failed gemini-adapter; gemini-manage restart")
	r.ok(nil, "ask", "something to count")
	got := r.ok(nil, r.verb(words("monitor"), "--once")...)
	for _, want := range []string{"gemini-adapter " + version + " on ", "healthy", "3 active, 0 resting, 0 disabled", "first word", "recent errors", "nginx: [crit] 1#1: and again"} {
		if !strings.Contains(got.out, want) {
			t.Errorf("no %q in:\n%s", want, got.out)
		}
	}
	if there := r.on("gemini-manage monitor --once"); !strings.Contains(there, "3 active, 0 resting, 0 disabled") || strings.Contains(there, "\x1b") {
		t.Errorf("on the server:\n%s", there)
	}
	if got := r.on("runuser -u sudoer -- gemini-manage monitor --once 2>&1 || echo code $?"); !strings.Contains(got, "hint: ") || !strings.Contains(got, "code 4") {
		t.Errorf("without sudo:\n%s", got)
	}
	testSamples(t, r)
	typed := r.typed(nil, []answer{{"reset key", "jxy"}, {"is reset", "q"}}, r.verb(words("monitor"), "--interval", "1h")...)
	if typed.code != exitOK || !strings.Contains(typed.out, "\x1b[?1049l") {
		t.Errorf("a dashboard ended with %d:\n%q", typed.code, typed.out)
	}
	r.on("gemini-manage stop")
	if got := r.ok(nil, r.verb(words("monitor"), "--once")...); !strings.Contains(got.out, "NOT ANSWERING") || !strings.Contains(got.out, "the adapter is not running") {
		t.Errorf("of a server that was stopped:\n%s", got.out)
	}
	r.on("gemini-manage start")
}

// testSamples reads the stream until it has seen a request and an error that came meanwhile.
func testSamples(t *testing.T, r *rig) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, r.gca, r.verb(words("monitor"), "--json", "--interval", "200ms")...)
	cmd.Env = []string{"HOME=" + r.home}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	until := func(is func(manage.Sample) bool) {
		t.Helper()
		for lines.Scan() {
			var s manage.Sample
			if err := json.Unmarshal(lines.Bytes(), &s); err != nil || s.Schema != 1 || s.Stats == nil {
				t.Fatalf("%v in %s", err, lines.Text())
			}
			if is(s) {
				return
			}
		}
		t.Fatalf("the stream ended: %v", lines.Err())
	}
	var before int64
	until(func(s manage.Sample) bool { before = s.Stats.Requests; return true })
	r.ok(nil, "ask", "one more")
	until(func(s manage.Sample) bool { return s.Stats.Requests > before })
	r.on("printf '%s [crit] 1#1: seen live\\n' \"$(date '+%Y/%m/%d %H:%M:%S')\" >>/var/log/nginx/error.log")
	until(func(s manage.Sample) bool {
		return slices.ContainsFunc(s.Errors, func(l manage.LogLine) bool { return strings.Contains(l.Text, "seen live") })
	})
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != exitInterrupted {
		t.Errorf("interrupted, it ended with %v", err)
	}
}
