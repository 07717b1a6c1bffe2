package keys

import (
	"slices"
	"time"
)

// agenda foresees, for one pass through a line, when whose turn comes: it is the pool's state as it will be once those ahead in
// the line are served. It is made when the first waiter finds no key, and changes nothing of the pool.
type agenda struct {
	p     *Pool
	model string
	plans []plan
	made  bool
	held  []*group
	plan  *plan // what next found last
}

// plan is the future of one group, or of those that are firmly taken for one project.
type plan struct {
	groups []*group
	ledger *ledger   // the group's own, as long as nothing is taken
	copied bool      // it is a copy
	from   time.Time // when the first of its keys may be used, and no earlier than those ahead
	opens  time.Time // when the limits allow a request, whatever its size; zero is not looked at yet
}

// make looks at all groups that have a key in order.
func (a *agenda) make() {
	a.made = true
	a.plans = make([]plan, 0, len(a.p.groups))
	plain, empty := Want{Model: a.model}, &ledger{}
	seen := map[*shared]bool{}
	for _, k := range a.p.keys {
		g := k.group
		if g.keys[0] != k {
			continue
		}
		pl := plan{groups: g.alone, ledger: empty}
		if l := g.ledgers[a.model]; l != nil {
			pl.ledger = l
		}
		if s := g.firmly(a.model, a.p.moment.now); seen[s] {
			continue
		} else if s != nil {
			seen[s] = true // one plan for all
			pl.groups, pl.ledger = g.learned.members, &s.ledger
		}
		var ok bool
		if pl.from, ok = a.p.soonest(pl.groups, &plain); ok {
			a.plans = append(a.plans, pl)
		}
	}
}

// soonest is when the first of some groups is ready; not ok is never.
func (p *Pool) soonest(groups []*group, want *Want) (soonest time.Time, ok bool) {
	for _, g := range groups {
		if at, able := p.ready(g, want); able && (!ok || at.Before(soonest)) {
			soonest, ok = at, true
		}
	}
	return soonest, ok
}

// ready is when the first of a group's keys that may serve a request is there, limits aside; not ok is never.
func (p *Pool) ready(g *group, want *Want) (at time.Time, ok bool) {
	for _, k := range g.keys {
		if k.out() != NoReason || want.Only != "" && k.id != want.Only || slices.Contains(want.NotVia, k.egress) {
			continue
		}
		if until := k.resting(want.Model).until; !ok || until.Before(at) {
			at, ok = until, true
		}
	}
	at = later(at, g.resting(want.Model).until)
	if s := g.firmly(want.Model, p.moment.now); s != nil {
		at = later(at, s.resting().until)
	}
	if at.Before(p.moment.now) {
		at = p.moment.now
	}
	return at, ok
}

// next is when the turn of a waiter comes, behind those who were entered; zero is never.
func (a *agenda) next(w *waiter) time.Time {
	if !a.made {
		a.make()
	}
	var soonest time.Time
	a.plan = nil
	for i := range a.plans {
		pl := &a.plans[i]
		at, ok := pl.next(a.p, &w.want)
		if ok && (a.plan == nil || at.Before(soonest)) {
			soonest, a.plan = at, pl
		}
	}
	return soonest
}

// next is when the group can serve a request.
func (pl *plan) next(p *Pool, want *Want) (time.Time, bool) {
	tokens, from := int64(want.Tokens), pl.from
	if pl.ledger.tooSmall(&p.moment, tokens, int64(want.Above)) {
		return time.Time{}, false
	}
	if !want.plain() {
		at, ok := p.soonest(pl.groups, want)
		if !ok {
			return at, false
		}
		from = later(from, at)
	} else if pl.ledger.tokens.at(p.moment.sec) == 0 {
		tokens = 0
		if !pl.opens.IsZero() {
			return pl.opens, true
		}
	}
	at, _ := pl.ledger.opens(&p.moment, from, tokens, pl.groups[0].jitter)
	if want.plain() && tokens == 0 {
		pl.opens = at
	}
	return at, true
}

// enter puts a waiter where next found it a place. A group whose tokens it waits for is held for it: small requests would
// otherwise use them up for ever.
func (a *agenda) enter(w *waiter) {
	pl := a.plan
	pl.take(&a.p.moment, w.due, int64(w.want.Tokens))
	if pl.ledger.tokens.at(a.p.moment.sec) == 0 {
		return
	}
	for _, g := range pl.groups {
		g.held = true
	}
	a.held = append(a.held, pl.groups...)
}

// leased tells of a lease that was handed out meanwhile.
func (a *agenda) leased(g *group, tokens int64) {
	for i := range a.plans {
		if pl := &a.plans[i]; slices.Contains(pl.groups, g) {
			pl.take(&a.p.moment, a.p.moment.now, tokens)
		}
	}
}

// end lets go of what is held.
func (a *agenda) end() {
	for _, g := range a.held {
		g.held = false
	}
}

func (pl *plan) take(m *moment, at time.Time, tokens int64) {
	if !pl.copied {
		l, w := *pl.ledger, window{}
		if l.window != nil {
			w = *l.window
		}
		l.window = &w
		pl.ledger, pl.copied = &l, true
	}
	pl.ledger.window.add(at.Unix(), 1, tokens)
	if at.Before(m.midnight) {
		if end := m.midnight.Unix(); pl.ledger.dayEnd != end {
			pl.ledger.dayEnd, pl.ledger.dayUsed = end, 0
		}
		pl.ledger.dayUsed++
	}
	pl.from = later(pl.from, at)
	pl.opens = time.Time{}
}
