package proxy

import (
	"errors"
	"io"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// answer is the body of a streamed answer. fasthttp reads it in the connection's own goroutine, which takes the events as they
// come; heartbeats are written by a timer's.
type answer struct {
	x *exchange

	mu      sync.Mutex // of all below
	early   bool       // the status went out before there was an event: buf holds the opening alone
	encoder front.Encoder
	buf     []byte      // encoded, not written yet
	ended   bool        // buf holds the last of it
	problem string      // why the answer did not end well
	w       io.Writer   // nil before and after WriteTo
	wrote   time.Time   // when something was written last
	total   int64       // bytes written
	timer   *time.Timer // until the next heartbeat may be due; nil likewise
	closed  bool

	pulling bool // the first events were taken
}

// stream starts the exchange and waits for what decides about the status.
func (s *Server) stream(in *inbound, x *exchange, encoder front.Encoder) {
	a := &answer{x: x, encoder: encoder}
	hold := time.NewTimer(s.pace.hold - time.Since(x.tries.began))
	defer hold.Stop()
	select {
	case first := <-pull(x).first:
		if !first.ok && x.failure != nil {
			x.refuse(in, x.failure)
			return
		}
		a.take(first.events, first.ok)
	case <-hold.C:
		a.buf, a.early = encoder.Ping(a.buf), true
	}
	a.commitStatus(in)
}

// commitStatus is the first point of no return: the client gets a 200, and whatever fails from here on is told within the
// stream.
func (a *answer) commitStatus(in *inbound) {
	in.access.later = true
	h := &in.Response.Header
	h.SetContentType("text/event-stream; charset=utf-8")
	h.Set("X-Accel-Buffering", "no")
	a.x.nameModel(in)
	a.x.s.streams.Add(1)
	in.sendStream(a)
}

// take encodes events, or the end.
func (a *answer) take(events []gemini.Event, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range events {
		a.buf = a.encoder.Event(a.buf, &events[i])
	}
	switch {
	case ok:
		return
	case a.x.failure != nil:
		a.buf = a.encoder.Fail(a.buf, a.x.failure)
		a.problem = a.x.failure.Message
	default:
		a.buf = a.encoder.End(a.buf)
	}
	a.ended = true
}

var errPanic = errors.New("internal error")

// WriteTo writes the answer; each Write is flushed.
func (a *answer) WriteTo(w io.Writer) (total int64, err error) {
	a.begin(w)
	defer a.finish()
	defer a.x.s.rescue(func() {
		_ = a.write() // what was encoded before; the answer is cut behind it, and closed
		a.problem, err = errPanic.Error(), errPanic
	})
	if a.early {
		err = a.write()
	}
	for err == nil && !a.ended {
		if a.take(a.next()); !a.ended {
			err = a.write()
		}
	}
	if err == nil {
		err = a.write()
	}
	return a.total, err
}

// next waits for events, or for the end.
func (a *answer) next() (events []gemini.Event, ok bool) {
	if !a.pulling {
		a.pulling = true
		if first, waiting := <-a.x.pulled.first; waiting {
			return first.events, first.ok
		}
	}
	return a.x.pulled.next()
}

// begin lets heartbeats in.
func (a *answer) begin(w io.Writer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.w, a.wrote = w, time.Now()
	a.timer = time.AfterFunc(a.x.s.pace.ping, a.heartbeat)
}

// finish shuts them out.
func (a *answer) finish() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.w = nil
	a.timer.Stop()
}

// write sends what is encoded.
func (a *answer) write() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.send()
}

// send is write for whoever holds the lock.
func (a *answer) send() error {
	if len(a.buf) == 0 {
		return nil
	}
	n, err := a.w.Write(a.buf)
	a.total += int64(n)
	if err != nil {
		a.x.cancel(errClientGone)
		return err
	}
	a.buf, a.wrote = a.buf[:0], time.Now()
	return nil
}

// heartbeat writes one if nothing was written for long enough.
func (a *answer) heartbeat() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.w == nil {
		return
	}
	pace := a.x.s.pace.ping
	if quiet := time.Since(a.wrote); quiet < pace {
		a.timer.Reset(pace - quiet)
		return
	}
	a.buf = a.encoder.Ping(a.buf)
	if a.send() == nil {
		a.timer.Reset(pace)
	}
}

// SupportsBodyWriteTo makes fasthttp use WriteTo.
func (a *answer) SupportsBodyWriteTo() bool { return true }

// Read is WriteTo for whoever reads, without heartbeats.
func (a *answer) Read(p []byte) (int, error) {
	for len(a.buf) == 0 {
		if a.ended {
			return 0, io.EOF
		}
		a.take(a.next())
	}
	n := copy(p, a.buf)
	a.buf = a.buf[n:]
	return n, nil
}

// Close ends the exchange, then writes the access line.
func (a *answer) Close() error {
	if a.closed {
		return nil
	}
	a.closed = true
	access := a.x.access
	access.gone = a.x.gone()
	a.x.end()
	a.x.s.streams.Add(-1)
	if a.problem != "" && !access.gone {
		access.problem = a.problem
		a.x.s.errors.Add(1)
	}
	a.x.s.record(access, fasthttp.StatusOK)
	return nil
}
