package control

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

func TestFetch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "main.sock")
	if _, err := Fetch(t.Context(), path); !errors.Is(err, ErrAbsent) {
		t.Errorf("before it runs: got %v", err)
	}
	want := Status{Version: "1", Started: time.Unix(1, 0).UTC(), Requests: 3, Keys: []Key{{ID: "ab-1234", State: "active"}}}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	go func() { ended <- Serve(ctx, l, func() Status { return want }) }()
	got, err := Fetch(t.Context(), path)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, error %v", got, err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Serve: %v", err)
	}
	if _, err := Fetch(t.Context(), path); !errors.Is(err, ErrAbsent) {
		t.Errorf("after it ended: got %v", err)
	}
}

func TestListen_replacesADeadSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "main.sock")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	if err := dead.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("got mode %v, error %v", info.Mode(), err)
	}
}
