package remote

import (
	"context"
	"fmt"
	"io"
	"strings"
)

// Cmd is one command on the server. There is no terminal on the other side, and
// the local environment is not sent: commands run in the C.UTF-8 locale, and find
// what is in the sbin directories too.
type Cmd struct {
	// Line is run by the server's /bin/sh, whatever the user's login shell is. See [Quote].
	Line string
	// Stdin is empty when nil. A Read of it that blocks may outlast Run.
	Stdin io.Reader
	// Stdout and Stderr are dropped when nil, but for the end of stderr, which
	// [ExitError] then carries. Each is written by one goroutine at a time, and not
	// after Run has returned.
	Stdout io.Writer
	Stderr io.Writer
}

// Run runs a command to its end. The error is an [*ExitError] for a status other
// than 0, an [*Error] where it could not be started or the connection broke, the
// context's cause (see [Conn.Start]), or that of Stdin, Stdout or Stderr.
func (c *Conn) Run(ctx context.Context, cmd Cmd) error {
	p, err := c.start(ctx, execLine(cmd.Line), cmd.Stderr)
	if err != nil {
		return err
	}
	return p.run(cmd)
}

// run carries a started command's streams to its end.
func (p *Process) run(cmd Cmd) error {
	go p.feed(cmd.Stdin)
	out := cmd.Stdout
	if out == nil {
		out = io.Discard
	}
	if _, err := io.Copy(out, p.Stdout); err != nil {
		p.stop(fmt.Errorf("cannot pass on the output: %w", err))
	}
	return p.Wait()
}

// feed copies the caller's input. A failure of it must not look like its end.
func (p *Process) feed(in io.Reader) {
	if in != nil {
		source := &sourceReader{Reader: in}
		// An error of the write means that the command reads no more, which is its right.
		_, err := io.Copy(p.Stdin, source)
		if source.err != nil {
			p.stop(fmt.Errorf("cannot read the input: %w", source.err))
			return
		}
		if err != nil {
			return
		}
	}
	p.endInput()
}

// sourceReader keeps the error of the source, to tell it from the destination's.
type sourceReader struct {
	io.Reader
	err error
}

func (r *sourceReader) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}

const (
	environment = "LC_ALL=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export LC_ALL PATH; "
	decode      = `eval "$(printf %b "$0")"`
)

// loginLine is what the login shell gets to run a line by /bin/sh. That may be
// any shell: csh takes neither a line end nor an exclamation mark between quotes,
// so a line with one travels in the notation of printf's %b (POSIX).
func loginLine(line string) string {
	line = environment + line
	if !strings.ContainsAny(line, "\n!") {
		return "exec /bin/sh -c " + Quote(line)
	}
	escape := strings.NewReplacer(`\`, `\0134`, `'`, `\0047`, "!", `\0041`, "\n", `\0012`)
	return "exec /bin/sh -c '" + decode + "' '" + escape.Replace(line) + "'"
}

// Quote joins arguments into words that a POSIX shell reads back unchanged. The
// words suit fish too, which gives a backslash between quotes a meaning.
func Quote(args ...string) string {
	words := make([]string, len(args))
	for i, arg := range args {
		words[i] = quoteWord(arg)
	}
	return strings.Join(words, " ")
}

func quoteWord(arg string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:,+@"
	if arg != "" && strings.Trim(arg, plain) == "" {
		return arg
	}
	return "'" + strings.NewReplacer(`'`, `'\''`, `\`, `'\\'`).Replace(arg) + "'"
}
