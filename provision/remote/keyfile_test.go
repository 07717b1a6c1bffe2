package remote

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

func TestAuth_Passphrase(t *testing.T) {
	dir := home(t)
	path := filepath.Join(dir, ".ssh", "id_ecdsa")
	public := writePEM(t, path, "secret")
	f := func(accepted bool, want int, answers ...string) error {
		t.Helper()
		s := newServer(t)
		if accepted {
			s.allow(public)
		}
		asked := 0
		opts := Options{Prompts: Prompts{Passphrase: func(file string) ([]byte, error) {
			asked++
			if file != path {
				t.Errorf("asked for %s", file)
			}
			return []byte(answers[asked-1]), nil
		}}}
		if answers == nil {
			opts = Options{}
		}
		_, err := logIn(t, s.start(), opts)
		if asked != want {
			t.Errorf("asked %d times, want %d", asked, want)
		}
		return err
	}
	if err := f(true, 1, "secret"); err != nil {
		t.Error(err)
	}
	if err := f(true, 3, "wrong", "", "secret"); err != nil {
		t.Error(err)
	}
	wantError(t, f(true, 3, "a", "b", "c"), KindAuth, "wrong passphrase", path, "ssh-add")
	wantError(t, f(true, 0), KindAuth, "is encrypted", "no terminal", "ssh-add")
	wantError(t, f(false, 0, "secret"), KindAuth, "permission denied")
}

func TestAuth_EncryptedOpenSSH(t *testing.T) {
	dir := home(t)
	path := filepath.Join(dir, "key")
	public, _ := writeKey(t, path, "secret")
	s := newServer(t)
	s.allow(public)
	if _, err := logIn(t, s.start(), Options{IdentityFile: path,
		Prompts: Prompts{Passphrase: func(string) ([]byte, error) { return []byte("secret"), nil }}}); err != nil {
		t.Error(err)
	}
}

// The old PEM encryption hides the public half, which has to stand beside the key.
func TestAuth_EncryptedPEM(t *testing.T) {
	path := filepath.Join(home(t), "old.pem")
	writePEM(t, path, "secret")
	if err := os.Remove(path + ".pub"); err != nil {
		t.Fatal(err)
	}
	_, err := logIn(t, newServer(t).start(), Options{IdentityFile: path})
	wantError(t, err, KindAuth, "its public half is missing", "ssh-keygen -y -f "+path+" > "+path+".pub")
}

// writePEM makes an encrypted key of the old form with its public half beside it.
// Unlocking one takes no time.
func writePEM(t *testing.T, path, passphrase string) ssh.PublicKey {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	//lint:ignore SA1019 such files exist
	block, err := x509.EncryptPEMBlock(rand.Reader, "EC PRIVATE KEY", der, []byte(passphrase), x509.PEMCipherAES256)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(os.WriteFile(path, pem.EncodeToMemory(block), 0o600),
		os.WriteFile(path+".pub", ssh.MarshalAuthorizedKey(signer.PublicKey()), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return signer.PublicKey()
}

func TestAuth_BadKeyFile(t *testing.T) {
	dir := home(t)
	s := newServer(t).start()
	f := func(content string, parts ...string) {
		t.Helper()
		path := filepath.Join(dir, "bad")
		if content != "" {
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, err := logIn(t, s, Options{IdentityFile: path})
		wantError(t, err, KindAuth, append(parts, path, "hint: ")...)
	}
	f("", "cannot read the key file")
	f("ssh-ed25519 AAAA", "not a private key")
	f(strings.Repeat("x", maxKeyFile+1), "larger than")
	if connections, _, _ := s.seen(); connections != 0 {
		t.Errorf("%d connections with a bad key", connections)
	}
}
