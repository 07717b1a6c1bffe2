// Package keys chooses which Gemini API key serves a request, and lets a key rest or retires it by what Google answered.
//
// Flow: Pool.Acquire hands out a Lease, already counted; the request is made with it; Lease.Done(Outcome) gives it back,
// exactly once, and says what Google thought of the key:
//
//	            Rest, Faults in a row           Disable
//	healthy ──────────────────────────> resting ─────────> disabled
//	   ^  │          time passes           │                  ^
//	   └──┼─────────────────────────────────                  │
//	      └───────────────────────────────────────────────────┘
//
// A rest counts for one model, or for all of them; another model on the same key is served meanwhile. What Google says of the
// key's project (Reason.project) counts for all keys of its group.
package keys

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
)

// maxModelRests bounds what one key remembers: model names come from clients.
const maxModelRests = 256

const minRest = time.Second

// Options are the pool's settings.
type Options struct {
	MaxFailures   int           // unexplained faults in a row until a key rests, >= 1
	CoolingPeriod time.Duration // how long it then rests
	Keeper        Keeper        // gets every change of a key's state; nil keeps nothing
	Log           *slog.Logger  // where it is said that the Keeper failed; nil is nowhere
}

// Pool is a set of API keys. It is safe for concurrent use.
type Pool struct {
	options Options

	mu      sync.Mutex
	keys    []*key
	next    int           // where the round robin goes on
	changed chan struct{} // closed, and made anew, when a key is disabled
}

type key struct {
	id     string
	label  string
	group  string
	secret config.Secret
	hash   uint64
	peers  []*key // all keys of the group, this one among them
	proxy  *url.URL
	egress string // EgressName of proxy

	disabled Reason          // not None: the key is out until it is reset
	hand     bool            // a person took it out
	whole    rest            // for all models
	rests    map[string]rest // by model
	faults   int             // unexplained ones in a row

	inflight, requests, failures int64
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
	until  time.Time
	reason Reason
	steps  int
}

// New makes a pool of the keys in their configured order.
func New(configured []config.Key, options Options) *Pool {
	p := &Pool{options: options, changed: make(chan struct{})}
	p.Replace(configured, options)
	return p
}

// Replace swaps the keys and the settings. Keys that stay keep their state; leases of keys that go remain valid.
func (p *Pool) Replace(configured []config.Key, options Options) {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := map[string]*key{}
	for _, k := range p.keys {
		old[k.id] = k
	}
	p.options, p.keys = options, nil
	groups := map[string][]*key{}
	for _, c := range configured {
		id := ID(c.Secret)
		k := old[id]
		if k == nil {
			k = &key{id: id, secret: c.Secret, hash: hash(c.Secret.Reveal()), rests: map[string]rest{}}
		}
		k.label, k.group, k.peers = c.Label, c.Group, []*key{k}
		k.proxy, k.egress = c.Proxy, EgressName(c.Proxy)
		p.keys = append(p.keys, k)
		if c.Group != "" {
			groups[c.Group] = append(groups[c.Group], k)
		}
	}
	for _, group := range groups {
		for _, k := range group {
			k.peers = group
		}
	}
	p.wake()
}

// wake lets everybody who waits look again.
func (p *Pool) wake() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// ID names a key without giving it away: eight hex digits of its SHA-256 and its last four characters, or only the former
// where four characters would be much of the key.
func ID(secret config.Secret) string {
	s := secret.Reveal()
	sum := sha256.Sum256([]byte(s))
	id := hex.EncodeToString(sum[:4])
	if len(s) >= 16 {
		id += "-" + s[len(s)-4:]
	}
	return id
}

// Acquire leases a key that is neither disabled nor resting for the model, by the order of Want. If all of them rest, it
// waits for the first to come back when that is no later than until, and else answers at once with a *NoneError. The other
// error is ctx's cause.
func (p *Pool) Acquire(ctx context.Context, want Want, until time.Time) (*Lease, error) {
	for {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		lease, none, changed := p.try(want)
		if lease != nil {
			return lease, nil
		}
		if none.Soonest.IsZero() || none.Soonest.After(until) {
			return nil, none
		}
		if err := sleep(ctx, time.Until(none.Soonest), changed); err != nil {
			return nil, err
		}
	}
}

// sleep waits for d, for changed, or for the end of ctx, whose cause it returns.
func sleep(ctx context.Context, d time.Duration, changed <-chan struct{}) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-changed:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// try makes one round over the keys: a lease, or why there is none and what to wait on.
func (p *Pool) try(want Want) (*Lease, *NoneError, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if k := p.choose(want, now); k != nil {
		k.inflight++
		k.requests++
		return &Lease{pool: p, key: k, proxy: k.proxy, egress: k.egress}, nil, nil
	}
	return nil, p.none(want, now), p.changed
}

// none counts why no key is left.
func (p *Pool) none(want Want, now time.Time) *NoneError {
	e := &NoneError{Key: want.Only, Disabled: map[Reason]int{}, Resting: map[Reason]int{}}
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
		r := k.resting(want.Model, now)
		e.Resting[r.reason]++
		if e.Soonest.IsZero() || r.until.Before(e.Soonest) {
			e.Soonest = r.until
		}
	}
	return e
}

// resting returns the rest that keeps the key from model longest; none is the zero rest.
func (k *key) resting(model string, now time.Time) rest {
	var longest rest
	for _, r := range []rest{k.whole, k.rests[model]} {
		if r.until.After(now) && r.until.After(longest.until) {
			longest = r
		}
	}
	return longest
}

// settle applies what a request taught about the key.
func (p *Pool) settle(k *key, o Outcome) {
	p.mu.Lock()
	defer p.mu.Unlock()
	k.inflight--
	switch o.kind {
	case outcomeOK:
		k.served(o.model, time.Now())
	case outcomeRest:
		k.failures++
		for _, peer := range k.reached(o.reason) {
			peer.rest(o)
		}
	case outcomeDisable:
		k.failures++
		for _, peer := range k.reached(o.reason) {
			peer.disabled = o.reason
		}
		p.wake()
	case outcomeFault:
		k.failures++
		k.faults++
		if k.faults >= p.options.MaxFailures {
			k.faults = 0
			k.whole = rest{until: time.Now().Add(p.options.CoolingPeriod), reason: Failing, steps: 1}
		}
	case outcomeNone:
	}
}

// reached are the keys that a reason counts for, once it was said of k.
func (k *key) reached(reason Reason) []*key {
	if reason.project() {
		return k.peers
	}
	return []*key{k}
}

// served forgets the key's past troubles, but not a rest that another request has brought about meanwhile.
func (k *key) served(model string, now time.Time) {
	k.faults = 0
	if !k.rests[model].until.After(now) {
		delete(k.rests, model)
	}
	if !k.whole.until.After(now) {
		k.whole = rest{}
	}
}

// rest begins a time out. One that was told by a request which began before an earlier one ended is no further step.
func (k *key) rest(o Outcome) {
	now := time.Now()
	old := k.whole
	if o.model != "" {
		old = k.rests[o.model]
	}
	steps := old.steps
	if !old.until.After(now) {
		steps++
	}
	until := now.Add(max(o.steps[min(max(steps, 1), len(o.steps))-1], minRest))
	if until.Before(old.until) {
		return
	}
	r := rest{until: until, reason: o.reason, steps: steps}
	if o.model == "" {
		k.whole = r
		return
	}
	k.makeRoom()
	k.rests[o.model] = r
}

// makeRoom forgets the rest that ends first when there are too many.
func (k *key) makeRoom() {
	if len(k.rests) < maxModelRests {
		return
	}
	first := slices.MinFunc(slices.Collect(maps.Keys(k.rests)), func(a, b string) int {
		return k.rests[a].until.Compare(k.rests[b].until)
	})
	delete(k.rests, first)
}
