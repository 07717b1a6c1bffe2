package upstream

import (
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
)

// via leases the one key of a pool, whose egress is proxy.
func via(t *testing.T, proxy *url.URL) *keys.Lease {
	t.Helper()
	pool := keys.New([]config.Key{{Secret: config.NewSecret(secret), Proxy: proxy}}, keys.Options{MaxFailures: 3, CoolingPeriod: time.Minute})
	l, err := pool.Acquire(t.Context(), keys.Want{Model: "m"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// hub is a fake of Google with TLS and HTTP/2; answer changes what it says.
type hub struct {
	*httptest.Server
	mu     sync.Mutex
	answer string
	status int
	protos []string
}

const aWholeAnswer = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"x\"}]},\"finishReason\":\"STOP\"}]}\r\n\r\n"

const notHere = `{"error":{"code":400,"message":"User location is not supported for the API use.","status":"FAILED_PRECONDITION"}}`

func startHub(t *testing.T) *hub {
	t.Helper()
	g := &hub{answer: aWholeAnswer, status: 200}
	g.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.protos = append(g.protos, r.Proto)
		w.WriteHeader(g.status)
		_, _ = io.WriteString(w, g.answer)
	}))
	g.EnableHTTP2 = true
	g.Config.ErrorLog = log.New(io.Discard, "", 0)
	g.StartTLS()
	t.Cleanup(g.Close)
	return g
}

func (g *hub) say(status int, answer string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.status, g.answer = status, answer
}

// client makes a client whose Google is at example.com, which only a proxy can reach.
func (g *hub) client(t *testing.T, main *url.URL, proxyRoots *x509.CertPool) *Client {
	t.Helper()
	c := New(Options{BaseURL: parse(t, "https://example.com"), ProxyURL: main, FirstByte: 5 * time.Second, Idle: time.Second, UserAgent: "gca/test"})
	c.egresses.roots = proxyRoots
	c.egresses.trust = g.Client().Transport.(*http.Transport).TLSClientConfig
	c.egresses.main = c.egresses.make(main, false)
	t.Cleanup(c.Close)
	return c
}

// through makes one call with a key, and reads its answer.
func through(t *testing.T, c *Client, l *keys.Lease) error {
	t.Helper()
	s, err := c.Open(t.Context(), l, hello())
	if err != nil {
		return err
	}
	defer s.Close()
	for err == nil {
		_, err = s.Next()
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func TestEgress_everyKindOfProxy(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1") // has no say
	g := startHub(t)
	to := g.Listener.Addr().String()
	plain, _ := httpExit(t, to, false)
	secure, roots := httpExit(t, to, true)
	for _, x := range []*exit{plain, secure, socksExit(t, to)} {
		for _, asMain := range []bool{false, true} {
			own, main := x.url, (*url.URL)(nil)
			if asMain {
				own, main = nil, x.url
			}
			c := g.client(t, main, roots)
			for range 3 {
				if err := through(t, c, via(t, own)); err != nil {
					t.Errorf("%s: %v", x.url.Scheme, err)
				}
			}
		}
		if got := x.seen(); !reflect.DeepEqual(got, []string{"example.com:443", "example.com:443"}) {
			t.Errorf("%s was asked for %q, want one connection a client, and the name", x.url.Scheme, got)
		}
	}
	if s := strings.Join(g.protos, " "); strings.Contains(s, "1.1") {
		t.Errorf("Google was spoken to in %s", s)
	}
}

func TestEgress_eachKeyItsOwn(t *testing.T) {
	g := startHub(t)
	one, _ := httpExit(t, g.Listener.Addr().String(), false)
	two := socksExit(t, g.Listener.Addr().String())
	c := g.client(t, one.url, nil)
	for range 2 {
		for _, own := range []*url.URL{nil, two.url} {
			if err := through(t, c, via(t, own)); err != nil {
				t.Error(err)
			}
		}
	}
	if len(one.seen()) != 1 || len(two.seen()) != 1 {
		t.Errorf("PROXY_URL was asked for %q, the key's own for %q", one.seen(), two.seen())
	}
	names := []string{keys.EgressName(one.url), keys.EgressName(two.url)}
	if all := c.Egresses(); len(all) != 2 || all[0].Name != names[0] || all[1].Name != names[1] || all[0].Own || !all[1].Own {
		t.Errorf("%+v", all)
	}
}

func TestEgress_aFaultOfTheProxy(t *testing.T) {
	g := startHub(t)
	wrong, _ := httpExit(t, g.Listener.Addr().String(), false)
	wrong.url.User = url.UserPassword("ann", "PLANTED-other")
	socks := socksExit(t, g.Listener.Addr().String())
	socks.url.User = url.UserPassword("ann", "PLANTED-other")
	deadEnd, roots := httpExit(t, "127.0.0.1:1", true)
	f := func(proxy *url.URL, roots *x509.CertPool, words string) {
		t.Helper()
		c := g.client(t, nil, roots)
		l := via(t, proxy)
		err := through(t, c, l)
		var failed *Error
		if !errors.As(err, &failed) || failed.Kind != Unreachable || !strings.Contains(failed.Message, "the connection through the proxy "+keys.EgressName(proxy)+" failed: ") || !strings.Contains(failed.Message, words) {
			t.Errorf("%v, want %q", err, words)
		}
		if strings.Contains(err.Error(), "PLANTED") {
			t.Errorf("a password stands in %v", err)
		}
		if o := failed.Outcome("m"); !reflect.DeepEqual(o, keys.None()) {
			t.Errorf("the key is punished: %v", o)
		}
		refused, down := c.Shunned()
		if len(refused) > 0 || !reflect.DeepEqual(down, []string{l.Egress()}) {
			t.Errorf("refused %q, down %q", refused, down)
		}
	}
	f(parse(t, "http://127.0.0.1:1"), nil, "connection refused")
	f(parse(t, "socks5://127.0.0.1:1"), nil, "connection refused")
	f(wrong.url, nil, "it refuses with 407 Proxy Authentication Required")
	f(socks.url, nil, "authentication failed")
	f(deadEnd.url, roots, "it refuses with 502 Bad Gateway")
	f(deadEnd.url, nil, "certificate")
	f(parse(t, strings.Replace(g.URL, "https", "http", 1)), nil, "it ")
}

func TestEgress_aProxyThatNeverAnswers(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	g := startHub(t)
	for _, scheme := range []string{"http", "https", "socks5"} {
		c := g.client(t, nil, nil)
		c.Wait(50*time.Millisecond, c.options.Idle)
		if err := through(t, c, via(t, parse(t, scheme+"://"+ln.Addr().String()))); kind(t, err) != NoFirstByte {
			t.Errorf("%s: %v", scheme, err)
		}
	}
}

func TestEgress_aRegionIsRemembered(t *testing.T) {
	g := startHub(t)
	x, _ := httpExit(t, g.Listener.Addr().String(), false)
	main := socksExit(t, g.Listener.Addr().String())
	c := g.client(t, main.url, nil)
	f := func(want ...string) {
		t.Helper()
		if refused, down := c.Shunned(); !reflect.DeepEqual(refused, want) || down != nil {
			t.Errorf("refused %q, down %q", refused, down)
		}
	}
	f()
	g.say(400, notHere)
	own := via(t, x.url)
	if err := through(t, c, own); kind(t, err) != Region {
		t.Error(err)
	}
	f(own.Egress())
	raw := &Raw{Method: "POST", Target: "/v1beta/models/m:generateContent", Header: http.Header{}}
	p, err := c.Forward(t.Context(), via(t, nil), raw)
	if err != nil || p.Refusal.Kind != Region {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	f("", own.Egress())
	if all := c.Egresses(); all[0].Refused.IsZero() || time.Until(all[1].Refused) > firstRefusal {
		t.Errorf("%+v", all)
	}
	g.say(200, aWholeAnswer)
	if err := through(t, c, via(t, nil)); err != nil {
		t.Error(err)
	}
	f(own.Egress())
}

func TestEgress_endsWhereNoKeyNamesIt(t *testing.T) {
	g := startHub(t)
	x, _ := httpExit(t, g.Listener.Addr().String(), false)
	y := socksExit(t, g.Listener.Addr().String())
	c := g.client(t, nil, nil)
	for range 2 {
		for _, proxy := range []*url.URL{x.url, y.url} {
			if err := through(t, c, via(t, proxy)); err != nil {
				t.Error(err)
			}
		}
		c.Keep([]*url.URL{nil, y.url})
	}
	if len(x.seen()) != 2 || len(y.seen()) != 1 || len(c.Egresses()) != 2 {
		t.Errorf("%q, %q, %+v", x.seen(), y.seen(), c.Egresses())
	}
}

func TestEgress_refusalsGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		es := newEgresses(nil)
		f := func(want time.Duration) {
			t.Helper()
			for range 3 {
				es.refuse(es.main)
			}
			left := time.Until(es.list()[0].Refused)
			if left != want {
				t.Errorf("refused for %v, want %v", left, want)
			}
			time.Sleep(left + 1)
		}
		f(30 * time.Second)
		f(time.Minute)
		f(2 * time.Minute)
		f(4 * time.Minute)
		f(8 * time.Minute)
		f(10 * time.Minute)
		f(10 * time.Minute)
	})
}
