package proxy

import (
	"io"
	"net"
)

// streamBody is an answer that is written as it comes.
type streamBody interface {
	io.ReadCloser
	io.WriterTo
}

// untilTheEnd is fasthttp's length of a body that ends with its connection.
const untilTheEnd = -2

// sendStream sends an answer as it comes: in chunks, or, to a client of HTTP/1.0, which knows none (Nginx unless it is told
// otherwise), up to the end of the connection.
func (in *inbound) sendStream(a streamBody) {
	if in.Request.Header.IsHTTP11() || in.IsHead() {
		in.SetBodyStream(a, -1)
		return
	}
	in.Response.Header.SetContentLength(untilTheEnd)
	if _, err := in.Conn().Write(in.Response.Header.Header()); err == nil {
		_, _ = a.WriteTo(in.Conn()) // it notes itself why it ended
	}
	_ = a.Close() // which tells nothing
	in.HijackSetNoResponse(true)
	in.Hijack(func(net.Conn) {}) // fasthttp closes it
}
