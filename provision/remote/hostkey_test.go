package remote

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"
)

// hostKeyCase is a server, a login key that it accepts, and a known_hosts file.
type hostKeyCase struct {
	t     *testing.T
	s     *server
	key   ssh.Signer
	known string
	asked int
}

func newHostKeyCase(t *testing.T, keys ...ssh.Signer) *hostKeyCase {
	dir := home(t)
	if keys == nil {
		keys = []ssh.Signer{newSigner(t)}
	}
	s := newServer(t, keys...)
	public, _ := writeKey(t, filepath.Join(dir, ".ssh", "id_ed25519"), "")
	s.allow(public)
	s.start()
	return &hostKeyCase{t: t, s: s, key: keys[0], known: filepath.Join(dir, ".ssh", "known_hosts")}
}

func (c *hostKeyCase) dial(opts Options) error {
	conn, err := Dial(context.Background(), c.s.host(), opts)
	if err != nil {
		return err
	}
	return conn.Close()
}

// confirm answers the question and checks what is asked.
func (c *hostKeyCase) confirm(answer bool, err error) Options {
	return Options{Prompts: Prompts{ConfirmHostKey: func(host, keyType, fingerprint string) (bool, error) {
		c.asked++
		if host != c.s.host().Addr() || keyType != c.key.PublicKey().Type() || fingerprint != c.seen() {
			c.t.Errorf("asked about %s %s %s", host, keyType, fingerprint)
		}
		return answer, err
	}}}
}

func (c *hostKeyCase) seen() string { return ssh.FingerprintSHA256(c.key.PublicKey()) }

func (c *hostKeyCase) write(lines ...string) {
	if err := os.WriteFile(c.known, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

func (c *hostKeyCase) line(key ssh.PublicKey) string {
	return xknownhosts.Line([]string{c.s.host().Addr()}, key)
}

func (c *hostKeyCase) content() string {
	raw, err := os.ReadFile(c.known)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		c.t.Fatal(err)
	}
	return string(raw)
}

func TestHostKey_FirstUse(t *testing.T) {
	c := newHostKeyCase(t)
	if err := os.RemoveAll(filepath.Dir(c.known)); err != nil {
		t.Fatal(err)
	}
	opts := c.confirm(true, nil)
	// The key file went with the directory: the login fails, the host key stays.
	wantError(t, c.dial(opts), KindAuth)
	if c.asked != 1 || c.content() != c.line(c.key.PublicKey())+"\n" {
		t.Errorf("asked %d times, stored %q", c.asked, c.content())
	}
	for path, mode := range map[string]os.FileMode{c.known: 0o600, filepath.Dir(c.known): 0o700 | os.ModeDir} {
		if info, err := os.Stat(path); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	public, _ := writeKey(t, filepath.Join(filepath.Dir(c.known), "id_ed25519"), "")
	c.s.mu.Lock()
	c.s.allow(public)
	c.s.mu.Unlock()
	if err := c.dial(opts); err != nil || c.asked != 1 {
		t.Errorf("the second use: %v, asked %d times", err, c.asked)
	}
	if err := c.dial(Options{}); err != nil {
		t.Errorf("the second use without a terminal: %v", err)
	}
}

func TestHostKey_Refused(t *testing.T) {
	c := newHostKeyCase(t)
	host := c.s.host().Addr()
	wantError(t, c.dial(c.confirm(false, nil)), KindHostKey, c.seen(), "was not accepted")
	stop := errors.New("interrupted at the prompt")
	if err := c.dial(c.confirm(false, stop)); err != stop {
		t.Errorf("got %v, want the prompt's own error", err)
	}
	wantError(t, c.dial(Options{}), KindHostKey, host, "hint: ", "--host-key "+c.seen(), "ssh_host_ed25519_key.pub")
	other := ssh.FingerprintSHA256(newSigner(t).PublicKey())
	wrong, err := ParseFingerprint(other)
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, c.dial(Options{HostKey: wrong, AcceptNew: true}), KindHostKey, c.seen(), "not the expected "+other)
	if c.content() != "" {
		t.Errorf("a refused key was stored: %s", c.content())
	}
	if _, offered, _ := c.s.seen(); len(offered) != 0 {
		t.Errorf("keys were offered to a server that is not trusted: %v", offered)
	}
}

// A server that tires of waiting for an answer is not taken for one that bans us.
func TestHostKey_TooLate(t *testing.T) {
	c := newHostKeyCase(t)
	err := c.dial(Options{Prompts: Prompts{ConfirmHostKey: func(_, _, _ string) (bool, error) {
		c.s.cut()
		return true, nil
	}}})
	wantError(t, err, KindUnreachable, "while the host key was being confirmed", "run the command again")
	if err := c.dial(Options{}); err != nil {
		t.Errorf("the second time: %v", err)
	}
}

func TestHostKey_AcceptedByFlag(t *testing.T) {
	for _, name := range []string{"fingerprint", "accept new"} {
		t.Run(name, func(t *testing.T) {
			c := newHostKeyCase(t)
			opts := Options{AcceptNew: true}
			if name == "fingerprint" {
				want, err := ParseFingerprint(c.seen())
				if err != nil {
					t.Fatal(err)
				}
				opts = Options{HostKey: want}
			}
			c.write("# no newline at the end")
			if err := c.dial(opts); err != nil {
				t.Fatal(err)
			}
			if want := "# no newline at the end\n" + c.line(c.key.PublicKey()) + "\n"; c.content() != want {
				t.Errorf("stored %q, want %q", c.content(), want)
			}
			if err := c.dial(Options{}); err != nil {
				t.Errorf("the second use: %v", err)
			}
		})
	}
}

func TestHostKey_Changed(t *testing.T) {
	c := newHostKeyCase(t)
	old := newSigner(t).PublicKey()
	c.write("# one", c.line(old), "")
	want, err := ParseFingerprint(c.seen())
	if err != nil {
		t.Fatal(err)
	}
	stored := c.content()
	yes := c.confirm(true, nil)
	yes.AcceptNew = true
	for _, opts := range []Options{{}, {AcceptNew: true}, {HostKey: want}, yes} {
		wantError(t, c.dial(opts), KindHostKey, "has changed", c.known+":2", ssh.FingerprintSHA256(old), c.seen(),
			fmt.Sprintf("hint: if it was reinstalled: ssh-keygen -f %s -R '[127.0.0.1]:%d'", c.known, c.s.host().Port()))
	}
	if c.content() != stored || c.asked != 0 {
		t.Errorf("asked %d times; the file is now %q", c.asked, c.content())
	}
}

func TestHostKey_Revoked(t *testing.T) {
	c := newHostKeyCase(t)
	c.write("@revoked " + c.line(c.key.PublicKey()))
	wantError(t, c.dial(Options{AcceptNew: true}), KindHostKey, "is revoked by "+c.known+":1")
	c.write("@revoked * " + string(ssh.MarshalAuthorizedKey(c.key.PublicKey())) + c.line(c.key.PublicKey()))
	wantError(t, c.dial(Options{}), KindHostKey, "is revoked")
}

func TestHostKey_KnownButNotExpected(t *testing.T) {
	c := newHostKeyCase(t)
	c.write(c.line(c.key.PublicKey()))
	wrong, err := ParseFingerprint(ssh.FingerprintSHA256(newSigner(t).PublicKey()))
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, c.dial(Options{HostKey: wrong}), KindHostKey, "not the expected")
}

// A file of hashed names keeps to them.
func TestHostKey_Hashed(t *testing.T) {
	c := newHostKeyCase(t)
	c.write(xknownhosts.HashHostname("elsewhere") + " " + string(ssh.MarshalAuthorizedKey(newSigner(t).PublicKey())))
	if err := c.dial(Options{AcceptNew: true}); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(strings.TrimSpace(c.content()), "\n"); len(lines) != 2 || strings.Contains(c.content(), "127.0.0.1") {
		t.Errorf("stored %q", c.content())
	}
	if err := c.dial(Options{}); err != nil {
		t.Errorf("the second use: %v", err)
	}
}

// A server with several keys is asked for the kind that is stored, and one whose
// stored kind is gone counts as changed.
func TestHostKey_StoredType(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	second, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	c := newHostKeyCase(t, newSigner(t), second)
	c.write(c.line(second.PublicKey()))
	if err := c.dial(Options{}); err != nil {
		t.Errorf("with the second key stored: %v", err)
	}

	only := newHostKeyCase(t)
	only.write(only.line(second.PublicKey()))
	wantError(t, only.dial(Options{AcceptNew: true}), KindHostKey, "has changed", "ecdsa-sha2-nistp256", "ssh-ed25519")
}

// A long connection exchanges keys anew; a key that was new at its start must
// neither be asked about again nor refused.
func TestHostKey_Rekey(t *testing.T) {
	asked := 0
	dir := home(t)
	s := newServer(t)
	s.config.RekeyThreshold = 4096
	public, _ := writeKey(t, filepath.Join(dir, ".ssh", "id_ed25519"), "")
	s.allow(public)
	conn, err := Dial(context.Background(), s.start().host(), Options{Prompts: Prompts{
		ConfirmHostKey: func(_, _, _ string) (bool, error) { asked++; return true, nil }}})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := conn.Run(context.Background(), Cmd{Line: "head -c 200000 /dev/zero", Stdout: &out}); err != nil || out.Len() != 200000 {
		t.Errorf("%d bytes, %v", out.Len(), err)
	}
	if err := conn.Close(); err != nil || asked != 1 {
		t.Errorf("asked %d times, %v", asked, err)
	}
}

func TestHostKey_BadFile(t *testing.T) {
	c := newHostKeyCase(t)
	c.write("# fine", "vps ssh-ed25519 notbase64!")
	wantError(t, c.dial(Options{AcceptNew: true}), KindHostKey, c.known, "line 2", "repair or delete the line")
	if connections, _, _ := c.s.seen(); connections != 0 {
		t.Errorf("%d connections were made", connections)
	}
	wantError(t, c.dial(Options{KnownHostsFile: filepath.Dir(c.known)}), KindHostKey, "cannot read the known hosts")
	wantError(t, c.dial(Options{KnownHostsFile: "/proc/none/known_hosts", AcceptNew: true}), KindHostKey, "cannot store", "hint: ")
}

func TestParseFingerprint(t *testing.T) {
	digest := strings.Repeat("A", 43)
	for _, text := range []string{"SHA256:" + digest, "SHA256:" + digest + "="} {
		got, err := ParseFingerprint(text)
		if err != nil || got.String() != "SHA256:"+digest {
			t.Errorf("ParseFingerprint(%q) = %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", digest, "SHA256:", "SHA256:" + digest[1:], "MD5:00:11", "sha256:" + digest, "SHA256:" + digest[1:] + "!"} {
		if got, err := ParseFingerprint(text); err == nil || !strings.Contains(err.Error(), "\nhint: ") {
			t.Errorf("ParseFingerprint(%q) = %v, %v", text, got, err)
		}
	}
}
