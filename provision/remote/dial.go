// Package remote logs in to a server over SSH, runs commands there and uploads
// files. It makes one TCP connection, and never tries a refused login again:
// servers ban addresses that do.
//
// [Dial] connects, checks the host key against known_hosts (see hostkey.go),
// then offers keys one by one (auth.go, keyfile.go). [Conn.Run] and [Conn.Start]
// carry commands (run.go), [Conn.Upload] files (upload.go). Every failure says
// by its [Kind] what sort it is.
package remote

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/crypto/ssh"
)

const defaultTimeout = 20 * time.Second

// Options say how [Dial] connects. The zero value is what ssh does without a
// configuration and without a terminal.
type Options struct {
	// IdentityFile is the only key to offer: a private key, or the public half of
	// one that the agent holds. Empty: the agent's keys, then ~/.ssh/id_*.
	IdentityFile string
	// KnownHostsFile defaults to ~/.ssh/known_hosts. It is made where it is missing.
	KnownHostsFile string
	// HostKey, where set, is the only host key to accept; on first use it is stored.
	HostKey Fingerprint
	// AcceptNew stores the key of a server never seen before without a question.
	// A changed key is refused all the same.
	AcceptNew bool
	// Timeout bounds the TCP connection and the SSH handshake together; 20 s when
	// 0. Time spent in a prompt, or in the agent's own one, does not count.
	Timeout time.Duration
	// Prompts ask the person at the terminal.
	Prompts Prompts

	keepalive time.Duration // between two signs of life; keepaliveInterval when 0
}

// Prompts are called by [Dial], one at a time, from a goroutine of its own. A
// nil one means that there is nobody to ask. An error of theirs ends Dial and is
// returned as it is. Dial waits for them: they have to return when its context ends.
type Prompts struct {
	// ConfirmHostKey says whether an unknown server's key is accepted and stored.
	// The host is host:port, keyType such as ssh-ed25519, fingerprint SHA256:....
	ConfirmHostKey func(host, keyType, fingerprint string) (bool, error)
	// Passphrase unlocks a key file; it is asked up to three times for one file,
	// and only when the server wants that key.
	Passphrase func(file string) ([]byte, error)
	// Sudo is asked for the user's password by the first root command, where sudo
	// wants one; attempt counts from 1 to 3.
	Sudo func(user string, attempt int) ([]byte, error)
}

// Dial logs in to the host. The error is an [*Error] of KindUnreachable,
// KindHostKey or KindAuth, a prompt's own, or wraps the context's cause. The
// context bounds Dial alone, not the life of the connection.
func Dial(ctx context.Context, host Host, opts Options) (*Conn, error) {
	if host == (Host{}) {
		return nil, &Error{Kind: KindUnreachable, Message: "no host given", Hint: hostForm}
	}
	if err := opts.setDefaults(); err != nil {
		return nil, err
	}
	deadline := time.Now().Add(opts.Timeout)
	clock := &clock{timeout: opts.Timeout}
	keyCheck, err := newHostKeyCheck(host, &opts, clock)
	if err != nil {
		return nil, err
	}
	login, err := newLogin(ctx, host, &opts, clock)
	if err != nil {
		return nil, err
	}
	defer login.close()

	dialer := net.Dialer{Deadline: deadline}
	sock, err := dialer.DialContext(ctx, "tcp", host.Addr())
	if ctx.Err() != nil {
		if err == nil {
			err = sock.Close()
		}
		return nil, errors.Join(context.Cause(ctx), err)
	}
	if err != nil {
		return nil, dialError(host, opts.Timeout, err)
	}
	return handshake(ctx, sock, host, keyCheck, login, clock, deadline)
}

func (o *Options) setDefaults() error {
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.keepalive <= 0 {
		o.keepalive = keepaliveInterval
	}
	if o.KnownHostsFile != "" {
		return nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return &Error{Kind: KindHostKey, Message: "no home directory to keep known hosts in", Err: err, Hint: "set HOME"}
	}
	o.KnownHostsFile = filepath.Join(home, ".ssh", "known_hosts")
	return nil
}

func handshake(ctx context.Context, sock net.Conn, host Host, keyCheck *hostKeyCheck, login *login, clock *clock, deadline time.Time) (*Conn, error) {
	traffic := &countingConn{Conn: sock}
	clock.start(sock, deadline)
	stop := context.AfterFunc(ctx, func() { sock.Close() })
	conn, channels, requests, err := ssh.NewClientConn(traffic, host.Addr(), &ssh.ClientConfig{
		User:              host.User(),
		ClientVersion:     "SSH-2.0-gca",
		HostKeyAlgorithms: keyCheck.algorithms(),
		HostKeyCallback:   keyCheck.callback,
		AuthCallback:      login.next,
	})
	if !stop() {
		if err == nil {
			err = conn.Close()
		}
		return nil, errors.Join(context.Cause(ctx), err)
	}
	if err != nil {
		if refused := keyCheck.explain(err, login.begun()); refused != nil {
			return nil, refused
		}
		return nil, login.explain(err)
	}
	clock.stop()
	c := newConn(host, traffic, ssh.NewClient(conn, channels, requests), keyCheck.opts.keepalive)
	c.root.ask = keyCheck.opts.Prompts.Sudo
	return c, nil
}

// clock is the deadline of the handshake. It stands still while a person answers.
type clock struct {
	timeout time.Duration
	sock    net.Conn
}

func (c *clock) start(sock net.Conn, deadline time.Time) {
	c.sock = sock
	c.set(deadline)
}

func (c *clock) stop() { c.set(time.Time{}) }

// pause returns the function that starts the clock anew, with the whole timeout.
func (c *clock) pause() (resume func()) {
	if c.sock == nil { // a prompt before the connection
		return func() {}
	}
	c.stop()
	return func() { c.set(time.Now().Add(c.timeout)) }
}

// set cannot fail but on a closed socket, whose reads and writes then say so.
func (c *clock) set(deadline time.Time) { _ = c.sock.SetDeadline(deadline) }
