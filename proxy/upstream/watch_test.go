package upstream

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// A watch ends a call in the very moment in which a wait has been too long, however its timer stood before.
func TestWatch(t *testing.T) {
	f := func(name string, want error, after time.Duration, call func(*watch)) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			began := time.Now()
			w := newWatch(cancel, 45*time.Second)
			defer w.stop()
			call(w)
			if want == nil {
				w.stop()
				time.Sleep(time.Hour)
				cancel(context.Canceled)
			}
			<-ctx.Done()
			if cause := context.Cause(ctx); want != nil && (cause != want || time.Since(began) != after) {
				t.Errorf("%s: %v after %v", name, cause, time.Since(began))
			}
			if cause := context.Cause(ctx); want == nil && cause != context.Canceled {
				t.Errorf("%s: %v", name, cause)
			}
		})
	}
	pieces := func(w *watch, n int, idle time.Duration) {
		w.end()
		for range n {
			w.begin(idle)
			time.Sleep(idle - time.Second)
			w.end()
			time.Sleep(3 * time.Second) // the client is written to
		}
	}
	f("no head", errNoFirstByte, 45*time.Second, func(*watch) {})
	f("silent at once", errSilent, 10*time.Second, func(w *watch) { w.end(); w.begin(10 * time.Second) })
	f("silent after pieces", errSilent, 4*12*time.Second+10*time.Second, func(w *watch) { pieces(w, 4, 10*time.Second); w.begin(10 * time.Second) })
	f("longer than the head's", errSilent, 2*122*time.Second+120*time.Second, func(w *watch) { pieces(w, 2, 2*time.Minute); w.begin(2 * time.Minute) })
	f("nobody waits", nil, 0, func(w *watch) { pieces(w, 9, time.Minute); time.Sleep(time.Hour) })
}
