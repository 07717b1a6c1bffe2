package remote

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"
)

// Kind says what sort of thing failed, so that a command can choose its exit code.
type Kind int

const (
	// KindUnreachable: no connection, or a connection that broke.
	KindUnreachable Kind = iota + 1
	// KindHostKey: the server's key is unknown, changed, revoked or not the expected one.
	KindHostKey
	// KindAuth: the server accepts none of the user's keys and passwords, or a key cannot be used.
	KindAuth
	// KindRemote: connected, but the server refused or failed what was asked.
	KindRemote
	// KindSudo: logged in, but this login cannot become root.
	KindSudo
)

func (k Kind) String() string {
	switch k {
	case KindUnreachable:
		return "unreachable"
	case KindHostKey:
		return "host key"
	case KindAuth:
		return "auth"
	case KindRemote:
		return "remote"
	case KindSudo:
		return "sudo"
	default:
		return fmt.Sprintf("kind %d", int(k))
	}
}

// Error is a failure of the connection, the login or the server. Its text is for
// the person at the prompt: what failed and, on a line of its own, what to do.
type Error struct {
	Kind    Kind
	Message string // what failed, with which value
	Hint    string // the next thing to do; may be empty
	Err     error  // the cause; may be nil
}

func (e *Error) Error() string {
	text := e.Message
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	if e.Hint != "" {
		text += "\nhint: " + e.Hint
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

// ExitError is a remote command that ended with a status other than 0.
type ExitError struct {
	Status int    // 1 to 255; 128 plus the signal's number where a signal ended it
	Signal string // such as "KILL"; empty when the command exited by itself
	Stderr string // the last 64 KiB of it; empty where Cmd.Stderr took it
}

func (e *ExitError) Error() string {
	text := fmt.Sprintf("remote command exited with status %d", e.Status)
	if e.Signal != "" {
		text = "remote command was ended by signal " + e.Signal
	}
	if said := strings.TrimSpace(e.Stderr); said != "" {
		text += ": " + said
	}
	return text
}

// dialError explains a TCP connection that did not come about.
func dialError(host Host, timeout time.Duration, err error) error {
	e := &Error{Kind: KindUnreachable, Err: err}
	var dns *net.DNSError
	var timed net.Error
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		e.Message, e.Err = fmt.Sprintf("no such host: %s", host.Name()), nil
		e.Hint = "check the spelling, or use the server's IP address"
	case errors.As(err, &dns):
		e.Message = fmt.Sprintf("cannot look up %s", host.Name())
		e.Hint = "check this machine's network and DNS, or use the server's IP address"
	case errors.Is(err, syscall.ECONNREFUSED):
		e.Message, e.Err = fmt.Sprintf("connection refused by %s", host.Addr()), nil
		e.Hint = "one of four: sshd is down, or the server still booting (on the provider's console: systemctl status ssh); " +
			"SSH listens on another port (there: ss -ltn; then add -p PORT); a firewall rejects the port (there: nft list ruleset, " +
			"and the provider's own panel); this address is banned (then SSH works from another network; there: fail2ban-client status sshd)"
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		e.Message, e.Err = fmt.Sprintf("no route to %s", host.Addr()), nil
		e.Hint = "check the address, and that this machine has a network"
		if strings.Contains(host.Name(), ":") {
			e.Hint = "check that this network has IPv6: ping -6 " + host.Name()
		}
	case errors.As(err, &timed) && timed.Timeout():
		e.Message, e.Err = fmt.Sprintf("no answer from %s within %s", host.Addr(), timeout), nil
		e.Hint = "check the address, that the server runs, and that the provider's firewall lets TCP port " +
			fmt.Sprint(host.Port()) + " in"
	default:
		e.Message = fmt.Sprintf("cannot connect to %s", host.Addr())
	}
	return e
}

const waitHint = "this address may be banned for some minutes (fail2ban, PerSourcePenalties), or the server takes no more " +
	"logins at the moment (MaxStartups); wait ten minutes before the next try, or try from another network"

// greetError explains a TCP connection on which no SSH session came about.
func greetError(host Host, timeout time.Duration, err error) error {
	e := &Error{Kind: KindUnreachable, Err: err}
	var timed net.Error
	switch {
	case errors.As(err, &timed) && timed.Timeout():
		e.Message, e.Err = fmt.Sprintf("%s accepts connections, but its SSH server did not answer within %s", host.Addr(), timeout), nil
		e.Hint = "the server may be overloaded or out of memory; look at the provider's console"
	case isConnLoss(err):
		e.Message, e.Err = fmt.Sprintf("%s closed the connection before the login", host.Addr()), nil
		e.Hint = waitHint
	case strings.Contains(err.Error(), "version string"):
		e.Message = fmt.Sprintf("what listens on %s does not speak SSH", host.Addr())
		e.Hint = "give the port of SSH: " + host.User() + "@" + host.Name() + ":PORT"
	default:
		e.Message = fmt.Sprintf("no SSH session with %s", host.Addr())
	}
	return e
}

func isConnLoss(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
