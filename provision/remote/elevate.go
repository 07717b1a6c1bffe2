package remote

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"time"
)

// How a login becomes root, found out once for a connection by its first root
// command:
//
//	user root ───────────────────────────────────> the line itself
//	`sudo -n` works ─────────────────────────────> sudo -n -- /bin/sh -c LINE
//	it does not ──> password, proven by itself ──> sudo -S -k -p '' -- /bin/sh -c LINE
//
// sudo-rs reads ahead: what follows the password on its input is lost to the
// command. So the command's own input waits until a line has come that only a
// shell of root can have printed. And sudo may not read the password at all
// (NOPASSWD for this very line), so the root shell drops what comes before a
// second line. No prompt is ever looked for: their texts are everybody's own.

// elevation is how a line comes to be run by root; "" is not at all, the login is root's.
type elevation struct {
	sudo     string // "" where the login is root's; a program's name or path otherwise
	password []byte // nil where sudo asks for none
}

// sudoTries is how often a person may mistype. sudo's own default is three too.
const sudoTries = 3

// sudoAnswer bounds the time from the password to the first sign of root: PAM
// may ask other machines, and delays what fails by some seconds.
const sudoAnswer = 45 * time.Second

// rootPath is set for every root command, since a login's PATH may lack sbin.
const rootPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH; "

// rootShell is the root side of a line. sudo clears the environment, and the line
// is to know by SSH_CONNECTION where this login came from.
func rootShell(line string) string {
	return "/bin/sh -c " + Quote("SSH_CONNECTION=$1; export SSH_CONNECTION; shift; "+rootPath+line) + ` sh "$SSH_CONNECTION"`
}

// TryRoot is a POSIX shell text that replaces itself by line, run by root, where
// that needs no password, and otherwise goes on with what follows it, having
// printed nothing. It costs no round trip of its own; the line's standard input
// is the whole one.
func TryRoot(line string) string {
	shell := rootShell(line)
	return `[ "$(id -u)" = 0 ] && exec ` + shell + "; " +
		"sudo -n -- /bin/sh -c : </dev/null >/dev/null 2>&1 && exec sudo -n -- " + shell + "; "
}

// RunRoot is [Conn.Run] as root. Its error is an [*Error] of KindSudo where this
// login cannot become root.
func (c *Conn) RunRoot(ctx context.Context, cmd Cmd) error {
	p, err := c.startRoot(ctx, cmd.Line, cmd.Stderr)
	if err != nil {
		return err
	}
	return p.run(cmd)
}

// StartRoot is [Conn.Start] as root. Its error is an [*Error] of KindSudo where
// this login cannot become root.
func (c *Conn) StartRoot(ctx context.Context, line string) (*Process, error) {
	return c.startRoot(ctx, line, nil)
}

func (c *Conn) startRoot(ctx context.Context, line string, stderr io.Writer) (*Process, error) {
	way, err := c.elevation(ctx)
	if err != nil {
		return nil, err
	}
	switch {
	case way.sudo == "":
		return c.start(ctx, execLine(rootPath+line), stderr)
	case way.password == nil:
		return c.start(ctx, execLine("exec "+way.sudo+" -n -- "+rootShell(line)), stderr)
	}
	return c.startWithPassword(ctx, way, line, stderr)
}

// startWithPassword returns when root's shell has the command's input to itself.
func (c *Conn) startWithPassword(ctx context.Context, way *elevation, line string, stderr io.Writer) (*Process, error) {
	mark := "gca-root-" + rand.Text()
	shell := "echo; echo " + mark + `; while IFS= read -r gca; do [ "$gca" = ` + mark + " ] && break; done; unset gca; " + line
	p, err := c.start(ctx, execLine(sudoLine(way.sudo)+rootShell(shell)), stderr)
	if err != nil {
		return nil, err
	}
	late := time.AfterFunc(sudoAnswer, func() { p.stop(c.sudoSilent()) })
	out := bufio.NewReader(p.Stdout)
	err = p.becomeRoot(out, way.password, mark)
	if !late.Stop() && err == nil {
		err = c.sudoSilent()
	}
	if err == nil {
		p.Stdout = out
		return p, nil
	}
	p.endInput()
	if ended := p.Wait(); ended != nil {
		err = ended
	}
	var exit *ExitError
	if errors.As(err, &exit) {
		return nil, c.sudoRefused(withoutSecret(exit.Stderr, way.password))
	}
	return nil, err
}

// becomeRoot sends the password and waits for the mark. What a login shell prints
// before it is dropped.
func (p *Process) becomeRoot(out *bufio.Reader, password []byte, mark string) error {
	if _, err := p.Stdin.Write(append(bytes.Clone(password), '\n')); err != nil {
		return err
	}
	for range MaxNoise {
		line, err := out.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
		if string(line) == mark+"\n" {
			_, err := io.WriteString(p.Stdin, mark+"\n")
			return err
		}
	}
	return p.conn.sudoSilent()
}

// sudoLine is the way with a password, up to the command. -k has sudo ask each
// time: a password that sudo does not want would be the command's input.
func sudoLine(sudo string) string {
	return "LC_ALL=C; export LC_ALL; exec " + sudo + " -S -k -p '' -- "
}
