// Package keys chooses which Gemini API key serves a request, and lets keys rest or retires them by what Google answered.
//
// Flow: Pool.Acquire hands out a Lease, already counted; the request is made with it; Lease.Done(Outcome) gives it back,
// exactly once, and says what Google thought of the key:
//
//	            Rest, Faults in a row           Disable
//	healthy ──────────────────────────> resting ─────────> disabled
//	   ^  │          time passes           │                  ^ │
//	   └──┼─────────────────────────────────   Probed, Reset, │ │
//	   ^  └───────────────────────────────────────────────────┘ │
//	   └────────────────────────────────────────────────────────┘ Enable
//
// Whether a key is valid is the key's own; quotas are the project's, for each model apart. A project is a group: keys that are
// configured as one, or a key alone (group.go). What Google says of its limits is learned, and no lease goes beyond them
// (quota.go). Who asks for a conversation gets the project that has its prefix cached (choose.go); who finds every key dry
// waits in line (queue.go). Every change of state is a record, kept before the call returns (record.go).
package keys

import (
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"sync"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
)

// Options are the pool's settings.
type Options struct {
	MaxFailures   int           // unexplained faults in a row until a key rests, >= 1
	CoolingPeriod time.Duration // how long it then rests
	Keeper        Keeper        // gets every change of a key's state; nil keeps nothing
	Log           *slog.Logger  // where it is said that the Keeper failed; nil is nowhere
}

// Pool is a set of API keys. It is safe for concurrent use.
type Pool struct {
	mu      sync.Mutex
	options Options
	clock   func() (now, steady time.Time)
	moment  moment

	keys   []*key // in their configured order
	ids    map[string]*key
	groups map[string]*group
	ring   []point
	next   int    // where the round robin goes on
	able   int    // keys that are not out
	busy   int    // leases that are out
	steps  uint64 // walks along the ring

	moved  memory
	hints  hints
	queues map[string]*queue // by model

	pending  map[recordID]Record // changes that the Keeper has not got yet
	recorded uint64              // changes so far
	keeping  sync.Mutex          // held while the Keeper writes
	failing  bool                // the Keeper failed last time; under keeping
}

// moment is the time of one call. Rests end by the clock on the wall where Google names a moment of it, and like windows and
// limits by one that nobody sets where it names a span: a clock that is set back holds no key.
type moment struct {
	now      time.Time
	steady   time.Time // of a clock that nobody sets
	sec      int64     // of the same, in Unix seconds
	dawn     time.Time // the beginning of Google's day, by the wall
	midnight time.Time // its end
}

// second is a time in the seconds of the steady clock.
func (m *moment) second(t time.Time) int64 { return m.steady.Add(t.Sub(m.now)).Unix() }

// at is when a second of the steady clock begins.
func (m *moment) at(sec int64) time.Time { return m.now.Add(time.Unix(sec, 0).Sub(m.steady)) }

// steadily makes a clock whose second reading began as the first one and is never set: it follows the system's monotonic clock.
func steadily() func() (now, steady time.Time) {
	start := time.Now()
	return func() (time.Time, time.Time) {
		now := time.Now()
		return now, start.Add(now.Sub(start)).Round(0)
	}
}

// New makes a pool of the keys in their configured order.
func New(configured []config.Key, options Options) *Pool {
	p := &Pool{clock: steadily(), ids: map[string]*key{}, groups: map[string]*group{}, queues: map[string]*queue{}, pending: map[recordID]Record{}}
	p.lock()
	defer p.mu.Unlock()
	p.arrange(configured, options)
	return p
}

// lock locks the pool and looks at the clock.
func (p *Pool) lock() {
	p.mu.Lock()
	m := &p.moment
	m.now, m.steady = p.clock()
	m.sec = m.steady.Unix()
	if m.now.Before(m.dawn) || !m.now.Before(m.midnight) {
		m.dawn, m.midnight = today(m.now), NextDay(m.now)
	}
}

// Size is how many keys there are, in whatever state.
func (p *Pool) Size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.keys)
}

// ID names a key without giving it away: eight hex digits of its SHA-256 and its last four characters, or only the former
// where four characters would be much of the key.
func ID(secret config.Secret) string {
	s := secret.Reveal()
	sum := sha256.Sum256([]byte(s))
	id := hex.EncodeToString(sum[:4])
	if len(s) >= 16 {
		id += "-" + s[len(s)-4:]
	}
	return id
}
