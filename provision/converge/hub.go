package converge

import (
	"context"
	"net"
	"slices"
	"sync"
	"time"
)

const (
	maxProgress = 1000             // events of progress that are kept to be told again; older ones are forgotten first
	writeTime   = 30 * time.Second // a laptop that takes nothing for so long is gone
	aliveTime   = 12 * time.Second // a laptop that says nothing for so long may be at the other end of a cut
	letGoTime   = 2 * time.Second  // for a laptop to take the last that it is told
)

// hub keeps all that happens in a deploy, and tells it to the laptop that listens: first what has been, then what comes.
// To tell it something never waits for a laptop: each is fed from what is kept, at its own pace.
type hub struct {
	feeding sync.WaitGroup
	titles  map[string]string // of steps, by id

	mu        sync.Mutex
	events    []event
	seq       int // of the next event
	running   Running
	laptop    *laptop       // that listens, or nil
	committed bool          // by the laptop
	patience  time.Duration // for a commit, once everything is applied
	armed     bool          // it is not to be committed before it is proven
	goesOff   time.Time     // the dead man's timer, where it is armed
	proven    bool          // that a new login gets in
	heard     bool          // the laptop has heard that everything was put back
	ended     bool          // nothing more will be told
	changed   chan struct{} // closed at the next change of any of these
}

type event struct {
	seq     int
	message Message
}

// laptop is one who attached: the front that it talks through.
type laptop struct {
	conn net.Conn
	wire *wire
	by   string    // IP address, or empty
	next int       // the event to tell it next
	seen time.Time // when it was last heard; guarded by the hub
}

// newHub begins with the plan that is being carried out; patience is how long it waits for a commit in the end.
func newHub(plan Plan, want Want, since time.Time, patience time.Duration) *hub {
	h := &hub{patience: patience, titles: map[string]string{}, changed: make(chan struct{})}
	h.running = Running{Release: want.Release(), Since: since.UTC(), By: want.Client, State: RunApplying, Total: len(plan.steps)}
	for _, s := range plan.steps {
		h.titles[s.id] = s.title
		h.armed = h.armed || s.id == ArmedStep
	}
	h.tell(PlanMessage{Steps: plan.Steps(), Notes: plan.notes, Site: plan.site})
	return h
}

// change runs f alone, and wakes up whoever waits for a change.
func (h *hub) change(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
	close(h.changed)
	h.changed = make(chan struct{})
}

// await waits until f, which runs alone, is true.
func (h *hub) await(ctx context.Context, f func() bool) error {
	for {
		h.mu.Lock()
		ok, changed := f(), h.changed
		h.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-changed:
		}
	}
}

func (h *hub) tell(m Message) {
	h.change(func() {
		switch m := m.(type) {
		case StepEvent:
			h.running.Step = h.titles[m.ID]
			if m.State == StepDone {
				h.running.Done++
			}
			if m.ID == ArmedStep && m.State == StepDone {
				h.goesOff = time.Now().Add(deadManTime)
			}
		case appliedMessage:
			h.running.State, h.running.Until = RunApplied, time.Now().Add(h.patience).UTC()
		case UndoEvent:
			h.running.State = RunUndoing
		case ProgressEvent:
			h.thin()
		}
		h.events = append(h.events, event{h.seq, m})
		h.seq++
	})
}

// thin forgets the older half of the progress when there is too much of it. Steps are never forgotten.
func (h *hub) thin() {
	var progress []int // sequence numbers
	for _, e := range h.events {
		if _, ok := e.message.(ProgressEvent); ok {
			progress = append(progress, e.seq)
		}
	}
	if len(progress) < maxProgress {
		return
	}
	until := progress[len(progress)/2]
	h.events = slices.DeleteFunc(h.events, func(e event) bool {
		_, ok := e.message.(ProgressEvent)
		return ok && e.seq < until
	})
}

// state is what a hello says of the deploy; nil is one that has ended, or was never begun.
func (h *hub) state() *Running {
	if h == nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended {
		return nil
	}
	r := h.running
	if r.State == RunApplied && h.armed && !h.proven && h.goesOff.Before(r.Until) {
		r.Until = h.goesOff.UTC()
	}
	r.Attached = h.laptop != nil && time.Since(h.laptop.seen) < aliveTime
	return &r
}

// attach makes l the laptop that listens, and tells it everything from the event next on. The former one is told, and let
// go. A deploy that has ended, or was never begun, takes nobody.
func (h *hub) attach(l *laptop, next int) (taken bool) {
	if h == nil {
		return false
	}
	l.next, l.seen = next, time.Now()
	h.change(func() {
		if taken = !h.ended; !taken {
			return
		}
		if h.laptop != nil {
			h.laptop.hurry(letGoTime)
		}
		h.laptop = l
		h.feeding.Go(func() { h.feed(l) })
	})
	return taken
}

// hurry bounds what l is told next. One whose connection takes no deadline is gone, which the next write shows.
func (l *laptop) hurry(limit time.Duration) { _ = l.conn.SetWriteDeadline(time.Now().Add(limit)) }

// detach is the end of a laptop, which was perhaps let go before.
func (h *hub) detach(l *laptop) {
	h.change(func() {
		if h.laptop == l {
			h.laptop = nil
		}
	})
}

// feed tells l what there is, until it is gone, another one takes over, or all is told.
func (h *hub) feed(l *laptop) {
	for {
		batch, next, changed := h.news(l)
		for _, m := range batch {
			h.allow(l)
			if l.wire.send(m) != nil {
				h.detach(l)
				_ = l.conn.Close() // which ends its reader too
				return
			}
		}
		switch {
		case len(batch) > 0:
		case next == feedMore:
			<-changed
		case next == feedTakenOver:
			_ = l.wire.send(takenOverMessage{h.listener()}) // one that is gone need not know
			_ = l.conn.Close()
			return
		default:
			return
		}
	}
}

// allow gives l time for one message, unless it is in a hurry.
func (h *hub) allow(l *laptop) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.laptop == l && !h.ended {
		l.hurry(writeTime)
	}
}

// listener is the address of the laptop that listens.
func (h *hub) listener() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.laptop == nil {
		return ""
	}
	return h.laptop.by
}

// feedState is what comes after what is told now.
type feedState uint8

const (
	feedMore      feedState = iota // more, at the next change
	feedEnd                        // nothing: that was all, or the laptop left
	feedTakenOver                  // nothing: another laptop listens now
)

// news is what l has not been told yet.
func (h *hub) news(l *laptop) (batch []Message, next feedState, changed <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.laptop == nil:
		return nil, feedEnd, nil
	case h.laptop != l:
		return nil, feedTakenOver, nil
	}
	for _, e := range h.events {
		if e.seq >= l.next {
			batch = append(batch, e.message)
		}
	}
	l.next = h.seq
	if h.ended {
		return batch, feedEnd, nil
	}
	return batch, feedMore, h.changed
}

// commit takes the laptop's word that the applied plan is to last, if it is the one that listens and there is something to
// commit.
func (h *hub) commit(l *laptop) (taken bool) {
	h.change(func() {
		if taken = h.laptop == l && h.running.State == RunApplied && (h.proven || !h.armed); taken {
			h.committed = true
		}
	})
	return taken
}

// applied reports whether everything is in place, and waits for its commit.
func (h *hub) applied() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.running.State == RunApplied
}

func (h *hub) isProven() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.proven
}

// alive is a laptop's sign of life.
func (h *hub) alive(l *laptop) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l.seen = time.Now()
}

// listens reports whether l is the laptop that is listened to.
func (h *hub) listens(l *laptop) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.laptop == l
}

// hear is the laptop's word that it knows of the rollback.
func (h *hub) hear(l *laptop) {
	h.change(func() { h.heard = h.heard || h.laptop == l && h.ended })
}

func (h *hub) wasHeard() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.heard
}

// end tells the last word, and waits for the laptop, if any, to be told; of a rollback also for it to have heard, though not
// for long.
func (h *hub) end(last Message) {
	h.change(func() {
		h.events = append(h.events, event{h.seq, last})
		h.seq++
		h.ended = true
		if h.laptop != nil {
			h.laptop.hurry(letGoTime)
		}
	})
	if _, undone := last.(RolledBack); undone {
		waiting, stop := context.WithTimeout(context.Background(), heardTime)
		defer stop()
		if h.await(waiting, func() bool { return h.heard || h.laptop == nil }) != nil {
			h.change(func() { h.laptop = nil })
		}
	}
	h.feeding.Wait()
}
