package lab

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// lab runs the command line and returns its exit code and output.
func runCLI(t *testing.T, args ...string) (int, string, string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := CLI(t.Context(), args, strings.NewReader("typed"), &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

func TestCLIUsage(t *testing.T) {
	f := func(want string, args ...string) {
		t.Helper()
		code, stdout, stderr := runCLI(t, args...)
		if code != 2 || stdout != "" || !strings.Contains(stderr, want) || !strings.Contains(stderr, "\nhint: ") {
			t.Errorf("lab %q: got %d, %q, %q; want 2 and %q", args, code, stdout, stderr, want)
		}
	}
	f("a verb is missing")
	f(`no verb "boot"`, "boot")
	f("-nmae", "up", "-nmae", "x")
	f("do not fit", "up", "extra")
	f(`server name "X"`, "up", "--name", "X")
	f(`package "-x"`, "up", "--packages", "nginx,-x")
	f("do not fit", "list", "extra")
	f("do not fit", "exec", "name")
	f("a command is missing", "exec", "name", "--")
	f("do not fit", "ssh")
	f(`user "nobody"`, "ssh", "name", "nobody")
	f("do not fit", "check", "extra")

	code, stdout, stderr := runCLI(t, "help")
	if code != 0 || stdout != "" || !strings.HasPrefix(stderr, "lab boots") {
		t.Errorf("help: got %d, %q, %q", code, stdout, stderr)
	}
}

func TestCLI(t *testing.T) {
	t.Parallel()
	needLab(t)
	if code, stdout, stderr := runCLI(t, "check"); code != 0 || stdout+stderr != "" {
		t.Errorf("check: got %d, %q, %q", code, stdout, stderr)
	}
	code, stdout, stderr := runCLI(t, "up", "--name", "cli-test", "--json")
	if code != 0 {
		t.Fatalf("up: %d %s", code, stderr)
	}
	var s Server
	if err := json.Unmarshal([]byte(stdout), &s); err != nil || s.Name != "cli-test" || s.State != Running || s.Owner != 0 {
		t.Errorf("up says %s, %v", stdout, err)
	}
	f := func(wantCode int, want string, args ...string) {
		t.Helper()
		code, stdout, stderr := runCLI(t, args...)
		if code != wantCode || !strings.Contains(stdout+stderr, want) {
			t.Errorf("lab %q: got %d, %q, %q; want %d, %q", args, code, stdout, stderr, wantCode, want)
		}
	}
	f(0, "cli-test", "list")
	f(0, s.KeyFile, "list", "--json")
	f(0, "typed", "exec", "cli-test", "--", "cat")
	f(7, "", "exec", "cli-test", "sh", "-c", "exit 7")
	f(1, "no server is named nobody\nhint: ", "exec", "nobody", "--", "true")
	f(1, "no server is named nobody\nhint: ", "down", "cli-test", "nobody")
	f(0, "cli-test is gone", "down", "cli-test")
	f(1, "no server is named cli-test", "ssh", "cli-test")
}
