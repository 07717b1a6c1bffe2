package proxy

import (
	"cmp"
	"context"
	"strconv"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

const flushSize = 32 << 10 // bytes that are sent at the latest

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
	in.access.giveBack = append(in.access.giveBack, call.Release)
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
	encoder := in.codec.Encoder(call, front.Meta{ID: randomID(), Created: in.access.began, Request: in.access.id})
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
	x.tries.refers = call.Request.Refers()
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
	if x.pulled != nil {
		x.pulled.end()
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
