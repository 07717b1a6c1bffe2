package keys

import (
	"container/heap"
	"math/bits"
	"slices"
	"time"
)

// agenda foresees, for one pass through a line, when whose turn comes: it is the pool's state as it will be once those ahead in
// the line are served. It is made when the first waiter finds no key, and changes nothing of the pool.
type agenda struct {
	p       *Pool
	model   string
	plans   []plan
	made    bool
	bySize  map[int64]bounds // by the size of the prompt, rounded down
	held    []*group
	plan    *plan     // what next found last
	soonest time.Time // when it found it a place
	unseen  *bool     // what Pool.unseen says for those whom any key could serve
}

// plan is the future of one group, or of those that are firmly taken for one project.
type plan struct {
	groups []*group
	ledger *ledger   // the group's own, as long as nothing is taken
	copied bool      // it is a copy
	from   time.Time // when the first of its keys may be used, and no earlier than those ahead
	taken  int       // places
}

// bounds are the plans with times before which they have no place for a prompt of some size: a heap. Every place that is taken
// makes a plan's next one later, never earlier, so what was foreseen before stays a bound, and few plans need a second look.
type bounds []bound

type bound struct {
	plan  *plan
	at    time.Time
	taken int // the plan's, when that was foreseen
}

func (b bounds) Len() int           { return len(b) }
func (b bounds) Less(i, j int) bool { return b[i].at.Before(b[j].at) }
func (b bounds) Swap(i, j int)      { b[i], b[j] = b[j], b[i] }
func (b bounds) Push(any)           { panic("BUG: plans do not come later") }
func (b bounds) Pop() any           { panic("BUG: plans do not go") }

// make looks at all groups that have a key in order.
func (a *agenda) make() {
	a.made, a.bySize = true, map[int64]bounds{}
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
			for _, g := range pl.groups {
				g.plan = &a.plans[len(a.plans)-1]
			}
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
	a.plan, a.soonest = nil, time.Time{}
	if w.want.Only != "" {
		if k := a.p.ids[w.want.Only]; k != nil && k.group.plan != nil {
			a.try(k.group.plan, &w.want)
		}
		return a.soonest
	}
	a.search(a.boundsOf(int64(w.want.Tokens)), 0, &w.want)
	return a.soonest
}

// boundsOf are the bounds for a prompt; the first one is up to date.
func (a *agenda) boundsOf(tokens int64) bounds {
	size := tokens &^ (1<<max(bits.Len64(uint64(tokens))-3, 0) - 1) // no more than a quarter less
	all, known := a.bySize[size]
	if !known {
		for i := range a.plans {
			pl := &a.plans[i]
			all = append(all, bound{pl, pl.opens(&a.p.moment, pl.from, size), pl.taken})
		}
		heap.Init(all)
		a.bySize[size] = all
	}
	for len(all) > 0 && all[0].taken != all[0].plan.taken {
		pl := all[0].plan
		all[0] = bound{pl, pl.opens(&a.p.moment, pl.from, size), pl.taken}
		heap.Fix(all, 0)
	}
	return all
}

// search looks at the i-th plan and those below it in the heap, as far as they may have an earlier place than was found.
func (a *agenda) search(all bounds, i int, want *Want) {
	if i >= len(all) || a.plan != nil && !all[i].at.Before(a.soonest) {
		return
	}
	a.try(all[i].plan, want)
	a.search(all, 2*i+1, want)
	a.search(all, 2*i+2, want)
}

// try takes a plan's next place for a request where that is the earliest one.
func (a *agenda) try(pl *plan, want *Want) {
	if at, ok := pl.next(a.p, want); ok && (a.plan == nil || at.Before(a.soonest)) {
		a.plan, a.soonest = pl, at
	}
}

// next is when the group can serve a request.
func (pl *plan) next(p *Pool, want *Want) (time.Time, bool) {
	from := pl.from
	if pl.ledger.tooSmall(&p.moment, int64(want.Tokens), int64(want.Above)) {
		return time.Time{}, false
	}
	if !want.plain() {
		at, ok := p.soonest(pl.groups, want)
		if !ok {
			return at, false
		}
		from = later(from, at)
	}
	return pl.opens(&p.moment, from, int64(want.Tokens)), true
}

// opens is when the limits allow a prompt, not before from.
func (pl *plan) opens(m *moment, from time.Time, tokens int64) time.Time {
	at, _ := pl.ledger.opens(m, from, tokens, pl.groups[0].jitter)
	return at
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
	if g.plan != nil {
		g.plan.take(&a.p.moment, a.p.moment.now, tokens)
	}
}

// seesNone is Pool.unseen for a waiter.
func (a *agenda) seesNone(w *waiter) bool {
	if w.want.Only != "" {
		return a.p.unseen(&w.want)
	}
	if a.unseen == nil {
		none := a.p.unseen(&w.want)
		a.unseen = &none
	}
	return *a.unseen
}

// end lets go of what is held and planned.
func (a *agenda) end() {
	for _, g := range a.held {
		g.held = false
	}
	for i := range a.plans {
		for _, g := range a.plans[i].groups {
			g.plan = nil
		}
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
	pl.ledger.window.add(m.second(at), 1, tokens)
	if at.Before(m.midnight) {
		if end := m.midnight.Unix(); pl.ledger.dayEnd != end {
			pl.ledger.dayEnd, pl.ledger.dayUsed = end, 0
		}
		pl.ledger.dayUsed++
	}
	pl.from = later(pl.from, at)
	pl.taken++
}
