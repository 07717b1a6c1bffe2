package remote

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Cancelling ends the command on the server too, and whoever waits at once.
func TestStart_Cancel(t *testing.T) {
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
func TestStart_ConnectionLost(t *testing.T) {
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
