package lab

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"

	"github.com/Shopify/toxiproxy/v2/stream"
)

// pair is one connection over a link: the client's end and the server's, and between them, each way, a chain of toxics.
type pair struct {
	link   *Link
	client *net.TCPConn
	server *net.TCPConn // nil until the server has answered, under the link's lock
	lost   bool         // no byte arrives any more; under the link's lock
}

// run carries bytes both ways until both are done.
func (p *pair) run(addr string) {
	defer p.forget()
	if p.lostAlready() {
		_, _ = io.Copy(io.Discard, p.client) // until the client gives up, or the link ends
		_ = p.client.Close()
		return
	}
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		reset(p.client)
		return
	}
	p.link.mu.Lock()
	p.server = conn.(*net.TCPConn)
	gone := p.link.closed || p.link.fault == Reset
	p.link.mu.Unlock()
	if gone {
		p.reset()
		return
	}
	var both sync.WaitGroup
	both.Add(2)
	collection, name := p.link.proxy.Toxics, p.client.RemoteAddr().String()+" "+addr
	collection.StartLink(p.link.api, name+" up", source{p.client}, &sink{p, ToServer, p.server, both.Done}, stream.Upstream)
	collection.StartLink(p.link.api, name+" down", source{p.server}, &sink{p, FromServer, p.client, both.Done}, stream.Downstream)
	both.Wait()
	_, _ = p.client.Close(), p.server.Close() // a reset one is closed already
}

// lostAlready is true of a connection whose first packet was lost: the server never heard of it.
func (p *pair) lostAlready() bool {
	p.link.mu.Lock()
	defer p.link.mu.Unlock()
	return p.lost
}

func (p *pair) forget() {
	p.link.mu.Lock()
	defer p.link.mu.Unlock()
	delete(p.link.pairs, p)
}

// reset ends both ends at once.
func (p *pair) reset() {
	reset(p.client)
	if p.server != nil {
		reset(p.server)
	}
}

// reset closes c so that the other side is told of an error, not of an end.
func reset(c *net.TCPConn) {
	_, _ = c.SetLinger(0), c.Close() // it may be closed already
}

// source is where a chain reads. Every end is a plain end of file to toxiproxy, which would log an error.
type source struct{ conn *net.TCPConn }

func (s source) Read(b []byte) (int, error) {
	n, err := s.conn.Read(b)
	if err != nil {
		err = io.EOF
	}
	return n, err
}

// sink is where a chain ends. It takes everything, since toxiproxy leaves goroutines behind when a write fails.
type sink struct {
	pair      *pair
	direction Direction
	conn      *net.TCPConn
	done      func()
}

// Write lets through what the state of the link lets through. It blocks while the link is stalled.
func (s *sink) Write(b []byte) (int, error) {
	for rest := b; len(rest) > 0; {
		n, through := s.pair.link.admit(s, len(rest))
		if through {
			if _, err := s.conn.Write(rest[:n]); err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, os.ErrClosed) {
				s.pair.reset()
			}
		}
		rest = rest[n:]
	}
	return len(b), nil
}

// Close passes the end on: the other direction goes on.
func (s *sink) Close() error {
	defer s.done()
	if _, through := s.pair.link.admit(s, 0); through {
		_ = s.conn.CloseWrite() // it may be gone
	}
	return nil
}

// admit waits until the link is not stalled, and says how many of n bytes share a fate, and whether they arrive.
func (l *Link) admit(s *sink, n int) (fate int, through bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t := l.trigger; n > 0 && t != nil && t.direction == s.direction && l.fault == noFault && !s.pair.lost {
		if left := t.at - l.bytes[t.direction]; left <= 0 {
			l.trigger = nil
			close(t.struck) // before anybody can feel it
			l.strike(t.fault)
		} else {
			n = int(min(int64(n), left))
		}
	}
	for l.fault == Stall && !l.closed {
		l.change.Wait()
	}
	if l.closed || l.fault != noFault || s.pair.lost {
		return n, false
	}
	l.bytes[s.direction] += int64(n)
	return n, true
}
