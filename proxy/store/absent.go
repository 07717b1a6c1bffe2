package store

import (
	"strings"
	"sync"
)

const (
	maxAbsent   = 16 << 10
	maxAbsentID = 128
)

// absent knows of ids that the file has no record of: those of a history that began elsewhere come again with each of its
// requests, and asking the file for them costs more than the rest of a request. It holds as long as nobody else writes.
type absent struct {
	mu       sync.RWMutex
	revision int64 // of the store, for which ids hold
	ids      map[string]struct{}
}

func newAbsent() *absent { return &absent{ids: map[string]struct{}{}} }

// has reports whether id was looked for in vain since the store got to this revision.
func (a *absent) has(id string, revision int64) bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	_, ok := a.ids[id]
	return ok && a.revision == revision
}

// add takes an id that was looked for in vain. revision is the store's as it was before.
func (a *absent) add(id string, revision int64) {
	if len(id) > maxAbsentID {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.revision != revision || len(a.ids) >= maxAbsent {
		clear(a.ids)
		a.revision = revision
	}
	a.ids[strings.Clone(id)] = struct{}{} // the request has its words in one piece
}

// remove takes an id that now has a record.
func (a *absent) remove(id string) {
	a.mu.RLock()
	_, ok := a.ids[id]
	a.mu.RUnlock()
	if !ok {
		return // as nearly always
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.ids, id)
}
