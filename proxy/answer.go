package proxy

import (
	"cmp"
	"context"
	"errors"
	"io"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

const (
	eventsAhead = 64       // how far Gemini may run ahead of a slow client
	flushSize   = 32 << 10 // bytes that are sent at the latest
)

// converse serves a step of a conversation, in whichever protocol.
func (s *Server) converse(in *inbound) {
	body, refusal := s.receive(in)
	if refusal != nil {
		s.refuse(in, refusal)
		return
	}
	call, err := in.codec.Decode(body)
	if err != nil {
		s.refuse(in, front.AsError(err))
		return
	}
	if refusal := s.allowCall(in, call); refusal != nil {
		s.refuse(in, refusal)
		return
	}
	x := s.newExchange(in, call)
	defer func() {
		if !in.access.later { // else the end of the stream does it
			x.end()
		}
	}()
	if refusal := x.prepare(); refusal != nil {
		x.refuse(in, refusal)
		return
	}
	if len(call.LeftOut) > 0 {
		in.access.leftOut = call.LeftOut.String()
		in.Response.Header.Set("x-gca-left-out", in.access.leftOut)
	}
	encoder := in.codec.Encoder(call, front.Meta{ID: randomID(), Created: in.access.began})
	switch {
	case call.Prewarm:
		prewarmed(in, encoder)
	case call.Stream:
		s.stream(in, x, encoder)
	default:
		s.whole(in, x, encoder)
	}
}

// allowCall asks the limits of the request's token.
func (s *Server) allowCall(in *inbound, call *front.Call) *front.Error {
	in.access.model, in.access.stream = call.Model, call.Stream
	if call.Prewarm {
		return nil // nobody is asked
	}
	return s.allow(in, call.Model, func() gemini.Usage {
		u := gemini.Usage{Prompt: call.Request.EstimateTokens(), Candidates: expectedOutput}
		if call.MaxTokens > 0 {
			u.Candidates = min(call.MaxTokens, expectedOutput)
		}
		return u
	})
}

// whole answers in one piece.
func (s *Server) whole(in *inbound, x *exchange, encoder front.Encoder) {
	x.run()
	if x.failure != nil {
		x.refuse(in, x.failure)
		return
	}
	in.SetContentType("application/json")
	x.nameModel(in)
	in.SetBody(x.fold(encoder))
}

// nameModel says in the answer's head which model serves, where it is not the one asked for.
func (x *exchange) nameModel(in *inbound) {
	if model := x.otherModel(); model != "" {
		in.Response.Header.Set("x-gca-model", model)
	}
}

// refuse answers with an error, if there is still somebody to read it.
func (x *exchange) refuse(in *inbound, e *front.Error) {
	in.access.gone = x.gone()
	x.s.refuse(in, e)
}

// prewarmed answers max_tokens 0 without asking anybody: nothing fits into it, and Gemini's caches need no warming.
func prewarmed(in *inbound, encoder front.Encoder) {
	contentType := "application/json"
	if in.access.stream {
		contentType = "text/event-stream; charset=utf-8"
	}
	in.SetContentType(contentType)
	body := encoder.Event(nil, &gemini.Event{Kind: gemini.EventFinish, Finish: gemini.FinishMaxTokens})
	in.SetBody(encoder.End(body))
}

func (s *Server) newExchange(in *inbound, call *front.Call) *exchange {
	call.Schemas = s.schemas
	x := &exchange{followed: s.follow(in), s: s, codec: in.codec, call: call, access: in.access}
	x.tries = s.newTries(x.ctx, in, call.Model, cmp.Or(call.Conversation, front.Opening(call.Request)))
	return x
}

// newTries begins a request, whose body is here, for the model and the conversation that it named; the target is set when it
// is known.
func (s *Server) newTries(ctx context.Context, in *inbound, model, said string) tries {
	t := tries{s: s, cfg: s.settings(), ctx: ctx, access: in.access, began: time.Now().Add(-in.waited), model: model, conversation: conversation(in, said), again: maxAgain}
	if n, err := strconv.Atoi(string(in.Request.Header.Peek("x-stainless-retry-count"))); err == nil && n > 0 {
		t.again = 0 // the client tries again itself
	}
	return t
}

// conversation names what the request belongs to: Claude Code's header, which wins, or what the body said.
func conversation(in *inbound, said string) string {
	if session := in.Request.Header.Peek("x-claude-code-session-id"); len(session) > 0 {
		return string(session)
	}
	return said
}

// end calls the exchange off, whatever it is doing, and waits until its key is given back.
func (x *exchange) end() {
	x.close()
	if x.out == nil {
		return
	}
	for range x.out {
	}
}

// fold makes the whole answer in one piece.
func (x *exchange) fold(encoder front.Encoder) []byte {
	var body []byte
	for i := range x.held {
		body = encoder.Event(body, &x.held[i])
	}
	return encoder.End(body)
}

// stream starts the exchange and waits for what decides about the status.
func (s *Server) stream(in *inbound, x *exchange, encoder front.Encoder) {
	x.out = make(chan gemini.Event, eventsAhead)
	go x.pump()
	a := &answer{x: x, encoder: encoder, timer: time.NewTimer(s.pace.hold - time.Since(x.tries.began))}
	select {
	case ev, ok := <-x.out:
		if !ok && x.failure != nil {
			a.timer.Stop()
			x.refuse(in, x.failure)
			return
		}
		a.begin(ev, ok)
	case <-a.timer.C:
		a.buf = encoder.Ping(a.buf)
	}
	a.commitStatus(in)
}

// pump runs the exchange and marks its end by closing out.
func (x *exchange) pump() {
	defer close(x.out)
	defer x.s.rescue(func() { x.failure = &front.Error{Kind: front.Internal, Message: "internal error"} })
	x.run()
}

// answer is the body of a streamed answer. fasthttp reads it in the connection's own goroutine.
type answer struct {
	x       *exchange
	encoder front.Encoder
	ev      gemini.Event // the one that is being encoded; as a local variable it would be allocated for each
	timer   *time.Timer  // until the next heartbeat
	buf     []byte       // encoded, not written yet
	ended   bool         // buf holds the last of it
	problem string       // why the answer did not end well
	closed  bool
}

// commitStatus is the first point of no return: the client gets a 200, and whatever fails from here on is told within the
// stream.
func (a *answer) commitStatus(in *inbound) {
	in.access.later = true
	h := &in.Response.Header
	h.SetContentType("text/event-stream; charset=utf-8")
	h.Set("X-Accel-Buffering", "no")
	a.x.nameModel(in)
	a.x.s.streams.Add(1)
	in.SetBodyStream(a, -1)
}

// begin takes what the channel of events gave: an event, or its end.
func (a *answer) begin(ev gemini.Event, ok bool) {
	switch {
	case ok:
		a.ev = ev
		a.buf = a.encoder.Event(a.buf, &a.ev)
	case a.x.failure != nil:
		a.buf = a.encoder.Fail(a.buf, a.x.failure)
		a.ended, a.problem = true, a.x.failure.Message
	default:
		a.buf = a.encoder.End(a.buf)
		a.ended = true
	}
}

// fill waits for something to send, then takes everything that has arrived with it.
func (a *answer) fill() {
	for len(a.buf) == 0 && !a.ended {
		select {
		case ev, ok := <-a.x.out:
			a.begin(ev, ok)
		case <-a.timer.C:
			a.buf = a.encoder.Ping(a.buf)
			a.timer.Reset(a.x.s.pace.ping)
		}
	}
	for !a.ended && len(a.buf) < flushSize {
		select {
		case ev, ok := <-a.x.out:
			a.begin(ev, ok)
		default:
			return
		}
	}
}

var errPanic = errors.New("internal error")

// WriteTo writes the answer; each Write is flushed.
func (a *answer) WriteTo(w io.Writer) (total int64, err error) {
	defer a.x.s.rescue(func() {
		_, _ = w.Write(a.buf) // what was encoded before; the answer is cut behind it, and closed
		a.problem, err = errPanic.Error(), errPanic
	})
	for {
		a.fill()
		if len(a.buf) == 0 {
			return total, nil
		}
		a.timer.Reset(a.x.s.pace.ping)
		n, err := w.Write(a.buf)
		total += int64(n)
		if err != nil {
			a.x.cancel(errClientGone)
			return total, err
		}
		a.buf = a.buf[:0]
	}
}

// SupportsBodyWriteTo makes fasthttp use WriteTo.
func (a *answer) SupportsBodyWriteTo() bool { return true }

// Read is WriteTo for whoever reads.
func (a *answer) Read(p []byte) (int, error) {
	a.fill()
	if len(a.buf) == 0 {
		return 0, io.EOF
	}
	n := copy(p, a.buf)
	a.buf = a.buf[n:]
	return n, nil
}

// Close ends the exchange, then writes the access line.
func (a *answer) Close() error {
	if a.closed {
		return nil
	}
	a.closed = true
	a.timer.Stop()
	access := a.x.access
	access.gone = a.x.gone()
	a.x.end()
	a.x.s.streams.Add(-1)
	if a.problem != "" && !access.gone {
		access.problem = a.problem
		a.x.s.errors.Add(1)
	}
	a.x.s.record(access, fasthttp.StatusOK)
	return nil
}
