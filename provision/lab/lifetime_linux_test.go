package lab

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// childEnv makes TestServerOwner the program that is killed.
const childEnv = "GCA_LAB_TEST_OWNER"

// TestServerOwner is no test by itself: run by TestOwnerKilled, it owns a server until it is killed.
func TestServerOwner(t *testing.T) {
	name := os.Getenv(childEnv)
	if name == "" {
		return
	}
	s, err := Up(t.Context(), Options{Name: name}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stdout.WriteString(s.Name + "\n"); err != nil {
		t.Fatal(err)
	}
	<-t.Context().Done()
}

func TestOwnerKilled(t *testing.T) {
	t.Parallel()
	needLab(t)
	name, child := "orphan", exec.Command(os.Args[0], "-test.run=^TestServerOwner$")
	child.Env = append(os.Environ(), childEnv+"="+name)
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || strings.TrimSpace(line) != name {
		t.Fatalf("the owner says %q, %v", line, err)
	}
	s, err := Find(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	own, err := os.Open(filepath.Join(s.dir, lockFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); err == nil {
		t.Fatal("the owner was not killed")
	}
	ctx, cancel := context.WithTimeout(t.Context(), endTimeout)
	defer cancel()
	if err := waitLock(ctx, own); err != nil {
		t.Fatalf("the holder outlives its owner: %v", err)
	}
	if err := own.Close(); err != nil {
		t.Fatal(err)
	}
	wantNothingLeft(t, s)
}

func TestHolderKilled(t *testing.T) {
	t.Parallel()
	s := Require(t, Options{})
	own, err := os.Open(filepath.Join(s.dir, lockFile))
	if err != nil {
		t.Fatal(err)
	}
	h := s.owned
	s.owned = nil
	if err := h.cmd.Process.Signal(unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := h.end(); err == nil {
		t.Error("a killed holder is no error")
	}
	ctx, cancel := context.WithTimeout(t.Context(), endTimeout)
	defer cancel()
	if err := waitLock(ctx, own); err != nil {
		t.Fatal(err)
	}
	if err := own.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := List(t.Context()); err != nil { // sweeps
		t.Fatal(err)
	}
	wantNothingLeft(t, s)
}

func TestUpCancelled(t *testing.T) {
	t.Parallel()
	needLab(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { _, err := Up(ctx, Options{Name: "cancelled"}, io.Discard); done <- err }()
	var booting *Server
	for deadline := time.Now().Add(bootTimeout); booting == nil; {
		s, err := Find(t.Context(), "cancelled")
		if err == nil {
			booting = s
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	wantNothingLeft(t, booting)
}
