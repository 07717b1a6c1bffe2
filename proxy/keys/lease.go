package keys

import (
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
)

// Lease is the right to make requests with a key, for one request of a client. It comes from a Pool only and ends with Done.
type Lease struct {
	pool    *Pool
	key     *key
	group   *group   // of the key when it was leased
	proxy   *url.URL // likewise: another one may be configured meanwhile
	egress  string
	model   string // whose quota counts; "" is none
	tokens  int64  // that were counted
	began   time.Time
	sec     int64 // the same, of the steady clock
	guessed bool  // that the project is dry
	sent    atomic.Int64
	done    atomic.Bool
}

// lease hands a key out, counted.
func (p *Pool) lease(k *key, want *Want) *Lease {
	l := p.borrow(k)
	l.model, l.tokens = want.Model, int64(max(want.Tokens, 0))
	if l.guessed = k.group.doubtful(&p.moment, l.model, l.tokens); l.guessed {
		s := k.group.learned.ledger(l.model)
		s.firm = later(s.firm, p.moment.now.Add(guessLife)) // one at a time finds out
	}
	l.count()
	return l
}

// borrow hands a key out for no model's sake.
func (p *Pool) borrow(k *key) *Lease {
	k.inflight++
	k.requests++
	p.busy++
	return &Lease{pool: p, key: k, group: k.group, proxy: k.proxy, egress: k.egress, began: p.moment.now, sec: p.moment.sec}
}

// count counts a request of the model against the quota of the key's project.
func (l *Lease) count() {
	p, g := l.pool, l.group
	g.ledger(l.model, p.room()).take(&p.moment, l.tokens)
	if mates := g.mates(p.moment.now); mates != nil {
		mates.ledger(l.model).take(&p.moment, l.tokens)
	}
}

// unlease takes a lease back that nobody got.
func (p *Pool) unlease(l *Lease) {
	l.done.Store(true)
	l.key.inflight--
	l.key.requests--
	p.busy--
	l.uncount()
}

// uncount takes a request out of the count that Google does not count.
func (l *Lease) uncount() {
	p := l.pool
	if ledger := l.group.ledgers[l.model]; ledger != nil {
		ledger.giveBack(&p.moment, l.sec, l.tokens)
	}
	if mates := l.group.mates(p.moment.now); mates != nil {
		mates.ledger(l.model).giveBack(&p.moment, l.sec, l.tokens)
	}
}

// room is how many models a group remembers: fewer where there are many groups.
func (p *Pool) room() int { return min(max(1<<17/max(len(p.groups), 1), 32), maxModels) }

// Authorize puts the key into the one header that Google reads it from. Every call but the first counts as one more request
// against the quota, since it is one.
func (l *Lease) Authorize(h http.Header) {
	h["X-Goog-Api-Key"] = l.key.header
	if l.sent.Add(1) == 1 || l.model == "" {
		return
	}
	l.pool.lock()
	defer l.pool.mu.Unlock()
	l.count()
}

// KeyID names the key in logs and errors; it cannot be turned back into the key.
func (l *Lease) KeyID() string { return l.key.id }

// Secret is the key, for taking it out of texts that others wrote; it prints as "***".
func (l *Lease) Secret() config.Secret { return l.key.secret }

// Format prints the key's id whatever the verb.
func (l *Lease) Format(f fmt.State, _ rune) { fmt.Fprint(f, l.key.id) }

// Done gives the key back. It is called exactly once: a second call panics. What it changes is kept when it returns.
func (l *Lease) Done(o Outcome) {
	if l.done.Swap(true) {
		panic("BUG: the lease of key " + l.key.id + " was given back twice")
	}
	l.pool.settle(l, o)
}
