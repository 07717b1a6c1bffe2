package proxy

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/front/native"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
	"github.com/gemini-claude-adapter/gca/proxy/upstream"
)

const (
	passPiece = 32 << 10
	// keptTail bounds what is remembered of an answer as it passes: enough for its last chunk's figures, and for all of an
	// answer that tells of something made.
	keptTail = 64 << 10
)

// passed is the body of an answer that goes through as it is. fasthttp reads it in the connection's own goroutine.
type passed struct {
	p      *passage
	frames bool   // it is an event stream
	tail   []byte // the last bytes of it
	size   int    // of all that passed
	err    error  // why it ended, nil for its end
	closed bool
}

// WriteTo writes the answer as it arrives; each Write is flushed.
func (a *passed) WriteTo(w io.Writer) (total int64, err error) {
	defer a.p.s.rescue(func() {
		a.err, err = errPanic, errPanic
		a.p.failure = &front.Error{Kind: front.Internal, Message: errPanic.Error()}
	})
	piece := make([]byte, passPiece)
	for {
		n, err := a.Read(piece)
		if n > 0 {
			written, werr := w.Write(piece[:n])
			total += int64(written)
			if werr != nil {
				a.p.cancel(errClientGone)
				return total, werr
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return total, nil
		case err != nil:
			return total, err
		}
	}
}

// SupportsBodyWriteTo makes fasthttp use WriteTo.
func (a *passed) SupportsBodyWriteTo() bool { return true }

// Read reads the answer's bytes. An event stream that breaks between two frames ends in a frame that says so, as Google's own
// do; any other answer that breaks is cut for the client too.
func (a *passed) Read(b []byte) (int, error) {
	if a.err != nil {
		return 0, a.err
	}
	n, err := a.p.answer.Read(b)
	if i := upstream.ErrorAt(b[:n]); i >= 0 && (a.frames || a.p.path.Generates()) {
		n = i + copy(b[i:], a.p.scrub(b[i:n]))
	}
	a.keep(b[:n])
	if err == nil {
		return n, nil
	}
	if a.err = err; errors.Is(err, io.EOF) {
		return n, err
	}
	a.p.failure = a.p.tries.tell(asUpstream(err), true)
	if between := bytes.HasSuffix(a.tail, []byte("\n\n")) || bytes.HasSuffix(a.tail, []byte("\r\n\r\n")); !a.frames || !between {
		return n, err
	}
	_, body := native.Error(a.p.failure)
	frame := append(append([]byte("data: "), body...), "\r\n\r\n"...)
	if len(frame) > len(b)-n {
		return n, err
	}
	a.err = io.EOF
	return n + copy(b[n:], frame), nil
}

// keep remembers the end of what passes.
func (a *passed) keep(b []byte) {
	if a.p.access.ttft == 0 && len(b) > 0 {
		a.p.access.ttft = time.Since(a.p.access.began)
	}
	a.size += len(b)
	a.tail = append(a.tail, b...)
	if n := len(a.tail); n > 2*keptTail {
		a.tail = a.tail[:copy(a.tail, a.tail[n-keptTail:])]
	}
}

// Close ends the call, gives the key back and writes the access line.
func (a *passed) Close() error {
	if a.closed {
		return nil
	}
	a.closed = true
	p := a.p
	access := p.access
	access.gone = p.gone()
	outcome := keys.None()
	defer p.s.rescue(func() {
		access.problem = errPanic.Error()
		p.s.record(access, p.answer.Status)
	})
	defer func() { p.lease.Done(outcome) }()
	_ = p.answer.Close() // whatever it says, the answer is over
	p.close()
	p.s.streams.Add(-1)
	p.learn(a.tail)
	access.usage = usageIn(a.tail)
	outcome = a.outcome()
	if access.usage == (gemini.Usage{}) && p.works != (native.Work{}) && p.failure == nil {
		access.usage, access.estimated = gemini.Usage{Prompt: p.raw.Tokens}, true
		if p.works.Answers {
			access.usage.Candidates = a.size / 4
		}
	}
	if p.failure != nil && !access.gone {
		access.problem = p.failure.Message
		p.s.errors.Add(1)
	}
	p.s.record(access, p.answer.Status)
	return nil
}

// outcome is what the end of the answer teaches about the key: one that broke, or that Google ended with an error.
func (a *passed) outcome() keys.Outcome {
	p := a.p
	var failed *upstream.Error
	if !errors.As(a.err, &failed) && (a.frames || p.path.Generates()) {
		if failed = p.answer.LastWords(a.tail, p.raw.Tokens); failed != nil {
			p.failure = p.tries.tell(failed, true)
		}
	}
	if failed == nil {
		return keys.OK(p.tries.quota())
	}
	p.access.kind = failed.Kind.String()
	p.s.meters.failed(failed)
	return p.outcome(failed)
}

// learn remembers who made what the answer tells of.
func (p *passage) learn(text []byte) {
	who := owner{key: p.lease.KeyID(), token: p.access.token}
	if p.tries.only == "" {
		for _, name := range p.names {
			p.s.owners.put(name, who)
		}
	}
	if p.path.Generates() && !bytes.Contains(text, []byte(`"continuationToken"`)) {
		return
	}
	made := native.Made(text)
	if p.path.Collection == "interactions" {
		made = append(made, native.Interactions(text)...)
	}
	for _, name := range made {
		p.s.owners.put(name, who)
	}
}

// usageIn reads the figures of an answer's last chunk, zero where there are none.
func usageIn(tail []byte) gemini.Usage {
	name := []byte(`"usageMetadata"`)
	i := bytes.LastIndex(tail, name)
	if i < 0 {
		return gemini.Usage{}
	}
	var figures gemini.Usage
	rest := bytes.TrimLeft(tail[i+len(name):], " \t\r\n:")
	if json.NewDecoder(bytes.NewReader(rest)).Decode(&figures) != nil {
		return gemini.Usage{} // as where there are none
	}
	if figures.Billed() == 0 {
		figures.Prompt = figures.Total // of a cache that was made
	}
	return figures
}

// nativeHeader picks what goes along to Google: what describes the body and the client's program. Credentials, cookies and
// whatever a proxy before us said of the client's address stay here.
func nativeHeader(h *fasthttp.RequestHeader) http.Header {
	out := http.Header{}
	for name, value := range h.All() {
		switch lower := strings.ToLower(string(name)); {
		case lower == "x-goog-api-key", lower == "x-goog-user-project", strings.HasPrefix(lower, "x-goog-iam-"):
		case strings.HasPrefix(lower, "x-goog-"), lower == "accept", lower == "content-type", lower == "user-agent",
			lower == "content-encoding", lower == "x-server-timeout", lower == "range", lower == "content-range", lower == "if-none-match":
			out.Add(string(name), string(value))
		}
	}
	return out
}

// head passes on what Google's head says of the answer.
func (p *passage) head(in *inbound, from http.Header) {
	h := &in.Response.Header
	h.SetNoDefaultContentType(true)
	for name, values := range from {
		switch lower := strings.ToLower(name); {
		case lower == "x-goog-upload-url", lower == "x-goog-upload-control-url":
			h.Set(name, p.here(values[0]))
		case strings.HasPrefix(lower, "x-goog-"), strings.HasPrefix(lower, "x-gemini-"), lower == "content-type",
			lower == "content-encoding", lower == "content-disposition", lower == "content-range", lower == "accept-ranges",
			lower == "last-modified", lower == "retry-after", lower == "etag", lower == "location":
			h.Set(name, values[0])
		}
	}
}

// here makes an address of Google's, where the client is to send an upload's bytes, one of this server, and remembers the
// key. The address itself is the credential for what is under way, as it is at Google.
func (p *passage) here(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	if name := session([]byte(u.RawQuery)); name != "" {
		p.s.owners.put(name, owner{key: p.access.key, token: p.access.token})
	}
	out := p.host + strings.TrimPrefix(u.EscapedPath(), p.tries.cfg.BaseURL.Path)
	if query, _ := native.Query(u.RawQuery); query != "" {
		out += "?" + query
	}
	return out
}

// host is the scheme and host that the client knows this server by.
func host(in *inbound) string {
	scheme := "http"
	if string(in.Request.Header.Peek("X-Forwarded-Proto")) == "https" {
		scheme = "https"
	}
	return scheme + "://" + string(in.Request.Header.Host())
}
