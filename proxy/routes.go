package proxy

import (
	"bytes"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/gemini-claude-adapter/gca/proxy/front"
)

// route is what a path does.
type route struct {
	method string // GET includes HEAD
	public bool   // no token needed
	probe  bool   // logged at level debug
	serve  func(*inbound)
}

// inbound is one request as it arrived, until it is answered.
type inbound struct {
	*fasthttp.RequestCtx
	codec  front.Codec // the protocol of the path
	access *access
}

// find returns the route of a path; nil is an unknown path.
func (s *Server) find(path string) *route {
	switch path {
	case "/v1/messages":
		return &route{method: "POST", serve: s.converse}
	case "/v1/chat/completions":
		return &route{method: "POST", serve: s.converse}
	case "/v1/messages/count_tokens":
		return &route{method: "POST", serve: s.countTokens}
	case "/v1/models":
		return &route{method: "GET", serve: s.listModels}
	case "/health":
		return &route{method: "GET", public: true, probe: true, serve: s.health}
	case "/", "/api/hello":
		return &route{method: "GET", public: true, probe: true, serve: func(in *inbound) { in.SetStatusCode(fasthttp.StatusOK) }}
	}
	if strings.HasPrefix(path, "/v1/models/") {
		return &route{method: "GET", serve: s.showModel}
	}
	return nil
}

// handle answers one request.
func (s *Server) handle(rc *fasthttp.RequestCtx) {
	in := s.accept(rc)
	defer s.rescue(func() { s.refuse(in, &front.Error{Kind: front.Internal, Message: "internal error"}) })
	path := string(rc.Path())
	switch r := s.find(path); {
	case r == nil:
		s.refuse(in, unknownPath(path))
	case !r.allows(rc):
		rc.Response.Header.Set("Allow", r.method)
		s.refuseAs(in, fasthttp.StatusMethodNotAllowed, &front.Error{Kind: front.Invalid, Message: "expected method " + r.method + " for " + path})
	case r.public:
		in.access.probe = r.probe
		s.serve(in, r)
	default:
		var refusal *front.Error
		if in.access.token, refusal = s.tokens.admit(&rc.Request.Header); refusal != nil {
			s.refuse(in, refusal)
			return
		}
		s.serve(in, r)
	}
}

// serve runs a route. What streams writes its access line itself, at the end of the stream.
func (s *Server) serve(in *inbound, r *route) {
	r.serve(in)
	if !in.access.later && !in.access.written {
		s.record(in.access, in.Response.StatusCode())
	}
}

// accept notes what every answer and every access line has.
func (s *Server) accept(rc *fasthttp.RequestCtx) *inbound {
	in := &inbound{RequestCtx: rc, codec: s.shape(rc), access: newAccess(rc)}
	rc.Response.Header.Set("request-id", in.access.id)
	rc.Response.Header.Set("x-request-id", in.access.id)
	rc.Response.Header.Set("Cache-Control", "no-cache")
	if s.draining.Load() {
		rc.SetConnectionClose()
	}
	if c, ok := rc.Conn().(*conn); ok {
		c.linger.Store(false)
	}
	return in
}

func (r *route) allows(rc *fasthttp.RequestCtx) bool {
	method := string(rc.Method())
	return method == r.method || method == "HEAD" && r.method == "GET"
}

// shape is the protocol in which a path's errors are told.
func (s *Server) shape(rc *fasthttp.RequestCtx) front.Codec {
	if bytes.HasPrefix(rc.Path(), []byte("/v1/messages")) || len(rc.Request.Header.Peek("anthropic-version")) > 0 {
		return s.fronts.anthropic
	}
	return s.fronts.chat
}

func unknownPath(path string) *front.Error {
	e := &front.Error{Kind: front.NotFound, Message: "no such path: " + bounded(path, 200)}
	if strings.HasPrefix(path, "/v1/v1/") {
		e.Message += "\nhint: the client adds /v1 by itself: set its base URL to this server's address without /v1"
	}
	return e
}

// refuse answers with an error.
func (s *Server) refuse(in *inbound, e *front.Error) { s.refuseAs(in, 0, e) }

// refuseAs answers with an error and a status of its own, 0 for the one that belongs to the error.
func (s *Server) refuseAs(in *inbound, status int, e *front.Error) {
	natural, body := in.codec.Error(e, in.access.id)
	if status == 0 {
		status = natural
	}
	h := &in.Response.Header
	in.SetStatusCode(status)
	in.SetContentType("application/json")
	if e.RetryAfter > 0 {
		h.Set("Retry-After", seconds(e.RetryAfter))
	}
	if e.NoRetry {
		h.Set("x-should-retry", "false")
	}
	in.SetBody(body)
	if e.Kind == front.TooLarge {
		in.SetConnectionClose()
	}
	if c, ok := in.Conn().(*conn); ok {
		c.linger.Store(true) // the body may still be on its way
	}
	in.access.problem = e.Message
	s.record(in.access, status)
}

// unreadable answers a request whose head could not be read.
func (s *Server) unreadable(rc *fasthttp.RequestCtx, err error) {
	in := s.accept(rc)
	e := front.Invalidf("", "cannot read the request")
	switch status := unreadableStatus(err); status {
	case fasthttp.StatusRequestHeaderFieldsTooLarge:
		e.Message = "the request's headers are larger than 32 KB"
		s.refuseAs(in, status, e)
	case fasthttp.StatusRequestTimeout:
		e.Message = "the request did not arrive in time"
		s.refuseAs(in, status, e)
	default:
		s.refuse(in, e)
	}
}
