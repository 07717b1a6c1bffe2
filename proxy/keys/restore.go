package keys

import "time"

// Restore merges what was kept, by this process or another one, into what is known; records of keys that are not configured
// are ignored. The Keeper is not told. A reason that this release does not know, as one before a rollback, keeps no key away: how
// long it would hold nobody here can tell, the next request finds out, and what Google says to that has a name here.
func (p *Pool) Restore(records []Record) {
	p.lock()
	defer p.mu.Unlock()
	for _, r := range records {
		switch k, g := p.ids[r.Owner], p.groups[r.Owner]; {
		case r.Name == recordState && k != nil:
			k.disabled = reasonOf(r.Reason)
			if k.disabled != NoReason {
				k.probe.begin(p.moment.now)
			}
		case r.Name == recordHand && k != nil:
			k.hand = !r.Gone
		case r.Name == recordRest && k != nil:
			p.restoreRest(r, k.endRest, k.setRest)
		case g != nil:
			p.restoreGroup(g, r)
		}
	}
	p.countAble()
	p.serveAll()
}

func (p *Pool) restoreGroup(g *group, r Record) {
	switch r.Name {
	case recordQuota:
		p.restoreRest(r, g.endRest, func(model string, rest rest) { g.setRest(model, rest, p.room()) })
	case recordMates:
		p.restoreMate(g, r)
	case recordRequests, recordTokens, recordDay:
		l := g.ledger(r.Model, p.room())
		which := map[string]*limit{recordRequests: &l.requests, recordTokens: &l.tokens, recordDay: &l.day}[r.Name]
		*which = limit{r.Limit, p.moment.second(r.At.Add(limitLife))}
		if r.Gone {
			*which = limit{}
		}
	}
}

func (p *Pool) restoreRest(r Record, end func(string), set func(string, rest)) {
	reason := reasonOf(r.Reason)
	if r.Gone || reason == NoReason {
		end(r.Model)
		return
	}
	set(r.Model, rest{since: p.moment.now, until: r.Until, reason: reason, steps: r.Steps})
}

// restoreMate puts a group into the learned project of a name.
func (p *Pool) restoreMate(g *group, r Record) {
	if l := g.learned; l != nil {
		l.leave(g)
	}
	if r.Gone || !r.Until.After(p.moment.now) {
		return
	}
	var found *learned
	for _, other := range p.groups {
		if l := other.learned; l != nil && l.name == r.Reason {
			found = l
		}
	}
	if found == nil {
		found = &learned{name: r.Reason, ledgers: map[string]*shared{}}
	}
	found.until = later(found.until, r.Until)
	found.members = append(found.members, g)
	g.learned = found
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
