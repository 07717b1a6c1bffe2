package keys

// Want says what a key is needed for.
type Want struct {
	Model  string // whose rests and quota count
	Tokens int    // of the prompt, estimated; 0 is unknown
	// Conversation prefers one project for everything that belongs together, since Google's implicit prompt cache is the
	// project's. When other keys come or go the preferred one stays. "" takes the key with the most room.
	Conversation string
	Only         string   // the id of the one key that can serve, "" is any
	Avoid        []string // ids of keys that were tried already: taken only where no other is usable
	Above        int      // the prompt is longer than this quota of tokens a minute, so Google said; 0 is not said
	NotVia       []string // ways out, in the words of Lease.Egress, that are never taken
	AvoidVia     []string // ways out that are taken only where no other is usable
}

// plain reports whether any key could serve, as far as it is about the request.
func (w *Want) plain() bool { return w.Only == "" && w.Above == 0 && len(w.NotVia) == 0 }

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
