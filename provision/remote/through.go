package remote

import (
	"context"
	"net"
	"strings"
)

// Dial opens a connection from the server to an address as the server sees it, such as "127.0.0.1:80".
func (c *Conn) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return c.client.DialContext(ctx, network, address)
}

// Jumped reports whether the server was reached through something else, so that its other ports may be closed from here.
func (c *Conn) Jumped() bool {
	return len(c.way.stops) > 1 || c.way.stops[0].settings.command != ""
}

// Reached is the IP address that the server was reached at, as it is seen from here; empty where it was reached through
// something else.
func (c *Conn) Reached() string {
	host, _, err := net.SplitHostPort(c.client.RemoteAddr().String())
	if err != nil || c.Jumped() {
		return ""
	}
	host, _, _ = strings.Cut(host, "%")
	return host
}

// Received is how many bytes have come in so far. On a connection that works more do at least every ten seconds.
func (c *Conn) Received() int64 { return c.sock.received.Load() }

// Ping waits for an answer of the server's SSH daemon.
func (c *Conn) Ping(ctx context.Context) error {
	answer := make(chan error, 1)
	go func() {
		// A refusal is an answer too.
		_, _, err := c.client.SendRequest("keepalive@openssh.com", true, nil)
		answer <- err
	}()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
