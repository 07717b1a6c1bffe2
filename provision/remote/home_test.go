package remote

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// home gives the test a home directory of its own and no agent.
func home(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("SSH_AUTH_SOCK", "")
	if err := os.Mkdir(filepath.Join(dir, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

func newSigner(t *testing.T) ssh.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// writeKey makes a key file, encrypted unless the passphrase is empty.
func writeKey(t *testing.T, path, passphrase string) (ssh.PublicKey, ed25519.PrivateKey) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var block *pem.Block
	if passphrase == "" {
		block, err = ssh.MarshalPrivateKey(private, "")
	} else {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte(passphrase))
	}
	if err == nil {
		err = os.WriteFile(path, pem.EncodeToMemory(block), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer.PublicKey(), private
}

// dialed is a server that accepts the test's key, and a connection to it.
func dialed(t *testing.T, setUp func(*server)) (*server, *Conn) {
	t.Helper()
	dir := home(t)
	s := newServer(t)
	public, _ := writeKey(t, filepath.Join(dir, ".ssh", "id_ed25519"), "")
	s.allow(public)
	if setUp != nil {
		setUp(s)
	}
	s.start()
	conn, err := Dial(context.Background(), s.host(), Options{AcceptNew: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, conn
}

// wantError checks an error's kind and that its text holds the parts.
func wantError(t testing.TB, err error, kind Kind, parts ...string) {
	t.Helper()
	var told *Error
	if !errors.As(err, &told) {
		t.Fatalf("got %v (%T), want an Error of kind %v", err, err, kind)
	}
	if told.Kind != kind {
		t.Errorf("kind %v, want %v: %v", told.Kind, kind, err)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in: %v", part, err)
		}
	}
}
