package proxy

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	"github.com/gemini-claude-adapter/gca/proxy/front"
)

// crowdedRetry is when somebody who found no place may try again: nobody knows when the next one is free.
const crowdedRetry = 5 * time.Second

// bounds are what the server has of what its clients share.
type bounds struct {
	places *admission
	bodies *bodies
	tokens *allowances
}

func newBounds(cfg *config.Config) bounds {
	return bounds{places: newAdmission(), bodies: newBodies(machineMemory(), cfg.MaxBody), tokens: newAllowances()}
}

// admission bounds how many requests are served at once, of all clients and of each token. Who finds no place waits in its
// token's line. Free places go round among the lines, and the longest one gives way when too many wait, so that the many
// requests of one client never keep out the few of another.
type admission struct {
	mu      sync.Mutex
	total   int // MAX_CONCURRENT as of the last request; as many may wait
	running int
	waiting int
	lines   map[string]*line // by the token's name; without those that have nobody running or waiting
	turns   []*line          // those in which somebody waits, the next one first
}

// line is what one token has in the house and before its door.
type line struct {
	name    string
	limit   int // requests at once, 0 is no limit
	running int
	waiting []*waiter // the first to come first
}

// waiter is one request in a line.
type waiter struct {
	done chan struct{} // closed when it waits no longer
	end  waiterEnd
}

// waiterEnd is how the waiting ended.
type waiterEnd uint8

const (
	waits    waiterEnd = iota // not yet
	placed                    // a place is its own
	givesWay                  // too many wait
)

func newAdmission() *admission { return &admission{lines: map[string]*line{}} }

// enter takes a place for a request of who, waiting up to QUEUE_TIMEOUT or until ctx ends. After nil the place must be left,
// once.
func (a *admission) enter(ctx context.Context, who *config.Token, cfg *config.Config) (leave func(), refusal *front.Error) {
	l, w := a.join(who, cfg)
	timer := time.NewTimer(cfg.QueueTimeout)
	defer timer.Stop()
	select {
	case <-w.done:
	case <-timer.C:
	case <-ctx.Done():
	}
	if refusal = a.settle(l, w, cfg); refusal != nil {
		return nil, refusal
	}
	return func() { a.leave(l) }, nil
}

// tryEnter takes a place that is free, as most are. After true the place must be left, once.
func (a *admission) tryEnter(who *config.Token, cfg *config.Config) (leave func(), ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.lineOf(who, cfg)
	a.place() // there may be more places than before
	if len(l.waiting) > 0 || a.running >= a.total || !l.open() {
		a.forget(l)
		return nil, false
	}
	a.running++
	l.running++
	return func() { a.leave(l) }, true
}

// lineOf finds a token's line, under the settings of now.
func (a *admission) lineOf(who *config.Token, cfg *config.Config) *line {
	name, limit := "", 0
	if who != nil {
		name, limit = who.Name, who.Limits.Concurrent
	}
	l, known := a.lines[name]
	if !known {
		l = &line{name: name}
		a.lines[name] = l
	}
	a.total, l.limit = cfg.MaxConcurrent, limit
	return l
}

// open reports whether the token may have one more request under way.
func (l *line) open() bool { return l.limit == 0 || l.running < l.limit }

// join puts a request in its line, where it may be placed at once.
func (a *admission) join(who *config.Token, cfg *config.Config) (*line, *waiter) {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.lineOf(who, cfg)
	w := &waiter{done: make(chan struct{})}
	l.waiting = append(l.waiting, w)
	a.waiting++
	if len(l.waiting) == 1 {
		a.turns = append(a.turns, l)
	}
	a.place()
	if a.waiting > a.total {
		longest := slices.MaxFunc(a.turns, func(x, y *line) int { return len(x.waiting) - len(y.waiting) })
		if len(longest.waiting) == len(l.waiting) {
			longest = l // among equals the one that came last
		}
		a.release(longest, longest.waiting[len(longest.waiting)-1], givesWay)
	}
	return l, w
}

// place gives free places to those who wait, a line after the other.
func (a *admission) place() {
	for a.running < a.total {
		i := slices.IndexFunc(a.turns, (*line).open)
		if i < 0 {
			return
		}
		l := a.turns[i]
		a.running++
		l.running++
		a.release(l, l.waiting[0], placed)
		if len(l.waiting) > 0 { // its next one comes after those of all others
			a.turns = append(slices.Delete(a.turns, i, i+1), l)
		}
	}
}

// release ends a waiter's waiting.
func (a *admission) release(l *line, w *waiter, end waiterEnd) {
	w.end = end
	close(w.done)
	l.waiting = slices.DeleteFunc(l.waiting, func(other *waiter) bool { return other == w })
	a.waiting--
	if len(l.waiting) == 0 {
		a.turns = slices.DeleteFunc(a.turns, func(other *line) bool { return other == l })
	}
	a.forget(l)
}

func (a *admission) forget(l *line) {
	if l.running == 0 && len(l.waiting) == 0 && a.lines[l.name] == l {
		delete(a.lines, l.name)
	}
}

// settle ends the waiting, and says why the request has no place if it has none.
func (a *admission) settle(l *line, w *waiter, cfg *config.Config) *front.Error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch w.end {
	case placed:
		return nil
	case givesWay:
		return a.crowded(l, cfg, "and as many wait")
	}
	a.release(l, w, givesWay)
	return a.crowded(l, cfg, fmt.Sprintf("and no place was free within %ds (QUEUE_TIMEOUT)", int(cfg.QueueTimeout/time.Second)))
}

func (a *admission) leave(l *line) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.running--
	l.running--
	a.place()
	a.forget(l)
}

// crowded says which limit keeps a request of l out.
func (a *admission) crowded(l *line, cfg *config.Config, why string) *front.Error {
	if l.limit > 0 && l.running >= l.limit {
		return &front.Error{Kind: front.RateLimited, RetryAfter: crowdedRetry,
			Message: fmt.Sprintf("token %s has %d requests under way, as many as it may (concurrent=%d), %s; try again in %ss",
				l.name, l.running, l.limit, why, seconds(crowdedRetry))}
	}
	return &front.Error{Kind: front.Overloaded, RetryAfter: crowdedRetry,
		Message: fmt.Sprintf("the adapter is busy with %d requests, as many as it may serve at once (MAX_CONCURRENT=%d), %s\n"+
			"hint: ask again in a moment; who runs the adapter can raise MAX_CONCURRENT", a.running, cfg.MaxConcurrent, why)}
}

// enter takes a place for a request, until it is over. Its body is here: behind one that nobody reads it could not be seen that
// the client leaves.
func (s *Server) enter(in *inbound) *front.Error {
	cfg := s.settings()
	leave, placed := s.bounds.places.tryEnter(in.token, cfg)
	if !placed {
		began := time.Now()
		life := s.follow(in)
		defer life.close()
		var refusal *front.Error
		leave, refusal = s.bounds.places.enter(life.ctx, in.token, cfg)
		if in.waited = time.Since(began); in.waited >= noticedWait {
			s.meters.queued.Inc()
		}
		if refusal != nil {
			in.access.gone = life.gone()
			return refusal
		}
	}
	in.access.giveBack = append(in.access.giveBack, leave)
	return nil
}

// counts is how many requests are being served and how many wait for their place.
func (a *admission) counts() (running, waiting int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.running, a.waiting
}
