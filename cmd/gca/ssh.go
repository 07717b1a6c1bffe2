package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"

	"github.com/gemini-claude-adapter/gca/provision"
	"github.com/gemini-claude-adapter/gca/provision/converge"
	"github.com/gemini-claude-adapter/gca/provision/remote"
)

// sshFlags say how a server is reached.
type sshFlags struct {
	identity  string
	port      int
	jump      string
	hostKey   string
	acceptNew bool
	noInput   bool

	parsed *login // a command that connects twice asks once
}

// login is what became of a host argument.
type login struct {
	text string
	host remote.Host
	opts remote.Options
}

func (f *sshFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.identity, "identity", "i", "", "private key `FILE` to log in with")
	cmd.Flags().IntVarP(&f.port, "port", "p", 0, "SSH `PORT`, if it is not part of the host")
	cmd.Flags().StringVarP(&f.jump, "jump", "J", "", "connect through `HOST`, as ssh -J does: [user@]host[:port], several with commas")
	cmd.Flags().StringVar(&f.hostKey, "host-key", "", "expect the host key with this `HASH`, SHA256:…; on first use it is stored")
	cmd.Flags().BoolVar(&f.acceptNew, "accept-new-host-key", false, "store the key of a server never seen before without asking")
	noInputFlag(cmd, &f.noInput)
}

func noInputFlag(cmd *cobra.Command, noInput *bool) {
	cmd.Flags().BoolVar(noInput, "no-input", false, "never ask; a missing answer is an error")
}

// parse reads the host argument and the flags, and finds the way to the host in the user's ssh_config.
func (f *sshFlags) parse(ctx context.Context, text string, io *streams) (remote.Host, remote.Options, error) {
	if f.parsed != nil && f.parsed.text == text {
		return f.parsed.host, f.parsed.opts, nil
	}
	opts := remote.Options{IdentityFile: f.identity, Port: f.port, Jump: f.jump, AcceptNew: f.acceptNew, Prompts: loginPrompts(io, newPrompt(io, f.noInput))}
	if f.hostKey != "" {
		var err error
		if opts.HostKey, err = remote.ParseFingerprint(f.hostKey); err != nil {
			return remote.Host{}, remote.Options{}, &usageError{err.Error()}
		}
	}
	host, err := remote.Resolve(ctx, text, &opts)
	switch {
	case ctx.Err() != nil:
		return remote.Host{}, remote.Options{}, context.Cause(ctx)
	case err != nil:
		return remote.Host{}, remote.Options{}, &usageError{err.Error()}
	}
	f.parsed = &login{text, host, opts}
	return host, opts, nil
}

// named is how a command that is to be typed names the host that was given: with what it takes to log in there.
func (f *sshFlags) named(target string) string {
	var words []string
	if f.identity != "" {
		words = append(words, "-i", f.identity)
	}
	if f.port != 0 {
		words = append(words, "-p", strconv.Itoa(f.port))
	}
	if f.jump != "" {
		words = append(words, "-J", f.jump)
	}
	if plainTarget.MatchString(target) { // as it was typed, brackets and all
		return strings.TrimSpace(remote.Quote(words...) + " " + target)
	}
	return remote.Quote(append(words, target)...)
}

// loginPrompts ask on the terminal; p is nil where nobody can be asked.
func loginPrompts(io *streams, p *prompt) remote.Prompts {
	// A screen that has gone is no reason to stop waiting.
	waiting := func(text string) { screenLine(io, text) }
	if p == nil {
		return remote.Prompts{Waiting: waiting}
	}
	return remote.Prompts{
		ConfirmHostKey: func(host, keyType, fingerprint string) (bool, error) {
			return p.confirm(fmt.Sprintf("%s is not known yet. Its %s key is %s. Is that right?", host, keyType, fingerprint), false)
		},
		Passphrase: func(file string) ([]byte, error) { return p.bytes("Passphrase of " + file) },
		Password:   func(user, host string) ([]byte, error) { return p.bytes("Password of " + user + " on " + host) },
		Challenge:  p.challenge,
		Sudo: func(user string, attempt int) ([]byte, error) {
			question := "Password of " + user + " for sudo"
			if attempt > 1 {
				question = fmt.Sprintf("That was not it (%d of 3). %s", attempt, question)
			}
			return p.bytes(question)
		},
		Waiting: waiting,
	}
}

const manageTool = "/usr/local/bin/gemini-manage"

// rootNeed says whether a verb has to be root on the server.
type rootNeed int

const (
	rootIfFree rootNeed = iota // if that takes no question: as root, or with a sudo that asks for no password
	rootAlways                 // with sudo's password if need be
	rootToRead                 // as rootAlways where a person can be asked, as rootIfFree otherwise: the login may have the right
)

// noAdapterError is a server without gemini-manage.
type noAdapterError struct {
	host  remote.Host
	named string // for commands
}

func (e *noAdapterError) Error() string {
	return fmt.Sprintf("no adapter is installed on %s\nhint: gca deploy %s", e.host, e.named)
}

// deployingError is a server whose first deploy has not come to gemini-manage yet.
type deployingError struct{ noAdapterError }

func (e *deployingError) Error() string {
	return fmt.Sprintf("a deploy is at work on %s, and has installed no adapter yet; wait for it", e.host) +
		"\nhint: gca doctor " + e.named + "   # says how far it is"
}

const deployingStatus = 125

// toolOrExit is the shell's: without gemini-manage there is no adapter, or not yet. Its 125 is deployingStatus.
const toolOrExit = "[ -x " + manageTool + " ] || { systemctl is-active --quiet " + converge.WorkerUnit + " 2>/dev/null && exit 125; exit 127; }; "

// runRemote runs gemini-manage on the server; stdin may be nil. Its exit code becomes ours. A verb with an input is one that
// changes the server, which nothing on this side stops once it has begun.
func (f *sshFlags) runRemote(ctx context.Context, io *streams, target string, need rootNeed, stdin io.Reader, stdout io.Writer, verb ...string) error {
	e := manageErrand(f.named(target), need, verb...)
	e.stdin, e.stdout = stdin, stdout
	return f.runThere(ctx, io, target, e)
}

// manageErrand is a verb of gemini-manage.
func manageErrand(named string, need rootNeed, verb ...string) errand {
	return errand{need: need, installed: toolOrExit, line: manageLine(named, verb),
		after: fmt.Sprintf("`gca config get %s` or `gca status %[1]s` shows what came of it", named)}
}

// errand is what to run on a server.
type errand struct {
	need      rootNeed
	stdin     io.Reader // nil where nothing changes the server
	stdout    io.Writer
	stderr    io.Writer // nil is the person's
	installed string    // ends with status 127 where no adapter is installed, with deployingStatus where one is about to be
	line      string
	after     string // hint for one who lost sight of it
}

func (f *sshFlags) runThere(ctx context.Context, io *streams, target string, e errand) (err error) {
	host, opts, err := f.parse(ctx, target, io)
	if err != nil {
		return err
	}
	conn, err := remote.Dial(ctx, host, opts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if e.stderr == nil {
		e.stderr = io.err
	}
	return e.over(ctx, conn, opts.Prompts.Sudo != nil, f.named(target))
}

// over runs the errand on a connection. asks says whether a person can be asked for sudo's password; named is [sshFlags.named].
func (e errand) over(ctx context.Context, conn *remote.Conn, asks bool, named string) (err error) {
	if isTerminal(e.stdout) {
		e.stdout = &visibleWriter{to: e.stdout}
	}
	change := &input{Reader: e.stdin}
	cmd := remote.Cmd{Line: e.line, Stdout: e.stdout, Stderr: &visibleWriter{to: e.stderr}}
	if e.stdin != nil {
		cmd.Stdin = change
	}
	if e.need == rootAlways || e.need == rootToRead && asks {
		cmd.Line = e.installed + cmd.Line
		err = conn.RunRoot(ctx, cmd)
	} else {
		cmd.Line = e.installed + remote.TryRoot(cmd.Line) + cmd.Line
		err = conn.Run(ctx, cmd)
	}
	var exit *remote.ExitError
	switch {
	case errors.As(err, &exit) && exit.Status == 127:
		return &noAdapterError{conn.Host(), named}
	case errors.As(err, &exit) && exit.Status == deployingStatus:
		return &deployingError{noAdapterError{conn.Host(), named}}
	case errors.As(err, &exit):
		return &statusError{exit.Status}
	case err != nil && change.begun.Load():
		return leftAlone(ctx, err, e.after)
	}
	return err
}

// input knows whether a command on the server has begun, which asks for its input then.
type input struct {
	io.Reader
	begun atomic.Bool
}

func (i *input) Read(p []byte) (int, error) {
	i.begun.Store(true)
	return i.Reader.Read(p)
}

// leftAlone is the error of a change that this side has lost sight of: sshd passes no signal on to what runs as root, and
// ends nothing when a connection does.
func leftAlone(ctx context.Context, err error, hint string) error {
	var lost *remote.Error
	switch {
	case ctx.Err() != nil:
		return &provision.Error{Kind: provision.KindInterrupted, Message: "the server goes on with it by itself", Hint: hint}
	case errors.As(err, &lost) && lost.Kind == remote.KindUnreachable:
		cause := *lost
		cause.Hint = ""
		return &provision.Error{Kind: provision.KindCut, Message: "the server goes on with it by itself, and nothing more can be seen from here", Err: &cause, Hint: hint}
	}
	return err
}
