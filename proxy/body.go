package proxy

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"time"

	"github.com/valyala/bytebufferpool"
	"github.com/valyala/fasthttp"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	"github.com/gemini-claude-adapter/gca/proxy/front"
)

const (
	firstAlloc   = 1 << 20          // bytes that are set aside for a body at most, before its own arrive
	headTimeout  = 30 * time.Second // for a request's head and the beginning of its body
	slowestBytes = 64 << 10         // of a body, a second
)

// bodyDeadline is when the next byte must be there of a body that began to be read at begin: a client on a slow line gets
// through, one that trickles does not keep its place and its memory.
func (p *pace) bodyDeadline(begin, now time.Time, received int) time.Time {
	all := begin.Add(p.bodyGrace + time.Duration(received/slowestBytes)*time.Second)
	if idle := now.Add(p.bodyIdle); idle.Before(all) {
		return idle
	}
	return all
}

// receive reads the body of a request for work, then waits for its place.
func (s *Server) receive(in *inbound) ([]byte, *front.Error) {
	body, refusal := s.readBody(in)
	if refusal == nil {
		refusal = s.enter(in)
	}
	return body, refusal
}

// readBody reads a request's body, up to MAX_BODY. There must be one, as it is.
func (s *Server) readBody(in *inbound) ([]byte, *front.Error) {
	if len(in.Request.Header.Peek("Content-Encoding")) > 0 {
		return nil, front.Invalidf("", "send the body without Content-Encoding")
	}
	body, refusal := s.readAny(in)
	if refusal == nil && len(body) == 0 {
		refusal = front.Invalidf("", "the request body is empty")
	}
	return body, refusal
}

// readAny reads a request's body, up to MAX_BODY; it may be empty, or compressed. Its memory is the request's until that is
// over.
func (s *Server) readAny(in *inbound) ([]byte, *front.Error) {
	cfg := s.settings()
	length := int64(in.Request.Header.ContentLength())
	if length > cfg.MaxBody {
		return nil, tooLarge(cfg)
	}
	stream := in.RequestBodyStream()
	if stream == nil { // neither Content-Length nor Transfer-Encoding
		return nil, nil
	}
	memory := &held{b: s.bounds.bodies}
	first := length
	if length < 0 {
		first = min(firstAlloc, cfg.MaxBody)
	}
	small := length >= 0 && length <= memory.b.smallest
	if refusal := s.takeMemory(in, memory, first, small, cfg); refusal != nil {
		return nil, refusal
	}
	in.access.giveBack = append(in.access.giveBack, func() { memory.shrink(0) })
	r := bodyReader{in: in, stream: stream, begin: time.Now(), max: cfg.MaxBody, memory: memory, pace: &s.pace, buffer: s.lendBuffer(in)}
	body, refusal := r.read(int(length))
	if refusal == nil {
		memory.shrink(int64(len(body)))
	}
	if refusal == errTooMuch {
		refusal = tooLarge(cfg)
	}
	return body, refusal
}

// lendBuffer is memory for a body until the request is over. A native call's may be on its way for longer.
func (s *Server) lendBuffer(in *inbound) *bytebufferpool.ByteBuffer {
	if in.native != nil {
		return &bytebufferpool.ByteBuffer{}
	}
	buffer := s.inbound.Get()
	in.access.giveBack = append(in.access.giveBack, func() { s.inbound.Put(buffer) })
	return buffer
}

// takeMemory waits for the memory of a body as long as its client does.
func (s *Server) takeMemory(in *inbound, memory *held, n int64, small bool, cfg *config.Config) *front.Error {
	if memory.begin(n, small) {
		return nil
	}
	life := s.follow(in)
	defer life.close()
	refusal := memory.wait(life.ctx, n, cfg)
	if refusal != nil {
		in.access.gone = life.gone()
	}
	return refusal
}

// bodyReader reads one body.
type bodyReader struct {
	in     *inbound
	stream io.Reader
	begin  time.Time
	max    int64
	memory *held
	pace   *pace
	buffer *bytebufferpool.ByteBuffer // of the body
}

var (
	errTooMuch = &front.Error{Kind: front.TooLarge}
	errSlow    = &front.Error{Kind: front.Slow, Message: fmt.Sprintf("the request body did not arrive in time: at least %d KB a second are expected", slowestBytes>>10)}
)

// read reads up to the end; length is what the client promised, negative if nothing.
func (r *bodyReader) read(length int) ([]byte, *front.Error) {
	body := slices.Grow(r.buffer.B, min(max(length, 512), firstAlloc)+1)
	defer func() { r.buffer.B = body }()
	for {
		if len(body) == cap(body) {
			if length < 0 && !r.memory.grow(min(2*int64(len(body)), r.max)) {
				return nil, r.memory.b.full()
			}
			body = append(body, 0)[:len(body)]
		}
		if err := r.in.Conn().SetReadDeadline(r.pace.bodyDeadline(r.begin, time.Now(), len(body))); err != nil {
			return nil, front.Invalidf("", "cannot read the request body")
		}
		n, err := r.stream.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case int64(len(body)) > r.max:
			return nil, errTooMuch
		case errors.Is(err, io.EOF):
			if length > len(body) {
				return nil, front.Invalidf("", "the request body ended after %d of %d bytes", len(body), length)
			}
			return body, nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, errSlow
		case err != nil:
			return nil, front.Invalidf("", "cannot read the request body")
		}
	}
}

func tooLarge(cfg *config.Config) *front.Error {
	return &front.Error{Kind: front.TooLarge, Message: fmt.Sprintf("the request body is larger than %d bytes (MAX_BODY)", cfg.MaxBody)}
}

// headed has a request whose body will be too large refused by expect, before fasthttp waits for the body: as one that asked.
func (s *Server) headed(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
	if int64(h.ContentLength()) > s.settings().MaxBody {
		h.Set("Expect", "100-continue")
	}
	return fasthttp.RequestConfig{}
}

// expect answers `Expect: 100-continue`: a body that is too large is refused before it is sent. fasthttp keeps what is
// written to the response here.
func (s *Server) expect(rc *fasthttp.RequestCtx) int {
	cfg := s.settings()
	if int64(rc.Request.Header.ContentLength()) <= cfg.MaxBody {
		return fasthttp.StatusContinue
	}
	s.refuse(s.accept(rc), tooLarge(cfg))
	return rc.Response.StatusCode()
}

// unreadableStatus tells the few ways apart in which a request's head is at fault.
func unreadableStatus(err error) int {
	var small *fasthttp.ErrSmallBuffer
	var timeout net.Error
	switch {
	case errors.As(err, &small):
		return fasthttp.StatusRequestHeaderFieldsTooLarge
	case errors.As(err, &timeout) && timeout.Timeout():
		return fasthttp.StatusRequestTimeout
	default:
		return fasthttp.StatusBadRequest
	}
}
