package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

const maxStderr = 64 << 10

const (
	sessionTries = 6
	sessionPause = 100 * time.Millisecond
)

// Process is a command that runs on the server. Read Stdout to its end, then
// Wait, exactly once. When the context given to [Conn.Start] ends, reads, writes
// and Wait return its cause at once, on a dead link too.
type Process struct {
	// Stdin's Close is the end of the command's input.
	Stdin  io.WriteCloser
	Stdout io.Reader

	conn      *Conn
	ctx       context.Context // done when the process is to end
	stop      context.CancelCauseFunc
	exited    chan error
	stderr    tail
	opening   head           // of the output
	complaint head           // of the error output
	drain     sync.WaitGroup // the copying of stderr
}

// Start starts a command to be spoken with while it runs; line is as in [Cmd].
//
// When the context ends, the command loses its streams and is sent SIGTERM, which
// OpenSSH does not deliver in root's sessions (seen in 9.2: "session signalling
// requires privilege separation"): a command that must not run on has to take the
// end of its input as its own.
func (c *Conn) Start(ctx context.Context, line string) (*Process, error) {
	return c.start(ctx, execLine(line), nil)
}

// Stderr is the end of what the command has said there so far, at most 64 KiB.
func (p *Process) Stderr() string { return p.stderr.String() }

// Wait waits for the command's end and frees what it held. Its errors are those
// of [Conn.Run].
func (p *Process) Wait() error {
	var err error
	select {
	case err = <-p.exited:
		p.drain.Wait()
		err = p.exitError(err)
	case <-p.ctx.Done():
		err = context.Cause(p.ctx)
		p.drain.Wait()
	}
	p.stop(io.ErrClosedPipe)
	return err
}

func (p *Process) exitError(err error) error {
	var exit *ssh.ExitError
	var missing *ssh.ExitMissingError
	switch {
	case p.ctx.Err() != nil:
		return context.Cause(p.ctx)
	case errors.As(err, &exit) && p.barred() != nil:
		return p.barred()
	case errors.As(err, &exit):
		return &ExitError{Status: exit.ExitStatus(), Signal: exit.Signal(), Stderr: p.Stderr()}
	case errors.As(err, &missing):
		// A server says how a command ended, unless the connection ended first.
		return p.conn.broken(io.ErrUnexpectedEOF)
	}
	return err
}

// barred knows the words of those who let nothing run: nologin(8), which takes any
// command for a login, and sshd where the password has expired, as providers' first
// ones do.
func (p *Process) barred() error {
	host := p.conn.host
	switch {
	case strings.HasPrefix(p.opening.String(), "This account is currently not available."):
		return &Error{Kind: KindAuth, Message: host.User() + " may log in to " + host.Name() + ", but its login shell runs no commands: " + printable(p.opening.String()),
			Hint: "log in as another user, or on the server: sudo usermod -s /bin/bash " + Quote(host.User())}
	case strings.Contains(p.complaint.String(), "Password change required but no TTY available"):
		return &Error{Kind: KindAuth, Message: "the password of " + host.User() + " on " + host.Name() + " has expired, and nothing runs before it is changed",
			Hint: fmt.Sprintf("`ssh -p %d %s@%s` asks for a new one; then run the command again", host.Port(), host.User(), host.Name())}
	}
	return nil
}

// endInput cannot fail: a pipe's Close does not.
func (p *Process) endInput() { _ = p.Stdin.Close() }

// start opens a channel and joins it to pipes that the context can cut: reads and
// writes on the channel itself end only with the channel. A nil stderr is kept
// for [Process.Stderr].
func (c *Conn) start(ctx context.Context, launch func(*ssh.Session) error, stderr io.Writer) (*Process, error) {
	ch, err := c.open(ctx, launch)
	if err != nil {
		return nil, err
	}
	p := &Process{conn: c, exited: make(chan error, 1)}
	p.ctx, p.stop = context.WithCancelCause(ctx)
	if stderr == nil {
		stderr = &p.stderr
	}
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	errR, errW := io.Pipe()
	p.Stdin, p.Stdout = inW, outR
	context.AfterFunc(p.ctx, func() {
		cause := context.Cause(p.ctx)
		inR.CloseWithError(cause)
		outW.CloseWithError(cause)
		errW.CloseWithError(cause)
		ch.end()
	})
	go ch.pumpInput(inR)
	go pumpOutput(outW, io.TeeReader(ch.stdout, &p.opening))
	go pumpOutput(errW, io.TeeReader(ch.stderr, &p.complaint))
	p.drain.Go(func() {
		if _, err := io.Copy(stderr, errR); err != nil {
			p.stop(fmt.Errorf("cannot pass on the error output: %w", err))
		}
	})
	go func() { p.exited <- ch.session.Wait() }()
	return p, nil
}

// channel is an SSH session with its streams.
type channel struct {
	session        *ssh.Session
	stdin          io.WriteCloser
	stdout, stderr io.Reader
}

// open returns as soon as the context ends; a channel that the server still
// grants after that is closed again.
func (c *Conn) open(ctx context.Context, launch func(*ssh.Session) error) (*channel, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	type result struct {
		ch  *channel
		err error
	}
	done := make(chan result, 1)
	go func() {
		ch, err := c.openChannel(launch)
		done <- result{ch, err}
	}()
	select {
	case r := <-done:
		return r.ch, r.err
	case <-ctx.Done():
		go func() {
			if r := <-done; r.ch != nil {
				r.ch.end()
			}
		}()
		return nil, context.Cause(ctx)
	}
}

func (c *Conn) openChannel(launch func(*ssh.Session) error) (*channel, error) {
	session, err := c.newSession()
	var refused *ssh.OpenChannelError
	if errors.As(err, &refused) {
		return nil, &Error{Kind: KindRemote, Message: c.host.Addr() + " refuses another session", Err: err,
			Hint: "raise MaxSessions in the server's sshd configuration to its default of 10"}
	}
	if err != nil {
		return nil, c.broken(err)
	}
	ch := &channel{session: session}
	var errs [4]error
	ch.stdin, errs[0] = session.StdinPipe()
	ch.stdout, errs[1] = session.StdoutPipe()
	ch.stderr, errs[2] = session.StderrPipe()
	errs[3] = launch(session)
	if err := errors.Join(errs[:]...); err != nil {
		ch.end()
		if isConnLoss(err) || c.alive.Err() != nil {
			return nil, c.broken(err)
		}
		return nil, err
	}
	return ch, nil
}

// newSession asks a few times: sshd counts a session against MaxSessions until it
// has buried the command, which is a moment after the client saw its end.
func (c *Conn) newSession() (*ssh.Session, error) {
	for range sessionTries - 1 {
		session, err := c.client.NewSession()
		var refused *ssh.OpenChannelError
		if !errors.As(err, &refused) {
			return session, err
		}
		select {
		case <-time.After(sessionPause):
		case <-c.alive.Done():
			return nil, context.Cause(c.alive)
		}
	}
	return c.client.NewSession()
}

// end asks the command to end and closes the channel. Both requests fail only
// where the channel has ended already.
func (ch *channel) end() {
	_ = ch.session.Signal(ssh.SIGTERM)
	_ = ch.session.Close()
}

func (ch *channel) pumpInput(from *io.PipeReader) {
	_, err := io.Copy(ch.stdin, from)
	if err == nil {
		err = ch.stdin.Close()
	}
	from.CloseWithError(errors.Join(io.ErrClosedPipe, err))
}

func pumpOutput(to *io.PipeWriter, from io.Reader) {
	_, err := io.Copy(to, from)
	to.CloseWithError(err) // nil is the end of the output
}

func execLine(line string) func(*ssh.Session) error {
	return func(session *ssh.Session) error {
		err := session.Start(loginLine(line))
		if err != nil && !isConnLoss(err) {
			// The library's error repeats the whole line.
			return &Error{Kind: KindRemote, Message: "the server does not run commands for this user",
				Hint: "log in as a user with a shell; sshd's ForceCommand and command= in authorized_keys stand in the way too"}
		}
		return err
	}
}

// tail keeps the last maxStderr bytes written to it.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, b...)
	if over := len(t.kept) - maxStderr; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.kept)
}

// head keeps the first bytes written to it.
type head struct {
	mu   sync.Mutex
	kept []byte
}

func (h *head) Write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.kept = append(h.kept, b[:min(len(b), maxGreeting-len(h.kept))]...)
	return len(b), nil
}

func (h *head) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return string(h.kept)
}
