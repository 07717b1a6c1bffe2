// Package remote logs in to a server over SSH, runs commands there and uploads
// files. It makes one TCP connection, and never tries a refused login again:
// servers ban addresses that do.
//
// [Resolve] finds the way to a server in the user's ssh_config (resolve.go,
// sshconfig.go). [Dial] connects, over jump hosts where there are any (way.go),
// checks every host key against known_hosts (hostkey.go), then offers keys one by
// one and asks for a password only after them (auth.go, answers.go). [Conn.Run]
// and [Conn.Start] carry commands (run.go), [Conn.Upload] files (upload.go). Every
// failure says by its [Kind] what sort it is.
package remote

import (
	"context"
	"os"
	"path/filepath"
	"time"
)

const defaultTimeout = 20 * time.Second

// Options say how [Dial] connects. The zero value is what ssh does without a
// configuration and without a terminal.
type Options struct {
	// IdentityFile is the only key to offer: a private key, or the public half of
	// one that the agent holds. Empty: ssh_config's, the agent's keys, then ~/.ssh/id_*.
	IdentityFile string
	// Port, 1 to 65535, wins over the one in the text given to [Resolve] and over
	// ssh_config's; 0 is none.
	Port int
	// Jump is a comma separated list of [user@]host[:port] to connect through, as
	// ssh -J takes it; it wins over ssh_config. Only [Resolve] reads it.
	Jump string
	// KnownHostsFile is used instead of those of ssh_config and ~/.ssh/known_hosts.
	// It is made where it is missing.
	KnownHostsFile string
	// HostKey, where set, is the only host key to accept of the server itself; on
	// first use it is stored.
	HostKey Fingerprint
	// AcceptNew stores the key of a server never seen before without a question.
	// A changed key is refused all the same.
	AcceptNew bool
	// Timeout bounds the TCP connection and the SSH handshake together, for each
	// server on the way; ssh_config's ConnectTimeout or 20 s when 0. Time spent in a
	// prompt, or in the agent's own one, does not count.
	Timeout time.Duration
	// Prompts ask the person at the terminal.
	Prompts Prompts

	way       []stop          // from Resolve
	memory    *memory         // of what was typed
	keepalive time.Duration   // between two signs of life; keepaliveInterval when 0
	pauses    []time.Duration // before further tries of a connection that is dropped at once
}

// Prompts are called by [Dial], one at a time, from a goroutine of its own. A
// nil one means that there is nobody to ask. An error of theirs ends Dial and is
// returned as it is. Dial waits for them: they have to return when its context ends.
// Texts of a server are fit to be shown: short, without control characters.
type Prompts struct {
	// ConfirmHostKey says whether an unknown server's key is accepted and stored.
	// The host is host:port, keyType such as ssh-ed25519, fingerprint SHA256:....
	ConfirmHostKey func(host, keyType, fingerprint string) (bool, error)
	// Passphrase unlocks a key file; it is asked up to three times for one file,
	// and only when the server wants that key.
	Passphrase func(file string) ([]byte, error)
	// Password asks for a login password, once: a wrong one is not asked for again.
	Password func(user, host string) ([]byte, error)
	// Challenge answers a server's questions (keyboard-interactive), one answer each,
	// such as one-time codes; echo says whether an answer may be seen as it is typed.
	Challenge func(instruction string, questions []string, echo []bool) ([]string, error)
	// Sudo is asked for the user's password by the first root command, where sudo
	// wants one; attempt counts from 1 to 3.
	Sudo func(user string, attempt int) ([]byte, error)
	// Waiting is told why Dial waits, before a pause of some seconds.
	Waiting func(text string)
}

// Dial logs in to the host, over the way that [Resolve] found. The error is an
// [*Error] of KindUnreachable, KindHostKey or KindAuth, a prompt's own, or wraps
// the context's cause. The context bounds Dial alone, not the life of the connection.
//
// A connection that the server drops before the first word of SSH, as one with
// too many logins under way does, is tried twice more, after 5 s and 20 s; nothing
// else is ever tried again.
func Dial(ctx context.Context, host Host, opts Options) (*Conn, error) {
	if host == (Host{}) {
		return nil, &Error{Kind: KindUnreachable, Message: "no host given", Hint: hostForm}
	}
	if opts.way == nil && opts.Jump != "" {
		return nil, &Error{Kind: KindUnreachable, Message: "the jump host " + opts.Jump + " was not looked up"}
	}
	if err := opts.setDefaults(); err != nil {
		return nil, err
	}
	w := &way{opts: opts, stops: []stop{{host: host, alias: host.name, identity: opts.IdentityFile}}}
	if n := len(opts.way); n > 0 {
		w.stops = append([]stop(nil), opts.way...)
		w.stops[n-1].host = host
	}
	return w.dial(ctx, w.login)
}

func (o *Options) setDefaults() error {
	if o.keepalive <= 0 {
		o.keepalive = keepaliveInterval
	}
	if o.pauses == nil {
		o.pauses = []time.Duration{5 * time.Second, 20 * time.Second}
	}
	if o.memory == nil {
		o.memory = &memory{}
	}
	if o.KnownHostsFile != "" || o.way != nil {
		return nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return &Error{Kind: KindHostKey, Message: "no home directory to keep known hosts in", Err: err, Hint: "set HOME"}
	}
	o.KnownHostsFile = filepath.Join(home, ".ssh", "known_hosts")
	return nil
}

// timeoutOf bounds the login at one server.
func (o *Options) timeoutOf(s stop) time.Duration {
	switch {
	case o.Timeout > 0:
		return o.Timeout
	case s.settings.timeout > 0:
		return s.settings.timeout
	}
	return defaultTimeout
}
