package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// rooting is what a connection knows about becoming root.
type rooting struct {
	ask     func(user string, attempt int) ([]byte, error) // nil: nobody is there
	login   string                                         // what was typed for sudo or the login before, "" is nothing
	turn    chan struct{}                                  // held while it is being found out
	known   *elevation
	refused error // the answer is no: it is not asked again
}

func newRooting() rooting { return rooting{turn: make(chan struct{}, 1)} }

// elevation finds out once how this login becomes root. Only an answer is kept: a
// lost connection or an interruption is none.
func (c *Conn) elevation(ctx context.Context) (*elevation, error) {
	select {
	case c.root.turn <- struct{}{}:
		defer func() { <-c.root.turn }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if c.root.known != nil || c.root.refused != nil {
		return c.root.known, c.root.refused
	}
	way, err := c.findElevation(ctx)
	var told *Error
	switch {
	case err == nil:
		c.root.known = way
	case errors.As(err, &told) && told.Kind == KindSudo:
		c.root.refused = err
	}
	return way, err
}

// sudos are the programs that may make root of somebody, in the order in which
// they are tried: Ubuntu keeps the older sudo beside sudo-rs as sudo.ws.
var sudos = []string{"sudo", "/usr/bin/sudo.ws"}

// sudoProbe says that the login is root's, or which sudo needs no password, or why
// each that there is refuses to go without.
const sudoProbe = `LC_ALL=C; export LC_ALL
[ "$(id -u)" = 0 ] && { echo gca-root; exit; }
for sudo in sudo /usr/bin/sudo.ws; do
command -v $sudo >/dev/null 2>&1 || continue
said=$($sudo -n -- /bin/sh -c : </dev/null 2>&1) && { echo "gca-sudo $sudo"; exit; }
echo "gca-asks $sudo $(echo "$said" | tr '\n' ' ' | head -c 1000)"
done`

// maxProbe bounds, in bytes, the probe's answer and what a login shell prints before it.
const maxProbe = 64 << 10

// findElevation makes one exec where that is enough, and one more for each password.
func (c *Conn) findElevation(ctx context.Context) (*elevation, error) {
	if c.host.User() == "root" {
		return &elevation{}, nil
	}
	out := bounded{limit: maxProbe, full: func() error {
		return &Error{Kind: KindRemote, Message: "the server's login shell prints too much", Hint: quietHint}
	}}
	if err := c.Run(ctx, Cmd{Line: sudoProbe, Stdout: &out}); err != nil {
		return nil, err
	}
	free, sudos := readSudoProbe(string(out.kept))
	switch {
	case free != nil:
		return free, nil
	case len(sudos) == 0:
		return nil, c.sudoError("the server has no sudo, and "+c.host.User()+" is not root", "apt-get install sudo && usermod -aG sudo "+Quote(c.host.User()))
	}
	return c.askPassword(ctx, sudos)
}

// refusal is one sudo's words for not doing it.
type refusal struct {
	sudo, said string
}

// readSudoProbe returns the way that needs no password, or the refusals.
func readSudoProbe(out string) (free *elevation, refused []refusal) {
	for line := range strings.Lines(out) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		sudo, said, _ := strings.Cut(rest, " ")
		switch {
		case word == "gca-root":
			return &elevation{}, nil
		case word == "gca-sudo" && slices.Contains(sudos, sudo):
			return &elevation{sudo: sudo}, nil
		case word == "gca-asks" && slices.Contains(sudos, sudo):
			refused = append(refused, refusal{sudo, said})
		}
	}
	return nil, refused
}

// verdict is what sudo's words come to.
type verdict int

const (
	sudoUnclear verdict = iota // words not known here
	sudoAsks                   // it wants a password
	sudoWrong                  // the password is not the right one
	sudoForbids                // this user may not become root
	sudoNoTTY                  // it wants a terminal
)

// judge reads what sudo (1.8 to 1.9) and sudo-rs say in the C locale. These are
// errors, not prompts: where the words are others, they are shown.
func judge(said string) verdict {
	for _, known := range []struct {
		words string
		verdict
	}{
		{"must have a tty", sudoNoTTY},
		{"not in the sudoers file", sudoForbids},
		{"is not allowed to", sudoForbids},
		{"may not run sudo", sudoForbids},
		{"I'm afraid I can't do that", sudoForbids},
		{"incorrect password attempt", sudoWrong},
		{"incorrect authentication attempt", sudoWrong},
		{"no password was provided", sudoWrong},
		{"Authentication failed", sudoWrong},
		{"password is required", sudoAsks},
		{"interactive authentication is required", sudoAsks},
	} {
		if strings.Contains(said, known.words) {
			return known.verdict
		}
	}
	return sudoUnclear
}

// askPassword has the person's password proven by an exec of its own, whose input
// ends with it: so sudo cannot take for a second try what is meant for a command.
func (c *Conn) askPassword(ctx context.Context, found []refusal) (*elevation, error) {
	i := slices.IndexFunc(found, func(r refusal) bool { v := judge(r.said); return v == sudoAsks || v == sudoUnclear })
	if i < 0 {
		return nil, c.sudoRefused(found[0].said)
	}
	// Mostly the login's password is sudo's too; and an account that has none needs
	// none typed, yet sudo -n refuses it.
	if c.root.login != "" || c.root.ask == nil || judge(found[i].said) == sudoUnclear {
		if way, err := c.prove(ctx, found[i:], []byte(c.root.login)); way != nil || err != nil {
			return way, err
		}
	}
	if c.root.ask == nil {
		return nil, c.sudoError(fmt.Sprintf("sudo wants %s's password, and there is nobody to ask", c.host.User()), c.noPasswordLine())
	}
	for attempt := 1; attempt <= sudoTries; attempt++ {
		password, err := c.root.ask(c.host.User(), attempt)
		if err != nil {
			return nil, err
		}
		if way, err := c.prove(ctx, found[i:], password); way != nil || err != nil {
			return way, err
		}
	}
	return nil, c.sudoError(fmt.Sprintf("sudo has refused %s's password %d times", c.host.User(), sudoTries), "")
}

// prove tries a password on each sudo until one takes it. It returns nil for a
// wrong one, and an error where another would be no better.
func (c *Conn) prove(ctx context.Context, found []refusal, password []byte) (*elevation, error) {
	if bytes.ContainsAny(password, "\n\x00") {
		return nil, nil // PAM takes neither
	}
	ctx, cancel := context.WithTimeoutCause(ctx, sudoAnswer, c.sudoSilent())
	defer cancel()
	line := append(bytes.Clone(password), '\n')
	var said string
	for _, f := range found {
		var exit *ExitError
		err := c.Run(ctx, Cmd{Line: sudoLine(f.sudo) + "/bin/sh -c :", Stdin: bytes.NewReader(line)})
		switch {
		case err == nil:
			return &elevation{sudo: f.sudo, password: password}, nil
		case !errors.As(err, &exit):
			return nil, err
		}
		if said = withoutSecret(exit.Stderr, password); judge(said) == sudoWrong {
			return nil, nil
		}
	}
	return nil, c.sudoRefused(said)
}

// withoutSecret drops the words of a program that repeats what it was told.
func withoutSecret(said string, password []byte) string {
	if len(password) > 0 && strings.Contains(said, string(password)) {
		return ""
	}
	return said
}

// sudoRefused explains what sudo said on its way out.
func (c *Conn) sudoRefused(said string) error {
	user := c.host.User()
	switch judge(said) {
	case sudoForbids:
		return c.sudoError(user+" may not become root", "usermod -aG sudo "+Quote(user))
	case sudoNoTTY:
		return c.sudoError("sudo works at a terminal only (requiretty)", "visudo, and this line at the end: Defaults:"+user+" !requiretty")
	case sudoWrong, sudoAsks:
		return c.sudoError(user+"'s password is not what sudo wants any more", "")
	}
	said = strings.TrimSpace(said)
	if i := strings.LastIndexByte(said, '\n'); i >= 0 {
		said = said[i+1:]
	}
	return c.sudoError(fmt.Sprintf("sudo failed: %.200q", said), "")
}

func (c *Conn) sudoSilent() error {
	return c.sudoError(fmt.Sprintf("sudo did not answer within %s of the password", sudoAnswer), c.noPasswordLine())
}

func (c *Conn) noPasswordLine() string {
	return fmt.Sprintf("echo '%s ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/gca && chmod 0440 /etc/sudoers.d/gca", c.host.User())
}

// sudoError offers root's login, and the line that root would type on the server instead.
func (c *Conn) sudoError(message, line string) error {
	root := "root" + strings.TrimPrefix(c.host.String(), c.host.User())
	e := &Error{Kind: KindSudo, Message: c.host.Name() + ": " + message, Hint: "log in as " + root}
	if line != "" {
		e.Hint += ", or as root on the server: " + line
	}
	return e
}
