package remote

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"
)

// Fingerprint is the SHA-256 fingerprint of a host key as ssh-keygen -l prints
// it. The zero value is none; any other is made by [ParseFingerprint].
type Fingerprint struct{ text string }

// ParseFingerprint reads SHA256: and 43 base64 characters.
func ParseFingerprint(text string) (Fingerprint, error) {
	digest, found := strings.CutPrefix(text, "SHA256:")
	raw, err := base64.RawStdEncoding.Strict().DecodeString(strings.TrimRight(digest, "="))
	if !found || err != nil || len(raw) != 32 {
		return Fingerprint{}, fmt.Errorf("host key %q is not a SHA256 fingerprint\nhint: on the server's console, "+
			"`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` prints the one to give, SHA256: and 43 characters", text)
	}
	return Fingerprint{"SHA256:" + base64.RawStdEncoding.EncodeToString(raw)}, nil
}

func (f Fingerprint) String() string { return f.text }

// hostKeyCheck decides about the server's key, once for a connection: a rekey,
// which asks again, must show the key that was accepted.
type hostKeyCheck struct {
	host     Host
	address  string // its name:port in known_hosts
	file     string // where a new key is stored
	db       *knownhosts.HostKeyDB
	want     Fingerprint // if given, the only one
	add      strictness
	confirm  func(host, keyType, fingerprint string) (bool, error)
	clock    *clock
	accepted ssh.PublicKey
	asked    bool
	refused  error
}

// newHostKeyCheck reads the files of known hosts for one stop; final is the server
// itself. Where a key was accepted before, no file and nobody has a say any more.
func newHostKeyCheck(s stop, opts *Options, final bool, clock *clock) (*hostKeyCheck, error) {
	if s.hostKey != nil {
		return &hostKeyCheck{host: s.host, accepted: s.hostKey, clock: clock}, nil
	}
	check := &hostKeyCheck{host: s.host, address: s.host.Addr(), add: s.settings.strict, confirm: opts.Prompts.ConfirmHostKey, clock: clock}
	if opts.AcceptNew {
		check.add = strictAcceptNew
	}
	if final {
		check.want = opts.HostKey
	}
	if alias := s.settings.hostKeyAlias; alias != "" {
		check.address = net.JoinHostPort(alias, strconv.Itoa(defaultPort)) // which is left out in the files
	}
	own := s.settings.userKnownHosts
	if opts.KnownHostsFile != "" {
		own = []string{opts.KnownHostsFile}
	}
	if len(own) > 0 {
		check.file = own[0]
	}
	files := slices.DeleteFunc(slices.Concat(own, s.settings.globalKnownHosts), func(file string) bool {
		_, err := os.Stat(file)
		return errors.Is(err, os.ErrNotExist)
	})
	var err error
	if check.db, err = knownhosts.NewDB(files...); err != nil {
		hint := "repair or delete the line named above"
		if pathErr := (*os.PathError)(nil); errors.As(err, &pathErr) {
			hint = "make " + pathErr.Path + " readable"
		}
		return nil, &Error{Kind: KindHostKey, Message: "cannot read the known hosts", Err: err, Hint: hint}
	}
	return check, nil
}

// algorithms asks for the kinds of key that are known, so that a server with
// several keys shows the one that can be compared. The others follow, so that a
// reinstalled server is told as a changed key rather than as no common algorithm.
func (c *hostKeyCheck) algorithms() []string {
	supported := ssh.SupportedAlgorithms().HostKeys
	var algorithms []string
	for _, known := range c.known() {
		if slices.Contains(supported, known) {
			algorithms = append(algorithms, known)
		}
	}
	for _, usual := range []string{ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384,
		ssh.KeyAlgoECDSA521, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256} {
		if !slices.Contains(algorithms, usual) {
			algorithms = append(algorithms, usual)
		}
	}
	return algorithms
}

func (c *hostKeyCheck) known() []string {
	if c.accepted == nil {
		return c.db.HostKeyAlgorithms(c.address)
	}
	switch kind := c.accepted.Type(); kind {
	case ssh.KeyAlgoRSA:
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	case ssh.CertAlgoRSAv01:
		return []string{ssh.CertAlgoRSASHA512v01, ssh.CertAlgoRSASHA256v01}
	default:
		return []string{kind}
	}
}

// explain says why the handshake failed, if the host key or the question about
// it is the reason; else it is nil.
func (c *hostKeyCheck) explain(err error, loginBegun bool) error {
	if c.refused == nil && c.asked && !loginBegun && isConnLoss(err) {
		return &Error{Kind: KindUnreachable, Message: c.host.Addr() + " closed the connection while the host key was being confirmed",
			Hint: "run the command again; the key is stored now, and servers wait two minutes for a login"}
	}
	return c.refused
}

// ask asks the person about an unknown key.
func (c *hostKeyCheck) ask(keyType, seen string) (bool, error) {
	c.asked = true
	defer c.clock.pause()()
	return c.confirm(c.host.Addr(), keyType, seen)
}

// callback is an [ssh.HostKeyCallback].
func (c *hostKeyCheck) callback(_ string, _ net.Addr, key ssh.PublicKey) error {
	switch {
	case c.accepted == nil:
		if c.refused = c.decide(key); c.refused == nil {
			c.accepted = key
		}
	case !samePublicKey(c.accepted, key):
		c.refused = &Error{Kind: KindHostKey,
			Message: fmt.Sprintf("the host key of %s has changed since the login: it was %s (%s), but the server showed %s (%s)", c.host.Addr(),
				ssh.FingerprintSHA256(c.accepted), c.accepted.Type(), ssh.FingerprintSHA256(key), key.Type()),
			Hint: fmt.Sprintf("compare it with what `%s` prints on the server's console", showKeyCommand(key))}
	}
	return c.refused
}

func (c *hostKeyCheck) decide(key ssh.PublicKey) error {
	// The name alone decides: behind a jump host there is no other address.
	err := c.db.HostKeyCallback()(c.address, &net.TCPAddr{}, key)
	var unequal *xknownhosts.KeyError
	var revoked *xknownhosts.RevokedError
	switch {
	case err == nil:
		return c.expect(key)
	case errors.As(err, &revoked):
		return &Error{Kind: KindHostKey,
			Message: fmt.Sprintf("the host key of %s, %s, is revoked by %s:%d", c.host.Addr(), ssh.FingerprintSHA256(key),
				revoked.Revoked.Filename, revoked.Revoked.Line),
			Hint: "do not log in; give the server new host keys from its console: rm /etc/ssh/ssh_host_*_key* && ssh-keygen -A"}
	case errors.As(err, &unequal) && len(unequal.Want) > 0:
		return c.changed(unequal.Want, key)
	case errors.As(err, &unequal):
		return c.firstUse(key)
	default:
		return &Error{Kind: KindHostKey, Message: fmt.Sprintf("the host key of %s cannot be trusted", c.host.Addr()), Err: err}
	}
}

// expect holds the key against the fingerprint that the user gave, if any.
func (c *hostKeyCheck) expect(key ssh.PublicKey) error {
	seen := ssh.FingerprintSHA256(key)
	if c.want != (Fingerprint{}) && c.want.text != seen {
		return &Error{Kind: KindHostKey,
			Message: fmt.Sprintf("%s showed the host key %s (%s), not the expected %s", c.host.Addr(), seen, key.Type(), c.want),
			Hint: fmt.Sprintf("on the server's console, `%s` must print the expected one; a fingerprint of "+
				"another key type does not count", showKeyCommand(key))}
	}
	return nil
}

func (c *hostKeyCheck) changed(stored []xknownhosts.KnownKey, key ssh.PublicKey) error {
	var old []string
	for _, known := range stored {
		old = append(old, fmt.Sprintf("%s:%d has %s (%s)", known.Filename, known.Line,
			ssh.FingerprintSHA256(known.Key), known.Key.Type()))
	}
	return &Error{Kind: KindHostKey,
		Message: fmt.Sprintf("the host key of %s has changed: %s, but the server showed %s (%s); "+
			"the server was reinstalled, or somebody listens in between", c.host.Addr(), strings.Join(old, ", "),
			ssh.FingerprintSHA256(key), key.Type()),
		Hint: fmt.Sprintf("if it was reinstalled: ssh-keygen -f %s -R %s", Quote(stored[0].Filename), Quote(knownhosts.Normalize(c.address)))}
}

func (c *hostKeyCheck) firstUse(key ssh.PublicKey) error {
	seen := ssh.FingerprintSHA256(key)
	switch {
	case c.want != (Fingerprint{}):
		if err := c.expect(key); err != nil {
			return err
		}
	case c.add == strictAcceptNew:
	case c.add == strictYes:
		return &Error{Kind: KindHostKey,
			Message: fmt.Sprintf("the host key of %s, %s (%s), is not known, and ssh_config says StrictHostKeyChecking yes", c.host.Addr(), seen, key.Type()),
			Hint:    fmt.Sprintf("compare it with what `%s` prints on the server's console, then add --host-key %s", showKeyCommand(key), seen)}
	case c.confirm != nil:
		accepted, err := c.ask(key.Type(), seen)
		if err != nil {
			return err
		}
		if !accepted {
			return &Error{Kind: KindHostKey, Message: fmt.Sprintf("the host key of %s, %s, was not accepted", c.host.Addr(), seen)}
		}
	default:
		return &Error{Kind: KindHostKey,
			Message: fmt.Sprintf("the host key of %s, %s (%s), is not known yet, and there is no terminal to ask", c.host.Addr(), seen, key.Type()),
			Hint:    fmt.Sprintf("compare it with what `%s` prints on the server's console, then add --host-key %s", showKeyCommand(key), seen)}
	}
	if err := c.store(key); err != nil {
		return &Error{Kind: KindHostKey, Message: "cannot store the host key of " + c.host.Addr(), Err: err,
			Hint: "make " + c.file + " writable"}
	}
	return nil
}

// showKeyCommand prints, typed on the server, the fingerprint of its key of this type.
func showKeyCommand(key ssh.PublicKey) string {
	kind := "ed25519"
	switch {
	case strings.Contains(key.Type(), "ecdsa"):
		kind = "ecdsa"
	case strings.Contains(key.Type(), "rsa"):
		kind = "rsa"
	}
	return "ssh-keygen -lf /etc/ssh/ssh_host_" + kind + "_key.pub"
}

// store appends the key under its name in known_hosts. Where the file hides its
// names by hashing, the new one is hidden too.
func (c *hostKeyCheck) store(key ssh.PublicKey) (err error) {
	if c.file == "" {
		return nil // UserKnownHostsFile none
	}
	if err := os.MkdirAll(filepath.Dir(c.file), 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(c.file, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	old, err := io.ReadAll(file)
	if err != nil {
		return err
	}
	name := knownhosts.Normalize(c.address)
	if bytes.HasPrefix(old, []byte("|1|")) || bytes.Contains(old, []byte("\n|1|")) {
		name = xknownhosts.HashHostname(name)
	}
	line := fmt.Sprintf("%s %s", name, ssh.MarshalAuthorizedKey(key))
	if len(old) > 0 && old[len(old)-1] != '\n' {
		line = "\n" + line
	}
	_, err = io.WriteString(file, line)
	return err
}
