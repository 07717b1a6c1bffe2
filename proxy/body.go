package proxy

import (
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/valyala/fasthttp"

	"github.com/gemini-claude-adapter/gca/proxy/front"
)

// firstAlloc bounds what is set aside for a body before its bytes arrive.
const firstAlloc = 1 << 20

// readBody reads a request's body, up to MAX_BODY. There must be one, as it is.
func (s *Server) readBody(rc *fasthttp.RequestCtx) ([]byte, *front.Error) {
	if len(rc.Request.Header.Peek("Content-Encoding")) > 0 {
		return nil, front.Invalidf("", "send the body without Content-Encoding")
	}
	body, refusal := s.readAny(rc)
	if refusal == nil && len(body) == 0 {
		refusal = front.Invalidf("", "the request body is empty")
	}
	return body, refusal
}

// readAny reads a request's body, up to MAX_BODY; it may be empty, or compressed.
func (s *Server) readAny(rc *fasthttp.RequestCtx) ([]byte, *front.Error) {
	length := rc.Request.Header.ContentLength()
	if int64(length) > s.settings().MaxBody {
		return nil, s.tooLarge()
	}
	stream := rc.RequestBodyStream()
	if stream == nil { // neither Content-Length nor Transfer-Encoding
		return nil, nil
	}
	body := make([]byte, 0, min(max(length, 512), firstAlloc)+1)
	for {
		if len(body) == cap(body) {
			body = append(body, 0)[:len(body)]
		}
		n, err := stream.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case int64(len(body)) > s.settings().MaxBody:
			return nil, s.tooLarge()
		case errors.Is(err, io.EOF):
			if length > len(body) {
				return nil, front.Invalidf("", "the request body ended after %d of %d bytes", len(body), length)
			}
			return body, nil
		case err != nil:
			return nil, front.Invalidf("", "cannot read the request body")
		}
	}
}

func (s *Server) tooLarge() *front.Error {
	return &front.Error{Kind: front.TooLarge, Message: fmt.Sprintf("the request body is larger than %d bytes (MAX_BODY)", s.settings().MaxBody)}
}

// expect answers `Expect: 100-continue`: a body that is too large is refused before it is sent. fasthttp keeps what is
// written to the response here.
func (s *Server) expect(rc *fasthttp.RequestCtx) int {
	if int64(rc.Request.Header.ContentLength()) <= s.settings().MaxBody {
		return fasthttp.StatusContinue
	}
	s.refuse(s.accept(rc), s.tooLarge())
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
