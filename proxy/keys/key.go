package keys

import (
	"net/url"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
)

// maxModels bounds what is remembered by model: model names come from clients.
const maxModels = 256

const minRest = time.Second

// key is one API key and what is known of its validity.
type key struct {
	id, label string
	declared  string // the group that it was configured with
	secret    config.Secret
	header    []string // the secret as a header's value
	proxy     *url.URL
	egress    string // EgressName of proxy
	group     *group

	hand     bool            // a person took it out
	disabled Reason          // why Google took it out
	probe    probe           // of what may be in order again
	whole    rest            // for all models
	rests    map[string]rest // by model
	faults   int             // unexplained ones in a row

	inflight, requests, failures int64
}

func newKey(c config.Key) *key {
	return &key{id: ID(c.Secret), secret: c.Secret, header: []string{c.Secret.Reveal()}, rests: map[string]rest{}}
}

// out is why the key is used for nothing at all.
func (k *key) out() Reason {
	if k.hand {
		return ByHand
	}
	return k.disabled
}

// rest is a time out. It stays in place after it ended, until the next success, because steps of a growing rest count on it.
type rest struct {
	since, until time.Time
	reason       Reason
	steps        int
	unkept       bool // no record tells of it
}

func (r rest) live(now time.Time) bool { return r.until.After(now) }

// over reports whether there was a rest, and it has ended.
func (r rest) over(now time.Time) bool { return r.reason != NoReason && !r.live(now) }

// early reports whether a time lies in the first half of a rest.
func (r rest) early(at time.Time) bool {
	return r.long() && at.After(r.since) && at.Before(r.since.Add(r.until.Sub(r.since)/2))
}

// long reports whether a rest is longer than the shortest, so that its end is Google's word.
func (r rest) long() bool { return r.reason != NoReason && r.until.Sub(r.since) > 2*minRest }

// later returns the rest that ends last.
func (r rest) later(other rest) rest {
	if other.until.After(r.until) {
		return other
	}
	return r
}

// renewed is the rest after another refusal. One that was told by a request which began before an earlier rest ended is no
// further step, and never makes it shorter. extra comes on top.
func (r rest) renewed(o Outcome, now time.Time, extra time.Duration) (rest, bool) {
	steps := r.steps
	if !r.live(now) {
		steps++
	}
	until := now.Add(max(o.steps[min(max(steps, 1), len(o.steps))-1], minRest) + extra)
	if o.reason == DayQuota {
		until = until.Round(0) // midnight is on the wall, also where the machine slept meanwhile
	}
	if until.Before(r.until) {
		return r, false
	}
	return rest{since: now, until: until, reason: o.reason, steps: steps, unkept: o.unkept}, true
}

// resting is what keeps the key from the model, of its own; it may have ended.
func (k *key) resting(model string) rest {
	if len(k.rests) == 0 {
		return k.whole
	}
	return k.whole.later(k.rests[model])
}

// setRest notes a rest of the key's own for a model, or for all if that is "".
func (k *key) setRest(model string, r rest) {
	if model == "" {
		k.whole = r
		return
	}
	if _, known := k.rests[model]; !known && len(k.rests) >= maxModels {
		delete(k.rests, firstToEnd(k.rests))
	}
	k.rests[model] = r
}

// firstToEnd is the model whose rest ends first.
func firstToEnd(rests map[string]rest) string {
	var first string
	var end time.Time
	for model, r := range rests {
		if end.IsZero() || r.until.Before(end) {
			first, end = model, r.until
		}
	}
	return first
}

// restOf is the key's own rest for a model, or for all if that is "".
func (k *key) restOf(model string) rest {
	if model == "" {
		return k.whole
	}
	return k.rests[model]
}

func (k *key) endRest(model string) {
	if model == "" {
		k.whole = rest{}
		return
	}
	delete(k.rests, model)
}
