package proxy

import (
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
)

// Refusals that name a tiny delay, or come late, cannot keep a request going for ever.
func TestARequestHasABound(t *testing.T) {
	t.Parallel()
	f := func(names, delay string, after, queue, first time.Duration, asked int, retryAfter string) {
		t.Helper()
		r := start(t, names, func(cfg *config.Config, _ *Server) { cfg.QueueTimeout, cfg.RequestTimeout = queue, first })
		for range 12 {
			r.fake.Enqueue(fg.Fail(minute(delay)).After(after))
		}
		got := r.do("POST", messages, ask(messages, true))
		if got.status != 429 || got.header.Get("Retry-After") != retryAfter || len(r.fake.Requests()) != asked {
			t.Errorf("%s: %d, Retry-After %s after %d requests: %s", names, got.status, got.header.Get("Retry-After"), len(r.fake.Requests()), got.body)
		}
		has(t, got.body, "rate_limit_error")
		r.stop()
	}
	f("a b c", "0.001s", 0, 0, 45*time.Second, 3, "1")                                             // each key once, then none is left
	f("a b c d e", "0.001s", 320*time.Millisecond, 0, 45*time.Second, 6, "1")                      // the first one is back by then
	f("a b c d", "30s", 500*time.Millisecond, 100*time.Millisecond, 700*time.Millisecond, 2, "30") // no time
	f("a", "0.001s", 0, 2500*time.Millisecond, 45*time.Second, 3, "1")                             // waits, twice
}

func TestPauseBefore(t *testing.T) {
	f := func(n int, low, high time.Duration) {
		t.Helper()
		for range 100 {
			if d := pauseBefore(500*time.Millisecond, n); d < low || d > high {
				t.Errorf("before retry %d: %v, want %v to %v", n, d, low, high)
			}
		}
	}
	f(1, 250*time.Millisecond, 750*time.Millisecond)
	f(2, 500*time.Millisecond, 1500*time.Millisecond)
	f(4, 2*time.Second, 6*time.Second)
	f(5, 4*time.Second, 8*time.Second)
	f(6, 4*time.Second, 8*time.Second)
	f(1000, 4*time.Second, 8*time.Second)
}

func TestNoRetryWithoutTime(t *testing.T) {
	r := start(t, "a", func(cfg *config.Config, s *Server) {
		cfg.QueueTimeout, cfg.RequestTimeout, cfg.MaxRetries = 0, time.Second, 9
		if s != nil {
			s.pace.backoff = time.Minute
		}
	})
	r.fake.Enqueue(fg.Fail(fg.ErrOverloaded()))
	began := time.Now()
	got := r.do("POST", messages, ask(messages, true))
	if got.status != 529 || len(r.fake.Requests()) != 1 || time.Since(began) > time.Second {
		t.Errorf("%d after %d requests and %v", got.status, len(r.fake.Requests()), time.Since(began))
	}
}

// A prompt that is longer than a minute's quota costs that request alone its answer: what its client sends next, as Claude Code
// does to compact the conversation, goes through at once.
func TestAPromptThatIsTooLongLeavesRoomForTheNext(t *testing.T) {
	tokens := fg.ErrQuotaTokensPerMinute("gemini-3.8-flash", 1000, 30*time.Second)
	f := func(refusal *fg.APIError, calls int) {
		t.Helper()
		r := start(t, "a b", func(cfg *config.Config, _ *Server) { cfg.QueueTimeout = 0 })
		for _, name := range []string{"a", "b"} {
			r.fake.Key(keyNamed(name), fg.KeyRule{Error: tokens})
			r.do("POST", messages, ask(messages, false)) // now the limits are known
			r.fake.HealKey(keyNamed(name))
		}
		for _, key := range r.server.pool.Snapshot() {
			if err := r.server.pool.Reset(key.ID); err != nil {
				t.Fatal(err)
			}
		}
		before := len(r.fake.Requests())
		for range calls {
			r.fake.Enqueue(fg.Fail(refusal))
		}
		long := `{"model":"claude-opus-5-5","max_tokens":1000,"messages":[{"role":"user","content":"` + strings.Repeat("word ", 1000) + `"}]}`
		got := r.do("POST", messages, long)
		if asked := len(r.fake.Requests()) - before; got.status != 400 || asked != calls {
			t.Fatalf("%d %s after %d calls", got.status, got.body, asked)
		}
		has(t, got.body, "prompt is too long")
		if got := r.do("POST", messages, ask(messages, false)); got.status != 200 {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
	f(tokens, 2)
	f(fg.ErrTooManyTokens(1250, 1000), 1)
}

// An image is many bytes and few tokens: a used-up minute is not taken for a prompt that can never fit.
func TestAnImageIsNotTooLongForAMinute(t *testing.T) {
	r := start(t, "a b", nil)
	e := fg.Err(429, "You exceeded your current quota.")
	e.Details = []fg.Detail{{Type: "type.googleapis.com/google.rpc.QuotaFailure", Violations: []fg.QuotaViolation{
		{QuotaID: "GenerateContentInputTokensPerModelPerMinute-FreeTier", QuotaValue: "250000"},
	}}}
	f := func(content string, status int) {
		t.Helper()
		r.fake.Enqueue(fg.Fail(e))
		body := `{"model":"claude-opus-5-5","max_tokens":1000,"messages":[{"role":"user","content":` + content + `}]}`
		if got := r.do("POST", messages, body); got.status != status {
			t.Errorf("%.60s: %d %s", content, got.status, got.body)
		}
	}
	f(`[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"`+strings.Repeat("A", 2<<20)+`"}}]`, 200)
	if a := r.state("a"); a.State != keys.Limited || a.Reason != keys.RateLimited {
		t.Errorf("%+v", a)
	}
}
