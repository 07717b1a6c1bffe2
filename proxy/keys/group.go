package keys

import "time"

// group is a project as far as it is known: the keys that are configured as one, or one key. It owns the state of quotas. Keys
// may share a project without anybody's having said so; what hints at that is in learned.go.
type group struct {
	name    string // of its records: a key's id, or "group=" and the configured name
	keys    []*key
	whole   rest               // of all models: spending and credits
	ledgers map[string]*ledger // by model
	learned *learned           // the project that it seems to share with other groups; nil is none
	jitter  time.Duration      // after midnight, so that not all projects come back in the same second

	alone []*group // the group itself
	seen  uint64   // the walk along the ring that came by last
	held  bool     // for somebody at the head of a line, during one pass through it
	plan  *plan    // likewise: its future
}

const maxJitter = 30 * time.Second

func newGroup(name string) *group {
	jitter := time.Second + time.Duration(hash(name)%uint64(maxJitter-time.Second))
	g := &group{name: name, ledgers: map[string]*ledger{}, jitter: jitter.Truncate(time.Millisecond)}
	g.alone = []*group{g}
	return g
}

func groupName(declared, id string) string {
	if declared == "" {
		return id
	}
	return "group=" + declared
}

// ledger is that of a model, made where there is none. room is how many there may be.
func (g *group) ledger(model string, room int) *ledger {
	if l := g.ledgers[model]; l != nil {
		return l
	}
	if len(g.ledgers) >= room {
		delete(g.ledgers, g.leastUseful())
	}
	l := &ledger{}
	g.ledgers[model] = l
	return l
}

// leastUseful is the model to forget: one that is not seen, first, and then the one that was not asked for longest.
func (g *group) leastUseful() string {
	var least string
	best := int64(-1)
	for model, l := range g.ledgers {
		age := l.used
		if l.rest.reason == NoModel {
			age = 0
		}
		if best < 0 || age < best {
			least, best = model, age
		}
	}
	return least
}

// resting is what keeps the group from the model by Google's word; it may have ended.
func (g *group) resting(model string) rest {
	if l := g.ledgers[model]; l != nil {
		return g.whole.later(l.rest)
	}
	return g.whole
}

// setRest notes a rest of the group for a model, or for all if that is "".
func (g *group) setRest(model string, r rest, room int) {
	if model == "" {
		g.whole = r
		return
	}
	l := g.ledger(model, room)
	l.rest = r
	if r.reason == NoModel {
		l.window = nil // there is nothing to count
	}
}

// restOf is the group's rest for a model, or for all if that is "".
func (g *group) restOf(model string) rest {
	if model == "" {
		return g.whole
	}
	if l := g.ledgers[model]; l != nil {
		return l.rest
	}
	return rest{}
}

func (g *group) endRest(model string) {
	if model == "" {
		g.whole = rest{}
	} else if l := g.ledgers[model]; l != nil {
		l.rest = rest{}
	}
}
