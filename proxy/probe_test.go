package proxy

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
)

func TestEvery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var gap, rounds atomic.Int64
		ctx, cancel := context.WithCancel(t.Context())
		go every(ctx, func() time.Duration { return time.Duration(gap.Load()) }, func() { rounds.Add(1) })
		f := func(g, wait time.Duration, want int64) {
			t.Helper()
			synctest.Wait()
			gap.Store(int64(g))
			rounds.Store(0)
			time.Sleep(wait)
			synctest.Wait()
			if got := rounds.Load(); got != want {
				t.Errorf("every %v: %d rounds in %v, want %d", g, got, wait, want)
			}
		}
		f(0, time.Hour, 0)
		f(30*time.Second, 5*time.Minute, 9) // the first look at a gap that was 0 comes after a minute, and makes a round
		f(time.Millisecond, 10*time.Second, 0)
		f(time.Millisecond, 40*time.Second, 21)
		cancel()
	})
}

func TestProbe_aKeyComesBackByItself(t *testing.T) {
	r := start(t, "a b", nil)
	r.fake.Key(keyNamed("a"), always(fg.ErrInvalidKey()))
	for range 2 {
		if got := r.do("POST", messages, ask(messages, false)); got.status != 200 {
			t.Fatalf("%d", got.status)
		}
	}
	soon := time.Now().Add(time.Minute)
	r.server.probeDue(t.Context(), time.Now()) // too early
	r.server.probeDue(t.Context(), soon)       // as dead as before
	r.server.probeDue(t.Context(), soon)       // too early again
	if s := r.state("a"); s.State != keys.Disabled || s.Reason != keys.Invalid {
		t.Errorf("%+v", s)
	}
	probes := func() (n int) {
		for _, q := range r.fake.Requests() {
			if strings.HasPrefix(q.Path, "/v1beta/models") && q.Method == "GET" {
				n++
			}
		}
		return n
	}
	if n := probes(); n != 1 {
		t.Errorf("%d probes of a dead key", n)
	}
	r.fake.HealKey(keyNamed("a"))
	r.server.probeDue(t.Context(), soon.Add(time.Hour))
	if s := r.state("a"); s.State != keys.Healthy {
		t.Errorf("%+v", s)
	}
	has(t, r.log.String(), `"msg":"a key works again","key":"`+r.state("a").ID+`"`)
	if n := r.metric(`gemini_key_probes_total{result="ok"}`); n != 1 {
		t.Errorf("%v probes went well", n)
	}
	if got := r.do("GET", "/health", ""); !strings.Contains(got.body, `"status":"healthy","active_keys":2`) {
		t.Errorf("%s", got.body)
	}
}

func TestProbe_goesTheKeysOwnWayAndBlamesNoKeyForIt(t *testing.T) {
	exit := startExit(t)
	r := start(t, "a b", func(cfg *config.Config, _ *Server) { behind(cfg, exit, "a") })
	r.fake.Key(keyNamed("a"), always(fg.ErrInvalidKey()))
	for range 2 {
		r.do("POST", messages, ask(messages, false))
	}
	// from here on Google itself fails
	r.fake.HealKey(keyNamed("a"))
	r.fake.Key(keyNamed("a"), always(fg.ErrOverloaded()))
	r.server.probeDue(t.Context(), time.Now().Add(time.Minute))
	if s := r.state("a"); s.State != keys.Disabled {
		t.Errorf("%+v", s)
	}
	if due := r.server.pool.Due(time.Now().Add(time.Minute)); len(due) != 1 {
		t.Errorf("%q are due after a probe that told nothing", due)
	}
	all := r.server.upstream.Egresses()
	if len(all) != 2 || all[1].Name != keys.EgressName(exit) {
		t.Errorf("%+v", all)
	}
}
