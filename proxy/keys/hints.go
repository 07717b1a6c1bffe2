package keys

import (
	"slices"
	"time"
)

const (
	maxHints   = 32  // clusters that are remembered
	maxCluster = 256 // groups in one
	hintSpan   = time.Minute
)

// stated is a limit of a model that several groups may meet.
type stated struct {
	model    string
	requests bool // of a minute, else of a day
	limit    int64
}

// cluster is the groups that met a limit within a minute although none of them had used it up alone.
type cluster struct {
	what    stated
	since   time.Time
	members []*group
	used    int64 // of all together
}

// hints are the latest clusters, the oldest first.
type hints struct{ clusters []*cluster }

// hint notes that a group ran dry by the limits that Google named, and takes groups for one project that did so together twice.
func (p *Pool) hint(g *group, model string, limits Limits) {
	l := g.ledgers[model]
	if l == nil || l.window == nil {
		return
	}
	l.window.move(p.moment.sec)
	// the request that failed is counted already
	if used := l.window.requests - 1; limits.Requests > 0 && used < limits.Requests {
		p.clue(g, stated{model, true, limits.Requests}, used)
	}
	if used := l.usedToday(&p.moment) - 1; limits.Day > 0 && used < limits.Day {
		p.clue(g, stated{model, false, limits.Day}, used)
	}
}

func (p *Pool) clue(g *group, what stated, used int64) {
	c := p.hints.current(what, p.moment.now)
	if slices.Contains(c.members, g) || len(c.members) >= maxCluster {
		return
	}
	c.members = append(c.members, g)
	if c.used += max(used, 0); !c.explains() {
		return
	}
	for _, before := range p.hints.clusters {
		if before == c || !before.explains() || c.since.Sub(before.since) > learnedLife {
			continue
		}
		both := slices.DeleteFunc(slices.Clone(c.members), func(m *group) bool { return !slices.Contains(before.members, m) })
		if len(both) > 1 {
			p.unite(both)
		}
	}
}

// explains reports whether all together used the limit up.
func (c *cluster) explains() bool { return len(c.members) > 1 && c.used >= c.what.limit }

// current is the cluster of the running minute.
func (h *hints) current(what stated, now time.Time) *cluster {
	for _, c := range h.clusters {
		if c.what == what && now.Sub(c.since) < hintSpan {
			return c
		}
	}
	if len(h.clusters) >= maxHints {
		h.clusters = slices.Delete(h.clusters, 0, 1)
	}
	c := &cluster{what: what, since: now}
	h.clusters = append(h.clusters, c)
	return c
}

// forget takes a group out of all clusters.
func (h *hints) forget(g *group) {
	for _, c := range h.clusters {
		c.members = slices.DeleteFunc(c.members, func(m *group) bool { return m == g })
	}
}
