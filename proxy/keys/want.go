package keys

import (
	"slices"
	"time"
)

// Want says what a key is needed for.
type Want struct {
	Model  string // whose rests count
	Tokens int    // of the prompt, estimated; 0 is unknown
	// Conversation prefers one key for everything that belongs together, since Google's implicit prompt cache is the key's
	// project's. When other keys come or go the preferred one stays. "" takes the keys in turn.
	Conversation string
	Only         string   // the id of the one key that can serve, "" is any
	Avoid        []string // ids of keys that were tried already: taken only where no other is usable
	NotVia       []string // ways out, in the words of Lease.Egress, that are never taken
	AvoidVia     []string // ways out that are taken only where no other is usable
}

// choose picks a usable key, nil if there is none.
func (p *Pool) choose(want Want, now time.Time) *key {
	usable := func(k *key) bool {
		return (want.Only == "" || k.id == want.Only) && !slices.Contains(want.NotVia, k.egress) && k.out() == NoReason && k.resting(want.Model, now).reason == NoReason
	}
	fresh := func(k *key) bool {
		return usable(k) && !slices.Contains(want.Avoid, k.id) && !slices.Contains(want.AvoidVia, k.egress)
	}
	pick := p.inTurn
	if want.Conversation != "" {
		pick = func(may func(*key) bool) *key { return p.preferred(hash(want.Conversation), may) }
	}
	if k := pick(fresh); k != nil || len(want.Avoid)+len(want.AvoidVia) == 0 {
		return k
	}
	return pick(usable)
}

// inTurn goes on with the round robin.
func (p *Pool) inTurn(may func(*key) bool) *key {
	for i := range p.keys {
		k := p.keys[(p.next+i)%len(p.keys)]
		if may(k) {
			p.next = (p.next + i + 1) % len(p.keys)
			return k
		}
	}
	return nil
}

// preferred is rendezvous hashing: every key has a rank for the conversation, which no other key changes.
func (p *Pool) preferred(conversation uint64, may func(*key) bool) *key {
	var best *key
	var top uint64
	for _, k := range p.keys {
		if rank := mix(conversation ^ k.hash); may(k) && (best == nil || rank > top) {
			best, top = k, rank
		}
	}
	return best
}

// hash is the same in every process, so that a conversation outlives a restart.
func hash(s string) uint64 {
	h := uint64(14695981039346656037) // FNV-1a
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return mix(h)
}

// mix spreads every bit over all others (the finalizer of SplitMix64).
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}
