package remote

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"testing/iotest"
)

func TestRun(t *testing.T) {
	_, conn := dialed(t, nil)
	ctx := context.Background()

	var stdout, stderr bytes.Buffer
	err := conn.Run(ctx, Cmd{Line: `cat; echo oops >&2; exit 7`, Stdin: strings.NewReader("hello"), Stdout: &stdout, Stderr: &stderr})
	var exit *ExitError
	if !errors.As(err, &exit) || exit.Status != 7 || exit.Signal != "" || exit.Stderr != "" {
		t.Errorf("got %#v, want status 7", err)
	}
	if stdout.String() != "hello" || stderr.String() != "oops\n" {
		t.Errorf("stdout %q, stderr %q", stdout.String(), stderr.String())
	}
	if err := conn.Run(ctx, Cmd{Line: "cat"}); err != nil {
		t.Errorf("without any stream: %v", err)
	}
	err = conn.Run(ctx, Cmd{Line: "echo because >&2; exit 1"})
	if !errors.As(err, &exit) || exit.Stderr != "because\n" || !strings.Contains(err.Error(), "status 1: because") {
		t.Errorf("got %v", err)
	}
	err = conn.Run(ctx, Cmd{Line: "kill -KILL $$"})
	if !errors.As(err, &exit) || exit.Signal != "KILL" || exit.Status != 137 {
		t.Errorf("got %#v", err)
	}
}

func TestRun_Big(t *testing.T) {
	_, conn := dialed(t, nil)
	data := randomBytes(6 << 20)
	var stdout bytes.Buffer
	err := conn.Run(context.Background(), Cmd{Line: "cat; head -c 300000 /dev/zero >&2; printf end >&2; exit 1", Stdin: bytes.NewReader(data), Stdout: &stdout})
	var exit *ExitError
	if !errors.As(err, &exit) || len(exit.Stderr) != maxStderr || !strings.HasSuffix(exit.Stderr, "\x00end") {
		t.Errorf("got an error of %d bytes", len(exit.Stderr))
	}
	if !bytes.Equal(stdout.Bytes(), data) {
		t.Errorf("%d of %d bytes came back, or others", stdout.Len(), len(data))
	}
}

// A command that does not read its input is no failure.
func TestRun_UnreadInput(t *testing.T) {
	_, conn := dialed(t, nil)
	if err := conn.Run(context.Background(), Cmd{Line: "exit 0", Stdin: bytes.NewReader(randomBytes(6 << 20))}); err != nil {
		t.Error(err)
	}
}

// A local failure must end the command, and not look like its success.
func TestRun_LocalFailure(t *testing.T) {
	_, conn := dialed(t, nil)
	broken := errors.New("broken")
	ctx := context.Background()
	if err := conn.Run(ctx, Cmd{Line: "cat", Stdin: iotest.ErrReader(broken)}); !errors.Is(err, broken) {
		t.Errorf("input: %v", err)
	}
	forever := "while echo x; echo y >&2; do :; done"
	if err := conn.Run(ctx, Cmd{Line: forever, Stdout: failing{broken}}); !errors.Is(err, broken) {
		t.Errorf("output: %v", err)
	}
	if err := conn.Run(ctx, Cmd{Line: forever, Stderr: failing{broken}}); !errors.Is(err, broken) {
		t.Errorf("error output: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestRun_Refused(t *testing.T) {
	_, conn := dialed(t, func(s *server) { s.noExec = true })
	wantError(t, conn.Run(context.Background(), Cmd{Line: "true"}), KindRemote, "does not run commands", "hint: ")
}

// Whatever is quoted comes back out of a shell.
func TestQuote(t *testing.T) {
	f := func(want string, args ...string) {
		t.Helper()
		quoted := Quote(args...)
		if quoted != want {
			t.Errorf("Quote(%q) = %s, want %s", args, quoted, want)
		}
		out, err := exec.Command("/bin/sh", "-c", `printf '%s\0' `+quoted).Output()
		if got := strings.TrimSuffix(string(out), "\x00"); err != nil || got != strings.Join(args, "\x00") {
			t.Errorf("%s became %q, %v", quoted, got, err)
		}
	}
	f(`plain /a-b_c.d:e,f+g@h`, "plain", "/a-b_c.d:e,f+g@h")
	f(`''`, "")
	f(`'a b' '~' '$HOME'`, "a b", "~", "$HOME")
	f(`'it'\''s'`, "it's")
	f(`'back'\\'slash'\\''`, `back\slash\`)
	f("'new\nline`id`*'", "new\nline`id`*")
}

// Whatever the line, the login shell gets one that every shell takes, and /bin/sh the line itself.
func TestLoginLine(t *testing.T) {
	f := func(line, want string) {
		t.Helper()
		sent := loginLine(line)
		if strings.ContainsAny(sent, "\n!") {
			t.Errorf("%q travels as %q", line, sent)
		}
		out, err := exec.Command("/bin/sh", "-c", sent).Output()
		if err != nil || string(out) != want {
			t.Errorf("%q gives %q, %v, want %q", line, out, err, want)
		}
	}
	f("echo hi", "hi\n")
	f("echo hi!", "hi!\n")
	f("printf '%s' 'it'\\''s \\n'\necho !", `it's \n`+"!\n")
	f("cat <<'E'\n\t\"$HOME\" `x` \\ ! 'q'\nE\n", "\t\"$HOME\" `x` \\ ! 'q'\n")
	f("printf %s 'ü\n7!7'", "ü\n7!7")
	f("exec printf %s \"$LC_ALL\"\nexit 1", "C.UTF-8")
}
