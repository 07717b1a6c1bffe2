package lab

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/Shopify/toxiproxy/v2/stream"
	"github.com/Shopify/toxiproxy/v2/toxics"
	"github.com/rs/zerolog"
)

// LinkOptions describe a link. The zero value is a fast one that fails when told to.
type LinkOptions struct {
	// Latency is how long a byte travels, each way: 50 ms make a round trip of 100 ms. As with most proxies, opening a
	// connection is free of it.
	Latency time.Duration
	// Bandwidth is the most that travels, in KiB a second, each way; 0 is no limit.
	Bandwidth int
	// Ports of the server are reached under the same numbers. Default: 22 and 80.
	Ports []int
}

// Direction says which way bytes travel.
type Direction int

// The directions of a link.
const (
	ToServer Direction = iota
	FromServer
)

func (d Direction) String() string {
	if d == ToServer {
		return "to the server"
	}
	return "from the server"
}

// Fault is a way for a link to fail.
type Fault int

// The faults of a link. Each strikes all connections, open and new ones, until Heal.
const (
	noFault Fault = iota
	// Stall holds every byte back. Healed, they arrive: nothing was lost.
	Stall
	// Reset ends connections with a reset at both ends.
	Reset
	// Drop loses every byte without a word, as a router does that forgot the connection. Connections that lived through
	// it stay dead after Heal.
	Drop
)

// Link is a way to a server that is slow, and fails on demand. Its address stands for the server's: the ports have the
// same numbers. Bytes are counted, and faults strike, where they leave the link.
type Link struct {
	// Addr is the IPv4 address to use in place of the server's.
	Addr string

	server    *Server
	api       *toxiproxy.ApiServer
	proxy     *toxiproxy.Proxy // never started: only its chain of toxics is used
	listeners []net.Listener
	running   sync.WaitGroup

	mu      sync.Mutex
	change  sync.Cond // the fault, or closed
	fault   Fault
	closed  bool
	trigger *trigger
	pairs   map[*pair]bool
	bytes   [2]int64
	opened  map[int]int // connections by port
}

// trigger is a fault to come.
type trigger struct {
	direction Direction
	at        int64 // bytes of the direction, counted since the link exists
	fault     Fault
	struck    chan struct{}
}

// NewLink opens a link to s that ends with the test.
func NewLink(tb testing.TB, s *Server, o LinkOptions) *Link {
	tb.Helper()
	l, err := newLink(s, o)
	if err != nil {
		tb.Fatalf("open a link to %s: %v", s.Name, err)
	}
	tb.Cleanup(l.close)
	return l
}

func newLink(s *Server, o LinkOptions) (*Link, error) {
	if len(o.Ports) == 0 {
		o.Ports = []int{22, 80}
	}
	api := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	l := &Link{server: s, api: api, proxy: toxiproxy.NewProxy(api, "link", "", ""), pairs: make(map[*pair]bool), opened: make(map[int]int)}
	l.change.L = &l.mu
	for _, way := range []string{stream.Upstream.String(), stream.Downstream.String()} {
		if err := l.addToxics(way, o); err != nil {
			return nil, err
		}
	}
	if err := l.listen(o.Ports); err != nil {
		return nil, err
	}
	for i, port := range o.Ports {
		l.running.Go(func() { l.accept(l.listeners[i], port) })
	}
	return l, nil
}

func (l *Link) addToxics(way string, o LinkOptions) error {
	var chain []toxics.ToxicWrapper
	if o.Latency > 0 {
		chain = append(chain, toxics.ToxicWrapper{Type: "latency", Toxic: &toxics.LatencyToxic{Latency: o.Latency.Milliseconds()}})
	}
	if o.Bandwidth > 0 {
		chain = append(chain, toxics.ToxicWrapper{Type: "bandwidth", Toxic: &toxics.BandwidthToxic{Rate: int64(o.Bandwidth)}})
	}
	for _, t := range chain {
		t.Stream, t.Toxicity = way, 1
		text, err := json.Marshal(t)
		if err != nil {
			return err
		}
		if _, err := l.proxy.Toxics.AddToxicJson(bytes.NewReader(text)); err != nil {
			return fmt.Errorf("%s %s: %w", way, t.Type, err)
		}
	}
	return nil
}

// listen finds an address on which every port is free: 127.77.N.K for the Kth link of server N.
func (l *Link) listen(ports []int) error {
	server, err := netip.ParseAddr(l.server.Addr)
	if err == nil && !server.Is4() {
		err = fmt.Errorf("links are for servers with IPv4, and this one has %s", server)
	}
	if err != nil {
		return err
	}
	for k := 1; k <= lastLink; k++ {
		addr := netip.AddrFrom4([4]byte{127, 77, server.As4()[2], byte(k)})
		err := l.bind(addr, ports)
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		l.Addr = addr.String()
		return err
	}
	return fmt.Errorf("%d links are open", lastLink)
}

const lastLink = 254

// bind listens on all ports of addr, or none.
func (l *Link) bind(addr netip.Addr, ports []int) error {
	for _, port := range ports {
		listener, err := net.Listen("tcp", netip.AddrPortFrom(addr, uint16(port)).String())
		if err != nil {
			for _, open := range l.listeners {
				err = errors.Join(err, open.Close())
			}
			l.listeners = nil
			return err
		}
		l.listeners = append(l.listeners, listener)
	}
	return nil
}

func (l *Link) accept(listener net.Listener, port int) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return // the link was closed
		}
		l.open(client.(*net.TCPConn), port)
	}
}

// open connects client with the server, if the link's state lets it.
func (l *Link) open(client *net.TCPConn, port int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.opened[port]++
	if l.closed || l.fault == Reset {
		reset(client)
		return
	}
	p := &pair{link: l, client: client, lost: l.fault == Drop}
	l.pairs[p] = true
	l.running.Go(func() { p.run(net.JoinHostPort(l.server.Addr, strconv.Itoa(port))) })
}

// Break makes the link fail until Heal.
func (l *Link) Break(fault Fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.strike(fault)
}

// BreakAfter makes the link fail when n more bytes, all connections taken together, have left it in a direction: the byte
// after them does not arrive. The channel is closed when it does. A later BreakAfter, or Heal, calls this one off.
func (l *Link) BreakAfter(d Direction, n int64, fault Fault) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trigger = &trigger{direction: d, at: l.bytes[d] + n, fault: fault, struck: make(chan struct{})}
	return l.trigger.struck
}

// Heal makes the link work again.
func (l *Link) Heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trigger = nil
	l.strike(noFault)
}

// Bytes counts what has left the link in a direction.
func (l *Link) Bytes(d Direction) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bytes[d]
}

// Connections counts those that were ever opened to a port, refused ones too.
func (l *Link) Connections(port int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.opened[port]
}

// strike makes fault the state of the link. The caller holds mu.
func (l *Link) strike(fault Fault) {
	l.fault = fault
	for p := range l.pairs {
		switch fault {
		case Reset:
			p.reset()
		case Drop:
			p.lost = true
		}
	}
	l.change.Broadcast()
}

// close ends all connections and waits until nothing of the link runs.
func (l *Link) close() {
	l.mu.Lock()
	l.closed = true
	for p := range l.pairs {
		p.reset()
	}
	l.change.Broadcast()
	l.mu.Unlock()
	for _, listener := range l.listeners {
		_ = listener.Close() // ends its accept
	}
	l.running.Wait()
}
