package remote

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"sync"

	"golang.org/x/crypto/ssh"
)

// maxQuestions bounds what a server may ask at once.
const maxQuestions = 16

// promptError is an error of a prompt's own, to be returned as it is.
type promptError struct{ error }

func (e *promptError) Unwrap() error { return e.error }

// answer is what the server holds in its hands, and has not yet said a word about.
type answer int

const (
	nothing answer = iota
	aPassword
	otherAnswers
)

// typed is what was given to the server as the current proof.
type typed struct {
	sent       answer
	password   string
	asked      []string // questions that were answered
	challenged bool     // the server was let ask
}

// accept begins the next proof after one that the server took.
func (t *typed) accept(m *memory, host Host) {
	if t.password != "" {
		m.keepPassword(host, t.password)
	}
	*t = typed{}
}

// canAnswer is false where there is nobody to ask, and nothing to remember.
func (l *login) canAnswer() bool {
	_, known := l.memory.password(l.stop.host)
	return known || l.again || l.prompts.Password != nil || l.prompts.Challenge != nil
}

// password is the callback of the method password.
func (l *login) password() (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.givePassword()
}

func (l *login) givePassword() (string, error) {
	password, known := l.memory.password(l.stop.host)
	switch {
	case known:
	case l.again:
		return "", l.halt(errOnce)
	case l.prompts.Password == nil:
		return "", l.halt(&Error{Kind: KindAuth, Message: fmt.Sprintf("%s asks for a password, and there is nobody to ask", l.stop.host), Hint: nobodyHint})
	default:
		resume := l.clock.pause()
		typed, err := l.prompts.Password(l.stop.host.User(), l.stop.host.Name())
		resume()
		if err != nil {
			return "", l.halt(err)
		}
		password = string(typed)
		clear(typed)
	}
	l.current, l.typed.sent, l.typed.password = "password", aPassword, password
	return password, nil
}

// halt ends the login with an error: nothing more is tried, nothing more asked.
func (l *login) halt(err error) error {
	l.stopped = err
	return err
}

// errOnce ends a second login where the server asks for what was not kept, such as
// a one-time code.
var errOnce = errors.New("the server asks for what can be given once only")

const nobodyHint = "run it in a terminal, without --no-input, or log in with a key: -i FILE"

// passwordQuestion is how PAM asks for the account's password.
var passwordQuestion = regexp.MustCompile(`(?i)^(\S+'s )?password( for \S+)?\s*:?$`)

// newPassword is a question of PAM's where the account's password has expired.
var newPassword = regexp.MustCompile(`(?i)new .*password`)

// challenge answers the server's questions (RFC 4256). A question that comes again
// says that its answer was wrong, and is not answered again.
func (l *login) challenge(_, instruction string, questions []string, echo []bool) ([]string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(questions) == 0 {
		return nil, nil
	}
	if len(questions) > maxQuestions {
		return nil, l.halt(&Error{Kind: KindAuth, Message: fmt.Sprintf("%s asks %d questions at once", l.stop.host, len(questions)), Hint: "log in with a key: -i FILE"})
	}
	shown := make([]string, len(questions))
	for i, question := range questions {
		shown[i] = printable(question)
		if slices.Contains(l.typed.asked, question) {
			return nil, l.halt(l.refused())
		}
	}
	l.typed.asked = append(l.typed.asked, questions...)
	if len(questions) == 1 && !echo[0] && passwordQuestion.MatchString(shown[0]) {
		password, err := l.givePassword()
		return []string{password}, err
	}
	return l.ask(printable(instruction), shown, echo)
}

func (l *login) ask(instruction string, questions []string, echo []bool) ([]string, error) {
	switch {
	case l.again:
		return nil, l.halt(errOnce)
	case l.prompts.Challenge == nil:
		return nil, l.halt(&Error{Kind: KindAuth, Message: fmt.Sprintf("%s asks %q, and there is nobody to ask", l.stop.host, questions[0]), Hint: nobodyHint})
	}
	resume := l.clock.pause()
	answers, err := l.prompts.Challenge(instruction, questions, echo)
	resume()
	if err == nil && len(answers) != len(questions) {
		err = fmt.Errorf("%d answers to %d questions", len(answers), len(questions))
	}
	if err != nil {
		return nil, l.halt(err)
	}
	l.current, l.typed.sent = "answers to its questions", otherAnswers
	if slices.ContainsFunc(questions, newPassword.MatchString) {
		l.typed.password = "" // it is the old one now
	}
	return answers, nil
}

// refused is the error after a wrong answer. A server that hangs up over it has
// refused it too.
func (l *login) refused() error {
	e := &Error{Kind: KindAuth, Message: fmt.Sprintf("permission denied: %s refuses the password of %s", l.stop.host.Name(), l.stop.host.User()),
		Hint: "it was tried once, since servers ban addresses that guess; check user and password, then run the command again"}
	if l.typed.sent == otherAnswers {
		e.Message = fmt.Sprintf("permission denied: %s refuses the answers to its questions", l.stop.host)
		e.Hint = "they were tried once, since servers ban addresses that guess; run the command again with the right ones"
	}
	if len(l.offered) > 0 && len(l.used) == 0 {
		e.Message += ", and before it every key offered"
	}
	if l.banner != "" {
		e.Message += "; the server says: " + l.banner
	}
	return e
}

// askHint is the hint for a login that failed without a question: where nobody
// could be asked that may be the reason.
func (l *login) askHint(hint string) string {
	asks := slices.Contains(l.allowed, methodPassword) || slices.Contains(l.allowed, methodChallenge)
	if asks && !l.canAnswer() {
		return hint + "; the server takes a password too, for which there was nobody to ask"
	}
	return hint
}

// memory keeps what a person typed and what it opened, so that nothing is asked
// twice in a run. It is used by several connections.
type memory struct {
	mu        sync.Mutex
	passwords map[Host]string
	sudo      map[Host]string                // what was typed for sudo last
	signers   map[string]ssh.AlgorithmSigner // by key file and fingerprint
}

// askSudo is the question for sudo's password; the answer is kept for the run's
// other connections.
func (m *memory) askSudo(host Host, ask func(user string, attempt int) ([]byte, error)) func(string, int) ([]byte, error) {
	if ask == nil {
		return nil
	}
	return func(user string, attempt int) ([]byte, error) {
		password, err := ask(user, attempt)
		if err == nil {
			m.mu.Lock()
			defer m.mu.Unlock()
			if m.sudo == nil {
				m.sudo = map[Host]string{}
			}
			m.sudo[host] = string(password)
		}
		return password, err
	}
}

// sudoPassword is what was typed for sudo last, or else for the login; "" is neither.
func (m *memory) sudoPassword(host Host) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if password, known := m.sudo[host]; known {
		return password
	}
	return m.passwords[host]
}

func (m *memory) password(host Host) (string, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	password, known := m.passwords[host]
	return password, known
}

func (m *memory) keepPassword(host Host, password string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.passwords == nil {
		m.passwords = map[Host]string{}
	}
	m.passwords[host] = password
}

// signer opens a key; one that was locked in a file stays open.
func (m *memory) signer(key *identity) (ssh.AlgorithmSigner, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	id := key.name + ssh.FingerprintSHA256(key.public)
	if signer, open := m.signers[id]; open {
		return signer, nil
	}
	signer, err := key.open()
	if err != nil || !key.locked {
		return signer, err
	}
	if m.signers == nil {
		m.signers = map[string]ssh.AlgorithmSigner{}
	}
	m.signers[id] = signer
	return signer, nil
}
