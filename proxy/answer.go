package proxy

import (
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
	body, refusal := s.readBody(in.RequestCtx)
	if refusal != nil {
		s.refuse(in, refusal)
		return
	}
	call, err := in.codec.Decode(body)
	if err != nil {
		s.refuse(in, front.AsError(err))
		return
	}
	x := s.newExchange(in, call)
	if refusal := x.prepare(); refusal != nil {
		x.close()
		s.refuse(in, refusal)
		return
	}
	encoder := in.codec.Encoder(call, front.Meta{ID: randomID(), Created: in.access.began})
	if call.Prewarm {
		x.close()
		prewarmed(in, encoder)
		return
	}
	if call.Stream {
		s.stream(in, x, encoder)
		return
	}
	defer x.close()
	x.run()
	if x.failure != nil {
		in.access.gone = x.gone()
		s.refuse(in, x.failure)
		return
	}
	in.SetContentType("application/json")
	in.SetBody(x.fold(encoder))
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
	x := &exchange{s: s, codec: in.codec, call: call, access: in.access}
	in.access.model, in.access.stream = call.Model, call.Stream
	x.ctx, x.cancel, x.client = s.follow(in)
	x.tries = s.newTries(x.ctx, in, call.Model, call.Conversation)
	return x
}

// follow makes the context of a request, which ends when its client is gone; the connection, if it can be watched, must be
// taken from the watcher in the end.
func (s *Server) follow(in *inbound) (context.Context, context.CancelCauseFunc, *conn) {
	ctx, cancel := context.WithCancelCause(s.life)
	c, ok := in.Conn().(*conn)
	if ok {
		s.watcher.add(c, cancel)
	}
	return ctx, cancel, c
}

// newTries begins a request for the model and the conversation that its body named; the target is set when it is known.
func (s *Server) newTries(ctx context.Context, in *inbound, model, said string) tries {
	t := tries{s: s, ctx: ctx, access: in.access, model: model, conversation: conversation(in, said), again: maxAgain}
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

// close ends the exchange, whatever it is doing.
func (x *exchange) close() {
	if x.client != nil {
		x.s.watcher.remove(x.client)
	}
	x.cancel(errOver)
}

var errOver = errors.New("the request is over")

// gone reports whether the client left before its answer was whole.
func (x *exchange) gone() bool { return errors.Is(context.Cause(x.ctx), errClientGone) }

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
	a := &answer{x: x, encoder: encoder, timer: time.NewTimer(s.pace.hold)}
	select {
	case ev, ok := <-x.out:
		if !ok && x.failure != nil {
			a.timer.Stop()
			in.access.gone = x.gone()
			x.close()
			s.refuse(in, x.failure)
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
	failed  bool         // the answer ended in an error event
	closed  bool
}

// commitStatus is the first point of no return: the client gets a 200, and whatever fails from here on is told within the
// stream.
func (a *answer) commitStatus(in *inbound) {
	in.access.later = true
	h := &in.Response.Header
	h.SetContentType("text/event-stream; charset=utf-8")
	h.Set("X-Accel-Buffering", "no")
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
		a.ended, a.failed = true, true
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

// WriteTo writes the answer; each Write is flushed.
func (a *answer) WriteTo(w io.Writer) (total int64, err error) {
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

// Close ends the exchange and waits until its key is given back, then writes the access line.
func (a *answer) Close() error {
	if a.closed {
		return nil
	}
	a.closed = true
	a.timer.Stop()
	access := a.x.access
	access.gone = a.x.gone()
	a.x.close()
	for range a.x.out {
	}
	a.x.s.streams.Add(-1)
	if a.failed && !access.gone {
		access.problem = a.x.failure.Message
		a.x.s.errors.Add(1)
	}
	a.x.s.record(access, fasthttp.StatusOK)
	return nil
}
