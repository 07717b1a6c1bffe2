package main

import (
	"bufio"
	"context"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test binary be the command.
func TestMain(m *testing.M) {
	if os.Getenv("FAKEGEMINI_MAIN") == "1" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	c := exec.CommandContext(ctx, os.Args[0], args...)
	c.Env = append(os.Environ(), "FAKEGEMINI_MAIN=1")
	return c
}

func TestServesAndEnds(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		c := command(t, "--keys", "one, two", "--delay", "0")
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil || !strings.HasPrefix(line, "http://127.0.0.1:") {
			t.Fatalf("first line %q %v", line, err)
		}
		for key, want := range map[string]int{"one": 200, "two": 200, "three": 400} {
			res, err := http.Get(strings.TrimSpace(line) + "/v1beta/models?key=" + key)
			if err != nil || res.StatusCode != want || res.Body.Close() != nil {
				t.Errorf("key %s: %v %v, want %d", key, res, err, want)
			}
		}
		if err := c.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		if err := c.Wait(); err != nil {
			t.Errorf("%s: %v", sig, err)
		}
	}
}

func TestBadUse(t *testing.T) {
	f := func(code int, text string, args ...string) {
		t.Helper()
		out, err := command(t, args...).CombinedOutput()
		exit, ok := err.(*exec.ExitError)
		if !ok || exit.ExitCode() != code || !strings.Contains(string(out), text) {
			t.Errorf("%v: %v %s, want exit %d with %q", args, err, out, code, text)
		}
	}
	f(2, `unexpected argument "now"`, "now")
	f(2, "flag provided but not defined", "--nothing")
	f(1, "cannot listen on 127.0.0.1:x", "--listen", "127.0.0.1:x")
}
