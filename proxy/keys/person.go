package keys

import (
	"fmt"
	"strings"

	"github.com/gemini-claude-adapter/gca/proxy/config"
)

// minPrefix is how much of a key itself names it, in characters: six of them are the same for most.
const minPrefix = 8

// Named is what a person may call a key by.
type Named struct {
	ID, Label string
	Secret    config.Secret
}

// Match returns the ids of the keys that a person means, as MatchName does.
func (p *Pool) Match(name string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]Named, 0, len(p.keys))
	for _, k := range p.keys {
		all = append(all, Named{k.id, k.label, k.secret})
	}
	return MatchName(name, all)
}

// MatchName returns the ids of those of all that a person means: the one whose id or label it is, else all whose id or label
// begins with it, or which themselves do, for eight characters or more: some know of a key only how it begins.
func MatchName(name string, all []Named) []string {
	if name == "" {
		return nil
	}
	var whole, begun []string
	for _, k := range all {
		if k.ID == name || k.Label == name {
			whole = append(whole, k.ID)
		}
		itself := len(name) >= minPrefix && strings.HasPrefix(k.Secret.Reveal(), name)
		if strings.HasPrefix(k.ID, name) || strings.HasPrefix(k.Label, name) || itself {
			begun = append(begun, k.ID)
		}
	}
	if len(whole) > 0 {
		return whole
	}
	return begun
}

// Reset gives a key another chance at once: whatever was learned of it and of its project is forgotten. A key that a person
// disabled stays so. The error is an unknown id, or the Keeper's.
func (p *Pool) Reset(id string) error {
	return p.change(id, func(k *key) {
		g, hand := k.group, k.hand
		k.hand = false
		for _, r := range append(k.records(), g.records()...) {
			p.record(r.gone())
		}
		k.disabled, k.probe, k.whole, k.faults, k.hand = NoReason, probe{}, rest{}, 0, hand
		clear(k.rests)
		g.whole = rest{}
		for _, l := range g.ledgers {
			l.rest, l.requests, l.tokens, l.day = rest{}, limit{}, limit{}, limit{}
		}
		p.part(g)
	})
}

// Disable takes a key out until Enable. The error is an unknown id, or the Keeper's.
func (p *Pool) Disable(id string) error {
	return p.change(id, func(k *key) {
		k.hand = true
		p.record(stateRecord(k.id, recordHand, ByHand))
	})
}

// Enable ends Disable, and Google's own verdict on the key; its rests go on. The error is an unknown id, or the Keeper's.
func (p *Pool) Enable(id string) error {
	return p.change(id, func(k *key) {
		k.hand, k.disabled, k.probe = false, NoReason, probe{}
		p.record(stateRecord(k.id, recordHand, NoReason))
		p.record(stateRecord(k.id, recordState, NoReason))
	})
}

// change is what a person does to a key.
func (p *Pool) change(id string, f func(*key)) error {
	p.lock()
	k := p.ids[id]
	if k == nil {
		p.mu.Unlock()
		return unknownKey(id)
	}
	f(k)
	p.countAble()
	p.serveAll()
	p.mu.Unlock()
	return p.keep()
}

func unknownKey(id string) error { return fmt.Errorf("no key has the id %q\nhint: gca keys list", id) }

// Lend leases one key whatever its state, for a probe or a test of it. The error is an unknown id.
func (p *Pool) Lend(id string) (*Lease, error) {
	p.lock()
	defer p.mu.Unlock()
	k := p.ids[id]
	if k == nil {
		return nil, unknownKey(id)
	}
	return p.borrow(k), nil
}
