package fakegemini

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestQueueAndResponder(t *testing.T) {
	c := start(t, Options{})
	say := func(want string) {
		t.Helper()
		if text := c.ok(m25, "generateContent", talk(hi)); !strings.Contains(text, want) {
			t.Errorf("got %s, want %q", text, want)
		}
	}
	c.s.Enqueue(Say("first"), Say("second"))
	if n := c.s.Pending(); n != 2 {
		t.Errorf("%d pending, want 2", n)
	}
	if status, _, err := c.post(m25, "generateContent", "k", `{}`); status != 400 || err != nil {
		t.Errorf("an illegal request: %d %v", status, err)
	}
	say("first")
	c.s.Respond(func(r Recorded) (Answer, bool) {
		return Say("responder saw " + *r.Request.Contents[0].Parts[0].Text), r.Key == "k"
	})
	say("responder saw hi")
	c.s.Respond(nil)
	c.ok(m25, "countTokens", `{"contents":[`+hi+`]}`)
	say("second")
	say("You said: hi")
	c.s.Enqueue(Say("left over"))
	c.s.Key("k", KeyRule{Error: ErrOverloaded()})
	c.s.Reset()
	say("You said: hi")
	if n := len(c.s.Requests()); n != 1 {
		t.Errorf("%d requests after a reset and one more, want 1", n)
	}
}

func TestKeyRules(t *testing.T) {
	c := start(t, Options{Keys: []string{"a", "b"}})
	f := func(key, model string, want int) {
		t.Helper()
		if status, text, err := c.post(model, "generateContent", key, talk(hi)); status != want || err != nil {
			t.Errorf("key %s: %d %v %s, want %d", key, status, err, text, want)
		}
	}
	f("a", m25, 200)
	f("c", m25, 400)
	c.s.Key("a", KeyRule{Error: ErrOverloaded(), Times: 2})
	c.s.Key("a", KeyRule{Error: ErrQuotaPerMinute(m38, time.Second), Model: m38})
	f("a", m25, 503)
	f("b", m25, 200)
	f("a", m38, 503)
	f("a", m25, 200)
	f("a", m38, 429)
	f("a", m38, 429)
	c.s.HealKey("a")
	f("a", m38, 200)
	c.s.Key("a", KeyRule{Error: ErrInternal(), Verb: "countTokens"})
	f("a", m38, 200)
	if status, _, err := c.post(m38, "countTokens", "a", `{}`); status != 500 || err != nil {
		t.Errorf("countTokens: %d %v", status, err)
	}
}

func TestContradictions(t *testing.T) {
	f := func(a Answer, want string) {
		t.Helper()
		err := a.check()
		if got := errText(err); !strings.Contains(got, want) || (want == "") != (err == nil) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f(Answer{}, "")
	f(Say("a"), "")
	f(Answer{Error: ErrOverloaded(), Raw: &Raw{Status: 200}}, "not several")
	f(RawAnswer(99, "", ""), "out of 200 to 599")
	f(Reply(Text("a"), Chunk{Raw: "x", Cut: true}), "chunk 1: ")
	f(Reply(Calls(Call("Read", "{"))), "args of Read are not JSON")
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestEnqueuePanicsOnNonsense(t *testing.T) {
	defer func() {
		if r := recover(); r == nil {
			t.Error("a contradictory answer was queued")
		}
	}()
	New(Options{}).Enqueue(RawAnswer(0, "", ""))
}

// TestDelays runs in virtual time, over pipes.
func TestDelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Delay: time.Second})
		l := newPipes()
		if err := s.Serve(l); err != nil {
			t.Fatal(err)
		}
		web := &http.Client{Transport: &http.Transport{DialContext: l.dial, DisableKeepAlives: true}}
		f := func(want time.Duration) {
			t.Helper()
			began := time.Now()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://fake/v1beta/models/"+m25+":generateContent?key=k", strings.NewReader(talk(hi)))
			if err != nil {
				t.Fatal(err)
			}
			res, err := web.Do(req)
			if err != nil || res.StatusCode != http.StatusOK {
				t.Fatal(res, err)
			}
			if err := res.Body.Close(); err != nil {
				t.Error(err)
			}
			if d := time.Since(began); d != want {
				t.Errorf("took %s, want %s", d, want)
			}
		}
		s.Enqueue(Reply(Text("a").Wait(2*time.Second), Text("b").Wait(3*time.Second)).After(time.Second))
		f(6 * time.Second)
		s.Key("k", KeyRule{Latency: Duration(time.Minute)})
		s.Enqueue(Say("a"))
		f(time.Minute)
		s.HealKey("k")
		f(4 * time.Second) // the built-in model's four chunks
		mustClose(t, s)
	})
}

// pipes is a listener in memory.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newPipes() *pipes { return &pipes{make(chan net.Conn), make(chan struct{})} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.conns <- far:
		return near, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	close(p.closed)
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes", Net: "pipe"} }
