package main

import (
	"io"
	"net"
	"sync/atomic"

	"github.com/valyala/fasthttp"
)

// floor is the least that any adapter can do: it passes requests and answers on as they are, with keys in turn, and without
// translating, counting or logging anything. What a candidate costs is told as a multiple of it.
func floor(l net.Listener, upstream string, keys []string) error {
	client := &fasthttp.HostClient{
		Addr: upstream, MaxConns: 1 << 16, StreamResponseBody: true, ReadBufferSize: 16 << 10, MaxResponseBodySize: 64 << 20,
	}
	var turn atomic.Uint64
	server := &fasthttp.Server{
		MaxRequestBodySize: 64 << 20, ReadBufferSize: 32 << 10, NoDefaultServerHeader: true,
		Handler: func(rc *fasthttp.RequestCtx) {
			req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
			defer fasthttp.ReleaseRequest(req)
			req.Header.SetMethodBytes(rc.Method())
			req.SetRequestURI("http://" + upstream + string(rc.Path()))
			req.Header.SetContentType("application/json")
			req.Header.Set("x-goog-api-key", keys[turn.Add(1)%uint64(len(keys))])
			req.SetBodyRaw(rc.PostBody())
			if err := client.Do(req, resp); err != nil {
				fasthttp.ReleaseResponse(resp)
				rc.Error(err.Error(), fasthttp.StatusBadGateway)
				return
			}
			rc.SetStatusCode(resp.StatusCode())
			rc.SetContentTypeBytes(resp.Header.ContentType())
			rc.SetBodyStream(body(func(w io.Writer) {
				defer fasthttp.ReleaseResponse(resp)
				defer func() { _ = resp.CloseBodyStream() }() // the answer is over, however it ended
				pass(w, resp.BodyStream())
			}), -1)
		},
	}
	return server.Serve(l)
}

// body is an answer that is written piece by piece; each Write is flushed.
type body func(w io.Writer)

// WriteTo writes the answer; who cannot take it is gone.
func (b body) WriteTo(w io.Writer) (int64, error) { b(w); return 0, nil }

// SupportsBodyWriteTo makes fasthttp use WriteTo.
func (b body) SupportsBodyWriteTo() bool { return true }

// Read is not used.
func (b body) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// pass copies r to w, and flushes what each read brought.
func pass(w io.Writer, r io.Reader) {
	buf := make([]byte, 16<<10)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			if _, werr := w.Write(buf[:n]); werr != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
