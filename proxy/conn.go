package proxy

import (
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	lingerBytes   = 64 << 20
	lingerTimeout = 5 * time.Second
)

// listener hands out conns.
type listener struct {
	net.Listener
	stall time.Duration // how long a client may not read at all
	full  func() bool   // there are as many connections as there may be
}

const tooMany = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Type: text/plain\r\nContent-Length: 21\r\nConnection: close\r\n\r\ntoo many connections\n"

func (l listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if !l.full() {
			return newConn(c, l.stall), nil
		}
		_, _ = io.WriteString(c, tooMany) // it fits into the socket's buffer, or nobody is there
		_ = c.Close()
	}
}

// conn is a client's connection with three things that fasthttp lacks: every write has its own deadline, so that a stream may
// run for hours but a stuck client may not; one can look whether the client is still there; and Close can let a client that
// is still sending read its answer first, where an ordinary one would reset the connection under the answer.
type conn struct {
	net.Conn
	raw     syscall.RawConn // nil where the connection has none
	linger  atomic.Bool
	closing atomic.Bool
	stall   time.Duration

	wrote       atomic.Bool // something was written since the watcher looked last
	deadlineSet time.Time   // when the write deadline was set last; only the connection's goroutine writes
}

func newConn(c net.Conn, stall time.Duration) *conn {
	out := &conn{Conn: c, stall: stall}
	if sc, ok := c.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			out.raw = raw
		}
	}
	return out
}

// Write writes within the time for stalled clients, give or take an eighth of it: setting a deadline costs more than a small write.
func (c *conn) Write(p []byte) (int, error) {
	if now := time.Now(); now.Sub(c.deadlineSet) > c.stall/8 {
		if err := c.SetWriteDeadline(now.Add(c.stall)); err != nil {
			return 0, err
		}
		c.deadlineSet = now
	}
	n, err := c.Conn.Write(p)
	c.wrote.Store(err == nil)
	return n, err
}

// Close closes at once, or, after lingering was asked for, when the client has seen the end of the answer and stopped
// sending, within bounds.
func (c *conn) Close() error {
	if c.closing.Swap(true) {
		return net.ErrClosed
	}
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok && c.linger.Load() && half.CloseWrite() == nil {
		if err := c.SetReadDeadline(time.Now().Add(lingerTimeout)); err == nil {
			// whatever ends the reading, the connection ends next
			_, _ = io.CopyN(io.Discard, c.Conn, lingerBytes)
		}
	}
	return c.Conn.Close()
}
