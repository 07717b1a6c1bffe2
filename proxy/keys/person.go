package keys

import (
	"fmt"
	"strings"
)

// Match returns the ids of the keys that a person means: the one whose id or label it is, else all whose id or label begins
// with it.
func (p *Pool) Match(name string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var whole, begun []string
	if name == "" {
		return nil
	}
	for _, k := range p.keys {
		if k.id == name || k.label == name {
			whole = append(whole, k.id)
		}
		if strings.HasPrefix(k.id, name) || strings.HasPrefix(k.label, name) {
			begun = append(begun, k.id)
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
