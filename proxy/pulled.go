package proxy

import (
	"iter"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// pulled is a running exchange as the one sees it who takes its events: it goes on whenever the next ones are wanted, in that
// goroutine. Only until the first event it runs by itself, since meanwhile the client may have to be told to wait.
type pulled struct {
	x     *exchange
	next  func() ([]gemini.Event, bool)
	stop  func()
	first chan handed // closed when the first was taken
}

// handed is what next gave: events, which are there until it is called again, or the end.
type handed struct {
	events []gemini.Event
	ok     bool
}

// pull starts an exchange.
func pull(x *exchange) *pulled {
	p := &pulled{x: x, first: make(chan handed, 1)}
	p.next, p.stop = iter.Pull(p.run)
	x.pulled = p
	go func() {
		defer close(p.first)
		events, ok := p.next()
		p.first <- handed{events, ok}
	}()
	return p
}

func (p *pulled) run(yield func([]gemini.Event) bool) {
	p.x.yield = yield
	defer p.x.pause() // what was left, whatever ended it
	defer p.x.s.rescue(func() { p.x.failure = &front.Error{Kind: front.Internal, Message: "internal error"} })
	p.x.run()
}

// end makes the exchange, which was called off, come to its end.
func (p *pulled) end() {
	for range p.first {
	}
	p.stop()
}
