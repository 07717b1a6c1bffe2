package keys

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// NoneError says that no key can serve a model now.
type NoneError struct {
	Key      string         // the id of the only key that could, "" where any could
	Total    int            // those that could serve the request if they were not away
	Disabled map[Reason]int // how many keys are out for which reason
	Resting  map[Reason]int // how many keys come back by themselves
	Barred   int            // how many keys lead out by a way that is not to be taken
	Small    int            // how many have a quota of tokens a minute that is smaller than the prompt
	Limit    int            // the largest of those quotas
	Soonest  time.Time      // when the request could be served, counting those who wait before it; zero is never
}

// Error lists how many keys are out for which reason.
func (e *NoneError) Error() string {
	if e.Key != "" && e.Total == 0 {
		return "the only Gemini API key that could serve this is not configured any more: " + e.Key
	}
	if e.Key != "" {
		return "the only Gemini API key that could serve this is not usable: " + e.counts() + " (" + e.Key + ")"
	}
	if e.Total == 0 {
		return "no usable Gemini API key: none is configured"
	}
	return "no usable Gemini API key: " + e.counts()
}

func (e *NoneError) counts() string {
	var words []string
	for r := range Reason(len(reasons)) {
		if n := e.Disabled[r] + e.Resting[r]; n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n, r))
		}
	}
	if e.Barred > 0 {
		words = append(words, fmt.Sprintf("%d behind a way out that does not lead to Gemini", e.Barred))
	}
	if e.Small > 0 {
		words = append(words, fmt.Sprintf("%d with a quota of tokens a minute below the prompt's", e.Small))
	}
	return strings.Join(words, ", ")
}

// Dead reports whether no key is worth waiting for and at least one of them never comes back by itself.
func (e *NoneError) Dead() bool {
	return e.Total == 0 || len(e.Disabled) > 0 && !e.hasShort() && e.Small == 0
}

// ForHours reports whether every key that comes back by itself does so in hours only.
func (e *NoneError) ForHours() bool { return !e.hasShort() }

// TooLong reports whether no key but those whose quota of a minute is smaller than the prompt is worth waiting for.
func (e *NoneError) TooLong() bool { return e.Small > 0 && !e.hasShort() }

// Only reports whether r is why every one of the keys is away.
func (e *NoneError) Only(r Reason) bool { return e.Total > 0 && e.Disabled[r]+e.Resting[r] == e.Total }

func (e *NoneError) hasShort() bool {
	for r := range e.Resting {
		if !r.long() {
			return true
		}
	}
	return false
}

// none counts why no key is left; due is when the request could be served.
func (p *Pool) none(want *Want, due time.Time) *NoneError {
	e := &NoneError{Key: want.Only, Disabled: map[Reason]int{}, Resting: map[Reason]int{}, Soonest: due}
	for _, k := range p.keys {
		if want.Only != "" && k.id != want.Only {
			continue
		}
		e.Total++
		if k.out() != NoReason {
			e.Disabled[k.out()]++
			continue
		}
		if slices.Contains(want.NotVia, k.egress) {
			e.Barred++
			continue
		}
		l := k.group.ledgers[want.Model]
		if l != nil && l.tooSmall(&p.moment, int64(want.Tokens), int64(want.Above)) {
			e.Small++
			e.Limit = max(e.Limit, int(l.tokens.value))
			continue
		}
		e.Resting[p.away(k, want)]++
	}
	return e
}

// unseen reports whether every key that could serve the request does not see the model. Waiting may help, another model will.
func (p *Pool) unseen(want *Want) bool {
	hidden := false
	for _, k := range p.keys {
		switch {
		case want.Only != "" && k.id != want.Only || k.out() != NoReason:
		case p.away(k, want) != NoModel:
			return false
		default:
			hidden = true
		}
	}
	return hidden
}

// away is why a key that is in order does not serve now.
func (p *Pool) away(k *key, want *Want) Reason {
	g, now := k.group, p.moment.now
	r := k.resting(want.Model).later(g.resting(want.Model))
	if r.live(now) {
		return r.reason
	}
	if l := g.ledgers[want.Model]; l != nil {
		if _, reason := l.opens(&p.moment, now, int64(want.Tokens), g.jitter); reason != NoReason {
			return reason
		}
	}
	return RateLimited // those ahead in the line take it
}
