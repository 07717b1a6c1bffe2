package fakegemini

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// One request: route, record, read and judge, treat the key, then answer. The body is read and judged even when the key
// fails, so that the records tell of every broken rule; the key's error is what the client sees first, as with Google.

// The verbs of the API, as the records name them.
const (
	verbGenerate = "generateContent"
	verbStream   = "streamGenerateContent"
	verbCount    = "countTokens"
	verbEmbed    = "embedContent"
	verbBatch    = "batchEmbedContents"
	verbList     = "list"
	verbGet      = "get"
)

// modelVerbs are the calls of a model.
var modelVerbs = []string{verbGenerate, verbStream, verbCount, verbEmbed, verbBatch}

// Handler is the fake as an http.Handler.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", s.serveAPI)
	s.adminRoutes(mux)
	return mux
}

func (s *Server) serveAPI(w http.ResponseWriter, req *http.Request) {
	if !s.enter() {
		panic(http.ErrAbortHandler)
	}
	defer s.busy.Done()
	verb, model := route(req)
	name := ""
	if verb == "" {
		verb, name = resource(req)
	}
	rec := &Recorded{Method: req.Method, Path: req.URL.Path, Query: req.URL.Query(), Header: req.Header.Clone(), Verb: verb, Model: model}
	s.records.open(rec)
	x := &exchange{s: s, w: w, req: req, rec: rec, name: name}
	defer x.end()
	body, tooLarge, ok := x.readBody()
	if !ok {
		return
	}
	refused := x.prepare(body, tooLarge)
	if refused != nil {
		s.records.update(rec, func(r *Recorded) { r.Refused, r.Reason = refused.rule, refused.err.Message })
	}
	x.answer(refused)
	x.finish()
}

// exchange is one request on its way to an answer.
type exchange struct {
	s     *Server
	w     http.ResponseWriter
	req   *http.Request
	rec   *Recorded
	model Model
	body  *GenerateContentRequest
	embed []EmbedContentRequest
	name  string // of a cache or file
	then  func() // answers a request that isn't refused
	fault Fault
	out   *wire
	state End
}

// route reads verb and model from a path; verb is empty for a path that the API doesn't have.
func route(req *http.Request) (verb, model string) {
	path, versioned := unversioned(req)
	rest, ok := strings.CutPrefix(path, "models")
	if !versioned || !ok {
		return "", ""
	}
	rest, slash := strings.CutPrefix(rest, "/")
	model, action, isCall := strings.Cut(rest, ":")
	switch {
	case req.Method == http.MethodGet && rest == "":
		return verbList, ""
	case req.Method == http.MethodGet && slash && !isCall && !strings.Contains(rest, "/"):
		return verbGet, rest
	case req.Method == http.MethodPost && model != "" && slices.Contains(modelVerbs, action):
		return action, model
	}
	return "", ""
}

// unversioned is the path behind the version: v1beta, or v1, where the vendor's SDK for Python is at home (google-genai 3).
func unversioned(req *http.Request) (rest string, ok bool) {
	if rest, ok = strings.CutPrefix(req.URL.Path, "/v1beta/"); ok {
		return rest, true
	}
	return strings.CutPrefix(req.URL.Path, "/v1/")
}

// readBody reads within the limit; ok is false when the client left in the middle of it.
func (x *exchange) readBody() (body []byte, tooLarge, ok bool) {
	body, err := io.ReadAll(http.MaxBytesReader(x.w, x.req.Body, x.s.opts.MaxBody))
	x.s.records.update(x.rec, func(r *Recorded) { r.Body = body })
	var limit *http.MaxBytesError
	tooLarge = errors.As(err, &limit)
	if err != nil && !tooLarge {
		x.state = Cancelled
	}
	return body, tooLarge, err == nil || tooLarge
}

// prepare does everything up to the answer and returns the first rule that was broken.
func (x *exchange) prepare(body []byte, tooLarge bool) *refusal {
	if x.rec.Verb == "" {
		return &refusal{RulePath, Err(404, fmt.Sprintf("The requested URL %s was not found on this server.", x.req.URL.Path))}
	}
	if r := x.credential(); r != nil {
		return r
	}
	if tooLarge {
		return refuse(RuleBodySize, fmt.Sprintf("Request payload size exceeds the limit: %d bytes.", x.s.opts.MaxBody))
	}
	if x.rec.Verb == verbList {
		x.then = x.list
		return nil
	}
	if strings.Contains(x.rec.Verb, ".") {
		return x.prepareResource(body)
	}
	model, ok := x.s.models.find(x.rec.Model)
	if x.model = model; !ok || !model.does(x.rec.Verb) {
		return &refusal{RuleModel, ErrUnknownModel(x.rec.Model, x.rec.Verb)}
	}
	if x.rec.Verb == verbGet {
		x.then = func() { x.plain(http.StatusOK, entry(x.rec.Model, x.model)) }
		return nil
	}
	x.then = x.content
	return x.read(body)
}

// credential allows exactly one, and puts it into the record.
func (x *exchange) credential() *refusal {
	var keys []string
	keys = append(keys, x.req.Header.Values("X-Goog-Api-Key")...)
	keys = append(keys, x.req.URL.Query()["key"]...)
	given := len(keys) + len(x.req.Header.Values("Authorization"))
	if given > 1 {
		return refuse(RuleManyKeys, "Multiple authentication credentials received. Please pass only one.")
	}
	if given == 0 && x.s.uploads.has(x.req.URL.Query().Get("upload_id")) {
		return nil
	}
	if len(keys) == 0 && given == 1 {
		return &refusal{RuleBadKey, ErrUnauthenticated()}
	}
	if given == 0 || keys[0] == "" {
		return &refusal{RuleNoKey, ErrUnregistered()}
	}
	x.s.records.update(x.rec, func(r *Recorded) { r.Key = keys[0] })
	if !x.s.accepts(keys[0]) {
		return &refusal{RuleBadKey, ErrInvalidKey()}
	}
	return nil
}

func (s *Server) accepts(key string) bool {
	for _, k := range s.opts.Keys {
		if k == key {
			return true
		}
	}
	return len(s.opts.Keys) == 0
}

// read turns the body into a typed request and judges it.
func (x *exchange) read(body []byte) *refusal {
	if len(body) > 0 {
		if r := wellFormed(body); r != nil {
			return r
		}
	}
	q := &asked{body: &GenerateContentRequest{}, model: x.model, stream: x.rec.Verb == verbStream, signer: x.s.signer, given: &x.s.given,
		project: x.s.project(x.rec.Key), caches: &x.s.caches, files: &x.s.files, maxPDF: x.s.opts.MaxPDF}
	r := q.readAs(x.rec.Verb, body)
	x.body, x.embed = q.body, q.embed
	x.s.records.update(x.rec, func(rec *Recorded) {
		if rec.Embed = x.embed; q.call != onEmbed {
			rec.Request = x.body
		}
	})
	if r != nil {
		return r
	}
	return judge(q)
}

// readAs reads a body as the verb has it.
func (q *asked) readAs(verb string, body []byte) *refusal {
	switch verb {
	case verbCount:
		q.call, q.count = onCount, &CountTokensRequest{}
		r := read(body, q.count)
		q.body, q.message = q.count.body(), q.count.message()
		return r
	case verbEmbed:
		q.call, q.message = onEmbed, "EmbedContentRequest"
		q.embed = make([]EmbedContentRequest, 1)
		return read(body, &q.embed[0])
	case verbBatch:
		q.call, q.message = onEmbed, "BatchEmbedContentsRequest"
		batch := &BatchEmbedContentsRequest{}
		r := read(body, batch)
		q.embed = batch.Requests
		return r
	}
	q.call, q.message = onGenerate, "GenerateContentRequest"
	return read(body, q.body)
}

func (c *CountTokensRequest) body() *GenerateContentRequest {
	if c.GenerateContentRequest != nil {
		return c.GenerateContentRequest
	}
	return &GenerateContentRequest{Contents: c.Contents}
}

func (c *CountTokensRequest) message() string {
	if c.GenerateContentRequest != nil {
		return "CountTokensRequest.generate_content_request"
	}
	return "CountTokensRequest"
}

// answer sends what the key, the rules, the script and the model say, in this order.
func (x *exchange) answer(refused *refusal) {
	keyError, latency := x.s.script.keyVerdict(x.rec)
	if !x.sleep(latency) {
		return
	}
	switch {
	case keyError != nil:
		x.fail(keyError)
	case refused != nil:
		x.fail(refused.err)
	default:
		x.then()
	}
}

// speaks tells whether a verb is answered with words.
func speaks(verb string) bool { return verb == verbGenerate || verb == verbStream }

// content answers the calls of a model.
func (x *exchange) content() {
	a, scripted := x.s.script.take(x.s.records.copyOf(x.rec))
	if !scripted && speaks(x.rec.Verb) {
		a = imagine(x.model, x.body, x.s.opts.Delay)
	}
	if err := a.check(); err != nil {
		x.fail(Err(500, "the script of the fake is wrong: "+err.Error()))
		return
	}
	if !x.sleep(a.Delay.std()) {
		return
	}
	x.fault = a.Fault
	switch {
	case a.Error != nil:
		x.fail(a.Error)
	case a.Raw != nil:
		x.raw(a.Raw)
	case x.rec.Verb == verbCount:
		x.tokens()
	case !speaks(x.rec.Verb):
		x.plain(http.StatusOK, x.vectors())
	default:
		x.speak(a)
	}
}
