package upstream

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/keys"
)

// What is remembered of an egress, so that not every request finds it out again.
const (
	firstRefusal = 30 * time.Second // after Google said that it serves nobody from there; twice as long each further time
	maxRefusal   = 10 * time.Minute
	downFor      = 15 * time.Second // after its proxy could not be reached, or refused
)

// Direct names the way to Gemini without a proxy.
const Direct = "direct"

// Egress is one way out to Gemini: straight, by PROXY_URL, or by the proxy of some keys.
type Egress struct {
	Name    string    // Direct, or the proxy as keys.EgressName has it
	Own     bool      // of keys that name it, else of all others
	Refused time.Time // until when no key is tried there, since Google does not serve its region; zero if it does
	Down    time.Time // until when keys elsewhere go first, since its proxy does not work; zero if it does
}

// egress is an Egress with its connections.
type egress struct {
	proxy     *url.URL // nil is none
	name      string
	own       bool
	transport *http.Transport
	refused   atomic.Int64 // when it ends, in nanoseconds since 1970
	refusals  atomic.Int64 // in a row
	down      atomic.Int64 // like refused
}

// egresses has one egress for each proxy in use, however many keys share it. There are never more than the configured keys have
// proxies, but for those of leases that a reload overtook, which the next reload ends.
type egresses struct {
	roots  *x509.CertPool // of HTTPS proxies, nil is the system's
	trust  *tls.Config    // of Google, nil is the system's
	marked atomic.Int64   // the latest end of any mark

	mu   sync.RWMutex
	main *egress
	own  map[string]*egress // by URL
}

func newEgresses(main *url.URL) *egresses {
	es := &egresses{own: map[string]*egress{}}
	es.main = es.make(main, false)
	return es
}

// of returns the egress of a key whose own proxy is the one given, nil for none.
func (es *egresses) of(proxy *url.URL) *egress {
	if proxy == nil {
		return es.main
	}
	address := proxy.String()
	es.mu.RLock()
	e := es.own[address]
	es.mu.RUnlock()
	if e != nil {
		return e
	}
	es.mu.Lock()
	defer es.mu.Unlock()
	if e = es.own[address]; e == nil {
		e = es.make(proxy, true)
		es.own[address] = e
	}
	return e
}

// make makes an egress. Proxies of the environment have no say, and redirects are not followed, since no http.Client is there
// to do it: keys go nowhere else.
func (es *egresses) make(proxy *url.URL, own bool) *egress {
	e := &egress{proxy: proxy, name: Direct, own: own}
	e.transport = &http.Transport{
		DialContext:         dialLine,
		TLSClientConfig:     es.trust.Clone(),
		TLSHandshakeTimeout: 10 * time.Second,
		ForceAttemptHTTP2:   true,
		HTTP2:               &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
		MaxIdleConns:        4096,
		MaxIdleConnsPerHost: 1024,
		IdleConnTimeout:     90 * time.Second,
		DisableCompression:  true, // a compressed stream comes in blocks
		ReadBufferSize:      8 << 10,
	}
	if proxy != nil {
		e.name = keys.EgressName(proxy)
		e.transport.DialContext = (&tunnel{proxy: proxy, roots: es.roots}).dial
	}
	if own {
		e.transport.MaxIdleConns, e.transport.MaxIdleConnsPerHost = 256, 256
	}
	return e
}

// keep ends the connections of all proxies but those given, as soon as nothing runs on them.
func (es *egresses) keep(proxies []*url.URL) {
	es.mu.Lock()
	defer es.mu.Unlock()
	for address, e := range es.own {
		if !slices.ContainsFunc(proxies, func(u *url.URL) bool { return u != nil && u.String() == address }) {
			e.transport.CloseIdleConnections()
			delete(es.own, address)
		}
	}
}

// close ends the idle connections of all.
func (es *egresses) close() {
	es.mu.RLock()
	defer es.mu.RUnlock()
	es.main.transport.CloseIdleConnections()
	for _, e := range es.own {
		e.transport.CloseIdleConnections()
	}
}

// send makes one exchange, and remembers what it tells of the egress.
func (es *egresses) send(e *egress, req *http.Request) (*http.Response, error) {
	resp, err := e.transport.RoundTrip(req)
	var failed *egressError
	switch {
	case err == nil:
		e.down.Store(0)
		if resp.StatusCode == http.StatusOK && req.Method == http.MethodPost { // lists and the like are served anywhere
			e.refused.Store(0)
			e.refusals.Store(0)
		}
	case errors.As(err, &failed) && req.Context().Err() == nil:
		es.mark(&e.down, downFor)
	}
	return resp, err
}

// refuse remembers that Google serves nobody there. What several requests are told together counts once: some exits change their
// place all the time, and are not given up for one word.
func (es *egresses) refuse(e *egress) {
	n := e.refusals.Load()
	if time.Now().UnixNano() > e.refused.Load() && e.refusals.CompareAndSwap(n, n+1) {
		es.mark(&e.refused, min(firstRefusal<<min(n, 10), maxRefusal))
	}
}

// mark remembers something of an egress until d has passed.
func (es *egresses) mark(until *atomic.Int64, d time.Duration) {
	end := time.Now().Add(d).UnixNano()
	until.Store(end)
	for latest := es.marked.Load(); latest < end && !es.marked.CompareAndSwap(latest, end); {
		latest = es.marked.Load()
	}
}

// list names every egress in use, the main one first.
func (es *egresses) list() []Egress {
	es.mu.RLock()
	defer es.mu.RUnlock()
	now := time.Now().UnixNano()
	end := func(until *atomic.Int64) time.Time {
		if at := until.Load(); at > now {
			return time.Unix(0, at)
		}
		return time.Time{}
	}
	all := make([]Egress, 0, 1+len(es.own))
	for _, e := range es.own {
		all = append(all, Egress{Name: e.name, Own: true, Refused: end(&e.refused), Down: end(&e.down)})
	}
	slices.SortFunc(all, func(a, b Egress) int { return strings.Compare(a.Name, b.Name) })
	return slices.Insert(all, 0, Egress{Name: es.main.name, Refused: end(&es.main.refused), Down: end(&es.main.down)})
}

// Egresses lists the ways out that are in use: first the one of all keys that have no proxy of their own.
func (c *Client) Egresses() []Egress { return c.egresses.list() }

// Shunned returns, by the words of keys.Lease.Egress, the ways out through which Google serves nobody, and those whose proxy
// does not work at the moment. It costs nothing while all is well.
func (c *Client) Shunned() (refused, down []string) {
	if time.Now().UnixNano() > c.egresses.marked.Load() {
		return nil, nil
	}
	for _, e := range c.egresses.list() {
		name := ""
		if e.Own {
			name = e.Name
		}
		if !e.Refused.IsZero() {
			refused = append(refused, name)
		}
		if !e.Down.IsZero() {
			down = append(down, name)
		}
	}
	return refused, down
}

// Keep ends the connections through every proxy that no key names any more, as soon as their answers have ended.
func (c *Client) Keep(proxies []*url.URL) { c.egresses.keep(proxies) }

// roundTrip makes a call with a key, by its way out.
func (c *Client) roundTrip(lease *keys.Lease, req *http.Request) (*http.Response, error) {
	return c.egresses.send(c.egresses.of(lease.Proxy()), req)
}

// note remembers a refusal that is about where a call came from.
func (c *Client) note(lease *keys.Lease, e *Error) {
	if e.Kind == Region {
		c.egresses.refuse(c.egresses.of(lease.Proxy()))
	}
}

// via names the proxy that a failed call went through.
func (c *Client) via(lease *keys.Lease) string {
	e := c.egresses.of(lease.Proxy())
	if e.proxy == nil {
		return ""
	}
	return " through the proxy " + e.name
}
