package proxy

import (
	"context"
	"errors"
	"sync"
	"time"
)

// watchPeriod bounds how long a request outlives its client, in silence.
const watchPeriod = 400 * time.Millisecond

var errClientGone = errors.New("the client closed the connection")

// watcher cancels requests whose clients are gone. fasthttp has no way to tell, and a goroutine a request, as net/http has
// it, costs more than a look at each connection now and then.
type watcher struct {
	mu    sync.Mutex
	conns map[*conn]context.CancelCauseFunc
}

func newWatcher() *watcher { return &watcher{conns: map[*conn]context.CancelCauseFunc{}} }

// add watches c until remove: a connection has one request at a time.
func (w *watcher) add(c *conn, cancel context.CancelCauseFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conns[c] = cancel
}

func (w *watcher) remove(c *conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.conns, c)
}

// run looks until ctx ends.
func (w *watcher) run(ctx context.Context) {
	ticker := time.NewTicker(watchPeriod)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			w.look()
		case <-ctx.Done():
			return
		}
	}
}

func (w *watcher) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c, cancel := range w.conns {
		if _, gone := c.peek(); gone {
			cancel(errClientGone)
			delete(w.conns, c)
		}
	}
}
