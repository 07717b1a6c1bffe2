package fakegemini

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"
)

// Writing answers. A stream is flushed chunk by chunk, as SSE frames that end in CRLF CRLF, or as one JSON array sent in
// pieces.

// sleep waits d, unless the client goes or the fake is closed; then false.
func (x *exchange) sleep(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-x.req.Context().Done():
		x.state = Cancelled
	case <-x.s.ctx.Done():
		x.state = Severed
	}
	return false
}

// end writes down how the exchange ended. A severed one closes its connection without a proper end.
func (x *exchange) end() {
	state := x.state
	if state == Running {
		state = Completed
	}
	x.s.records.update(x.rec, func(r *Recorded) { r.End = state })
	if state == Severed {
		panic(http.ErrAbortHandler)
	}
}

func (x *exchange) begin(status int, contentType string) {
	x.s.records.update(x.rec, func(r *Recorded) { r.Status = status })
	x.w.Header().Set("Content-Type", contentType)
	if x.fault.Gzip {
		x.w.Header().Set("Content-Encoding", "gzip")
	}
	x.w.WriteHeader(status)
}

// send writes and flushes; false when the client is gone.
func (x *exchange) send(data []byte) bool {
	if _, err := x.w.Write(data); err == nil && http.NewResponseController(x.w).Flush() == nil {
		return true
	}
	x.state = Cancelled
	return false
}

// plain writes one JSON body.
func (x *exchange) plain(status int, v any) {
	data, err := marshal(v, true)
	if err != nil {
		status, data = http.StatusInternalServerError, []byte(err.Error())
	}
	x.begin(status, "application/json; charset=UTF-8")
	x.put(append(data, '\n'))
}

// fail writes an error. A stream without alt=sse has its error in a list, as Google does.
func (x *exchange) fail(e *APIError) {
	if x.rec.Verb == verbStream && !x.sse() {
		x.plain(e.httpStatus(), []envelope{e.envelope()})
		return
	}
	x.plain(e.httpStatus(), e.envelope())
}

func (x *exchange) raw(r *Raw) {
	x.begin(r.Status, r.ContentType)
	x.put([]byte(r.Body))
}

func (x *exchange) sse() bool { return x.req.URL.Query().Get("alt") == "sse" }

// speak writes an answer of chunks, whole or as a stream.
func (x *exchange) speak(a Answer) {
	pieces, err := x.newComposer().compose(a)
	if err != nil {
		x.fail(Err(500, err.Error()))
		return
	}
	if x.rec.Verb == verbStream {
		x.stream(a, pieces)
		return
	}
	for _, p := range pieces {
		if !x.sleep(p.chunk.Delay.std()) {
			return
		}
		if p.chunk.Cut {
			x.state = Severed
			return
		}
	}
	whole, failed := fold(pieces)
	if failed != nil {
		x.fail(failed)
		return
	}
	x.plain(http.StatusOK, whole)
}

// framing is how chunks follow each other in a stream.
type framing struct{ contentType, open, before, between, after, closing string }

var (
	sseFraming   = framing{contentType: "text/event-stream", before: "data: ", after: "\r\n\r\n"}
	arrayFraming = framing{contentType: "application/json; charset=UTF-8", open: "[", between: ",\r\n", closing: "]\n"}
)

func (x *exchange) stream(a Answer, pieces []piece) {
	f := arrayFraming
	if x.sse() {
		f = sseFraming
	}
	if x.fault.LF {
		f.after = strings.ReplaceAll(f.after, "\r\n", "\n")
	}
	began := false
	for i, p := range pieces {
		if !x.sleep(p.chunk.Delay.std()) || a.Gate != "" && !x.step(a.Gate) {
			return
		}
		if !began {
			x.begin(http.StatusOK, f.contentType)
			began = true
		}
		if p.chunk.Cut {
			x.state = Severed
			return
		}
		if !x.frame(f, i, p) {
			return
		}
	}
	if !began {
		x.begin(http.StatusOK, f.contentType)
	}
	if f.closing != "" {
		if len(pieces) == 0 {
			f.closing = "[]\n"
		}
		x.put([]byte(f.closing))
	}
}

func (x *exchange) frame(f framing, i int, p piece) bool {
	if p.chunk.Raw != "" {
		return x.put([]byte(p.chunk.Raw))
	}
	var data []byte
	var err error
	if p.chunk.Error != nil {
		data, err = marshal(p.chunk.Error.envelope(), false)
	} else {
		data, err = marshal(p.response, false)
	}
	if err != nil {
		x.state = Severed
		return false
	}
	before := f.between
	if i == 0 {
		before = f.open
	}
	return x.put([]byte(before + f.before + string(data) + f.after))
}

// step waits at a gate, as long as the client, the fake and the patience last.
func (x *exchange) step(gate string) bool {
	ctx, cancel := context.WithTimeoutCause(x.req.Context(), x.s.opts.StepTimeout, errStepTimeout)
	defer cancel()
	stop := context.AfterFunc(x.s.ctx, cancel)
	defer stop()
	err := x.s.gates.pass(ctx, gate)
	switch {
	case err == nil:
		return true
	case x.s.ctx.Err() != nil || errors.Is(err, errStepTimeout):
		x.state = Severed
	default:
		x.state = Cancelled
	}
	return false
}

// tokens answers countTokens.
func (x *exchange) tokens() {
	cached := x.cachedTokens()
	x.plain(http.StatusOK, countResponse{TotalTokens: promptTokens(x.body) + cached, Cached: cached, Details: promptDetails(x.body)})
}

type countResponse struct {
	TotalTokens int              `json:"totalTokens"`
	Cached      int              `json:"cachedContentTokenCount,omitempty"`
	Details     []modalityTokens `json:"promptTokensDetails,omitempty"`
}
