package proxy

import (
	"context"
	"time"
)

// stateStep is how often usage goes to the store and the store is asked what others wrote. The store passes on both within
// half a second.
const stateStep = 250 * time.Millisecond

// kept is how far the store was read. One goroutine has it at a time.
type kept struct {
	seq      int64
	revision int64
	read     bool // at least once
}

// keepState hands on what was used, and takes in what other processes wrote, until ctx ends.
func (s *Server) keepState(ctx context.Context) {
	ticker := time.NewTicker(stateStep)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			s.usage.flush()
			s.restore()
		case <-ctx.Done():
			s.usage.flush()
			return
		}
	}
}

// restore gives the pool what is new in the store: at the start what there is, later what others wrote.
func (s *Server) restore() {
	revision := s.deps.Store.Revision()
	if s.kept.read && revision == s.kept.revision {
		return
	}
	records, next, err := s.deps.Store.KeysSince(s.kept.seq)
	if err != nil {
		s.log.Error("cannot read the states of keys", "error", err.Error())
		return
	}
	if len(records) > 0 {
		s.pool.Restore(records)
	}
	s.kept = kept{seq: next, revision: revision, read: true}
}
