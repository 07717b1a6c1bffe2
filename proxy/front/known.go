package front

import (
	"bytes"
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

const (
	knownBlocks = 64      // of a Known
	knownBytes  = 4 << 20 // of all of them
	leastKnown  = 2 << 10 // bytes; what is smaller is read as quickly as it is compared
	seenBlocks  = 256
)

// Known remembers what became of large arrays or objects, above all a request's tools, which clients send again with each request:
// whoever reads one that is known gets what was read before, and must not change it. A block is known from its second time on, and
// kept as long as few enough others are. A nil *Known remembers nothing. Safe for concurrent use.
type Known[T any] struct {
	blocks atomic.Pointer[[]known[T]] // the newest first; replaced as a whole

	mu   sync.Mutex // of whoever replaces it, and of seen
	seed maphash.Seed
	seen [seenBlocks]uint64 // of blocks that came once, by their hashes
}

type known[T any] struct {
	gemini.Block
	made T
}

// NewKnown makes an empty memory.
func NewKnown[T any]() *Known[T] { return &Known[T]{seed: maphash.MakeSeed()} }

// Read reads the next value of w by read, unless it is known.
func (k *Known[T]) Read(w *gemini.Walker, read func(w *gemini.Walker) T) (made T) {
	if k == nil {
		return read(w)
	}
	if blocks := k.blocks.Load(); blocks != nil {
		for i := range *blocks {
			if b := &(*blocks)[i]; w.Pass(&b.Block) {
				return b.made
			}
		}
	}
	raw := w.Span(func() { made = read(w) })
	if len(raw) >= leastKnown && len(raw) <= knownBytes/4 && (raw[0] == '[' || raw[0] == '{') && k.again(raw) {
		k.add(bytes.Clone(raw), read)
	}
	return made
}

// again reports whether a block was seen before, and notes that it was.
func (k *Known[T]) again(raw []byte) bool {
	sum := maphash.Bytes(k.seed, raw)
	k.mu.Lock()
	defer k.mu.Unlock()
	slot := &k.seen[sum%seenBlocks]
	seen := *slot == sum
	*slot = sum
	return seen
}

// add remembers a block, which is read once more: what is made of it must not keep the request that it came in.
func (k *Known[T]) add(raw []byte, read func(w *gemini.Walker) T) {
	w := gemini.NewWalker(raw)
	made := read(w)
	if w.Done() != nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	all := []known[T]{{gemini.NewBlock(raw, w), made}}
	if old := k.blocks.Load(); old != nil {
		if slices.ContainsFunc(*old, func(b known[T]) bool { return b.Is(raw) }) {
			return // another request was faster
		}
		all = append(all, *old...)
	}
	size := 0
	end := slices.IndexFunc(all, func(b known[T]) bool { size += b.Size(); return size > knownBytes })
	if end >= 0 {
		all = all[:end]
	}
	all = slices.Clone(all[:min(len(all), knownBlocks)])
	k.blocks.Store(&all)
}
