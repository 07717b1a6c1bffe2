package keys

import (
	"cmp"
	"slices"
	"time"
)

const (
	maxHints   = 32  // clusters that are remembered
	maxCluster = 256 // groups in one, and groups that are dry for an unknown reason
	hintSpan   = time.Minute
	together   = 2 * time.Second // how far the ends of rests may be apart that one project's quota brought about
)

// stated is a limit of a model that several groups may meet.
type stated struct {
	model    string
	requests bool // of a minute, else of a day
	limit    int64
}

// strange is a group that met a limit although it had not used it up alone.
type strange struct {
	group *group
	what  stated
}

// cluster is several of them that were dry at the same time, and used up the limit together.
type cluster struct {
	since   time.Time
	members []*group
}

// hints are what may show which groups are of one project.
type hints struct {
	dry      []strange
	clusters []*cluster // the latest ones, the oldest first
}

// hint notes that a group ran dry by the limits that Google named, and takes groups for one project that did so together twice.
func (p *Pool) hint(g *group, model string, limits Limits) {
	for _, what := range []stated{{model, true, limits.Requests}, {model, false, limits.Day}} {
		if what.limit > 0 && what.used(g, &p.moment) < what.limit {
			p.clue(g, what)
		}
	}
}

// used is what a group used of a limit.
func (s stated) used(g *group, m *moment) int64 {
	l := g.ledgers[s.model]
	if l == nil {
		return 0
	}
	used := l.usage(m)
	if s.requests {
		return used.Requests
	}
	return used.Day
}

// explains reports whether groups together used the limit up, and no more than that: a minute here is a little longer than
// Google's.
func (s stated) explains(groups []*group, m *moment) bool {
	sum := int64(0)
	for _, g := range groups {
		sum += s.used(g, m)
	}
	return len(groups) > 1 && sum >= s.limit && sum <= s.limit+max(s.limit/10, 2)
}

// clue compares a group that just ran dry with the others that are. Of one project they come back at the same time.
func (p *Pool) clue(g *group, what stated) {
	now, h := p.moment.now, &p.hints
	h.dry = slices.DeleteFunc(h.dry, func(s strange) bool {
		return s.group == g && s.what == what || !s.group.restOf(s.what.model).live(now)
	})
	rest := g.restOf(what.model)
	var near []*group
	for _, s := range h.dry {
		apart := s.group.restOf(what.model).until.Sub(rest.until).Abs()
		if s.what == what && apart < together && !g.servedWhileDry(s.group, what.model) {
			near = append(near, s.group)
		}
	}
	if len(h.dry) < maxCluster {
		h.dry = append(h.dry, strange{g, what})
	}
	slices.SortStableFunc(near, func(a, b *group) int {
		return cmp.Compare(a.restOf(what.model).until.Sub(rest.until).Abs(), b.restOf(what.model).until.Sub(rest.until).Abs())
	})
	mates, sum := []*group{g}, what.used(g, &p.moment)
	for i := 0; i < len(near) && sum < what.limit; i++ {
		mates = append(mates, near[i])
		sum += what.used(near[i], &p.moment)
	}
	if rest.long() && what.explains(mates, &p.moment) {
		p.confirm(mates, what)
	}
}

// confirm takes for one project what was a cluster before, and remembers the cluster.
func (p *Pool) confirm(mates []*group, what stated) {
	h, now := &p.hints, p.moment.now
	h.clusters = slices.DeleteFunc(h.clusters, func(c *cluster) bool { return now.Sub(c.since) > learnedLife })
	var current *cluster
	for _, c := range h.clusters {
		both := slices.DeleteFunc(slices.Clone(mates), func(m *group) bool { return !slices.Contains(c.members, m) })
		if now.Sub(c.since) < hintSpan {
			if len(both) > 0 {
				current = c
			}
		} else if 4*len(both) >= 3*max(len(mates), len(c.members)) && what.explains(both, &p.moment) {
			p.unite(both)
		}
	}
	if current != nil {
		current.members = mates
		return
	}
	if len(h.clusters) >= maxHints {
		h.clusters = slices.Delete(h.clusters, 0, 1)
	}
	h.clusters = append(h.clusters, &cluster{now, mates})
}

// servedWhileDry reports whether the group served the model after another one had run dry, and not so late that the other's
// quota may have been back.
func (g *group) servedWhileDry(dry *group, model string) bool {
	mine, its := g.ledgers[model], dry.ledgers[model]
	return mine != nil && its != nil && its.rest.early(mine.served)
}

// forget takes a group out of all that is remembered.
func (h *hints) forget(g *group) {
	h.dry = slices.DeleteFunc(h.dry, func(s strange) bool { return s.group == g })
	for _, c := range h.clusters {
		c.members = slices.DeleteFunc(c.members, func(m *group) bool { return m == g })
	}
}
