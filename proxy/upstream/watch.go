package upstream

import (
	"context"
	"sync"
	"time"
)

// watch ends a call that is silent for too long: until the head of its answer, and whenever more of that is waited for. Its timer
// runs on and looks whether something is waited for: setting and stopping it for every piece costs more.
type watch struct {
	cancel context.CancelCauseFunc

	mu    sync.Mutex // of all below
	timer *time.Timer
	pace  time.Duration // of the timer while nothing is waited for: no wait was shorter
	until time.Time     // of the wait, zero while there is none
	why   error         // the call ends after it
	over  bool
}

// newWatch begins with the wait for an answer's head, for d at most.
func newWatch(cancel context.CancelCauseFunc, d time.Duration) *watch {
	w := &watch{cancel: cancel, pace: d, until: time.Now().Add(d), why: errNoFirstByte}
	w.timer = time.AfterFunc(time.Hour, w.look)
	w.timer.Reset(d)
	return w
}

// begin waits for more of the answer, for d at most.
func (w *watch) begin(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.until, w.why = time.Now().Add(d), errSilent
	if d < w.pace {
		w.pace = d
		w.timer.Reset(d)
	}
}

// end says that what was waited for has come.
func (w *watch) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.until = time.Time{}
}

// stop ends the watch.
func (w *watch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	w.timer.Stop()
}

// look is the timer's.
func (w *watch) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch left := time.Until(w.until); {
	case w.over:
	case w.until.IsZero():
		w.timer.Reset(w.pace)
	case left > 0:
		w.timer.Reset(left)
	default:
		w.cancel(w.why)
	}
}
