package proxy

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/upstream"
)

const (
	refusedFor = 5 * time.Second
	maxRefused = 1024
)

// refusals remembers for a moment which requests Google refused and nobody could mend. Clients repeat such a request at once,
// Claude Code five times; each time would cost a call and one more for every way to mend it, and failed calls count against
// the quotas too.
type refusals struct {
	seed   maphash.Seed
	mu     sync.Mutex
	recent map[uint64]refusal
	last   time.Time // when the youngest is forgotten
}

type refusal struct {
	until time.Time
	why   *front.Error
}

func newRefusals() *refusals {
	return &refusals{seed: maphash.MakeSeed(), recent: map[uint64]refusal{}}
}

// find returns why the very same request was refused a moment ago, nil if it was not.
func (r *refusals) find(req *upstream.Request) *front.Error {
	now := time.Now()
	if !r.any(now) {
		return nil // as nearly always, without a look at the body
	}
	sum := req.Sum(r.seed)
	r.mu.Lock()
	defer r.mu.Unlock()
	if known, ok := r.recent[sum]; ok && now.Before(known.until) {
		return known.why
	}
	return nil
}

// any reports whether anything is remembered.
func (r *refusals) any(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return now.Before(r.last)
}

// put remembers a refusal. When there are too many, all before it are forgotten.
func (r *refusals) put(req *upstream.Request, why *front.Error) {
	sum := req.Sum(r.seed)
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if !now.Before(r.last) || len(r.recent) >= maxRefused {
		clear(r.recent)
	}
	r.last = now.Add(refusedFor)
	r.recent[sum] = refusal{until: r.last, why: why}
}
