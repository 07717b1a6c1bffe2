package proxy

import (
	"bytes"
	"cmp"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/front/native"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
	"github.com/gemini-claude-adapter/gca/proxy/upstream"
)

// Calls of Google's own API go through as they are: path, query and body out, status and body back. What changes hands are
// the credentials: the client's stay here, and exactly one key goes out. The key is the one that made what the call refers
// to, if there is such a thing, else one like for every other protocol; until the answer's first byte a refused key is
// followed by another.

// maxSearch is how many keys are asked for a name whose owner is not known, as after a restart.
const maxSearch = 8

// passage is one such call.
type passage struct {
	*followed
	s      *Server
	access *access

	path  native.Path
	host  string      // the address that the client knows this server by
	names []string    // what the call refers to
	works native.Work // what a model does for it, zero where none does
	tries tries

	raw     *upstream.Raw
	refusal *refused          // what Google said last when it refused
	lease   *keys.Lease       // of the answer that counts
	answer  *upstream.Passage // likewise, nil if there is none
	failure *front.Error      // why there is no answer, or no whole one
}

// refused is a refusal as Google worded it.
type refused struct {
	kind   upstream.Kind
	status int
	header http.Header
	body   []byte
}

// native serves a call of Google's own API.
func (s *Server) native(in *inbound) {
	body, refusal := s.readAny(in)
	if decoded, err := url.PathUnescape(string(in.URI().PathOriginal())); err != nil || decoded != string(in.Path()) {
		refusal = unknownPath(string(in.Path())) // what goes out is what was looked at, with no way round
	}
	var work native.Work
	if refusal == nil {
		work, refusal = s.allowNative(in, body)
	}
	if refusal != nil {
		s.refuse(in, refusal)
		return
	}
	p := &passage{followed: s.follow(in), s: s, access: in.access, works: work}
	defer func() {
		if !in.access.later { // else the end of the answer does it
			p.drop()
		}
	}()
	p.read(in, body)
	p.run()
	in.access.gone = p.gone()
	switch {
	case p.answer != nil:
		p.send(in)
	case p.refusal != nil:
		p.passRefusal(in)
	default:
		s.refuse(in, p.failure)
	}
}

// drop ends a call whose answer, if there is one, does not go out.
func (p *passage) drop() {
	p.close()
	if p.answer != nil {
		_ = p.answer.Close() // nobody waits for it
		p.lease.Done(keys.None())
	}
}

// read reads out of a call what must be known of it.
func (p *passage) read(in *inbound, body []byte) {
	s, path := p.s, *in.native
	target, model := s.nativeTarget(in, path)
	if in.access.target = bounded(cmp.Or(model, strings.TrimPrefix(in.access.model, "models/")), 200); path.Model != "" {
		in.access.model = path.Model
	}
	in.access.stream = path.Streams()
	p.path, p.host, p.names = path, host(in), references(in, path, body)
	conversation := path.Collection + "/" + in.access.token // what is made by one client lies at one key
	if path.Generates() {
		conversation = native.Opening(body)
	}
	p.tries = s.newTries(p.ctx, in, path.Model, conversation)
	p.tries.target = bounded(model, 200) // any name gets here, and is kept with the rests of a key
	if p.tries.verb = verbOf(path); model == "" {
		p.tries.target = path.Collection + "/"
	}
	p.tries.refers = len(p.names) > 0
	if who, ok := s.owners.find(p.names...); ok {
		p.tries.only = who.key
	}
	p.raw = &upstream.Raw{
		Method: string(in.Method()), Target: target, Header: nativeHeader(&in.Request.Header), Body: body,
		Late: !path.Streams() || !showsThoughts(body), Tokens: len(body) / 4,
	}
}

// verbOf is the verb whose quotas are not those of answers: nothing that Google says to a count keeps a key from answering.
func verbOf(path native.Path) string {
	switch {
	case path.Generates():
		return ""
	case path.Verb == string(upstream.BatchEmbed):
		return string(upstream.EmbedContent)
	}
	return bounded(path.Verb, 50)
}

// showsThoughts reports whether a streamed answer begins with what the model thinks, so that it is not silent for long.
func showsThoughts(body []byte) bool {
	return bytes.Contains(body, []byte(`"includeThoughts"`)) || bytes.Contains(body, []byte(`"include_thoughts"`))
}

// references are the names in path, query and body that may belong to one key.
func references(in *inbound, path native.Path, body []byte) []string {
	names := native.Names(body)
	if path.Resource != "" {
		names = append(names, path.Resource)
		if parent := parent(path.Resource); parent != path.Resource {
			names = append(names, parent)
		}
	}
	if upload := session(in.URI().QueryString()); path.Upload && upload != "" {
		names = append(names, upload)
	}
	return names
}

// nativeTarget is what goes into the request line upstream, and the model that it names. A model's name stays as it is
// unless it stands for another one: a configured name, one that Google serves no more, another vendor's.
func (s *Server) nativeTarget(in *inbound, path native.Path) (target, model string) {
	target, model = string(in.URI().PathOriginal()), path.Model
	if mapped, ok := s.models.resolve(model); ok && mapped != model {
		target = strings.Replace(target, "/models/"+model, "/models/"+mapped, 1)
		model = mapped
	}
	if query, _ := native.Query(string(in.URI().QueryString())); query != "" {
		target += "?" + query
	}
	return target, model
}

// parent is what a name below another one belongs to: fileSearchStores/x of fileSearchStores/x/documents/y.
func parent(resource string) string {
	parts := strings.SplitN(resource, "/", 3)
	return strings.Join(parts[:min(len(parts), 2)], "/")
}

// session is the name under which the owner of an upload is kept that is under way.
func session(query []byte) string {
	values, err := url.ParseQuery(string(query))
	if err != nil || values.Get("upload_id") == "" {
		return ""
	}
	return "upload/" + values.Get("upload_id")
}

// run makes attempts until Google answers or there is nothing left to try. What one key does not find may be another's, as
// long as nobody knows whose it is.
func (p *passage) run() {
	for range maxSearch {
		p.failure = p.tries.run(p.attempt)
		if p.failure == nil || p.refusal == nil || !p.misses(p.refusal.kind) || len(p.tries.keys) >= len(p.tries.cfg.Keys) {
			break
		}
	}
	if p.refusal != nil && p.refusal.kind.Retires() {
		p.refusal = nil // the client's own credentials are right, and what became of the keys is said by us
	}
}

// misses reports whether a refusal may mean that something belongs to another key.
func (p *passage) misses(kind upstream.Kind) bool {
	if len(p.names) == 0 || p.tries.only != "" {
		return false
	}
	return kind == upstream.NotFound || kind == upstream.Forbidden || kind == upstream.Denied || kind == upstream.NoModel && p.path.Model == ""
}

// attempt makes one call; final says that it must not be repeated. What Google may have carried out is not sent twice, unless
// it does no harm: questions, and whatever is asked of a model.
func (p *passage) attempt(lease *keys.Lease) (failed *upstream.Error, final bool) {
	outcome := keys.None()
	defer func() {
		if p.lease != lease { // else it is the answer's
			lease.Done(outcome)
		}
	}()
	if failed = p.try(lease); failed == nil {
		return nil, false
	}
	outcome = p.outcome(failed)
	harmless := p.raw.Method == "GET" || p.raw.Method == "HEAD" || p.path.Model != ""
	return failed, p.misses(failed.Kind) || failed.Kind.Action() == upstream.Backoff && !harmless
}

// try makes one call. After nil the answer is p.answer, and the lease is held.
func (p *passage) try(lease *keys.Lease) *upstream.Error {
	p.access.tries++
	p.refusal = nil
	answer, err := p.s.upstream.Forward(p.ctx, lease, p.raw)
	if err != nil {
		return asUpstream(err)
	}
	if answer.Refusal == nil {
		p.lease, p.answer = lease, answer
		return nil
	}
	body, err := io.ReadAll(answer) // it is there already
	_ = answer.Close()              // nothing more is wanted of it
	if answer.Refusal.Kind == upstream.KeyInvalid && answer.Status == http.StatusUnauthorized && !p.takesKeys() {
		answer.Refusal.Kind = upstream.NeedsOAuth
	}
	if err == nil {
		p.refusal = &refused{answer.Refusal.Kind, answer.Status, answer.Header, p.scrub(body)}
	}
	return answer.Refusal
}

// scrub takes every key out of what Google says of an error. Of an answer nothing is changed.
func (p *passage) scrub(text []byte) []byte {
	for _, k := range p.tries.cfg.Keys {
		text = bytes.ReplaceAll(text, []byte(k.Secret.Reveal()), []byte("***"))
	}
	return text
}

// takesKeys reports whether the call is one that Google is known to carry out for an API key. A 401 of any other one tells
// nothing about the key: it may want OAuth.
func (p *passage) takesKeys() bool {
	switch p.path.Verb {
	case "generateContent", "streamGenerateContent", "countTokens", "embedContent", "batchEmbedContents":
		return true
	}
	return p.path.Collection == "models" && p.path.Resource == "" && p.raw.Method == "GET"
}

// outcome is what a failure teaches about the key. That a model is not found says nothing about it, unless an answer of that
// model was asked for, in the version of the API that all other protocols use.
func (p *passage) outcome(failed *upstream.Error) keys.Outcome {
	if failed.Kind == upstream.NoModel && (!p.path.Generates() || p.path.Model == "" || p.path.Version != "v1beta") {
		return keys.None()
	}
	return p.tries.outcome(failed)
}

// passRefusal answers with Google's own words.
func (p *passage) passRefusal(in *inbound) {
	in.SetStatusCode(p.refusal.status)
	p.head(in, p.refusal.header)
	if wait := p.failure.RetryAfter; wait > 0 && p.refusal.status == http.StatusTooManyRequests {
		in.Response.Header.Set("Retry-After", seconds(wait))
	}
	in.SetBody(p.refusal.body)
	in.access.problem = p.failure.Message
	if c, ok := in.Conn().(*conn); ok {
		c.linger.Store(true)
	}
	p.s.record(in.access, p.refusal.status)
}

// send begins the answer.
func (p *passage) send(in *inbound) {
	in.SetStatusCode(p.answer.Status)
	p.head(in, p.answer.Header)
	in.Response.Header.Set("X-Accel-Buffering", "no")
	p.s.streams.Add(1)
	a := &passed{p: p, frames: strings.HasPrefix(p.answer.Header.Get("Content-Type"), "text/event-stream")}
	in.access.later = true
	in.sendStream(a)
}
