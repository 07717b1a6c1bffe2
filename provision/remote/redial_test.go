package remote

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

func TestRedial(t *testing.T) {
	dir := home(t)
	path := filepath.Join(dir, ".ssh", "id_ed25519")
	public, _ := writeKey(t, path, "secret")
	s := newServer(t)
	s.allow(public)
	asked := 0
	opts := Options{AcceptNew: true, pauses: []time.Duration{}, Prompts: Prompts{Passphrase: func(string) ([]byte, error) {
		asked++
		return []byte("secret"), nil
	}}}
	conn, err := Dial(t.Context(), s.start().host(), opts)
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, conn)
	if err := conn.Redial(t.Context()); err != nil || asked != 1 {
		t.Errorf("%v, the passphrase was asked for %d times", err, asked)
	}
	if connections, _, _ := s.seen(); connections != 2 {
		t.Errorf("%d connections", connections)
	}
	stop := errors.New("stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stop)
	if err := conn.Redial(ctx); !errors.Is(err, stop) {
		t.Errorf("cancelled: %v", err)
	}
	s.mu.Lock()
	clear(s.authorized)
	s.mu.Unlock()
	wantError(t, conn.Redial(t.Context()), KindAuth, "accepts none of the keys")
	s.listener.Close()
	wantError(t, conn.Redial(t.Context()), KindUnreachable, "connection refused")
	if err := conn.Run(t.Context(), Cmd{Line: "true"}); err != nil {
		t.Errorf("the first connection: %v", err)
	}
}

// A one-time code is not given twice: that the server asks for it again is the proof.
func TestRedial_Once(t *testing.T) {
	s, _ := passwordServer(t)
	var tries atomic.Int32
	asking(s, "", []string{"Password: ", "Verification code: "}, []string{secret, "42"}, false)
	ask := s.config.KeyboardInteractiveCallback
	s.config.KeyboardInteractiveCallback = func(conn ssh.ConnMetadata, client ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
		permissions, err := ask(conn, client)
		if err == nil || strings.Contains(err.Error(), "wrong") {
			tries.Add(1)
		}
		return permissions, err
	}
	who := person{password: secret, answers: []string{"42"}}
	conn, err := Dial(t.Context(), s.start().host(), Options{AcceptNew: true, Prompts: who.prompts()})
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, conn)
	if err := conn.Redial(t.Context()); err != nil || len(who.asked) != 2 || tries.Load() != 1 {
		t.Errorf("%v, asked %q, %d logins", err, who.asked, tries.Load())
	}
}

// Options that were resolved once share what was typed.
func TestMemory(t *testing.T) {
	s, tries := passwordServer(t)
	who := person{password: secret}
	opts := Options{AcceptNew: true, Prompts: who.prompts()}
	host, err := Resolve(t.Context(), s.start().host().String(), &opts)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		conn, err := Dial(t.Context(), host, opts)
		if err != nil {
			t.Fatal(err)
		}
		closed(t, conn)
	}
	if len(who.asked) != 1 || *tries != 2 {
		t.Errorf("asked %q, %d logins", who.asked, *tries)
	}
}
