package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
)

const (
	keepaliveInterval = 10 * time.Second
	keepaliveMisses   = 3
)

// Conn is a logged-in connection to a server. Its methods may be called from
// several goroutines; a command or an upload each takes one SSH channel (sshd
// allows ten by default). The caller closes it.
type Conn struct {
	host   Host
	client *ssh.Client
	sock   *countingConn
	root   rooting

	alive context.Context // done, with the cause, when the connection has ended
	end   context.CancelCauseFunc
}

func newConn(host Host, sock *countingConn, client *ssh.Client, interval time.Duration) *Conn {
	c := &Conn{host: host, client: client, sock: sock, root: newRooting()}
	c.alive, c.end = context.WithCancelCause(context.Background())
	go func() { c.end(c.lostBy(client.Wait())) }()
	go c.keepalive(interval)
	return c
}

// Close ends the connection and whatever runs on it, at once. It may be called
// more than once.
func (c *Conn) Close() error {
	c.end(&Error{Kind: KindUnreachable, Message: "the connection to " + c.host.Addr() + " was closed on this side"})
	err := c.sock.Close()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// keepalive closes a connection on which nothing has come in for three intervals
// although an answer is due. Any byte counts as life: on a slow link the answer
// queues behind an upload. Closing is what frees everybody who waits: a request
// without an answer holds a lock that every later one needs.
func (c *Conn) keepalive(interval time.Duration) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	answered := make(chan struct{}, 1)
	waiting, misses, seen := false, 0, c.sock.received.Load()
	for {
		select {
		case <-c.alive.Done():
			return
		case <-answered:
			waiting, misses = false, 0
			continue
		case <-ticker.C:
		}
		if now := c.sock.received.Load(); now != seen {
			misses, seen = 0, now
		} else if waiting {
			misses++
		}
		if misses == keepaliveMisses {
			c.end(c.lostBy(fmt.Errorf("no sign of life for %s", keepaliveMisses*interval)))
			c.sock.Close()
			return
		}
		if !waiting {
			waiting = true
			go func() {
				// A refusal is an answer too. An error is the connection's end.
				if _, _, err := c.client.SendRequest("keepalive@openssh.com", true, nil); err == nil {
					answered <- struct{}{}
				}
			}()
		}
	}
}

// broken explains an error that the end of the connection brought.
func (c *Conn) broken(err error) error {
	if cause := context.Cause(c.alive); cause != nil {
		return cause
	}
	return c.lostBy(err)
}

func (c *Conn) lostBy(err error) error {
	return &Error{Kind: KindUnreachable, Message: "lost the connection to " + c.host.Addr(), Err: err,
		Hint: "check the network, then run the command again"}
}

// countingConn counts the bytes that came in.
type countingConn struct {
	net.Conn
	received atomic.Int64
}

func (c *countingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.received.Add(int64(n))
	return n, err
}
