package proxy

import (
	"errors"
	"net"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

// Draining is a lame duck: the listener is closed; whatever is connected is answered, with Connection: close; only what
// stayed idle for a while is closed, since the proxy before us may be about to use it; answers that run longer than
// DRAIN_TIMEOUT end with an error event.

const (
	drainStep  = 20 * time.Millisecond
	lastWrites = 2 * time.Second // for the error events after DRAIN_TIMEOUT
)

var errDraining = errors.New("the adapter is being restarted")

// connections knows which connections are open, and since when each is idle.
type connections struct {
	mu   sync.Mutex
	idle map[*conn]time.Time // zero while a request is being served
}

func newConnections() *connections { return &connections{idle: map[*conn]time.Time{}} }

// note is told of every change of a connection.
func (cs *connections) note(c net.Conn, state fasthttp.ConnState) {
	ours, ok := c.(*conn)
	if !ok {
		return
	}
	cs.mu.Lock()
	defer cs.mu.Unlock()
	switch state {
	case fasthttp.StateNew, fasthttp.StateIdle:
		cs.idle[ours] = time.Now()
	case fasthttp.StateActive:
		cs.idle[ours] = time.Time{}
	case fasthttp.StateClosed, fasthttp.StateHijacked:
		delete(cs.idle, ours)
	}
}

// count is how many connections are open.
func (cs *connections) count() int {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return len(cs.idle)
}

// closeIdle closes what has been idle since before and has nothing waiting to be read, and returns how many are left.
func (cs *connections) closeIdle(before time.Time) int {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for c, since := range cs.idle {
		if since.IsZero() || since.After(before) {
			continue
		}
		if readable, _ := c.peek(); !readable {
			c.linger.Store(false)
			_ = c.Close() // its goroutine notices, and takes it off the list
		}
	}
	return len(cs.idle)
}

// closeAll closes what is left.
func (cs *connections) closeAll() {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for c := range cs.idle {
		c.linger.Store(false)
		_ = c.Close()
	}
}

// drain returns when no connection is left.
func (s *Server) drain() {
	began, limit := time.Now(), s.settings().DrainTimeout
	ticker := time.NewTicker(drainStep)
	defer ticker.Stop()
	for s.conns.closeIdle(time.Now().Add(-s.pace.idleGrace)) > 0 {
		switch spent := time.Since(began); {
		case spent > limit+lastWrites:
			s.conns.closeAll()
		case spent > limit:
			s.endLife(errDraining)
		}
		<-ticker.C
	}
	s.endLife(errDraining)
}
