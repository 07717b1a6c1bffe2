package remote

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"net"
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
	if !conn.UsedKey() {
		t.Error("the key was not noticed")
	}
	if _, err := conn.Redial(t.Context(), ""); err != nil || asked != 1 {
		t.Errorf("%v, the passphrase was asked for %d times", err, asked)
	}
	if connections, _, _ := s.seen(); connections != 2 {
		t.Errorf("%d connections", connections)
	}
	stop := errors.New("stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stop)
	if _, err := conn.Redial(ctx, ""); !errors.Is(err, stop) {
		t.Errorf("cancelled: %v", err)
	}
	s.mu.Lock()
	clear(s.authorized)
	s.mu.Unlock()
	wantError(t, redial(t, conn), KindAuth, "accepts none of the keys")
	s.listener.Close()
	wantError(t, redial(t, conn), KindUnreachable, "connection refused")
	if err := conn.Run(t.Context(), Cmd{Line: "true"}); err != nil {
		t.Errorf("the first connection: %v", err)
	}
}

func redial(t *testing.T, conn *Conn) error {
	t.Helper()
	ran, err := conn.Redial(t.Context(), "true")
	if ran {
		t.Error("the line was run")
	}
	return err
}

// What is run over a new connection is proof by the server itself.
func TestRedial_Line(t *testing.T) {
	s, _ := passwordServer(t)
	who := person{password: secret}
	conn, err := Dial(t.Context(), s.start().host(), Options{AcceptNew: true, Prompts: who.prompts()})
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, conn)
	file := filepath.Join(t.TempDir(), "ran")
	if ran, err := conn.Redial(t.Context(), "touch "+file); !ran || err != nil || !exists(file) {
		t.Errorf("%v, %v", ran, err)
	}
	var exit *ExitError
	if ran, err := conn.Redial(t.Context(), "exit 3"); ran || !errors.As(err, &exit) || exit.Status != 3 {
		t.Errorf("%v, %v", ran, err)
	}
	if conn.UsedKey() {
		t.Error("a password is taken for a key")
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
	if _, err := conn.Redial(t.Context(), ""); err != nil || len(who.asked) != 2 || tries.Load() != 1 {
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

// replaced puts another server, with a host key of its own, at the address of s.
func replaced(t *testing.T, s *server) *server {
	t.Helper()
	s.listener.Close()
	other := newServer(t)
	other.listener.Close()
	listener, err := net.Listen("tcp", s.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	other.listener = listener
	return other
}

// What the first login accepted counts, and nothing else: there may be no file that
// keeps it, and there is nobody to ask again.
func TestRedial_HostKey(t *testing.T) {
	asked := 0
	yes := Options{Jump: "bastion", Prompts: Prompts{ConfirmHostKey: func(_, _, _ string) (bool, error) { asked++; return true, nil }}}
	f := func(file string, opts Options, changes func(j *journey) *server) {
		t.Helper()
		asked = 0
		j := newJourney(t, "Host *\n  UserKnownHostsFile "+file+"\n")
		conn, err := j.travel("tokyo", opts)
		if err != nil {
			t.Fatal(err)
		}
		defer closed(t, conn)
		before := asked
		if _, err := conn.Redial(t.Context(), ""); err != nil || asked != before {
			t.Errorf("known hosts in %s: %v, asked %d times more", file, err, asked-before)
		}
		old := changes(j)
		other := replaced(t, old).start()
		wantError(t, redial(t, conn), KindHostKey, "has changed since the login", ssh.FingerprintSHA256(old.hostKey), ssh.FingerprintSHA256(other.hostKey), "\nhint: ")
		if _, offered, _ := other.seen(); len(offered) > 0 {
			t.Errorf("offered %q to another server", offered)
		}
	}
	bastion := func(j *journey) *server { return j.bastion }
	tokyo := func(j *journey) *server { return j.tokyo }
	f("/dev/null", yes, tokyo)
	f("none", yes, bastion)
	f("/dev/null", Options{AcceptNew: true, Jump: "bastion"}, bastion)
	f("none", Options{AcceptNew: true, Jump: "bastion"}, tokyo)
	f("~/.ssh/known_hosts", Options{AcceptNew: true, Jump: "bastion"}, tokyo)
}

// The server shows the kind of key that was accepted, where it has several.
func TestRedial_HostKeyType(t *testing.T) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	second, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	c := newHostKeyCase(t, newSigner(t), second)
	c.write(c.line(second.PublicKey()))
	conn, err := Dial(t.Context(), c.s.host(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, conn)
	if _, err := conn.Redial(t.Context(), ""); err != nil {
		t.Error(err)
	}
}

// A password that was typed for one server is not given to another.
func TestRedial_Password(t *testing.T) {
	s, _ := passwordServer(t)
	who := person{password: secret}
	opts := Options{AcceptNew: true, KnownHostsFile: "/dev/null", Prompts: who.prompts()}
	conn, err := Dial(t.Context(), s.start().host(), opts)
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, conn)
	var given atomic.Int32
	other := replaced(t, s)
	other.config.PasswordCallback = func(ssh.ConnMetadata, []byte) (*ssh.Permissions, error) {
		given.Add(1)
		return nil, nil
	}
	other.start()
	wantError(t, redial(t, conn), KindHostKey, "has changed since the login")
	if given.Load() != 0 {
		t.Error("another server was given the password")
	}
}
