package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// sshd hangs up at the sixth refused key by default (MaxAuthTries), and fail2ban
// may count each one, so few are offered, and each of them once.
const (
	maxAgentKeys   = 4
	maxOfferedKeys = 5
)

const (
	agentAnswer = 3 * time.Second // to list keys
	agentSign   = time.Minute     // a person may have to touch or confirm
)

// login offers the user's keys to the server, one after the other.
type login struct {
	host  Host
	clock *clock
	agent *agentConn // nil: none

	keys   []*identity
	unused int // keys that there are, but that are not offered

	mu       sync.Mutex // the callbacks run in the handshake's goroutines
	offered  []string
	allowed  []string // the methods that the server accepts
	accepted bool     // a key was right, but is not enough
	failed   error    // a key the server wanted and that could not sign
}

// newLogin gathers the keys, without a prompt, before there is a connection that
// would have to wait.
func newLogin(ctx context.Context, host Host, opts *Options, clock *clock) (*login, error) {
	l := &login{host: host, clock: clock, agent: dialAgent(ctx)}
	if opts.IdentityFile == "" {
		l.gather(l.agent.keys(), defaultKeys(opts.Prompts))
		return l, nil
	}
	file, err := readKeyFile(opts.IdentityFile, opts.Prompts)
	if err != nil {
		l.close()
		return nil, err
	}
	l.keys = []*identity{file}
	for _, held := range l.agent.keys() {
		if samePublicKey(held.public, file.public) {
			l.keys = []*identity{held}
		}
	}
	return l, nil
}

// gather orders keys as ssh does: those of the default files that the agent
// holds, the agent's others, the files that it does not hold.
func (l *login) gather(held, files []*identity) {
	isIn := func(key *identity, list []*identity) bool {
		return slices.ContainsFunc(list, func(other *identity) bool { return samePublicKey(key.public, other.public) })
	}
	var first, others, rest []*identity
	for _, key := range held {
		if isIn(key, files) {
			first = append(first, key)
		} else {
			others = append(others, key)
		}
	}
	for _, key := range files {
		if !isIn(key, held) {
			rest = append(rest, key)
		}
	}
	fromAgent := slices.Concat(first, others)
	l.keys = slices.Concat(fromAgent[:min(len(fromAgent), maxAgentKeys)], rest)
	l.keys = l.keys[:min(len(l.keys), maxOfferedKeys)]
	l.unused = len(fromAgent) + len(rest) - len(l.keys)
}

// defaultKeys are the usable ones of ssh's default files. Those that cannot be
// read are passed over, as ssh does.
func defaultKeys(prompts Prompts) []*identity {
	home, err := os.UserHomeDir()
	if err != nil {
		return nil
	}
	var keys []*identity
	for _, name := range []string{"id_ed25519", "id_ecdsa", "id_rsa"} {
		path := filepath.Join(home, ".ssh", name)
		if _, err := os.Stat(path); err != nil {
			continue
		}
		if key, err := readKeyFile(path, prompts); err == nil {
			keys = append(keys, key)
		}
	}
	return keys
}

// next is an [ssh.ClientAuthCallback]: each call hands over one more key.
func (l *login) next(state *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.allowed = state.AllowedMethods
	l.accepted = slices.Contains(state.PartialSuccessMethods, "publickey")
	if l.accepted || len(l.offered) == len(l.keys) || !slices.Contains(l.allowed, "publickey") {
		return nil, nil
	}
	key := l.keys[len(l.offered)]
	l.offered = append(l.offered, fmt.Sprintf("%s (%s)", key.name, ssh.FingerprintSHA256(key.public)))
	return ssh.PublicKeys(&lateSigner{key, l}), nil
}

// lateSigner opens its key when the server wants a signature of it.
type lateSigner struct {
	key   *identity
	login *login
}

func (s *lateSigner) PublicKey() ssh.PublicKey { return s.key.public }

func (s *lateSigner) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	return s.SignWithAlgorithm(rand, data, s.key.public.Type())
}

func (s *lateSigner) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	defer s.login.clock.pause()()
	signer, err := s.key.open()
	var signature *ssh.Signature
	if err == nil {
		signature, err = signer.SignWithAlgorithm(rand, data, algorithm)
	}
	if err != nil {
		s.login.mu.Lock()
		defer s.login.mu.Unlock()
		s.login.failed = err
		var told *Error
		if !errors.As(err, &told) {
			s.login.failed = &Error{Kind: KindAuth, Message: s.key.name + " cannot sign", Err: err,
				Hint: "ssh-add -l shows what the agent holds; unlock it, or name another key with -i"}
		}
	}
	return signature, err
}

// begun says whether the server has come to ask who logs in.
func (l *login) begun() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.allowed != nil
}

// explain turns the handshake's error into the one to show.
func (l *login) explain(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.failed != nil:
		return l.failed
	case l.allowed == nil:
		return greetError(l.host, l.clock.timeout, err)
	case l.accepted:
		return &Error{Kind: KindAuth,
			Message: fmt.Sprintf("%s accepts the key, but asks for more: %s", l.host, strings.Join(l.allowed, ", ")),
			Hint:    "on the server, let the key be enough (AuthenticationMethods in sshd's configuration)"}
	case !slices.Contains(l.allowed, "publickey"):
		return &Error{Kind: KindAuth,
			Message: fmt.Sprintf("%s accepts no keys, only: %s", l.host, strings.Join(l.allowed, ", ")),
			Hint:    "on the server, set PubkeyAuthentication yes; then put your key there: " + l.copyID()}
	case len(l.keys) == 0:
		return &Error{Kind: KindAuth, Message: fmt.Sprintf("no key to log in to %s with: neither an agent's nor ~/.ssh/id_*", l.host),
			Hint: "ssh-keygen -t ed25519 && " + l.copyID()}
	}
	return l.denied(err)
}

func (l *login) denied(err error) error {
	refused := &Error{Kind: KindAuth,
		Message: fmt.Sprintf("permission denied: %s accepts none of the keys offered: %s", l.host, strings.Join(l.offered, ", ")),
		Hint:    "name the right key with -i FILE, or put yours on the server: " + l.copyID()}
	if l.unused > 0 {
		refused.Message += fmt.Sprintf(" (%d more not offered)", l.unused)
	}
	if timed := (net.Error)(nil); errors.As(err, &timed) || isConnLoss(err) {
		refused.Message = fmt.Sprintf("%s closed the connection during the login, after %s", l.host, strings.Join(l.offered, ", "))
	}
	return refused
}

func (l *login) copyID() string {
	port := ""
	if l.host.Port() != defaultPort {
		port = fmt.Sprintf("-p %d ", l.host.Port())
	}
	return fmt.Sprintf("ssh-copy-id %s%s@%s", port, l.host.User(), l.host.Name())
}

func (l *login) close() { l.agent.close() }

// agentConn is a connection to the user's SSH agent; nil where there is none.
type agentConn struct {
	sock   net.Conn
	client agent.ExtendedAgent
	cancel func() bool
}

// dialAgent returns nil for a dead socket too: the key files are still there.
func dialAgent(ctx context.Context) *agentConn {
	path := os.Getenv("SSH_AUTH_SOCK")
	if path == "" {
		return nil
	}
	dialer := net.Dialer{Timeout: agentAnswer}
	sock, err := dialer.DialContext(ctx, "unix", path)
	if err != nil {
		return nil
	}
	return &agentConn{sock: sock, client: agent.NewClient(sock),
		cancel: context.AfterFunc(ctx, func() { sock.Close() })}
}

// keys lists what the agent holds, nothing where it does not answer in time.
func (a *agentConn) keys() []*identity {
	if a == nil || a.sock.SetDeadline(time.Now().Add(agentAnswer)) != nil {
		return nil
	}
	signers, err := a.client.Signers()
	if err != nil {
		return nil
	}
	var keys []*identity
	for _, signer := range signers {
		name := "agent key"
		if key, ok := signer.PublicKey().(*agent.Key); ok && key.Comment != "" {
			name = "agent key " + fmt.Sprintf("%q", key.Comment)
		}
		keys = append(keys, &identity{name: name, public: signer.PublicKey(), open: func() (ssh.AlgorithmSigner, error) {
			if err := a.sock.SetDeadline(time.Now().Add(agentSign)); err != nil {
				return nil, err
			}
			return asAlgorithmSigner(name, signer)
		}})
	}
	return keys
}

func (a *agentConn) close() {
	if a != nil {
		a.cancel()
		a.sock.Close()
	}
}
