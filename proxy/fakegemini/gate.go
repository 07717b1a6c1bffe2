package fakegemini

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Lock-step: an answer with a gate sends its first chunk at once, and chunk n+1 only when the reader has said that
// chunk n arrived. A reader that can't have seen a chunk yet gets an error, so that a buffered stream is found out by a
// test that hangs at its own deadline, and a wrong test by a clear text.

type gates struct {
	mu     sync.Mutex
	byName map[string]*gate
}

type gate struct {
	sent    int // chunks on their way or written
	arrived int // chunks that the reader has confirmed
	changed chan struct{}
}

func (g *gates) named(name string) *gate {
	if g.byName == nil {
		g.byName = map[string]*gate{}
	}
	if g.byName[name] == nil {
		g.byName[name] = &gate{changed: make(chan struct{})}
	}
	return g.byName[name]
}

func (t *gate) wake() {
	close(t.changed)
	t.changed = make(chan struct{})
}

// Arrived says that one more chunk of the answer with this gate has arrived, and lets the next one go out. It is an error
// when no chunk was sent that isn't confirmed yet.
func (s *Server) Arrived(name string) error {
	s.gates.mu.Lock()
	defer s.gates.mu.Unlock()
	t := s.gates.named(name)
	if t.arrived >= t.sent {
		return fmt.Errorf("gate %q: chunk %d cannot have arrived, %d were sent", name, t.arrived+1, t.sent)
	}
	t.arrived++
	t.wake()
	return nil
}

// Sent is the number of chunks that went out at a gate so far.
func (s *Server) Sent(name string) int {
	s.gates.mu.Lock()
	defer s.gates.mu.Unlock()
	return s.gates.named(name).sent
}

var errStepTimeout = errors.New("no word that the chunk arrived")

// pass waits until every chunk that was sent at the gate is confirmed, then counts the next one as sent.
func (g *gates) pass(ctx context.Context, name string) error {
	for {
		g.mu.Lock()
		t := g.named(name)
		if t.arrived >= t.sent {
			t.sent++
			g.mu.Unlock()
			return nil
		}
		changed := t.changed
		g.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (g *gates) reset() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, t := range g.byName {
		t.sent, t.arrived = 0, 0
		t.wake()
	}
	g.byName = nil
}
