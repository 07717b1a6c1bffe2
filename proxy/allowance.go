package proxy

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/front/native"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
)

const (
	buckets = 60 // of a window, a second each
	// manyAllowances is when those are looked through that nothing is counted in.
	manyAllowances = 256
)

// allowances count what tokens with limits used of the last minute. Days are counted in usage.go.
type allowances struct {
	mu     sync.Mutex
	byName map[string]*allowance
}

// allowance is one token's.
type allowance struct {
	requests, tokens window
	reserved         int64 // tokens of requests that are under way, as guessed
}

func newAllowances() *allowances { return &allowances{byName: map[string]*allowance{}} }

// window sums what happened within the last sixty seconds, to the second. The zero value is empty.
type window struct {
	counts [buckets]int64
	last   int64 // the second, since 1970, of the newest bucket
	sum    int64
}

// slide empties the buckets that are older than a minute.
func (w *window) slide(now time.Time) {
	second := now.Unix()
	for n := min(second-w.last, buckets); n > 0; n-- {
		i := (second - n + 1) % buckets
		w.sum -= w.counts[i]
		w.counts[i] = 0
	}
	w.last = max(w.last, second)
}

func (w *window) add(now time.Time, n int64) {
	w.slide(now)
	w.counts[w.last%buckets] += n
	w.sum += n
}

// takeBack takes n out of the bucket of a moment, if it is still in the window.
func (w *window) takeBack(now, then time.Time, n int64) {
	w.slide(now)
	if w.last-then.Unix() < buckets {
		w.counts[then.Unix()%buckets] -= n
		w.sum -= n
	}
}

// wait is how long it takes until n more fit into limit, 0 if they do; n is limit at most.
func (w *window) wait(now time.Time, n, limit int64) time.Duration {
	w.slide(now)
	excess := w.sum + n - limit
	for second := w.last - buckets + 1; excess > 0 && second <= w.last; second++ {
		if excess -= w.counts[second%buckets]; excess <= 0 {
			return time.Unix(second+buckets, 0).Sub(now)
		}
	}
	return 0
}

// of finds the allowance of a token.
func (a *allowances) of(name string, now time.Time) *allowance {
	one, ok := a.byName[name]
	if !ok {
		if len(a.byName) >= manyAllowances {
			a.forget(now)
		}
		one = &allowance{}
		a.byName[name] = one
	}
	return one
}

// forget drops what holds nothing, as that of tokens that were revoked.
func (a *allowances) forget(now time.Time) {
	for name, one := range a.byName {
		one.requests.slide(now)
		one.tokens.slide(now)
		if one.requests.sum == 0 && one.tokens.sum == 0 && one.reserved == 0 {
			delete(a.byName, name)
		}
	}
}

// take counts a request and its estimate of tokens, unless one of the token's limits is met; today is what the token used of its
// day. settle is called with what the request really used, once.
func (a *allowances) take(who *config.Token, estimate int64, today spent, now time.Time) (settle func(used int64), refusal *front.Error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	one, limits := a.of(who.Name, now), &who.Limits
	if refusal := one.overDay(who, today, now); refusal != nil {
		return nil, refusal
	}
	if refusal := one.refuse(who, estimate, now); refusal != nil {
		return nil, refusal
	}
	if limits.Requests > 0 {
		one.requests.add(now, 1)
	}
	if limits.Tokens > 0 {
		one.tokens.add(now, estimate)
	}
	one.reserved += estimate
	return func(used int64) {
		a.mu.Lock()
		defer a.mu.Unlock()
		one.reserved -= estimate
		if limits.Tokens > 0 {
			end := time.Now()
			one.tokens.takeBack(end, now, estimate)
			one.tokens.add(end, used)
		}
	}, nil
}

// overDay says which budget of the day is used up, nil if none. Requests under way count with their estimates.
func (one *allowance) overDay(who *config.Token, today spent, now time.Time) *front.Error {
	limits, ends := &who.Limits, keys.NextDay(now)
	const until = "; the day ends at midnight in Los Angeles"
	switch {
	case limits.DayTokens > 0 && today.tokens+one.reserved >= limits.DayTokens:
		return overLimit(ends.Sub(now), true, "token %s has used its budget of the day, %d of %d tokens (day_tokens)"+until, who.Name, today.tokens+one.reserved, limits.DayTokens)
	case limits.DayCost > 0 && today.costMicro >= limits.DayCost:
		return overLimit(ends.Sub(now), true, "token %s has used its budget of the day, %s of %s US dollars (day_usd)"+until, who.Name, config.Dollars(today.costMicro), config.Dollars(limits.DayCost))
	}
	return nil
}

// refuse says which limit a minute a request would break, nil if none.
func (one *allowance) refuse(who *config.Token, estimate int64, now time.Time) *front.Error {
	limits := &who.Limits
	if limits.Requests > 0 {
		if wait := one.requests.wait(now, 1, int64(limits.Requests)); wait > 0 {
			return overLimit(wait, false, "token %s has made %d requests within a minute, as many as it may (rpm=%d)", who.Name, one.requests.sum, limits.Requests)
		}
	}
	if limits.Tokens == 0 {
		return nil
	}
	if estimate > int64(limits.Tokens) {
		return &front.Error{Kind: front.RateLimited, NoRetry: true,
			Message: fmt.Sprintf("the request has about %d tokens, more than token %s may use in a minute (tpm=%d)", estimate, who.Name, limits.Tokens)}
	}
	if wait := one.tokens.wait(now, estimate, int64(limits.Tokens)); wait > 0 {
		return overLimit(wait, false, "token %s has used %d tokens within a minute, the request has about %d, and %d are allowed (tpm=%d)",
			who.Name, one.tokens.sum, estimate, limits.Tokens, limits.Tokens)
	}
	return nil
}

// overLimit is the refusal of a request that has to wait.
func overLimit(wait time.Duration, long bool, format string, args ...any) *front.Error {
	again := "try again in " + seconds(wait) + "s"
	return &front.Error{Kind: front.RateLimited, RetryAfter: wait, NoRetry: long, Message: fmt.Sprintf(format, args...) + "; " + again}
}

// allow takes what a request for an answer or for vectors costs out of its token's limits, or says which of them it meets.
// estimate guesses the tokens of the prompt.
func (s *Server) allow(in *inbound, model string, estimate func() int) *front.Error {
	if in.token == nil || in.token.Limits.None() {
		return nil
	}
	limits := &in.token.Limits
	if !allowsModel(limits, model) {
		return notAllowed(in.token, model)
	}
	if target, ok := s.models.resolve(model); ok && limits.DayCost > 0 && s.models.registry.price(target, keys.Day(time.Now())) == nil {
		return &front.Error{Kind: front.Forbidden, NoRetry: true, Message: fmt.Sprintf(
			"what %s costs is not known here, so token %s, which has a budget in US dollars (day_usd), may not use it", bounded(target, 100), in.token.Name)}
	}
	var tokens int64
	if limits.Tokens > 0 || limits.DayTokens > 0 {
		tokens = int64(estimate())
	}
	var today spent
	if limits.DayTokens > 0 || limits.DayCost > 0 {
		today.tokens, today.costMicro = s.usage.spent(in.token.Name)
	}
	settle, refusal := s.bounds.tokens.take(in.token, tokens, today, time.Now())
	if refusal != nil {
		return refusal
	}
	in.access.giveBack = append(in.access.giveBack, func() {
		u := &in.access.usage
		settle(int64(u.Prompt + u.ToolUse + u.Candidates + u.Thoughts))
	})
	return nil
}

// allowNative takes a place for a call of Google's own API and asks the limits of its token. Looking costs nothing, and only
// what a model works for counts.
func (s *Server) allowNative(in *inbound, body []byte) *front.Error {
	if in.IsGet() || in.IsHead() {
		return nil
	}
	if refusal := s.enter(in); refusal != nil {
		return refusal
	}
	model, works := native.Works(string(in.Method()), *in.native, body)
	if !works {
		return nil
	}
	in.access.model = model
	return s.allow(in, model, func() int { return len(body) / 4 })
}

// mayUse reports whether the request's token may ask for a model.
func (in *inbound) mayUse(model string) bool {
	return in.token == nil || allowsModel(&in.token.Limits, model)
}

// allowsModel reports whether a token may ask for a model by this name.
func allowsModel(limits *config.Limits, model string) bool {
	model = strings.TrimPrefix(model, "models/")
	return len(limits.Models) == 0 || slices.ContainsFunc(limits.Models, func(pattern string) bool { return matches(pattern, model) })
}

func notAllowed(who *config.Token, model string) *front.Error {
	return &front.Error{Kind: front.Forbidden, Param: "model", NoRetry: true,
		Message: fmt.Sprintf("model: token %s may not use %q: its models are %s", who.Name, bounded(model, 200), strings.Join(who.Limits.Models, ", "))}
}
