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

var errOver = errors.New("the request is over")

// followed is the context of one request, which ends when its client is gone, or with the server.
type followed struct {
	ctx     context.Context
	cancel  context.CancelCauseFunc
	client  *conn // nil where it cannot be watched
	watcher *watcher
}

// follow begins to watch the client of a request, until close.
func (s *Server) follow(in *inbound) *followed {
	f := &followed{watcher: s.watcher}
	f.ctx, f.cancel = context.WithCancelCause(s.life)
	if c, ok := in.Conn().(*conn); ok {
		f.client = c
		s.watcher.add(c, f.cancel)
	}
	return f
}

// close ends the request, whatever it is doing. It may be called again.
func (f *followed) close() {
	if f.client != nil {
		f.watcher.remove(f.client)
	}
	f.cancel(errOver)
}

// gone reports whether the client left before its answer was whole.
func (f *followed) gone() bool { return errors.Is(context.Cause(f.ctx), errClientGone) }

// watcher cancels requests whose clients are gone. fasthttp has no way to tell, and a goroutine a request, as net/http has
// it, costs more than a look at each connection now and then. Who is written to meanwhile needs no look: the second write behind
// one's leaving fails.
type watcher struct {
	mu    sync.Mutex
	conns map[*conn]context.CancelCauseFunc

	silent []watched // of the running look; its goroutine's alone
}

// watched is a request and its client's connection.
type watched struct {
	conn   *conn
	cancel context.CancelCauseFunc
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

// look looks at those to whom nothing was written since the last time. Nobody waits meanwhile for the lock: a request that ends
// before its connection is looked at is cancelled without effect.
func (w *watcher) look() {
	w.mu.Lock()
	for c, cancel := range w.conns {
		if !c.wrote.Swap(false) {
			w.silent = append(w.silent, watched{c, cancel})
		}
	}
	w.mu.Unlock()
	for _, one := range w.silent {
		if _, gone := one.conn.peek(); gone {
			one.cancel(errClientGone)
		}
	}
	clear(w.silent)
	w.silent = w.silent[:0]
}
