package proxy

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/front/anthropic"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
	"github.com/gemini-claude-adapter/gca/proxy/upstream"
)

// maxCounts are asked of Google at once: Claude Code asks for dozens together.
const maxCounts = 4

// someText is the message of a prompt that has none: Google counts no system instruction and no tools without one.
const someText = `"."`

type tokenCount struct {
	Object      string `json:"object,omitempty"` // of OpenAI's answer
	InputTokens int    `json:"input_tokens"`
}

// counter asks Google for the length of prompts, as long as that is free and quick. It waits for no key, and whatever comes of
// it teaches nothing about the key.
type counter struct {
	s    *Server
	free chan struct{} // a place for each of the counts that may run at once
}

func newCounter(s *Server) *counter { return &counter{s: s, free: make(chan struct{}, maxCounts)} }

// countTokens answers with Google's count of the prompt, or with an estimate, in the form of Anthropic's count or of OpenAI's.
func (s *Server) countTokens(in *inbound) {
	body, refusal := s.readBody(in)
	if refusal != nil {
		s.refuse(in, refusal)
		return
	}
	answer, decode := tokenCount{}, anthropic.Codec{}.DecodePrompt
	if in.codec == s.fronts.responses {
		answer.Object, decode = "response.input_tokens", in.codec.Decode
	}
	call, err := decode(body)
	if err != nil {
		s.refuse(in, front.AsError(err))
		return
	}
	in.access.giveBack = append(in.access.giveBack, call.Release)
	in.access.model, call.Schemas = call.Model, s.schemas
	target, ok := s.models.resolve(call.Model)
	if !ok || s.models.embeds(target) {
		s.refuse(in, unknownModel(call.Model))
		return
	}
	life := s.follow(in)
	defer life.close()
	n, missing := s.countCall(life.ctx, in, call, target)
	in.access.gone = life.gone()
	if missing {
		s.refuse(in, unknownModel(call.Model))
		return
	}
	answer.InputTokens = n
	reply(in, fasthttp.StatusOK, answer)
}

// countCall counts what Google would get. A prompt that Google would refuse is estimated: a meter has no use for errors.
// missing is a model that neither the key sees nor Google lists, unless the name is one of Claude's.
func (s *Server) countCall(ctx context.Context, in *inbound, call *front.Call, target string) (n int, missing bool) {
	estimate := call.Request.EstimateTokens()
	if !s.counts.enter() {
		return estimate, false
	}
	defer s.counts.exit()
	ctx, cancel := context.WithTimeout(ctx, s.pace.count)
	defer cancel()
	if err := call.SetContents(call.Request.Contents); err != nil {
		call.Request.Contents = []gemini.Content{{Role: gemini.RoleUser, Parts: []gemini.Part{{Text: gemini.Text(someText)}}}}
	}
	call.Limits = s.models.limits(target)
	if s.fetchURLs(ctx, call, target) != nil || front.Prepare(call, target, s.lookup) != nil {
		return estimate, false
	}
	in.access.target = target
	n, failed := s.counts.call(ctx, target, conversation(in, call.Conversation), call.Request)
	if failed != nil {
		in.access.kind = failed.Kind.String()
		missing = failed.Kind == upstream.NoModel && s.models.lacks(target) && !strings.HasPrefix(call.Model, "claude-")
	}
	if n == 0 {
		n = estimate
	}
	return n, missing
}

// enter takes a place, if one is free, which exit gives back.
func (c *counter) enter() bool {
	select {
	case c.free <- struct{}{}:
		return true
	default:
		return false
	}
}

func (c *counter) exit() { <-c.free }

// ask returns Google's count, 0 where there is none.
func (c *counter) ask(ctx context.Context, target, conversation string, req *gemini.Request) int {
	if !c.enter() {
		return 0
	}
	defer c.exit()
	ctx, cancel := context.WithTimeout(ctx, c.s.pace.count)
	defer cancel()
	n, _ := c.call(ctx, target, conversation, req) // whoever asks goes on without
	return n
}

// call returns Google's count, 0 without a failure where no key is free.
func (c *counter) call(ctx context.Context, target, conversation string, req *gemini.Request) (int, *upstream.Error) {
	lease, err := c.s.pool.Acquire(ctx, keys.Want{Model: target, Conversation: conversation}, time.Time{})
	if err != nil {
		return 0, nil
	}
	defer lease.Done(keys.None())
	answer, err := c.s.upstream.Call(ctx, lease, upstream.CountTokens, target, upstream.EncodeCount(target, req))
	if err != nil {
		return 0, asUpstream(err)
	}
	var count struct {
		TotalTokens int `json:"totalTokens"`
	}
	if err := json.Unmarshal(answer, &count); err != nil {
		return 0, &upstream.Error{Kind: upstream.Garbled, Message: err.Error()}
	}
	return max(count.TotalTokens, 0), nil
}
