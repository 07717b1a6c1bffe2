package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/provision/lab"
	"github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

// manyPeople gives each request a conversation of its own, so that a balancer spreads them.
type manyPeople struct{ next http.RoundTripper }

func (p manyPeople) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set("X-Claude-Code-Session-Id", fmt.Sprintf("session-%d", time.Now().UnixNano()))
	return p.next.RoundTrip(req)
}

// doorTo is an address at which a lab server finds another one, whom it cannot reach by itself.
func doorTo(t *testing.T, from *lab.Server, to string) string {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(from.Gateway, "0"))
	if err != nil {
		t.Fatal(err)
	}
	var open sync.WaitGroup
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		open.Wait()
	})
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	open.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return // closed
			}
			open.Go(func() { passOn(ctx, near, to) })
		}
	})
	return l.Addr().String()
}

// passOn carries bytes both ways until one side ends, or cannot be reached.
func passOn(ctx context.Context, near net.Conn, to string) {
	closed := context.AfterFunc(ctx, func() { _ = near.Close() }) // the test is over
	defer closed()
	defer func() { _ = near.Close() }()
	far, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", to)
	if err != nil {
		return
	}
	var up sync.WaitGroup
	up.Go(func() {
		_, _ = io.Copy(far, near) // either end may go at any time: that is what the test is about
		_ = far.Close()
	})
	_, _ = io.Copy(near, far)
	_, _ = near.Close(), far.Close()
	up.Wait()
}

// TestBalancer: two adapters behind one Nginx, of which one is switched off in the midst of questions, comes back, and loses its keys.
func TestBalancer(t *testing.T) { // not beside others: it takes three servers
	one, two := newRig(t, ready()...), newRig(t, ready()...)
	front := lab.Require(t, lab.Options{Packages: ready()})
	one.deploy()
	two.deploy()
	token := clientToken(t, one)
	// Tokens are every adapter's own: the second one gets those of the first.
	two.on("cat >/etc/gemini-adapter/tokens <<'END'\n" + one.on("cat /etc/gemini-adapter/tokens") + "END\ngemini-manage reload")

	site := one.ok(nil, "export", "nginx-balancer", doorTo(t, front, one.server.Addr+":80"), doorTo(t, front, two.server.Addr+":80")).out
	script := "rm -f /etc/nginx/sites-enabled/default; cat >/etc/nginx/conf.d/gemini-balancer.conf <<'END'\n" + site + "END\nnginx -t && systemctl restart nginx"
	if out, err := front.Sh(t.Context(), script); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	slow := func(rec fakegemini.Recorded) (fakegemini.Answer, bool) {
		return fakegemini.Reply(fakegemini.Text("late").Wait(3 * time.Second)), bytes.Contains(rec.Body, []byte("slow"))
	}
	one.fake.Respond(slow)
	two.fake.Respond(slow)
	l := &load{t: t, url: "http://" + front.Addr, token: token,
		client: &http.Client{Transport: manyPeople{&http.Transport{MaxIdleConnsPerHost: 100}}, Timeout: time.Minute}}
	t.Run("spread", func(t *testing.T) { testBalancerSpreads(t, l, one, two) })
	t.Run("switched off", func(t *testing.T) { testBalancerSwitchedOff(t, l, one) })
	t.Run("back", func(t *testing.T) { testBalancerBack(t, l, one) })
	t.Run("without keys", func(t *testing.T) { testBalancerKeyless(t, l, one, two) })
}

// clientToken makes a token of the adapter's, through the operator's tool.
func clientToken(t *testing.T, r *rig) string {
	t.Helper()
	return strings.TrimSpace(r.on("gemini-manage tokens add balanced 2>/dev/null"))
}

// googleSaw counts what of Gemini's questions have a text.
func googleSaw(r *rig, text string) (n int) {
	for _, rec := range r.fake.Requests() {
		if bytes.Contains(rec.Body, []byte(text)) {
			n++
		}
	}
	return n
}

const endTurn = `"stop_reason":"end_turn"`

func testBalancerSpreads(t *testing.T, l *load, one, two *rig) {
	for range 30 {
		if text, err := l.ask(shortQuestion); err != nil || !strings.Contains(text, endTurn) {
			t.Fatalf("%s, %v", text, err)
		}
	}
	a, b := googleSaw(one, `"hi"`), googleSaw(two, `"hi"`)
	t.Logf("%d and %d questions", a, b)
	if a == 0 || b == 0 || a+b != 30 {
		t.Errorf("one adapter got %d questions, the other one %d", a, b)
	}
}

// testBalancerSwitchedOff: who waits for an answer of the server that goes gets it from the other one, and nobody is lost after that.
func testBalancerSwitchedOff(t *testing.T, l *load, one *rig) {
	var waiting sync.WaitGroup
	for range 20 {
		waiting.Go(func() {
			if text, err := l.ask(strings.Replace(shortQuestion, "hi", "slow", 1)); err != nil || !strings.Contains(text, "late") {
				l.lose("question that waited", text, err)
			}
		})
	}
	if _, err := one.fake.WaitFor(t.Context(), func(rec fakegemini.Recorded) bool { return bytes.Contains(rec.Body, []byte("slow")) }); err != nil {
		t.Fatal(err)
	}
	if err := one.server.PowerCut(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if text, err := l.ask(shortQuestion); err != nil || !strings.Contains(text, endTurn) {
			l.lose("question", text, err)
		}
	}
	waiting.Wait()
	for _, what := range l.lost {
		t.Error(what)
	}
}

func testBalancerBack(t *testing.T, l *load, one *rig) {
	if err := one.server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	before, ctx := googleSaw(one, `"hi"`), t.Context()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for googleSaw(one, `"hi"`) == before && ctx.Err() == nil {
		if text, err := l.ask(shortQuestion); err != nil || !strings.Contains(text, endTurn) {
			t.Fatalf("%s, %v", text, err)
		}
	}
	if ctx.Err() != nil {
		t.Error("the server that came back got no question")
	}
}

func testBalancerKeyless(t *testing.T, l *load, one, two *rig) {
	for _, key := range goodKeys {
		two.fake.Key(key, fakegemini.KeyRule{Error: fakegemini.ErrInvalidKey()})
	}
	before := googleSaw(one, `"hi"`)
	for range 20 {
		if text, err := l.ask(shortQuestion); err != nil || !strings.Contains(text, endTurn) {
			t.Fatalf("%s, %v", text, err)
		}
	}
	if got := googleSaw(one, `"hi"`) - before; got != 20 {
		t.Errorf("the adapter that has keys got %d of 20 questions", got)
	}
}
