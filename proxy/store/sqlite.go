package store

import (
	"crypto/rand"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
)

const (
	period     = 500 * time.Millisecond // between two writes of what is not urgent, and two looks at what others wrote
	maxPause   = 30 * time.Second       // between two attempts at a file that cannot be used
	pruneEvery = 10 * time.Minute
	prunePuts  = 2000 // signatures after which the file is pruned before its time
)

// SQLite is a Store in a file. A file that cannot be read or written costs no request: everything goes on in memory, one line
// of the log says so, and what can be kept is written when the file is good again.
//
// One goroutine writes. It takes all that waits as one batch and one transaction: at once for a key's state, since its caller
// waits, else twice a second.
type SQLite struct {
	path   string
	limits Limits
	log    *slog.Logger
	writer string // names this store in the file: its own records are no news to it
	cache  *cache
	absent *absent

	file     atomic.Pointer[file] // nil while it cannot be used
	revision atomic.Int64
	suspect  atomic.Bool // a read found the file damaged

	wake  chan struct{} // something is urgent
	stop  chan struct{}
	ended chan struct{} // the writer's end

	commit  sync.RWMutex // held for writing while a batch is on its way from memory into the file
	mu      sync.Mutex
	waiting *batch // to be written
	failing error  // of the last attempt, nil after a good one
	closed  bool

	// These are the writer's alone.
	retry  time.Time     // no attempt before that while failing
	pause  time.Duration // that it doubles
	pruned time.Time
	puts   int // since then
}

// OpenSQLite opens the file at path, or makes it in a folder that is there, for its owner alone. What is wrong with it is
// logged, and does not keep the store from working. A file that is damaged, or no database, is renamed and a new one begun;
// a database of another program is left alone.
func OpenSQLite(path string, limits Limits, log *slog.Logger) *SQLite {
	s := &SQLite{
		path: path, limits: limits, log: log, writer: rand.Text(), cache: newCache(limits), absent: newAbsent(), waiting: newBatch(),
		wake: make(chan struct{}, 1), stop: make(chan struct{}), ended: make(chan struct{}),
	}
	s.try(newBatch())
	go s.run()
	return s
}

// Put never fails.
func (s *SQLite) Put(r front.Record) error {
	now := time.Now()
	s.cache.put(r, now)
	s.absent.remove(r.ClientID)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.waiting.addSignature(signature{r, now})
	}
	return nil
}

// Get reads the file only for what is not in memory: what another process wrote, or this one long ago.
func (s *SQLite) Get(clientID string) (front.Record, bool, error) {
	if r, ok := s.cache.get(clientID); ok {
		return r, true, nil
	}
	revision := s.revision.Load()
	f := s.file.Load()
	if f == nil || s.absent.has(clientID, revision) {
		return front.Record{}, false, nil
	}
	g, ok, err := f.signature(clientID)
	if err != nil {
		return front.Record{}, false, s.unreadable(err)
	}
	if !ok || time.Since(g.put) >= s.limits.Age {
		s.absent.add(clientID, revision)
		return front.Record{}, false, nil
	}
	s.cache.put(g.record, g.put)
	return g.record, true, nil
}

// KeepKeys returns when the records are on disk. While the file cannot be written it fails at once; the records wait.
func (s *SQLite) KeepKeys(changed []keys.Record) error {
	if len(changed) == 0 {
		return nil
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrClosed
	}
	b, failing := s.waiting, s.failing
	b.addKeys(changed)
	s.mu.Unlock()
	if failing != nil {
		return failing
	}
	s.hurry()
	<-b.done
	return b.err
}

// hurry wakes the writer before its time.
func (s *SQLite) hurry() {
	select {
	case s.wake <- struct{}{}:
	default: // it is about to wake
	}
}

// KeysSince reads the file; it has none while that cannot be used, and Revision grows when it can.
func (s *SQLite) KeysSince(seq int64) ([]keys.Record, int64, error) {
	f := s.file.Load()
	if f == nil {
		return nil, seq, nil
	}
	records, next, err := f.keysSince(seq, s.writer)
	if err != nil {
		return nil, seq, s.unreadable(err)
	}
	return records, next, nil
}

// AddUsage fails only after Close.
func (s *SQLite) AddUsage(rows []Usage) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	s.waiting.usage.add(rows)
	return nil
}

// Usage reads the file, and adds what waits to be written.
func (s *SQLite) Usage(fromDay, toDay string) ([]Usage, error) {
	s.commit.RLock()
	defer s.commit.RUnlock()
	sum := usageTable{}
	if f := s.file.Load(); f != nil {
		rows, err := f.usage(fromDay, toDay)
		if err != nil {
			return nil, s.unreadable(err)
		}
		sum.add(rows)
	}
	s.mu.Lock()
	sum.add(s.waiting.usage.days(fromDay, toDay))
	s.mu.Unlock()
	return sum.days(fromDay, toDay), nil
}

// Revision grows also when the file is there after it was not.
func (s *SQLite) Revision() int64 { return s.revision.Load() }

// Close may be called again.
func (s *SQLite) Close() error {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	s.mu.Unlock()
	if first {
		close(s.stop)
	}
	<-s.ended
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting.empty() {
		return nil
	}
	return s.failing
}

// unreadable has the writer look at a file that a read found damaged.
func (s *SQLite) unreadable(err error) error {
	if damaged(err) {
		s.suspect.Store(true)
		s.hurry()
	}
	return s.cannot(err)
}
