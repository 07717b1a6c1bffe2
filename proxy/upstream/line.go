package upstream

import (
	"context"
	"io"
	"net"
)

// line is a connection without TLS. What the transport has in memory goes out from there, not by way of a buffer that is made for
// each request.
type line struct{ *net.TCPConn }

// ReadFrom sends all of r.
func (l line) ReadFrom(r io.Reader) (int64, error) {
	if limited, ok := r.(*io.LimitedReader); ok {
		if body, ok := limited.R.(*reader); ok && int64(body.Len()) <= limited.N {
			n, err := body.WriteTo(l.TCPConn)
			limited.N -= n
			return n, err
		}
	}
	return l.TCPConn.ReadFrom(r)
}

func dialLine(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := dialer().DialContext(ctx, network, address)
	if tcp, ok := conn.(*net.TCPConn); ok {
		return line{tcp}, err
	}
	return conn, err
}
