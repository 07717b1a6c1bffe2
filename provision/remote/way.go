package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// way is how a server is reached: by logins one through the other.
type way struct {
	stops []stop
	opts  Options
}

// link is one login of a way. Closing its base ends it and all that are within.
type link struct {
	client  *ssh.Client
	traffic *countingConn
	base    net.Conn      // of the first link: the TCP connection, or the ProxyCommand
	used    []string      // what the server accepted: keys, passwords
	hostKey ssh.PublicKey // what was accepted of the server
}

// logins gathers what can be offered at a stop, before there is a connection that
// would have to wait.
type logins func(context.Context, stop, *clock) (*login, error)

// login is that of [Dial].
func (w *way) login(ctx context.Context, s stop, clock *clock) (*login, error) {
	return newLogin(ctx, s, &w.opts, clock)
}

// dial logs in at one stop after the other. The way keeps the host keys, the only
// ones that are good for going it again.
func (w *way) dial(ctx context.Context, gather logins) (*Conn, error) {
	var last *link
	for i, s := range w.stops {
		next, err := w.enter(ctx, last, s, i == len(w.stops)-1, gather)
		if err != nil {
			if last != nil {
				_ = last.base.Close() // err says why, and may have closed it already
			}
			return nil, err
		}
		w.stops[i].hostKey = next.hostKey
		last = next
	}
	return newConn(w, last), nil
}

// enter logs in at a stop. A server that drops the connection before its first
// word was not asked anything yet: only then is another try harmless.
func (w *way) enter(ctx context.Context, below *link, s stop, final bool, gather logins) (*link, error) {
	for _, pause := range w.opts.pauses {
		next, err := w.tryEnter(ctx, below, s, final, gather)
		var dropped *droppedError
		if !errors.As(err, &dropped) {
			return next, err
		}
		if w.opts.Prompts.Waiting != nil {
			w.opts.Prompts.Waiting(fmt.Sprintf("%s closed the connection before the login, as a busy server does; trying again in %s", s.host.Addr(), pause))
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, context.Cause(ctx)
		}
	}
	return w.tryEnter(ctx, below, s, final, gather)
}

// droppedError is a connection that ended before the server's first word.
type droppedError struct{ error }

func (e *droppedError) Unwrap() error { return e.error }

func (w *way) tryEnter(ctx context.Context, below *link, s stop, final bool, gather logins) (*link, error) {
	clock := &clock{timeout: w.opts.timeoutOf(s)}
	deadline := time.Now().Add(clock.timeout)
	keyCheck, err := newHostKeyCheck(s, &w.opts, final, clock)
	if err != nil {
		return nil, err
	}
	login, err := gather(ctx, s, clock)
	if err != nil {
		return nil, err
	}
	defer login.close()
	sock, err := connect(ctx, below, s, clock.timeout)
	if ctx.Err() != nil {
		if err == nil {
			err = sock.Close()
		}
		return nil, errors.Join(context.Cause(ctx), err)
	}
	if err != nil {
		return nil, err
	}
	next := &link{traffic: &countingConn{Conn: sock}, base: sock}
	if below != nil {
		next.base = below.base
	}
	if err := next.handshake(ctx, s, keyCheck, login, deadline); err != nil {
		// The channel of a jump host ends with it; here it only spares that host.
		_ = sock.Close()
		return nil, err
	}
	return next, nil
}

// connect opens the byte stream to a stop.
func connect(ctx context.Context, below *link, s stop, timeout time.Duration) (net.Conn, error) {
	switch {
	case below != nil:
		return below.reach(ctx, s, timeout)
	case s.settings.command != "":
		return startCommand(s)
	}
	dialer := net.Dialer{Timeout: timeout}
	sock, err := dialer.DialContext(ctx, "tcp", s.host.Addr())
	if err != nil {
		return nil, dialError(s.host, timeout, err)
	}
	return sock, nil
}

// reach opens a stream from a jump host on.
func (l *link) reach(ctx context.Context, s stop, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	sock, err := l.client.DialContext(ctx, "tcp", s.host.Addr())
	if err == nil {
		return sock, nil
	}
	e := &Error{Kind: KindUnreachable, Message: fmt.Sprintf("the jump host %s cannot reach %s", l.client.RemoteAddr(), s.host.Addr()), Err: err}
	var refused *ssh.OpenChannelError
	switch {
	case errors.As(err, &refused) && refused.Reason == ssh.Prohibited:
		e.Message, e.Err = fmt.Sprintf("the jump host does not pass connections on to %s", s.host.Addr()), nil
		e.Hint = "on the jump host, set AllowTcpForwarding yes in sshd's configuration"
	case errors.As(err, &refused):
		e.Message, e.Err = fmt.Sprintf("the jump host cannot reach %s: %s", s.host.Addr(), printable(refused.Message)), nil
		e.Hint = "check the name and the port as the jump host sees them, and that SSH runs there"
	case errors.Is(err, context.DeadlineExceeded):
		e.Message, e.Err = fmt.Sprintf("no answer from %s through the jump host within %s", s.host.Addr(), timeout), nil
		e.Hint = "check the address, and that the jump host may reach it"
	}
	return nil, e
}

func (l *link) handshake(ctx context.Context, s stop, keyCheck *hostKeyCheck, login *login, deadline time.Time) error {
	// Closing the base frees everybody, on a dead jump host too.
	hangUp := func() { l.base.Close() }
	login.clock.start(deadline, hangUp)
	stop := context.AfterFunc(ctx, hangUp)
	conn, channels, requests, err := ssh.NewClientConn(l.traffic, s.host.Addr(), &ssh.ClientConfig{
		User:              s.host.User(),
		ClientVersion:     "SSH-2.0-gca",
		HostKeyAlgorithms: keyCheck.algorithms(),
		HostKeyCallback:   keyCheck.callback,
		AuthCallback:      login.next,
		BannerCallback:    login.hear,
	})
	login.clock.stop()
	if !stop() {
		if err == nil {
			err = conn.Close()
		}
		return errors.Join(context.Cause(ctx), err)
	}
	if err = login.clock.blame(err); err == nil {
		l.client = ssh.NewClient(conn, channels, requests)
		l.used, l.hostKey = login.succeeded(), keyCheck.accepted
		return nil
	}
	if refused := keyCheck.explain(err, login.begun()); refused != nil {
		return refused
	}
	return l.explain(login, err)
}

// explain also tells a connection that was dropped before the first word.
func (l *link) explain(login *login, err error) error {
	told := login.explain(err)
	greeting := l.traffic.greeting()
	if command, ok := l.base.(*commandConn); ok && greeting == "" {
		return command.explain(told)
	}
	if login.begun() || !isConnLoss(err) || strings.Contains(greeting, "SSH-") {
		return told
	}
	if said := printable(greeting); said != "" {
		told = &Error{Kind: KindUnreachable, Message: fmt.Sprintf("%s closed the connection before the login, and said: %s", login.stop.host.Addr(), said),
			Hint: waitHint}
	}
	if strings.Contains(greeting, "Not allowed at this time") { // a penalty, which further tries would prolong
		return told
	}
	return &droppedError{told}
}
