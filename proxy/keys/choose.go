package keys

import (
	"slices"
	"sort"
)

const (
	// sample is how many usable keys are looked at for the one with the most room; more would cost time and gain little.
	sample = 16
	// fewInflight is what a key takes in any case before a conversation goes elsewhere.
	fewInflight = 4
	// maxWalk is how many places of the ring are visited before the groups are taken as they come.
	maxWalk = 256
)

// fit is how well a key fits a request; a better one is larger.
type fit uint8

const (
	unfit    fit = iota
	tried        // it failed with this request already
	doubtful     // it probably rests, or its way out is to be avoided
	crowded      // it has more than its share of what is under way
	good
)

// fit says of a key how well it fits now.
func (p *Pool) fit(k *key, want *Want) fit {
	m, g := &p.moment, k.group
	switch {
	case k.out() != NoReason || want.Only != "" && k.id != want.Only || g.held:
		return unfit
	case len(want.NotVia) > 0 && slices.Contains(want.NotVia, k.egress):
		return unfit
	case k.resting(want.Model).live(m.now) || g.whole.live(m.now):
		return unfit
	}
	if l := g.ledgers[want.Model]; l != nil {
		if l.rest.live(m.now) || l.tooSmall(m, int64(want.Tokens), int64(want.Above)) || !l.room(m, int64(want.Tokens)) {
			return unfit
		}
	}
	if s := g.firmly(want.Model, m.now); s != nil && s.bars(g, m, int64(want.Tokens)) {
		return unfit
	}
	switch {
	case len(want.Avoid) > 0 && slices.Contains(want.Avoid, k.id):
		return tried
	case g.doubtful(m, want.Model, int64(want.Tokens)), len(want.AvoidVia) > 0 && slices.Contains(want.AvoidVia, k.egress):
		return doubtful
	}
	return good
}

// choose picks the key for a request, nil if none can serve it now.
func (p *Pool) choose(want *Want) *key {
	switch {
	case want.Only != "":
		if k := p.ids[want.Only]; k != nil && p.fit(k, want) > unfit {
			return k
		}
		return nil
	case want.Conversation != "":
		return p.sticky(want)
	}
	return p.roomiest(want)
}

// roomiest is, of a few that fit best, the key whose quota has the most room, and of equals the one with the least under way,
// and then the one whose turn it is.
func (p *Pool) roomiest(want *Want) *key {
	var best candidate
	seen := 0
	for i := range p.keys {
		at := p.next + i
		if at >= len(p.keys) {
			at -= len(p.keys)
		}
		k := p.keys[at]
		c := candidate{key: k, fit: p.fit(k, want)}
		if c.fit == unfit {
			continue
		}
		c.share = k.group.share(&p.moment, want.Model)
		if c.better(best) {
			best = c
			best.at = at
		}
		if c.fit != good {
			continue
		}
		if seen++; seen == sample || c.idle() {
			break
		}
	}
	if best.key != nil {
		p.next = (best.at + 1) % len(p.keys)
	}
	return best.key
}

type candidate struct {
	key   *key
	fit   fit
	share float64
	at    int
}

// idle reports whether no other candidate can be better.
func (c candidate) idle() bool { return c.fit == good && c.share == 1 && c.key.inflight == 0 }

func (c candidate) better(than candidate) bool {
	switch {
	case than.key == nil || c.fit != than.fit:
		return c.fit > than.fit
	case c.share != than.share:
		return c.share > than.share
	}
	return c.key.inflight < than.key.inflight
}

// share is how much of the model's quota is left, 0 to 1.
func (g *group) share(m *moment, model string) float64 {
	left := 1.0
	if l := g.ledgers[model]; l != nil {
		left = l.share(m)
	}
	if mates := g.mates(m.now); mates != nil && mates.ledgers[model] != nil {
		left = min(left, mates.ledgers[model].share(m))
	}
	return left
}

// sticky is the key of a conversation: where it went when it had to move, as long as that is usable, else its own by the ring.
func (p *Pool) sticky(want *Want) *key {
	conversation := hash(want.Conversation)
	most := p.fairShare()
	moved := p.moved.get(conversation)
	if moved != nil && p.ids[moved.id] == moved {
		if p.fit(moved, want) == good && moved.inflight < most {
			return moved
		}
		if c := p.within(moved.group, want, conversation, most); c.fit == good {
			if p.fit(moved, want) == unfit {
				p.moved.put(conversation, c.key)
			}
			return c.key
		}
	}
	own, best := p.walk(want, conversation, most)
	if best.key == nil {
		return nil
	}
	switch {
	case own.key != nil && best.key.group == own.key.group:
		if moved != nil && p.fit(moved, want) == unfit {
			p.moved.drop(conversation)
		}
	case own.fit == unfit:
		p.moved.put(conversation, best.key)
	}
	return best.key
}

// fairShare is how many requests a key has under way at most before a conversation goes to another one.
func (p *Pool) fairShare() int64 {
	able := int64(max(p.able, 1))
	return max(fewInflight, (5*int64(p.busy+1)+4*able-1)/(4*able))
}

// walk goes along the ring from the conversation's place: own is the best key of its own group, best that of all. It ends at the
// first that is good.
func (p *Pool) walk(want *Want, conversation uint64, most int64) (own, best candidate) {
	n := len(p.ring)
	if n == 0 {
		return own, best
	}
	p.steps++
	start := sort.Search(n, func(i int) bool { return p.ring[i].at >= conversation })
	first := true
	look := func(g *group) (done bool) {
		if g.seen == p.steps {
			return false
		}
		g.seen = p.steps
		c := p.within(g, want, conversation, most)
		if first {
			own, first = c, false
		}
		if c.key != nil && c.preferred(best) {
			best = c
		}
		return best.fit == good
	}
	for i := range min(n, maxWalk) {
		if look(p.ring[(start+i)%n].group) {
			return own, best
		}
	}
	for i := range p.keys {
		if best.fit == crowded || look(p.keys[(start+i)%len(p.keys)].group) {
			break
		}
	}
	return own, best
}

// preferred reports whether the candidate of a conversation comes before another one, which was found earlier.
func (c candidate) preferred(than candidate) bool {
	if than.key == nil || c.fit != than.fit {
		return c.fit > than.fit
	}
	return c.fit == crowded && c.key.inflight < than.key.inflight
}

// within is the best key of a group for a conversation: its own, or one with less under way.
func (p *Pool) within(g *group, want *Want, conversation uint64, most int64) (best candidate) {
	n := len(g.keys)
	if n == 0 {
		return best
	}
	start := int(mix(conversation) % uint64(n))
	for i := range n {
		k := g.keys[(start+i)%n]
		c := candidate{key: k, fit: p.fit(k, want)}
		if c.fit == good && k.inflight >= most {
			c.fit = crowded
		}
		if c.fit == good {
			return c
		}
		if c.fit > unfit && c.preferred(best) {
			best = c
		}
		if i >= sample && best.fit == crowded {
			break
		}
	}
	return best
}
