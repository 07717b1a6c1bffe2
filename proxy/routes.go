package proxy

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/front/native"
)

// route is what a path does.
type route struct {
	method string // GET includes HEAD; "" is any that natively makes sense
	public bool   // no token needed
	admin  bool   // for the admin token alone
	probe  bool   // logged at level debug
	serve  func(*inbound)
}

// inbound is one request as it arrived, until it is answered.
type inbound struct {
	*fasthttp.RequestCtx
	codec  front.Codec  // the protocol of the path
	native *native.Path // what the path names in Google's own API, nil where it is none of it
	access *access
	waited time.Duration // for a place
	token  *config.Token // whose request it is, nil where it came without one
}

// routes are what paths do.
type routes struct {
	native   *route            // what is Google's own API
	of       map[string]*route // by path
	below    *route            // a model's own page
	resetKey *route
}

func newRoutes(s *Server) *routes {
	converse := &route{method: "POST", serve: s.converse}
	count := &route{method: "POST", serve: s.countTokens}
	probe := &route{method: "GET", public: true, probe: true, serve: func(in *inbound) { in.SetStatusCode(fasthttp.StatusOK) }}
	return &routes{
		native: &route{serve: s.native},
		of: map[string]*route{
			"/v1/messages": converse, "/v1/chat/completions": converse, "/v1/responses": converse,
			"/v1/messages/count_tokens": count, "/v1/responses/input_tokens": count,
			"/v1/embeddings": {method: "POST", serve: s.embed},
			"/v1/models":     {method: "GET", serve: s.listModels},
			"/health":        {method: "GET", public: true, probe: true, serve: s.health},
			"/stats":         {method: "GET", serve: s.stats},
			"/metrics":       {method: "GET", admin: true, probe: true, serve: s.metrics},
			"/":              probe, "/api/hello": probe,
		},
		below:    &route{method: "GET", serve: s.showModel},
		resetKey: &route{method: "POST", admin: true, serve: s.resetKey},
	}
}

// find returns the route of a request; nil is an unknown path.
func (r *routes) find(in *inbound) *route {
	path := in.Path()
	switch {
	case in.native != nil:
		return r.native
	case r.of[string(path)] != nil:
		return r.of[string(path)]
	case bytes.HasPrefix(path, []byte(resetKeyPath)):
		return r.resetKey
	case bytes.HasPrefix(path, []byte("/v1/models/")):
		return r.below
	}
	return nil
}

// handle answers one request.
func (s *Server) handle(rc *fasthttp.RequestCtx) {
	in := s.accept(rc)
	defer s.rescue(func() { s.refuse(in, &front.Error{Kind: front.Internal, Message: "internal error"}) })
	path := string(rc.Path())
	switch r := s.routes.find(in); {
	case r == nil:
		s.refuse(in, unknownPath(path))
	case !r.allows(rc) && wantsWebSocket(rc):
		rc.Response.Header.Set("Upgrade", "HTTP/1.1")
		s.refuseAs(in, fasthttp.StatusUpgradeRequired, front.Invalidf("", "no WebSockets here, send a POST request"))
	case !r.allows(rc):
		allowed := cmp.Or(r.method, nativeMethods)
		rc.Response.Header.Set("Allow", allowed)
		s.refuseAs(in, fasthttp.StatusMethodNotAllowed, &front.Error{Kind: front.Invalid, Message: "expected method " + allowed + " for " + path})
	case r.public:
		in.access.probe = r.probe
		s.serve(in, r)
	default:
		in.access.probe = r.probe
		if refusal := s.admit(in, r); refusal != nil {
			in.access.probe = false
			s.refuse(in, refusal)
			return
		}
		s.serve(in, r)
	}
}

// wantsWebSocket: Codex tries one for /v1/responses first, and goes on without when it is told 426.
func wantsWebSocket(rc *fasthttp.RequestCtx) bool {
	return strings.EqualFold(string(rc.Request.Header.Peek("Upgrade")), "websocket")
}

// serve runs a route. What streams writes its access line itself, at the end of the stream.
func (s *Server) serve(in *inbound, r *route) {
	r.serve(in)
	if !in.access.later && !in.access.written {
		s.record(in.access, in.Response.StatusCode())
	}
}

// admit lets a client in by its token.
func (s *Server) admit(in *inbound, r *route) (refusal *front.Error) {
	gate := s.tokens.Load()
	who, refusal := s.recognize(gate, in)
	if who != nil {
		in.token, in.access.token = who, who.Name
	}
	switch {
	case !r.admin:
		return refusal
	case refusal == errNoToken:
		return errNoAdmin
	case refusal != nil:
		return refusal
	}
	return gate.admitAdmin(who)
}

// recognize finds the token of a request. On the paths of Google's own API it may also be the parameter key, and the address
// of an upload that is under way lets its holder go on.
func (s *Server) recognize(gate *gate, in *inbound) (who *config.Token, refusal *front.Error) {
	if in.native == nil {
		return gate.admit(&in.Request.Header)
	}
	query := in.URI().QueryString()
	_, given := native.Query(string(query))
	if who, refusal = gate.admit(&in.Request.Header, given...); refusal == errNoToken && in.native.Upload {
		if owner, ok := s.owners.find(session(query)); ok {
			if who = gate.named(owner.token); who != nil {
				return who, nil
			}
		}
	}
	return who, refusal
}

// accept notes what every answer and every access line has.
func (s *Server) accept(rc *fasthttp.RequestCtx) *inbound {
	mendPath(rc.URI())
	in := &inbound{RequestCtx: rc, codec: s.shape(rc), access: newAccess(rc)}
	if path, ok := native.Parse(string(rc.Path()), ofGoogles(rc)); ok {
		in.native, in.access.native = &path, true
	}
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

// ofGoogles reports whether a client of Google's own API asks: the vendor's programs say who they are, and all bring their
// credentials in Google's way.
func ofGoogles(rc *fasthttp.RequestCtx) bool {
	h := &rc.Request.Header
	return len(h.Peek("x-goog-api-key")) > 0 || len(h.Peek("x-goog-api-client")) > 0 || rc.QueryArgs().Has("key")
}

func (r *route) allows(rc *fasthttp.RequestCtx) bool {
	method := string(rc.Method())
	if r.method == "" {
		return slices.Contains(strings.Split(nativeMethods, ", "), method)
	}
	return method == r.method || method == "HEAD" && r.method == "GET"
}

// nativeMethods are those of Google's own API.
const nativeMethods = "GET, HEAD, POST, PUT, PATCH, DELETE"

// mistaken are beginnings of paths that come of a base URL which has more than the address, or lacks the version that OpenAI's
// clients expect in it, and what they stand for.
var mistaken = []struct{ begins, means string }{
	{"/v1/v1/", "/v1/"}, {"/v1/v1beta/", "/v1beta/"}, {"/v1beta/v1/", "/v1/"}, {"/v1beta/v1beta/", "/v1beta/"},
	{"/v1beta/openai/v1/", "/v1/"}, {"/v1beta/openai/", "/v1/"}, {"/openai/v1/", "/v1/"},
	{"/chat/completions", "/v1/chat/completions"}, {"/responses", "/v1/responses"}, {"/embeddings", "/v1/embeddings"}, {"/models", "/v1/models"},
}

// mendPath makes the path of a request what its client meant.
func mendPath(u *fasthttp.URI) {
	path := string(u.PathOriginal())
	for _, d := range mistaken {
		if rest, ok := strings.CutPrefix(path, d.begins); ok {
			u.SetPath(d.means + rest)
			return
		}
	}
}

// shape is the protocol of a path. Where it does not say, as with models and unknown paths, a header does.
func (s *Server) shape(rc *fasthttp.RequestCtx) front.Codec {
	switch path := string(rc.Path()); {
	case strings.HasPrefix(path, "/v1/responses"):
		return s.fronts.responses
	case strings.HasPrefix(path, "/v1/messages"):
		for _, betas := range rc.Request.Header.PeekAll("anthropic-beta") {
			if bytes.Contains(betas, []byte("interleaved-thinking")) {
				return s.fronts.interleaved
			}
		}
		return s.fronts.anthropic
	case path == "/v1/chat/completions" || path == "/v1/embeddings":
		return s.fronts.chat
	}
	if len(rc.Request.Header.Peek("anthropic-version")) > 0 {
		return s.fronts.anthropic
	}
	return s.fronts.chat
}

// notServed are beginnings of paths that clients know from their vendors, and what is said in place of what they do there.
var notServed = []struct{ begins, words string }{
	{"/v1/messages/batches", "batches are not served here, send each request to /v1/messages"},
	{"/v1/batches", "batches are not served here, send each request by itself"},
	{"/v1/files", "files are not stored here, send their data within the request"},
	{"/v1/responses/compact", "compaction is not served here, ask for a summary with a request of its own to /v1/responses"},
}

func unknownPath(path string) *front.Error {
	for _, n := range notServed {
		if rest, ok := strings.CutPrefix(path, n.begins); ok && (rest == "" || rest[0] == '/') {
			return &front.Error{Kind: front.NotFound, Message: n.words}
		}
	}
	if id, ok := strings.CutPrefix(path, "/v1/responses/"); ok {
		return &front.Error{Kind: front.NotFound, Message: "Response with id '" + bounded(id, 100) + "' not found: responses are not stored here."}
	}
	return &front.Error{Kind: front.NotFound, Message: "no such path: " + bounded(path, 200)}
}

// errorBody tells an error in the protocol of the path.
func (in *inbound) errorBody(e *front.Error) (status int, body []byte) {
	if in.native != nil {
		return native.Error(e)
	}
	return in.codec.Error(e, in.access.id)
}

// refuse answers with an error.
func (s *Server) refuse(in *inbound, e *front.Error) { s.refuseAs(in, 0, e) }

// refuseAs answers with an error and a status of its own, 0 for the one that belongs to the error.
func (s *Server) refuseAs(in *inbound, status int, e *front.Error) {
	natural, body := in.errorBody(e)
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

// unreadable answers a request of which the head, or all of the body, did not come. Nobody knows its path any more, so it is
// told in the form that has the fields of the others, too.
func (s *Server) unreadable(rc *fasthttp.RequestCtx, err error) {
	in := s.accept(rc)
	in.codec = s.fronts.anthropic
	e := front.Invalidf("", "cannot read the request")
	switch status := unreadableStatus(err); status {
	case fasthttp.StatusRequestHeaderFieldsTooLarge:
		e.Message = "the request's headers are larger than 32 KB"
		s.refuseAs(in, status, e)
	case fasthttp.StatusRequestTimeout:
		s.refuse(in, &front.Error{Kind: front.Slow, Message: "the request did not arrive in time"})
	default:
		s.refuse(in, e)
	}
}
