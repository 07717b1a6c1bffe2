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
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
)

const (
	buckets = 60 // of a window, a second each
	// expectedOutput is what an answer is reckoned with while it is under way, in tokens, unless its client wants less.
	expectedOutput = 4096
	// manyAllowances is when those are looked through that nothing is counted in.
	manyAllowances = 256
)

// allowances count what tokens with limits used of the last minute. Days are counted in usage.go.
type allowances struct {
	steady func() time.Time // a clock that nobody sets, so that one that is set back holds nobody up

	mu     sync.Mutex
	byName map[string]*allowance
}

// allowance is one token's.
type allowance struct {
	requests, tokens window
	reserved         spent // by requests that are under way, as guessed
}

func newAllowances() *allowances {
	start := time.Now()
	steady := func() time.Time { return start.Add(time.Since(start)).Round(0) } // time.Since follows the monotonic clock
	return &allowances{steady: steady, byName: map[string]*allowance{}}
}

// window sums what happened within the last sixty seconds, to the second. The zero value is empty.
type window struct {
	counts [buckets]int64
	last   int64 // the second of the newest bucket, of a clock that nobody sets
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
		if one.requests.sum == 0 && one.tokens.sum == 0 && one.reserved == (spent{}) {
			delete(a.byName, name)
		}
	}
}

// guess is what a request will use, before anybody knows.
type guess struct {
	prompt int64 // tokens
	all    spent // the answer among it
}

// take counts a request and its estimate, unless one of the token's limits is met; today tells what the token used of its day.
// settle is called with the tokens that the request really used, once, after today tells of them.
func (a *allowances) take(who *config.Token, estimate guess, today func(token string) spent, now time.Time) (settle func(used int64), refusal *front.Error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	wall, now := now, a.steady()
	one, limits := a.of(who.Name, now), &who.Limits
	if refusal := one.overDay(who, today(who.Name), wall); refusal != nil {
		return nil, refusal
	}
	if refusal := one.refuse(who, estimate.prompt, now); refusal != nil {
		return nil, refusal
	}
	if limits.Requests > 0 {
		one.requests.add(now, 1)
	}
	if limits.Tokens > 0 {
		one.tokens.add(now, estimate.prompt)
	}
	one.reserved.add(estimate.all)
	return func(used int64) {
		a.mu.Lock()
		defer a.mu.Unlock()
		one.reserved.add(spent{-estimate.all.tokens, -estimate.all.costMicro})
		if limits.Tokens > 0 {
			end := a.steady()
			one.tokens.takeBack(end, now, estimate.prompt)
			one.tokens.add(end, used)
		}
	}, nil
}

// overDay says which budget of the day is used up, nil if none. What is under way may use up the rest, by its estimates: then it
// is soon known whether it did.
func (one *allowance) overDay(who *config.Token, today spent, now time.Time) *front.Error {
	limits, left := &who.Limits, keys.NextDay(now).Sub(now)
	const (
		until  = "; the day ends at midnight in Los Angeles"
		likely = "token %s may use up its budget of the day by the requests that are under way, with about %s of %s %s; how much it was is known when they end"
	)
	used, tokens, cost := today, "tokens (day_tokens)", "US dollars (day_usd)"
	used.add(one.reserved)
	switch {
	case limits.DayTokens > 0 && today.tokens >= limits.DayTokens:
		return overLimit(left, true, "token %s has used its budget of the day, %d of %d "+tokens+until, who.Name, today.tokens, limits.DayTokens)
	case limits.DayCost > 0 && today.costMicro >= limits.DayCost:
		return overLimit(left, true, "token %s has used its budget of the day, %s of %s "+cost+until, who.Name, config.Dollars(today.costMicro), config.Dollars(limits.DayCost))
	case limits.DayTokens > 0 && used.tokens >= limits.DayTokens:
		return overLimit(crowdedRetry, false, likely, who.Name, fmt.Sprint(used.tokens), fmt.Sprint(limits.DayTokens), tokens)
	case limits.DayCost > 0 && used.costMicro >= limits.DayCost:
		return overLimit(crowdedRetry, false, likely, who.Name, config.Dollars(used.costMicro), config.Dollars(limits.DayCost), cost)
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
// estimate guesses the tokens of the prompt and of the answer.
func (s *Server) allow(in *inbound, model string, estimate func() gemini.Usage) *front.Error {
	if in.token == nil || in.token.Limits.None() {
		return nil
	}
	limits := &in.token.Limits
	if !allowsModel(limits, model) {
		return notAllowed(in.token, model)
	}
	now := time.Now()
	target, ok := s.models.resolve(model)
	if ok && limits.DayCost > 0 && s.models.registry.price(target, keys.Day(now)) == nil {
		return &front.Error{Kind: front.Forbidden, NoRetry: true, Message: fmt.Sprintf(
			"what %s costs is not known here, so token %s, which has a budget in US dollars (day_usd), may not use it", bounded(target, 100), in.token.Name)}
	}
	var g guess
	if limits.Budgets() {
		usage := estimate()
		cost, _ := s.models.registry.cost(target, keys.Day(now), &usage)
		g = guess{int64(usage.Prompt), spent{usage.Billed(), cost}}
	}
	settle, refusal := s.bounds.tokens.take(in.token, g, s.usage.spent, now)
	if refusal != nil {
		return refusal
	}
	in.access.giveBack = append(in.access.giveBack, func() {
		used := in.access.all()
		settle(used.Billed())
	})
	return nil
}

// allowNative takes a place for a call of Google's own API and asks the limits of its token. Looking costs nothing, and only
// what a model works for counts.
func (s *Server) allowNative(in *inbound, body []byte) (native.Work, *front.Error) {
	if in.IsGet() || in.IsHead() {
		return native.Work{}, nil
	}
	if refusal := s.enter(in); refusal != nil {
		return native.Work{}, refusal
	}
	work, works := native.Works(string(in.Method()), *in.native, body)
	if limits := in.limits(); work.Later && limits.Budgets() || work.Elsewhere && !limits.None() {
		return work, &front.Error{Kind: front.Forbidden, NoRetry: true, Message: fmt.Sprintf(
			"what this call uses is not told in its answer, so token %s, which has limits of what it may use, may not make it", in.token.Name)}
	}
	if !works {
		return native.Work{}, nil
	}
	in.access.model = work.Model
	return work, s.allow(in, work.Model, func() gemini.Usage {
		u := gemini.Usage{Prompt: len(body) / 4}
		if work.Answers {
			u.Candidates = expectedOutput
		}
		return u
	})
}

// limits are those of the request's token.
func (in *inbound) limits() config.Limits {
	if in.token == nil {
		return config.Limits{}
	}
	return in.token.Limits
}

// mayUse reports whether the request's token may ask for a model.
func (in *inbound) mayUse(model string) bool {
	return in.token == nil || allowsModel(&in.token.Limits, model)
}

// allowsModel reports whether a token may ask for a model by this name.
func allowsModel(limits *config.Limits, model string) bool {
	model = plain(model)
	return len(limits.Models) == 0 || slices.ContainsFunc(limits.Models, func(pattern string) bool { return matches(strings.ToLower(pattern), model) })
}

func notAllowed(who *config.Token, model string) *front.Error {
	return &front.Error{Kind: front.Forbidden, Param: "model", NoRetry: true,
		Message: fmt.Sprintf("model: token %s may not use %q: its models are %s", who.Name, bounded(model, 200), strings.Join(who.Limits.Models, ", "))}
}
