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

	"golang.org/x/crypto/ssh"
)

// sshd hangs up at the sixth refused key by default (MaxAuthTries), and fail2ban
// may count each one, so few are offered, and each of them once.
const (
	maxAgentKeys   = 4
	maxOfferedKeys = 5
)

// The methods of RFC 4252 and RFC 4256.
const (
	methodKey       = "publickey"
	methodChallenge = "keyboard-interactive"
	methodPassword  = "password"
)

// login proves to one server who the user is: keys, one after the other, then the
// server's questions, then a password. Nothing that was refused is tried again.
type login struct {
	stop    stop
	prompts Prompts
	memory  *memory
	clock   *clock
	agent   *agentConn // nil: none
	again   bool       // what was typed before has to be enough

	keys   []*identity
	unused int      // keys that there are, but that are not offered
	broken []string // files of ssh_config that hold no usable key

	mu      sync.Mutex // the callbacks run in the handshake's goroutines
	offered []string
	allowed []string // the methods that the server accepts
	used    []string // what the server has accepted, where that is not enough
	current string   // what it is being shown
	typed   typed
	banner  string
	failed  error // a key the server wanted and that could not sign
	stopped error // why nothing more is to be tried
}

// newLogin gathers the keys, without a prompt.
func newLogin(ctx context.Context, s stop, opts *Options, clock *clock) (*login, error) {
	l := &login{stop: s, prompts: opts.Prompts, memory: opts.memory, clock: clock}
	if s.settings.noKeys && s.identity == "" {
		return l, nil
	}
	l.agent = dialAgent(ctx, s.settings.identityAgent)
	if s.identity == "" {
		l.gather(l.agent.keys(), l.files())
		return l, nil
	}
	file, err := readKeyFile(s.identity, opts.Prompts)
	if err != nil {
		l.close()
		return nil, err
	}
	l.keys = []*identity{file}
	for _, held := range l.agent.keys() {
		if samePublicKey(held.public, file.public) {
			l.keys = []*identity{held.of(file)}
		}
	}
	return l, nil
}

// gather orders keys. Those that ssh_config names come first, in its order; of
// ssh's default files the agent's ones. The agent's others follow, unless only the
// named ones are wanted, then the files that it does not hold.
func (l *login) gather(held, files []*identity) {
	find := func(key *identity, list []*identity) *identity {
		if i := slices.IndexFunc(list, func(other *identity) bool { return samePublicKey(key.public, other.public) }); i >= 0 {
			return list[i]
		}
		return nil
	}
	var first, others, rest []*identity
	for _, key := range files {
		switch twin := find(key, held); {
		case twin != nil:
			first = append(first, twin.of(key))
		case l.stop.settings.identityFiles != nil:
			first = append(first, key)
		default:
			rest = append(rest, key)
		}
	}
	for _, key := range held {
		if !l.stop.settings.identitiesOnly && find(key, files) == nil {
			others = append(others, key)
		}
	}
	room := max(maxAgentKeys-len(first), 0)
	l.keys = slices.Concat(first, others[:min(len(others), room)], rest)
	l.keys = l.keys[:min(len(l.keys), maxOfferedKeys)]
	l.unused = len(first) + len(others) + len(rest) - len(l.keys)
}

// files are the usable ones of ssh_config, or of ssh's default files. Those that
// cannot be read are passed over, as ssh does.
func (l *login) files() []*identity {
	paths := l.stop.settings.identityFiles
	if paths == nil {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil
		}
		for _, name := range []string{"id_ed25519", "id_ecdsa", "id_rsa"} {
			if path := filepath.Join(home, ".ssh", name); exists(path) {
				paths = append(paths, path)
			}
		}
	}
	var keys []*identity
	for _, path := range paths {
		key, err := readKeyFile(path, l.prompts)
		if err != nil {
			l.broken = append(l.broken, path)
			continue
		}
		keys = append(keys, key)
	}
	return keys
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// next is an [ssh.ClientAuthCallback]: each call hands over one more thing to try.
func (l *login) next(state *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.allowed = state.AllowedMethods
	if len(state.PartialSuccessMethods) > len(l.used) {
		l.used = append(l.used, l.current)
		l.typed.accept(l.memory, l.stop.host)
	}
	may := func(method string) bool { return slices.Contains(l.allowed, method) }
	settings := l.stop.settings
	switch {
	case l.stopped != nil:
		return nil, l.stopped
	case l.typed.sent != nothing: // it was refused
		return nil, nil
	case may(methodKey) && len(l.offered) < len(l.keys):
		return l.nextKey(), nil
	case may(methodChallenge) && !settings.noChallenges && !l.typed.challenged && l.canAnswer():
		l.typed.challenged = true
		l.current = methodChallenge
		return ssh.KeyboardInteractive(l.challenge), nil
	case may(methodPassword) && !settings.noPasswords && l.canAnswer():
		return ssh.PasswordCallback(l.password), nil
	}
	return nil, nil
}

func (l *login) nextKey() ssh.AuthMethod {
	key := l.keys[len(l.offered)]
	l.offered = append(l.offered, fmt.Sprintf("%s (%s)", key.name, ssh.FingerprintSHA256(key.public)))
	l.current = key.label()
	return ssh.PublicKeys(&lateSigner{key, l})
}

// succeeded says what the server accepted, and keeps what was typed.
func (l *login) succeeded() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.typed.accept(l.memory, l.stop.host)
	if l.current == "" {
		return nil // the server asks nobody for anything
	}
	return append(l.used, l.current)
}

// hear is an [ssh.BannerCallback]: servers say there why they let nobody in.
func (l *login) hear(text string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.banner = printable(text)
	return nil
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
	signer, err := s.login.memory.signer(s.key)
	var signature *ssh.Signature
	if err == nil {
		signature, err = signer.SignWithAlgorithm(rand, data, algorithm)
	}
	if err != nil {
		s.login.cannotSign(s.key, err)
	}
	return signature, err
}

// cannotSign keeps the error to show. One of a prompt's, such as Ctrl-C, ends the
// login: no other question may follow it.
func (l *login) cannotSign(key *identity, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var told *Error
	var asked *promptError
	switch {
	case errors.As(err, &asked):
		l.stopped = asked.error
	case errors.As(err, &told):
		l.failed = err
	default:
		l.failed = &Error{Kind: KindAuth, Message: key.name + " cannot sign", Err: err,
			Hint: "ssh-add -l shows what the agent holds; unlock it, or name another key with -i"}
	}
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
	host, allowed := l.stop.host, strings.Join(l.allowed, ", ")
	switch {
	case l.stopped != nil:
		return l.stopped
	case l.failed != nil:
		return l.failed
	case l.allowed == nil:
		return greetError(host, l.clock.timeout, err)
	case l.typed.sent != nothing:
		return l.refused()
	case len(l.used) > 0:
		return &Error{Kind: KindAuth,
			Message: fmt.Sprintf("%s accepts %s, but asks for more: %s", host, strings.Join(l.used, " and "), allowed),
			Hint:    l.askHint("on the server, let that be enough (AuthenticationMethods in sshd's configuration)")}
	case !slices.Contains(l.allowed, methodKey):
		return &Error{Kind: KindAuth,
			Message: fmt.Sprintf("%s accepts no keys, only: %s", host, allowed),
			Hint:    l.askHint("on the server, set PubkeyAuthentication yes; then put your key there: " + l.copyID())}
	case len(l.keys) == 0:
		return l.noKey()
	}
	return l.denied(err)
}

func (l *login) noKey() error {
	message := fmt.Sprintf("no key to log in to %s with: neither an agent's nor ~/.ssh/id_*", l.stop.host)
	if l.stop.settings.identityFiles != nil {
		message = fmt.Sprintf("no key to log in to %s with", l.stop.host)
	}
	if len(l.broken) > 0 {
		message += "; of no use: " + strings.Join(l.broken, ", ")
	}
	return &Error{Kind: KindAuth, Message: message, Hint: l.askHint("ssh-keygen -t ed25519 && " + l.copyID())}
}

// denied lists what was offered, since too many keys of an agent's are the usual
// reason why the right one was not among them.
func (l *login) denied(err error) error {
	refused := &Error{Kind: KindAuth,
		Message: fmt.Sprintf("permission denied: %s accepts none of the keys offered: %s", l.stop.host, strings.Join(l.offered, ", ")),
		Hint:    l.askHint("name the right key with -i FILE, or put yours on the server: " + l.copyID())}
	if l.unused > 0 {
		refused.Message += fmt.Sprintf(" (%d more not offered)", l.unused)
	}
	if timed := (net.Error)(nil); errors.As(err, &timed) || isConnLoss(err) {
		refused.Message = fmt.Sprintf("%s closed the connection during the login, after %s", l.stop.host, strings.Join(l.offered, ", "))
	}
	if l.banner != "" {
		refused.Message += "; the server says: " + l.banner
	}
	return refused
}

func (l *login) copyID() string {
	port := ""
	if l.stop.host.Port() != defaultPort {
		port = fmt.Sprintf("-p %d ", l.stop.host.Port())
	}
	return fmt.Sprintf("ssh-copy-id %s%s@%s", port, l.stop.host.User(), l.stop.host.Name())
}

func (l *login) close() { l.agent.close() }
