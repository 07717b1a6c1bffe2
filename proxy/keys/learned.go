package keys

import (
	"cmp"
	"slices"
	"time"
)

// Keys that nobody grouped may belong to one project all the same, and then they run dry together. It shows when several meet
// the same limit of a model at the same time although none of them asked for that much alone, but all of them together did
// (hints.go). Once that has happened twice they are taken for one project, for a day: where one is dry, or all together used
// the limit up, the others come last. If one is asked all the same and is dry too, the guess is firm for ten minutes: so long
// they all rest together, as far as a minute's quota goes. A day's quota is not taken away on a guess: each key is asked.
// Whoever serves while another one is dry was no such mate.

const (
	learnedLife = 24 * time.Hour
	firmLife    = 10 * time.Minute
	guessLife   = time.Minute // that a guess is firm while one lease finds out
)

// learned is a project that several groups seem to share.
type learned struct {
	name    string // the same for all of its groups
	members []*group
	until   time.Time
	ledgers map[string]*shared // by model
}

// shared is what all members together used of a model, and when one of them ran dry.
type shared struct {
	ledger
	dry  *group    // who said so
	firm time.Time // until when the guess counts as good as a fact
}

// mates is the learned project that the group is in, nil if there is none.
func (g *group) mates(now time.Time) *learned {
	if g.learned != nil && !now.Before(g.learned.until) {
		g.learned = nil
	}
	return g.learned
}

// ledger is the shared one of a model, made where there is none.
func (l *learned) ledger(model string) *shared {
	s := l.ledgers[model]
	if s == nil {
		if len(l.ledgers) >= maxModels {
			clear(l.ledgers)
		}
		s = &shared{}
		l.ledgers[model] = s
	}
	return s
}

// mateDry is the shared ledger of a model whose rest another member brought about, nil if there is none.
func (g *group) mateDry(model string, now time.Time) *shared {
	l := g.mates(now)
	if l == nil {
		return nil
	}
	if s := l.ledgers[model]; s != nil && s.dry != g && s.rest.live(now) {
		return s
	}
	return nil
}

// firmly is the shared ledger of a model that the group keeps to as to its own, nil if there is none.
func (g *group) firmly(model string, now time.Time) *shared {
	l := g.mates(now)
	if l == nil {
		return nil
	}
	if s := l.ledgers[model]; s != nil && now.Before(s.firm) {
		return s
	}
	return nil
}

// bars reports whether the mates' state keeps a group from the model.
func (s *shared) bars(g *group, m *moment, tokens int64) bool {
	return s.dry != g && s.resting().live(m.now) || !s.room(m, tokens)
}

// resting is the rest that counts for all.
func (s *shared) resting() rest {
	if s.rest.reason == RateLimited {
		return s.rest
	}
	return rest{}
}

// doubtful reports whether the group is probably dry, by what its mates used or met.
func (g *group) doubtful(m *moment, model string, tokens int64) bool {
	if g.learned == nil {
		return false
	}
	if g.mateDry(model, m.now) != nil {
		return true
	}
	l := g.mates(m.now)
	return l != nil && l.ledgers[model] != nil && !l.ledgers[model].room(m, tokens)
}

// dried notes in the learned project that one of its groups ran dry. guessed is a lease that was expected to.
func (g *group) dried(m *moment, model string, r rest, stated Limits, guessed bool) {
	l := g.mates(m.now)
	if l == nil || r.reason != RateLimited && r.reason != DayQuota {
		return
	}
	s := l.ledger(model)
	if s.dry, s.rest = g, r; guessed {
		s.firm = m.now.Add(firmLife)
	}
	s.learn(m, Limits{Requests: stated.Requests, Tokens: stated.Tokens})
}

// stranger reports whether a served lease shows that its group is in another project than a mate that is dry: it began when
// the mate was dry already, and not so late that the quota may have been back.
func (g *group) stranger(model string, began, now time.Time) bool {
	s := g.mateDry(model, now)
	return s != nil && s.rest.early(began)
}

// part takes a group out of its learned project.
func (p *Pool) part(g *group) {
	p.hints.forget(g)
	if g.learned == nil {
		return
	}
	name := g.learned.name
	for _, m := range g.learned.leave(g) {
		p.record(Record{Owner: m.name, Name: recordMates, Reason: name, Gone: true})
	}
}

// leave takes a group out, and the one that would be left alone. It returns who is out.
func (l *learned) leave(g *group) []*group {
	l.members = slices.DeleteFunc(l.members, func(m *group) bool { return m == g })
	out := []*group{g}
	if len(l.members) == 1 {
		out = append(out, l.members[0])
		l.members = nil
	}
	for _, m := range out {
		m.learned = nil
	}
	return out
}

// unite takes groups for one project, together with those that they are in.
func (p *Pool) unite(groups []*group) {
	all := slices.Clone(groups)
	for _, g := range groups {
		if l := g.mates(p.moment.now); l != nil {
			all = append(all, l.members...)
		}
	}
	slices.SortFunc(all, func(a, b *group) int { return cmp.Compare(a.name, b.name) })
	all = slices.Compact(all)
	l := &learned{
		name: "shared-" + all[0].keys[0].id, members: all, until: p.moment.now.Add(learnedLife), ledgers: map[string]*shared{},
	}
	for _, g := range all {
		g.learned = l
		p.record(g.mateRecord())
	}
}
