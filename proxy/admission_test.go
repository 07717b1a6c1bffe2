package proxy

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
	"github.com/gemini-claude-adapter/gca/proxy/front"
)

// house is an admission whose guests are told apart by their names.
type house struct {
	a   *admission
	cfg *config.Config

	mu sync.Mutex
	in []string // in the order in which they got in
}

// comes sends a request of a token's in, which stays for a while.
func (h *house) comes(who *config.Token, stays time.Duration, refused func(*front.Error)) {
	go func() {
		leave, refusal := h.a.enter(context.Background(), who, h.cfg)
		h.mu.Lock()
		if refusal != nil {
			refused(refusal)
			h.mu.Unlock()
			return
		}
		h.in = append(h.in, who.Name)
		h.mu.Unlock()
		time.Sleep(stays)
		leave()
	}()
	synctest.Wait()
}

func newHouse(total int) *house {
	return &house{a: newAdmission(), cfg: &config.Config{MaxConcurrent: total, QueueTimeout: time.Minute}}
}

// done waits until everybody has left, and looks that nothing is left of them.
func (h *house) done(t *testing.T) {
	t.Helper()
	time.Sleep(time.Hour)
	synctest.Wait()
	if len(h.a.lines)+len(h.a.turns)+h.a.running+h.a.waiting != 0 {
		t.Errorf("left: %d lines, %d turns, %d running, %d waiting", len(h.a.lines), len(h.a.turns), h.a.running, h.a.waiting)
	}
}

func TestPlacesGoRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		many, few := &config.Token{Name: "many"}, &config.Token{Name: "few"}
		never := func(e *front.Error) { t.Errorf("refused: %s", e.Message) }
		h := newHouse(6)
		for i := range 6 { // they fill the house, and leave one by one
			h.comes(many, time.Duration(i+1)*time.Second, never)
		}
		for range 4 {
			h.comes(many, time.Minute, never)
		}
		h.comes(few, time.Minute, never)
		h.comes(few, time.Minute, never)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got := strings.Join(h.in[6:], " "); got != "many few many few many many" {
			t.Errorf("next in were %s", got)
		}
		h.done(t)
	})
}

func TestTheLongestLineGivesWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(2)
		many, few := &config.Token{Name: "many"}, &config.Token{Name: "few"}
		var refused []string
		refuse := func(name string) func(*front.Error) {
			return func(e *front.Error) {
				refused = append(refused, name)
				if e.Kind != front.Overloaded || e.RetryAfter != crowdedRetry || !strings.Contains(e.Message, "MAX_CONCURRENT=2), and as many wait") {
					t.Errorf("%+v", e)
				}
			}
		}
		for i := range 4 { // two are in, two wait
			h.comes(many, time.Second, refuse(fmt.Sprint("many ", i)))
		}
		h.comes(many, time.Second, refuse("many last"))
		h.comes(few, time.Second, refuse("few 0"))
		h.comes(few, time.Second, refuse("few 1"))
		if got := strings.Join(refused, ", "); got != "many last, many 3, few 1" {
			t.Errorf("refused: %s", got)
		}
		h.done(t)
		if got := strings.Join(h.in, " "); got != "many many many few" && got != "many many few many" {
			t.Errorf("in: %s", got)
		}
	})
}

func TestATokensOwnPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(10)
		one, other := &config.Token{Name: "one", Limits: config.Limits{Concurrent: 2}}, &config.Token{Name: "other"}
		never := func(e *front.Error) { t.Errorf("refused: %s", e.Message) }
		for range 3 {
			h.comes(one, 2*time.Minute, func(e *front.Error) {
				if e.Kind != front.RateLimited || e.RetryAfter == 0 || !strings.Contains(e.Message, "token one has 2 requests under way, as many as it may (concurrent=2), and no place was free within 60s") {
					t.Errorf("%+v", e)
				}
			})
		}
		h.comes(other, time.Second, never)
		if got := strings.Join(h.in, " "); got != "one one other" {
			t.Errorf("in: %s", got)
		}
		time.Sleep(90 * time.Second)
		synctest.Wait()
		h.comes(one, time.Second, never) // gets in within a minute
		// more places for the token, as a reload gives: who waits already gets one with the next that comes
		h.comes(one, time.Second, never)
		raised := *one
		raised.Limits.Concurrent = 10
		h.comes(&raised, time.Second, never)
		if len(h.in) != 6 {
			t.Errorf("in: %s", h.in)
		}
		h.done(t)
	})
}

func TestWithoutWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(1)
		h.cfg.QueueTimeout = 0
		who, refused := &config.Token{Name: "x"}, 0
		for range 3 {
			h.comes(who, time.Second, func(*front.Error) { refused++ })
		}
		if refused != 2 || len(h.in) != 1 {
			t.Errorf("%d refused, %s in", refused, h.in)
		}
		h.done(t)
	})
}

// occupied opens a stream that stays open until its body is closed.
func (r *rig) occupied(path string) (free func()) {
	r.t.Helper()
	r.fake.Enqueue(fg.Reply(fg.Text("so far"), fg.Text("late").Wait(time.Minute)))
	resp := r.open("POST", path, ask(path, true))
	if _, err := resp.Body.Read(make([]byte, 1)); err != nil {
		r.t.Fatal(err)
	}
	return func() { _ = resp.Body.Close() }
}

// untilWaiting returns when as many requests wait for their places.
func (r *rig) untilWaiting(want int) {
	for {
		if _, waiting := r.server.bounds.places.counts(); waiting == want {
			return
		}
		runtime.Gosched()
	}
}

// Over HTTP: who waits gets in when another ends, and is told of the limit when none does.
func TestMaxConcurrent(t *testing.T) {
	t.Parallel()
	r := start(t, "a", func(cfg *config.Config, _ *Server) { cfg.MaxConcurrent, cfg.QueueTimeout = 1, 50*time.Millisecond })
	f := func(path string, want int, words ...string) {
		t.Helper()
		free := r.occupied(path)
		got := r.do("POST", path, ask(path, false))
		if got.status != want || got.header.Get("Retry-After") != "5" {
			t.Errorf("%s: %d, Retry-After %q: %s", path, got.status, got.header.Get("Retry-After"), got.body)
		}
		has(t, got.body, append(words, "MAX_CONCURRENT=1", "no place was free within 0s (QUEUE_TIMEOUT)")...)
		if got := r.do("POST", countPath, prompt(hello)); got.status != 200 { // needs no place
			t.Errorf("a count: %d", got.status)
		}
		free()
	}
	f(messages, 529, "overloaded_error")
	longer := *r.cfg
	longer.QueueTimeout = time.Minute
	r.server.live.Store(&longer)
	free := r.occupied(completions)
	second := make(chan result, 1)
	go func() { second <- r.do("POST", completions, ask(completions, false)) }()
	r.untilWaiting(1)
	free()
	if got := <-second; got.status != 200 {
		t.Errorf("the one who waited: %d %s", got.status, got.body)
	}
	r.server.live.Store(r.cfg)
	f(completions, 503, "server_is_overloaded")
	f(replies, 503, "server_is_overloaded")
	r.stop()
	if running, waiting := r.server.bounds.places.counts(); running+waiting != 0 {
		t.Errorf("%d running, %d waiting", running, waiting)
	}
}

// A client that leaves while it waits for its place leaves the line.
func TestAClientLeavesWhileItWaitsForItsPlace(t *testing.T) {
	t.Parallel()
	r := start(t, "a", func(cfg *config.Config, _ *Server) { cfg.MaxConcurrent, cfg.QueueTimeout = 1, time.Minute })
	free := r.occupied(messages)
	for _, padding := range []int{0, 1 << 20} {
		w := dial(t, r)
		body := ask(messages, false) + strings.Repeat(" ", padding)
		if _, err := fmt.Fprintf(w, "POST %s HTTP/1.1\r\nHost: x\r\nx-api-key: %s\r\nContent-Length: %d\r\n\r\n%s", messages, testToken, len(body), body); err != nil {
			t.Fatal(err)
		}
		r.untilWaiting(1)
		began := time.Now()
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		r.untilWaiting(0)
		if d := time.Since(began); d > time.Second {
			t.Errorf("the line had it for another %v", d)
		}
	}
	free()
	r.stop()
	if n := strings.Count(r.log.String(), `"status":499`); n != 3 {
		t.Errorf("%d lines of 499:\n%s", n, r.log.String())
	}
}

// A place is taken without a wait only where one is free, and nobody of the same token waits for one.
func TestAFreePlace(t *testing.T) {
	a, cfg := newAdmission(), &config.Config{MaxConcurrent: 3, QueueTimeout: time.Minute}
	one, other := &config.Token{Name: "one", Limits: config.Limits{Concurrent: 1}}, &config.Token{Name: "other"}
	f := func(who *config.Token, want bool) (leave func()) {
		t.Helper()
		leave, ok := a.tryEnter(who, cfg)
		if ok != want {
			t.Errorf("%s: %v", who.Name, ok)
		}
		return leave
	}
	leaveOne := f(one, true)
	f(one, false) // its own limit
	leaves := []func(){f(other, true), f(other, true)}
	f(other, false) // MAX_CONCURRENT
	_, waiter := a.join(one, cfg)
	leaves[0]()
	if f(one, false); waiter.end != waits {
		t.Errorf("who waits has ended: %d", waiter.end)
	}
	if leaveOne(); waiter.end != placed {
		t.Errorf("who came first is %d", waiter.end)
	}
	f(one, false)
	a.leave(a.lines["one"])
	leaves[1]()
	if len(a.lines)+len(a.turns)+a.running+a.waiting != 0 {
		t.Errorf("left: %+v", a)
	}
}
