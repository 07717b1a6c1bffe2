package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
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
	base   io.Closer // ends everything: what carries sock, or sock itself
	way    *way      // as it was gone
	used   []string  // what the server accepted of the user

	alive context.Context // done, with the cause, when the connection has ended
	end   context.CancelCauseFunc
}

func newConn(w *way, last *link) *Conn {
	c := &Conn{host: w.stops[len(w.stops)-1].host, client: last.client, sock: last.traffic, base: last.base, way: w, used: last.used, root: newRooting()}
	c.root.login = w.opts.memory.sudoPassword(c.host)
	c.root.ask = w.opts.memory.askSudo(c.host, w.opts.Prompts.Sudo)
	c.alive, c.end = context.WithCancelCause(context.Background())
	go func() { c.end(c.lostBy(c.client.Wait())) }()
	go c.keepalive(w.opts.keepalive)
	return c
}

// Close ends the connection and whatever runs on it, at once. It may be called
// more than once.
func (c *Conn) Close() error {
	c.end(&Error{Kind: KindUnreachable, Message: "the connection to " + c.host.Addr() + " was closed on this side"})
	err := c.base.Close()
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
			c.base.Close()
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

// countingConn counts the bytes that came in, and keeps the first ones.
type countingConn struct {
	net.Conn
	received atomic.Int64

	mu    sync.Mutex
	first []byte
}

// maxGreeting bounds what is kept of a server's first words, in bytes.
const maxGreeting = 256

func (c *countingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.received.Add(int64(n)) <= maxGreeting {
		c.mu.Lock()
		c.first = append(c.first, p[:n]...)
		c.mu.Unlock()
	}
	return n, err
}

// greeting is what the server said first, before everything was encrypted.
func (c *countingConn) greeting() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.first)
}
