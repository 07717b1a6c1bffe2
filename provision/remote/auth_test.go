package remote

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// startAgent serves a real agent on a socket of its own.
func startAgent(t *testing.T) agent.Agent {
	t.Helper()
	ring := agent.NewKeyring()
	serveAgent(t, func(sock net.Conn) {
		_ = agent.ServeAgent(ring, sock) // ends with the client's EOF
	})
	return ring
}

func serveAgent(t *testing.T, serve func(net.Conn)) {
	t.Helper()
	dir, err := os.MkdirTemp("", "agent") // t.TempDir can be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	work.Go(func() {
		for {
			sock, err := listener.Accept()
			if err != nil {
				return
			}
			work.Go(func() {
				defer sock.Close()
				serve(sock)
			})
		}
	})
	t.Setenv("SSH_AUTH_SOCK", listener.Addr().String())
	t.Cleanup(func() {
		listener.Close()
		work.Wait()
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
}

func addKey(t *testing.T, ring agent.Agent, private any, comment string) ssh.PublicKey {
	t.Helper()
	if private == nil {
		_, fresh, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		private = fresh
	}
	if err := ring.Add(agent.AddedKey{PrivateKey: private, Comment: comment}); err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer.PublicKey()
}

// logIn dials and says which keys the server was offered. It fails the test on
// more than one connection, or on a key offered twice.
func logIn(t *testing.T, s *server, opts Options) ([]string, error) {
	t.Helper()
	opts.AcceptNew = true
	conn, err := Dial(context.Background(), s.host(), opts)
	if err == nil {
		err = conn.Close()
	}
	connections, offered, _ := s.seen()
	if connections > 1 {
		t.Errorf("%d connections", connections)
	}
	sorted := slices.Sorted(slices.Values(offered))
	if len(slices.Compact(sorted)) != len(offered) {
		t.Errorf("a key was offered twice: %v", offered)
	}
	return offered, err
}

func fingerprints(keys ...ssh.PublicKey) []string {
	var prints []string
	for _, key := range keys {
		prints = append(prints, ssh.FingerprintSHA256(key))
	}
	return prints
}

func TestAuth_AgentThenFiles(t *testing.T) {
	dir := home(t)
	ring := startAgent(t)
	stranger := addKey(t, ring, nil, "stranger")
	inBoth, private := writeKey(t, filepath.Join(dir, ".ssh", "id_ed25519"), "")
	addKey(t, ring, private, "mine")
	inFile, _ := writeKey(t, filepath.Join(dir, ".ssh", "id_rsa"), "")
	s := newServer(t)
	s.allow(inFile)
	offered, err := logIn(t, s.start(), Options{})
	if want := fingerprints(inBoth, stranger, inFile); err != nil || !slices.Equal(offered, want) {
		t.Errorf("offered %v, want %v; %v", offered, want, err)
	}
}

func TestAuth_RSAInAgent(t *testing.T) {
	home(t)
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t)
	s.allow(addKey(t, startAgent(t), private, "rsa"))
	if _, err := logIn(t, s.start(), Options{}); err != nil {
		t.Error(err)
	}
}

func TestAuth_FullAgent(t *testing.T) {
	dir := home(t)
	ring := startAgent(t)
	var held []ssh.PublicKey
	for i := range 73 {
		held = append(held, addKey(t, ring, nil, fmt.Sprint("key ", i)))
	}
	file, _ := writeKey(t, filepath.Join(dir, ".ssh", "id_ed25519"), "")
	writeKey(t, filepath.Join(dir, ".ssh", "id_rsa"), "")
	s := newServer(t)
	s.allow(held[72])
	offered, err := logIn(t, s.start(), Options{})
	wantError(t, err, KindAuth, "permission denied", "tester@127.0.0.1", `"key 0"`, "70 more not offered", "-i FILE",
		fmt.Sprintf("ssh-copy-id -p %d tester@127.0.0.1", s.host().Port()))
	if want := fingerprints(append(held[:4:4], file)...); !slices.Equal(offered, want) {
		t.Errorf("offered %v, want %v", offered, want)
	}
}

func TestAuth_Identity(t *testing.T) {
	dir := home(t)
	ring := startAgent(t)
	addKey(t, ring, nil, "another")
	path := filepath.Join(dir, "my key")
	s := newServer(t)

	onlyFile, _ := writeKey(t, path, "")
	offered, err := logIn(t, s.start(), Options{IdentityFile: path})
	wantError(t, err, KindAuth, "permission denied", path)
	if want := fingerprints(onlyFile); !slices.Equal(offered, want) {
		t.Errorf("offered %v, want only %v", offered, want)
	}
}

// The public half is enough where the agent holds the private one.
func TestAuth_IdentityInAgent(t *testing.T) {
	for _, name := range []string{"key", "key.pub", "encrypted"} {
		t.Run(name, func(t *testing.T) {
			dir := home(t)
			ring := startAgent(t)
			addKey(t, ring, nil, "another")
			path := filepath.Join(dir, "key")
			passphrase := ""
			if name == "encrypted" {
				passphrase = "secret"
			}
			public, private := writeKey(t, path, passphrase)
			addKey(t, ring, private, "mine")
			if name != "encrypted" {
				if err := os.Rename(path, path+".away"); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path+".pub", ssh.MarshalAuthorizedKey(public), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			s := newServer(t)
			s.allow(public)
			identity := filepath.Join(dir, strings.Replace(name, "encrypted", "key", 1))
			if offered, err := logIn(t, s.start(), Options{IdentityFile: identity}); err != nil || len(offered) != 1 {
				t.Errorf("offered %v, %v", offered, err)
			}
		})
	}
}

func TestAuth_NoKeys(t *testing.T) {
	home(t)
	offered, err := logIn(t, newServer(t).start(), Options{})
	wantError(t, err, KindAuth, "no key to log in", "ssh-keygen -t ed25519")
	if len(offered) != 0 {
		t.Errorf("offered %v", offered)
	}
}

func TestAuth_DeadAgent(t *testing.T) {
	f := func(start func()) {
		t.Helper()
		dir := home(t)
		start()
		public, _ := writeKey(t, filepath.Join(dir, ".ssh", "id_ed25519"), "")
		s := newServer(t)
		s.allow(public)
		if _, err := logIn(t, s.start(), Options{}); err != nil {
			t.Error(err)
		}
	}
	f(func() { t.Setenv("SSH_AUTH_SOCK", filepath.Join(t.TempDir(), "gone")) })
	f(func() { serveAgent(t, func(net.Conn) {}) }) // hangs up at once
}

// An agent that lists a key and then will not sign, as a locked one.
func TestAuth_AgentRefusesToSign(t *testing.T) {
	home(t)
	ring := agent.NewKeyring()
	s := newServer(t)
	s.allow(addKey(t, ring, nil, "locked"))
	serveAgent(t, func(sock net.Conn) { _ = agent.ServeAgent(unsigning{ring}, sock) })
	_, err := logIn(t, s.start(), Options{})
	wantError(t, err, KindAuth, `"locked"`, "cannot sign", "ssh-add -l")
}

type unsigning struct{ agent.Agent }

func (unsigning) Sign(ssh.PublicKey, []byte) (*ssh.Signature, error) {
	return nil, errors.New("locked")
}

func TestAuth_OtherMethods(t *testing.T) {
	dir := home(t)
	public, _ := writeKey(t, filepath.Join(dir, ".ssh", "id_ed25519"), "")
	password := func(ssh.ConnMetadata, []byte) (*ssh.Permissions, error) { return nil, errors.New("wrong") }

	s := newServer(t)
	s.config.PublicKeyCallback, s.config.PasswordCallback = nil, password
	_, err := logIn(t, s.start(), Options{})
	wantError(t, err, KindAuth, "accepts no keys, only: password", "PubkeyAuthentication yes")

	s = newServer(t)
	s.allow(public)
	s.config.PublicKeyCallback = func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) {
		return nil, &ssh.PartialSuccessError{Next: ssh.ServerAuthCallbacks{PasswordCallback: password}}
	}
	_, err = logIn(t, s.start(), Options{})
	wantError(t, err, KindAuth, "accepts key ~/.ssh/id_ed25519, but asks for more: password", "nobody to ask")

	s = newServer(t)
	s.config.NoClientAuth = true
	if offered, err := logIn(t, s.start(), Options{}); err != nil || len(offered) != 0 {
		t.Errorf("a server that asks for no key: offered %v, %v", offered, err)
	}
}

func TestAuth_TooManyTries(t *testing.T) {
	home(t)
	ring := startAgent(t)
	for i := range 4 {
		addKey(t, ring, nil, fmt.Sprint("key ", i))
	}
	s := newServer(t)
	s.config.MaxAuthTries = 2
	_, err := logIn(t, s.start(), Options{})
	wantError(t, err, KindAuth, "tester@127.0.0.1", `"key 0"`, "-i FILE")
}

// A person may think longer than the handshake's time.
func TestAuth_SlowPrompt(t *testing.T) {
	dir := home(t)
	public := writePEM(t, filepath.Join(dir, ".ssh", "id_ecdsa"), "secret")
	s := newServer(t)
	s.allow(public)
	const timeout = 300 * time.Millisecond
	think := func() { <-time.After(timeout + 100*time.Millisecond) }
	conn, err := Dial(context.Background(), s.start().host(), Options{Timeout: timeout, Prompts: Prompts{
		ConfirmHostKey: func(_, _, _ string) (bool, error) { think(); return true, nil },
		Passphrase:     func(string) ([]byte, error) { think(); return []byte("secret"), nil },
	}})
	if err != nil {
		t.Fatal(err)
	}
	think() // the handshake's time does not bound the connection's
	if err := conn.Run(context.Background(), Cmd{Line: "true"}); err != nil {
		t.Error(err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
}

func TestGather(t *testing.T) {
	keys := make([]*identity, 12)
	for i := range keys {
		keys[i] = &identity{name: fmt.Sprint(i), public: newSigner(t).PublicKey()}
	}
	pick := func(list ...int) (picked []*identity) {
		for _, i := range list {
			picked = append(picked, keys[i])
		}
		return picked
	}
	f := func(s settings, held, files []*identity, unused int, want ...string) {
		t.Helper()
		l := &login{stop: stop{settings: s}}
		l.gather(held, files)
		var got []string
		for _, key := range l.keys {
			got = append(got, key.name)
		}
		if !slices.Equal(got, want) || l.unused != unused {
			t.Errorf("got %q and %d unused, want %q and %d", got, l.unused, want, unused)
		}
	}
	f(settings{}, nil, nil, 0)
	f(settings{}, pick(0, 1), pick(1, 2), 0, "1 (agent)", "0", "2")
	named := settings{identityFiles: []string{"x"}}
	f(named, pick(0, 1), pick(2, 1), 0, "2", "1 (agent)", "0")
	f(named, pick(0, 1, 2, 3, 4, 5, 6), pick(7), 4, "7", "0", "1", "2")
	named.identitiesOnly = true
	f(named, pick(0, 1), pick(2, 1), 0, "2", "1 (agent)")
	f(settings{identitiesOnly: true}, pick(0, 1), pick(1, 2), 0, "1 (agent)", "2")
	f(settings{}, pick(0, 1, 2, 3, 4, 5, 6, 7), pick(8, 9), 5, "0", "1", "2", "3", "8")
	f(named, nil, pick(0, 1, 2, 3, 4, 5, 6), 2, "0", "1", "2", "3", "4")
}
