package keys

import (
	"slices"

	"github.com/gemini-claude-adapter/gca/proxy/config"
)

// Replace swaps the keys and the settings. Keys that stay keep their state, and so do groups; what was known of the others is
// forgotten. Leases of keys that go remain valid. What it changes is kept when it returns.
func (p *Pool) Replace(configured []config.Key, options Options) {
	p.lock()
	changed := p.arrange(configured, options)
	p.serveAll()
	p.mu.Unlock()
	if changed {
		_ = p.keep() // it is logged, and tried again with the next change
	}
}

// arrange puts the keys into their groups, and the groups on the ring. It reports whether there is something to keep.
func (p *Pool) arrange(configured []config.Key, options Options) (changed bool) {
	oldKeys, oldGroups := p.ids, p.groups
	p.options, p.keys = options, nil
	p.ids, p.groups = make(map[string]*key, len(configured)), map[string]*group{}
	for _, c := range configured {
		k := oldKeys[ID(c.Secret)]
		if k == nil {
			k = newKey(c)
		}
		if p.ids[k.id] != nil {
			continue
		}
		k.label, k.declared = c.Label, c.Group
		k.proxy, k.egress = c.Proxy, EgressName(c.Proxy)
		p.ids[k.id] = k
		p.keys = append(p.keys, k)
		p.join(k, oldGroups)
	}
	before := p.recorded
	for id, k := range oldKeys {
		if p.ids[id] == nil {
			p.forget(k.records())
		}
	}
	for name, g := range oldGroups {
		if p.groups[name] == nil {
			p.forget(g.records())
			p.part(g)
		}
	}
	p.ring = makeRing(p.groups)
	p.next = 0
	p.countAble()
	return p.recorded > before
}

// join puts a key into its group, which may be there from before.
func (p *Pool) join(k *key, before map[string]*group) {
	name := groupName(k.declared, k.id)
	g := p.groups[name]
	if g == nil {
		if g = before[name]; g == nil {
			g = newGroup(name)
		}
		g.keys = nil
		p.groups[name] = g
	}
	g.keys = append(g.keys, k)
	k.group = g
}

// forget takes records back of what is no more.
func (p *Pool) forget(records []Record) {
	for _, r := range records {
		p.record(r.gone())
	}
}

func (p *Pool) countAble() {
	p.able = 0
	for _, k := range p.keys {
		if k.out() == NoReason {
			p.able++
		}
	}
}

// point is a place of a group on the ring.
type point struct {
	at    uint64
	group *group
}

// places is how many points a group has: enough for an even spread, without a ring of millions.
func places(groups int) int { return min(max(1<<16/max(groups, 1), 16), 128) }

// makeRing puts every group at many places of a ring. A conversation belongs to the group whose place comes next after its own,
// and goes to another only when that one goes (consistent hashing).
func makeRing(groups map[string]*group) []point {
	n := places(len(groups))
	ring := make([]point, 0, n*len(groups))
	for name, g := range groups {
		h := hash(name)
		for i := range n {
			ring = append(ring, point{mix(h + uint64(i)*0x9e3779b97f4a7c15), g})
		}
	}
	slices.SortFunc(ring, func(a, b point) int {
		switch {
		case a.at < b.at:
			return -1
		case a.at > b.at:
			return 1
		}
		return 0
	})
	return ring
}
