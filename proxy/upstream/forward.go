package upstream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
)

// firstRead is how much of an answer is looked at before it is passed on.
const firstRead = 16 << 10

// Raw is a client's own call of the Gemini API, to be sent as it is, any number of times.
type Raw struct {
	Method string
	Target string      // path and query as they go into the request line, without credentials
	Header http.Header // what goes along; no credentials, nothing about the connection
	Body   []byte
	Late   bool // nothing comes before the answer is done, or long thought over
	Tokens int  // the prompt's, estimated; 0 if there is none
}

// Passage is Google's answer to a Raw, as it comes. One goroutine reads it; Close always.
type Passage struct {
	Status int
	Header http.Header
	// Refusal is what the answer says when it is an error; its body is there whole then.
	Refusal *Error

	ctx    context.Context
	cancel context.CancelCauseFunc
	watch  *watch
	idle   time.Duration
	lease  *keys.Lease
	body   io.ReadCloser
	first  []byte // read, not passed on yet
	end    error  // what came with first, or after it
}

// Forward sends r and returns when the answer's first bytes are there: the head at the latest after FirstByte, or after the
// longer Idle where it may come late. ctx governs the whole answer. The error is always an *Error, for a call
// that got no answer.
func (c *Client) Forward(ctx context.Context, lease *keys.Lease, r *Raw) (*Passage, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	limit := c.firstByte(len(r.Body))
	if r.Late {
		limit = max(limit, c.patience.Load().idle)
	}
	watch := newWatch(cancel, limit)
	resp, err := c.sendRaw(ctx, lease, r)
	if err != nil {
		failed := c.unreached(ctx, err, lease)
		watch.stop()
		cancel(context.Canceled)
		return nil, failed
	}
	p := &Passage{
		Status: resp.StatusCode, Header: resp.Header,
		ctx: ctx, cancel: cancel, watch: watch, idle: c.patience.Load().idle, lease: lease, body: resp.Body,
	}
	p.first = make([]byte, firstRead)
	n, err := io.ReadAtLeast(resp.Body, p.first, 1)
	watch.end()
	p.first, p.end = p.first[:n], err
	if err != nil && !errors.Is(err, io.EOF) {
		failed := network(ctx, err, lease)
		_ = p.Close() // the error is told already
		return nil, failed
	}
	if resp.StatusCode >= http.StatusBadRequest || r.Method == http.MethodPost && isFailure(p.first) {
		p.refused(r.Tokens)
		c.note(lease, p.Refusal)
	}
	return p, nil
}

func (c *Client) sendRaw(ctx context.Context, lease *keys.Lease, r *Raw) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, r.Method, c.base+r.Target, bytes.NewReader(r.Body))
	if err != nil {
		return nil, err
	}
	req.Header = r.Header.Clone()
	lease.Authorize(req.Header)
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", c.options.UserAgent)
	}
	return c.roundTrip(lease, req)
}

// isFailure reports whether an answer begins with Google's error envelope, which it sends with status 200 at times. A file
// that is downloaded may begin so too.
func isFailure(first []byte) bool {
	first = bytes.TrimLeft(bytes.TrimPrefix(first, []byte("data:")), " \t\r\n[")
	rest, ok := bytes.CutPrefix(first, []byte("{"))
	return ok && bytes.HasPrefix(bytes.TrimLeft(rest, " \t\r\n"), []byte(`"error"`))
}

// refused reads what an answer says that is an error. What is passed on holds no key.
func (p *Passage) refused(tokens int) {
	if p.end == nil {
		p.watch.begin(p.idle)
		rest, err := io.ReadAll(io.LimitReader(p.body, maxErrorBody))
		p.watch.end()
		p.first, p.end = append(p.first, rest...), io.EOF
		if err != nil {
			p.end = err
		}
	}
	if secret := p.lease.Secret().Reveal(); secret != "" {
		p.first = bytes.ReplaceAll(p.first, []byte(secret), []byte("***"))
	}
	status := p.Status
	if status < http.StatusBadRequest {
		status = 0
	}
	text := bytes.TrimPrefix(p.first, []byte("data:"))
	p.Refusal = classify(gemini.ParseAPIError(status, text), tokens, time.Now()).without(p.lease)
}

// Read reads the answer's bytes. The error is io.EOF at its end, else an *Error.
func (p *Passage) Read(b []byte) (int, error) {
	if len(p.first) > 0 {
		n := copy(b, p.first)
		p.first = p.first[n:]
		return n, nil
	}
	if p.end == nil {
		p.watch.begin(p.idle)
		n, err := p.body.Read(b)
		p.watch.end()
		if p.end = err; n > 0 {
			return n, nil
		}
	}
	if p.end == nil || errors.Is(p.end, io.EOF) {
		return 0, p.end
	}
	failed := network(p.ctx, p.end, p.lease)
	if failed.Kind == Unreachable {
		failed.Kind = Cut
	}
	return 0, failed
}

// lastError begins an error that Google ends a running answer with: as a frame, as a line of its own, or as the last one of an
// array's values. Within the arguments of a call the same words stand deeper.
var lastError = regexp.MustCompile(`(?:^|\n|data:|[\[,])[ \t\r\n]*(\{\s*"error"\s*:)`)

// ErrorAt is where in a piece of an answer Google begins to tell of an error, -1 if nowhere.
func ErrorAt(piece []byte) int {
	if !bytes.Contains(piece, []byte(`"error"`)) {
		return -1 // as nearly always
	}
	if at := lastError.FindSubmatchIndex(piece); at != nil {
		return at[2]
	}
	return -1
}

// LastWords is the failure that the end of an answer tells of, nil if it tells of none. tail is the last that was read of it.
func (p *Passage) LastWords(tail []byte, tokens int) *Error {
	if !bytes.Contains(tail, []byte(`"error"`)) {
		return nil // as nearly always
	}
	found := lastError.FindAllSubmatchIndex(tail, -1)
	if len(found) == 0 {
		return nil
	}
	words := tail[found[len(found)-1][2]:]
	var failure json.RawMessage
	d := json.NewDecoder(bytes.NewReader(words))
	if d.Decode(&failure) != nil || len(bytes.Trim(words[d.InputOffset():], " \t\r\n]")) > 0 {
		return nil
	}
	return classify(gemini.ParseAPIError(0, failure), tokens, time.Now()).without(p.lease)
}

// Close ends the answer, which reaches Google at once when it was still running.
func (p *Passage) Close() error {
	p.watch.stop()
	p.cancel(context.Canceled)
	return p.body.Close()
}
