package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/valyala/fasthttp"
)

// answered is what a client saw of one request.
type answered struct {
	total  time.Duration // until its last byte
	first  time.Duration // until its first text
	chunks int           // of text
	err    error         // why it is none: a status, a cut, a missing end
	failed bool          // by its status: the adapter says that Gemini fails
}

// client asks one candidate, over one connection or many, and looks at every answer: its status, its size, its chunks and
// whether it is whole.
type client struct {
	http  *fasthttp.HostClient
	url   string
	token string
	shape shape
	w     workload
	body  []byte
	again bool // as real clients do: a request that is told of a failure of Gemini's is made again
}

func newClient(c candidate, s shape, w workload, most int) *client {
	return &client{
		http:  &fasthttp.HostClient{Addr: c.addr, MaxConns: most, StreamResponseBody: true, ReadBufferSize: 16 << 10, MaxIdleConnDuration: time.Minute, RetryIfErr: func(*fasthttp.Request, int, error) (bool, bool) { return false, false }},
		url:   "http://" + c.addr + s.path(),
		token: c.token, shape: s, w: w, body: w.body(s),
	}
}

// close ends the connections.
func (c *client) close() { c.http.CloseIdleConnections() }

// ask makes one request, or with again up to three.
func (c *client) ask(due time.Time, seen func(time.Duration)) (a answered) {
	for tries := 1; ; tries++ {
		a = c.once(due, seen)
		if a.err == nil || !c.again || !a.failed || tries == 3 {
			return a
		}
	}
}

// abandon begins a request and leaves in the middle of its answer.
func (c *client) abandon() {
	conn, err := net.Dial("tcp", c.http.Addr)
	if err != nil {
		return // the next one tells
	}
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", c.shape.path(), c.token, len(c.body), c.body)
	if err == nil {
		_, _ = conn.Read(make([]byte, 64)) // a beginning, or nothing: the rest is not waited for
	}
	_ = conn.Close() // whoever leaves does not look back
}

// once makes one request; seen, if there is one, gets the age of every chunk as it arrived. due is when the request was to be
// made, from which all its times count.
func (c *client) once(due time.Time, seen func(time.Duration)) (a answered) {
	req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(resp)
	req.Header.SetMethod("POST")
	req.SetRequestURI(c.url)
	req.Header.SetContentType("application/json")
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("anthropic-version", "2023-06-01")
	req.SetBodyRaw(c.body)
	if a.err = c.http.Do(req, resp); a.err != nil {
		return a
	}
	defer func() { _ = resp.CloseBodyStream() }() // it was read to its end, or is wrong
	if resp.StatusCode() != fasthttp.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.BodyStream(), 300)) // whatever it says, the status is the error
		a.err = fmt.Errorf("status %d: %s", resp.StatusCode(), text)
		a.failed = resp.StatusCode() >= fasthttp.StatusInternalServerError
		return a
	}
	read := &reading{due: due, seen: seen}
	size, err := read.all(resp.BodyStream())
	a.total, a.first, a.chunks = time.Since(due), read.first, read.chunks
	a.err = c.judge(err, size, read)
	return a
}

// reading is an answer on its way in.
type reading struct {
	due    time.Time
	seen   func(time.Duration)
	first  time.Duration
	chunks int
	last   []byte // the end of it
}

// lastBytes are enough for the last words of a stream.
const lastBytes = 256

func (r *reading) all(body io.Reader) (size int, err error) {
	buf := make([]byte, 32<<10)
	left := 0
	for {
		n, err := body.Read(buf[left:])
		now := time.Now()
		size += n
		data := buf[:left+n]
		rest := stamps(data, now, func(age time.Duration) {
			if r.chunks++; r.chunks == 1 {
				r.first = now.Sub(r.due)
			}
			if r.seen != nil {
				r.seen(age)
			}
		})
		r.last = append(r.last, buf[left:left+n]...)
		if len(r.last) > lastBytes {
			r.last = append(r.last[:0], r.last[len(r.last)-lastBytes:]...)
		}
		left = copy(buf, rest)
		if errors.Is(err, io.EOF) {
			return size, nil
		}
		if err != nil {
			return size, err
		}
	}
}

// judge tells what is wrong with an answer.
func (c *client) judge(err error, size int, r *reading) error {
	want := c.w.reply.Chunks * c.w.reply.Bytes
	switch {
	case err != nil:
		return err
	case size < want:
		return fmt.Errorf("the answer has %d bytes, its text alone %d", size, want)
	case r.chunks != c.w.reply.Chunks:
		return fmt.Errorf("the answer has %d chunks in place of %d", r.chunks, c.w.reply.Chunks)
	case c.w.stream && !bytes.Contains(r.last, c.shape.end()):
		return fmt.Errorf("the stream ends with %q", r.last)
	}
	return nil
}
