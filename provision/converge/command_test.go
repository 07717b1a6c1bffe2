package converge

import (
	"context"
	"strings"
	"testing"
	"time"
)

func TestExecute(t *testing.T) {
	f := func(script string, limit time.Duration, out, complaint string) {
		t.Helper()
		got, err := execute(context.Background(), command{file: "/bin/sh", name: "sh", args: []string{"-c", script}, path: "/usr/bin:/bin",
			limit: limit, grace: 200 * time.Millisecond})
		if got != out || (err == nil) != (complaint == "") || err != nil && !strings.Contains(err.Error(), complaint) {
			t.Errorf("%s: %q, %v; want %q, %q", script, got, err, out, complaint)
		}
	}
	f("echo done", time.Minute, "done\n", "")
	f("echo half; exit 3", time.Minute, "half\n", "exit status 3")
	f("echo done; sleep 1 &", time.Minute, "done\n", "")
	f("echo half; sleep 1 & exit 3", time.Minute, "half\n", "exit status 3")
	f("trap 'echo put in order; exit 0' INT; while :; do sleep 0.05; done", 500*time.Millisecond, "put in order\n", "no end after 500ms")
	f("trap '' INT; while :; do sleep 0.05; done", 500*time.Millisecond, "", "no end after 500ms")
}
