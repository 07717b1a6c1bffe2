package remote

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
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

// Cancelling ends the command on the server too, and Run at once.
func TestRun_Cancel(t *testing.T) {
	_, conn := dialed(t, nil)
	stop := errors.New("stop")
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	trace := filepath.Join(t.TempDir(), "ended")
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := exec.Command("mkfifo", fifo).Run(); err != nil {
		t.Fatal(err)
	}
	p, err := conn.Start(ctx, "trap 'echo TERM >"+Quote(trace)+"; echo >"+Quote(fifo)+"; exit' TERM; echo up; while :; do sleep 0.01; done")
	if err != nil {
		t.Fatal(err)
	}
	out := bufio.NewReader(p.Stdout)
	if line, err := out.ReadString('\n'); line != "up\n" {
		t.Fatalf("%q, %v", line, err)
	}
	cancel(stop)
	if _, err := out.ReadString('\n'); !errors.Is(err, stop) {
		t.Errorf("reading: %v, want the cause", err)
	}
	if _, err := p.Stdin.Write([]byte("x")); !errors.Is(err, stop) {
		t.Errorf("writing: %v, want the cause", err)
	}
	if err := p.Wait(); !errors.Is(err, stop) {
		t.Errorf("waiting: %v, want the cause", err)
	}
	if _, err := os.ReadFile(fifo); err != nil { // waits for the trap
		t.Error(err)
	}
	if said, err := os.ReadFile(trace); string(said) != "TERM\n" {
		t.Errorf("the command was not told: %q, %v", said, err)
	}
	if err := conn.Run(ctx, Cmd{Line: "echo not even started >" + Quote(trace)}); !errors.Is(err, stop) {
		t.Errorf("already cancelled: %v", err)
	}
	if err := conn.Run(context.Background(), Cmd{Line: "test $(cat " + Quote(trace) + ") = TERM"}); err != nil {
		t.Errorf("the connection does not serve on: %v", err)
	}
}

func TestStart_Dialogue(t *testing.T) {
	_, conn := dialed(t, nil)
	p, err := conn.Start(context.Background(), `while read -r line; do echo "got $line"; echo "log $line" >&2; done; exit 3`)
	if err != nil {
		t.Fatal(err)
	}
	out := bufio.NewReader(p.Stdout)
	for _, word := range []string{"one", "two"} {
		if _, err := io.WriteString(p.Stdin, word+"\n"); err != nil {
			t.Fatal(err)
		}
		if line, err := out.ReadString('\n'); line != "got "+word+"\n" {
			t.Errorf("%q, %v", line, err)
		}
	}
	if err := p.Stdin.Close(); err != nil {
		t.Error(err)
	}
	if rest, err := io.ReadAll(out); len(rest) != 0 || err != nil {
		t.Errorf("%q, %v", rest, err)
	}
	var exit *ExitError
	if err := p.Wait(); !errors.As(err, &exit) || exit.Status != 3 || exit.Stderr != "log one\nlog two\n" || p.Stderr() != exit.Stderr {
		t.Errorf("got %#v", err)
	}
}

// A broken connection is told as such, not as the command's end.
func TestRun_ConnectionLost(t *testing.T) {
	s, conn := dialed(t, nil)
	ctx := context.Background()
	p, err := conn.Start(ctx, "echo up; cat")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(p.Stdout, make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	s.cut()
	wantError(t, p.Wait(), KindUnreachable, "lost the connection to "+s.host().Addr())
	wantError(t, conn.Run(ctx, Cmd{Line: "true"}), KindUnreachable, "lost the connection")
}

func TestRun_Refused(t *testing.T) {
	_, conn := dialed(t, func(s *server) { s.noExec = true })
	wantError(t, conn.Run(context.Background(), Cmd{Line: "true"}), KindRemote, "does not run commands", "hint: ")
}

func TestConn_Close(t *testing.T) {
	_, conn := dialed(t, nil)
	if conn.Host().User() != "tester" || conn.RemoteAddr().String() != conn.Host().Addr() {
		t.Errorf("connected to %s at %s", conn.Host(), conn.RemoteAddr())
	}
	p, err := conn.Start(context.Background(), "cat")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := p.Wait(); !errors.Is(err, errClosed) {
		t.Errorf("got %v", err)
	}
	if err := conn.Run(context.Background(), Cmd{Line: "true"}); !errors.Is(err, errClosed) {
		t.Errorf("got %v", err)
	}
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
