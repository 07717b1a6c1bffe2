package keys

import (
	"fmt"
	"strings"
	"time"
)

// Match returns the ids of the keys that a person means: the one whose id or label it is, else all whose id or label begins
// with it.
func (p *Pool) Match(name string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var whole, begun []string
	for _, k := range p.keys {
		if k.id == name || k.label == name {
			whole = append(whole, k.id)
		}
		if strings.HasPrefix(k.id, name) || strings.HasPrefix(k.label, name) {
			begun = append(begun, k.id)
		}
	}
	if name == "" {
		return nil
	}
	if len(whole) > 0 {
		return whole
	}
	return begun
}

// Reset gives a key another chance at once: whatever Google said of it and of its project is forgotten. A key that a person
// disabled stays so. The error is an unknown id, or the Keeper's.
func (p *Pool) Reset(id string) error {
	return p.change(id, func(k *key) {
		k.disabled, k.faults = NoReason, 0
		for _, peer := range k.peers {
			peer.whole = rest{}
			clear(peer.rests)
		}
	})
}

// Disable takes a key out until Enable. The error is an unknown id, or the Keeper's.
func (p *Pool) Disable(id string) error {
	return p.change(id, func(k *key) { k.hand = true })
}

// Enable ends Disable, and Google's own verdict on the key; its rests go on. The error is an unknown id, or the Keeper's.
func (p *Pool) Enable(id string) error {
	return p.change(id, func(k *key) { k.hand, k.disabled = false, NoReason })
}

func (p *Pool) change(id string, f func(*key)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := p.find(id)
	if k == nil {
		return unknownKey(id)
	}
	f(k)
	p.wake()
	return nil
}

func (p *Pool) find(id string) *key {
	for _, k := range p.keys {
		if k.id == id {
			return k
		}
	}
	return nil
}

func unknownKey(id string) error { return fmt.Errorf("no key has the id %q\nhint: gca keys list", id) }

// Lend leases one key whatever its state, for a probe or a test of it. The error is an unknown id.
func (p *Pool) Lend(id string) (*Lease, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := p.find(id)
	if k == nil {
		return nil, unknownKey(id)
	}
	k.inflight++
	k.requests++
	return &Lease{pool: p, key: k, proxy: k.proxy, egress: k.egress}, nil
}

// Due lists the keys whose validity is worth a probe: those that Google disabled, and failing ones, with growing pauses. A key
// that a person disabled is never among them, nor one that is merely out of quota.
func (p *Pool) Due(now time.Time) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var ids []string
	for _, k := range p.keys {
		failing := k.whole.reason == Failing && k.whole.until.After(now)
		if !k.hand && (k.disabled.mends() || failing) {
			ids = append(ids, k.id)
		}
	}
	return ids
}

// Probed tells what a probe of Due's found. A key that works is used again, as far as its quota allows.
func (p *Pool) Probed(id string, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := p.find(id)
	if k == nil || !ok {
		return
	}
	if k.disabled.mends() {
		k.disabled = NoReason
	}
	if k.whole.reason == Failing {
		k.whole, k.faults = rest{}, 0
	}
	p.wake()
}

// mends reports whether a key that is out for the reason may be in order again some day.
func (r Reason) mends() bool { return r == Invalid || r == Blocked || r == Suspended || r == NoBilling }

// Restore merges what was kept, by this process or another one, into the keys' state. The Keeper is not told.
func (p *Pool) Restore([]Record) {}
