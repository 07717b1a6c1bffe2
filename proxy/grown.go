package proxy

import (
	"maps"
	"sync"
	"sync/atomic"
)

// grown is a map that grows for a while and is read all the time, without a lock and without allocation. It has a limit, beyond
// which everything new is one entry, "other".
type grown[T any] struct {
	limit int
	fresh func(name string) *T // makes an entry, called once for each

	mu    sync.Mutex
	known atomic.Pointer[map[string]*T]
}

func newGrown[T any](limit int, fresh func(string) *T) *grown[T] {
	g := &grown[T]{limit: limit, fresh: fresh}
	g.known.Store(&map[string]*T{})
	return g
}

// of finds the entry of a name, or makes it.
func (g *grown[T]) of(name string) *T {
	if v := (*g.known.Load())[name]; v != nil {
		return v
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	known := *g.known.Load()
	if known[name] == nil && len(known) >= g.limit {
		name = "other"
	}
	if v := known[name]; v != nil {
		return v
	}
	known = maps.Clone(known)
	v := g.fresh(name)
	known[name] = v
	g.known.Store(&known)
	return v
}
