package proxy

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
	"github.com/gemini-claude-adapter/gca/proxy/upstream"
)

const regionHelp = "the Gemini API is not available from this server's location\n" +
	"hint: set PROXY_URL, or proxy= behind keys in the keys file, to a proxy in a supported region"

const noKeyHelp = "\nhint: gca keys list HOST says why, gca keys add HOST adds one (without HOST on the adapter's own server)"

// tell says to the client what an attempt failed of, when no further one is made. begun is an answer that had begun.
func (t *tries) tell(failed *upstream.Error, begun bool) *front.Error {
	words := failed.Message
	if !strings.HasPrefix(words, "gemini") {
		words = "gemini: " + words
	}
	switch failed.Kind {
	case upstream.Cancelled:
		return &front.Error{Kind: front.Overloaded, Message: failed.Message}
	case upstream.Region:
		return &front.Error{Kind: front.Region, Message: regionHelp, NoRetry: true}
	case upstream.Overflow, upstream.SizeQuota:
		return t.overflow(failed)
	case upstream.NoModel:
		return t.noModel()
	case upstream.Signature, upstream.Unsaid, upstream.Schema, upstream.States, upstream.Output, upstream.Thinking, upstream.Safety, upstream.BadRequest, upstream.NotFound:
		return &front.Error{Kind: front.Invalid, Message: words}
	case upstream.TooLarge:
		return &front.Error{Kind: front.TooLarge, Message: words}
	case upstream.Forbidden, upstream.Denied, upstream.NeedsOAuth:
		return &front.Error{Kind: front.Forbidden, Message: words}
	case upstream.Overloaded, upstream.Unusable:
		return &front.Error{Kind: front.Overloaded, Message: words}
	case upstream.Unreachable, upstream.BadGateway:
		return &front.Error{Kind: front.Unreachable, Message: words}
	case upstream.NoFirstByte, upstream.Silent, upstream.Deadline:
		return &front.Error{Kind: front.Timeout, Message: words}
	case upstream.Cut:
		if !begun {
			return &front.Error{Kind: front.Overloaded, Message: words}
		}
	case upstream.MinuteQuota, upstream.Throttled, upstream.DayQuota, upstream.NoAccess, upstream.SpendCap, upstream.Depleted:
		// in a running answer, or when the time is up; else noKey speaks
		return &front.Error{Kind: front.RateLimited, Message: words, RetryAfter: max(failed.Wait(), time.Second)}
	case upstream.KeyInvalid, upstream.KeyLeaked, upstream.KeyBlocked, upstream.ServiceOff, upstream.KeySuspended, upstream.NoBilling:
		return &front.Error{Kind: front.Overloaded, Message: "Gemini refused the API key in use, ask again"} // likewise
	}
	return &front.Error{Kind: front.UpstreamFault, Message: words}
}

// overflow gives the codecs the figures for the words that make their clients compact the conversation.
func (t *tries) overflow(failed *upstream.Error) *front.Error {
	limit := failed.Limit
	if limit == 0 {
		limit = t.s.models.entry(t.target).Input
	}
	tokens := failed.Tokens
	if tokens == 0 && t.count != nil {
		tokens = t.count()
	}
	tokens = max(tokens, limit+1)
	return &front.Error{
		Kind: front.Overflow, Tokens: tokens, Limit: limit,
		Message: fmt.Sprintf("the prompt has %d tokens, %d at most", tokens, limit),
	}
}

// noKey says to the client why there is no key for the request, or that the request was called off.
func (t *tries) noKey(err error) *front.Error {
	var none *keys.NoneError
	if !errors.As(err, &none) {
		return &front.Error{Kind: front.Overloaded, Message: err.Error()}
	}
	if t.ladder.failed != nil {
		return t.tell(t.ladder.failed, false)
	}
	if len(t.ladder.dry) > 0 {
		none = t.soonest().none
	}
	switch {
	case none.TooLong():
		return t.overflow(&upstream.Error{Kind: upstream.SizeQuota, Tokens: t.tokens, Limit: none.Limit})
	case none.Only(keys.NoModel):
		return t.noModel()
	case none.Barred > 0 && len(none.Resting) == 0:
		return &front.Error{Kind: front.Region, Message: regionHelp, NoRetry: true}
	case none.Dead():
		return &front.Error{Kind: front.NoKeys, Message: none.Error() + noKeyHelp, NoRetry: true}
	}
	wait := max(time.Until(none.Soonest), time.Second)
	return &front.Error{
		Kind: front.RateLimited, RetryAfter: wait, NoRetry: none.ForHours(),
		Message: fmt.Sprintf("%s; try again in %ss", none.Error(), seconds(wait)),
	}
}

func unknownModel(name string) *front.Error {
	return &front.Error{Kind: front.NotFound, Param: "model", Message: "model: " + bounded(name, 200)}
}

// prepare fits a call to the model that will serve it.
func (x *exchange) prepare() *front.Error {
	target, ok := x.s.models.resolve(x.call.Model)
	if !ok || x.s.models.embeds(target) {
		return unknownModel(x.call.Model)
	}
	if !x.call.Prewarm { // else nothing goes out that they would be in
		if refusal := x.s.fetchURLs(x.ctx, x.call, target); refusal != nil {
			return refusal
		}
	}
	x.tries.count = x.count
	x.tries.ladder = ladder{
		fit: x.fit, fallbacks: fallbacksOf(x.tries.cfg.ModelFallback, x.call.Model, target), unseen: x.s.models.fallbacks(x.call.Model),
	}
	if err := x.fit(target); err != nil {
		return front.AsError(err)
	}
	return nil
}

// fit makes the request for a model.
func (x *exchange) fit(target string) error {
	x.access.target, x.tries.target = target, target
	x.call.Limits = x.s.models.limits(target)
	if err := front.Prepare(x.call, target, x.s.lookup); err != nil {
		return err
	}
	x.encode()
	x.tries.tokens = x.req.Tokens()
	if x.asked == "" {
		x.asked, x.access.asked = target, target
	}
	x.serves.Store(&target)
	return nil
}

// otherModel is the Gemini model that serves in place of the one asked for, "" where that one does.
func (x *exchange) otherModel() string {
	if now := x.serves.Load(); now != nil && *now != x.asked {
		return *now
	}
	return ""
}

// count is the length of the prompt, where an error needs one.
func (x *exchange) count() int {
	if x.committed {
		return x.req.Tokens() // the request itself is gone
	}
	if n := x.s.counts.ask(x.ctx, x.call.Target, x.tries.conversation, x.call.Request); n > 0 {
		return n
	}
	return x.call.Request.EstimateTokens()
}

// lookup finds what was kept of a tool call. A store that fails is as one that forgot: the request can be served without.
func (s *Server) lookup(clientID string) (front.Record, bool) {
	r, ok, err := s.deps.Store.Get(clientID)
	if err != nil {
		s.log.Warn("cannot look up a thought signature", "error", err.Error())
		return front.Record{}, false
	}
	return r, ok
}
