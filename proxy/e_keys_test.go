package proxy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
)

// Cases 16 to 30: what Google says of keys and quotas.

// movesOn is a failure of the first key's own: it costs the client nothing, and the key its turn.
func movesOn(t *testing.T, e *fg.APIError, state keys.State, reason keys.Reason) {
	t.Helper()
	for _, path := range []string{messages, completions} {
		for _, stream := range []bool{false, true} {
			r := start(t, "a b", nil)
			r.fake.Key(keyNamed("a"), always(e))
			for range 2 {
				if got := r.do("POST", path, ask(path, stream)); got.status != 200 {
					t.Errorf("%v: %d %s", e, got.status, got.body)
				}
			}
			if got := r.keysAsked(); got != "a b b" {
				t.Errorf("%v: keys %s", e, got)
			}
			if a := r.state("a"); a.State != state || a.Reason != reason || a.Failures != 1 {
				t.Errorf("%v: %+v", e, a)
			}
			r.stop()
		}
	}
}

// rests lets the only key fail once and checks how long it is away.
func (r *rig) rests(e *fg.APIError, d time.Duration) {
	r.t.Helper()
	r.fake.Key(keyNamed("a"), fg.KeyRule{Error: e, Times: 1})
	before := time.Now()
	got := r.do("POST", messages, ask(messages, false))
	if s := r.state("a"); got.status != 429 || s.Until.Before(before.Add(d)) || s.Until.After(time.Now().Add(d)) {
		r.t.Errorf("%v: %d, %+v", e, got.status, s)
	}
}

// otherModel checks that the key still serves another model.
func (r *rig) otherModel() {
	r.t.Helper()
	if got := r.do("POST", messages, strings.Replace(ask(messages, false), "claude-opus-5-5", "gemini-2.5-flash", 1)); got.status != 200 {
		r.t.Errorf("another model: %d %s", got.status, got.body)
	}
}

func TestAKeysFailureMovesOn(t *testing.T) {
	movesOn(t, fg.ErrExpiredKey(), keys.Disabled, keys.Invalid)
	movesOn(t, fg.ErrBlockedKey("API_KEY_SERVICE_BLOCKED"), keys.Disabled, keys.Blocked)
	movesOn(t, fg.ErrProjectDenied(), keys.Disabled, keys.Suspended)
	movesOn(t, fg.ErrNoFreeTier(), keys.Disabled, keys.NoBilling)
}

func TestE016_InvalidKey(t *testing.T) {
	movesOn(t, fg.ErrInvalidKey(), keys.Disabled, keys.Invalid)
}

func TestE017_KeyOfARefusedKind(t *testing.T) {
	movesOn(t, fg.ErrUnauthenticated(), keys.Disabled, keys.Invalid)
}

func TestE018_LeakedKey(t *testing.T) {
	movesOn(t, fg.ErrLeakedKey(), keys.Disabled, keys.Leaked)
	r := start(t, "a", nil)
	r.fake.Key(keyNamed("a"), fg.KeyRule{Error: fg.ErrLeakedKey(), Times: 1})
	for range 2 {
		got := r.do("POST", messages, ask(messages, false))
		if s := r.state("a"); got.status != 503 || !s.Until.IsZero() {
			t.Errorf("%d, %+v", got.status, s)
		}
	}
}

func TestE019_MinuteQuota(t *testing.T) {
	movesOn(t, minute("12.94s"), keys.Limited, keys.RateLimited)
	r := start(t, "a", nil)
	r.rests(minute("12.94s"), 12940*time.Millisecond)
	r.otherModel()
}

func TestE020_DayQuota(t *testing.T) {
	movesOn(t, daily(), keys.Limited, keys.DayQuota)
	r := start(t, "a", nil)
	r.fake.Key(keyNamed("a"), fg.KeyRule{Error: daily(), Times: 1})
	midnight := time.Now().Add(untilMidnight(t, time.Now())) // both sides of the change of clocks: classify_test.go of upstream
	got := r.do("POST", messages, ask(messages, false))
	if s := r.state("a"); got.status != 429 || s.Until.Before(midnight) || s.Until.After(midnight.Add(31*time.Second)) {
		t.Errorf("%d, %+v", got.status, s)
	}
	r.otherModel()
}

func TestE021_NoQuotaAtAll(t *testing.T) {
	movesOn(t, fg.ErrQuotaZero("gemini-3.8-flash"), keys.Limited, keys.NoAccess)
	r := start(t, "a", nil)
	r.rests(fg.ErrQuotaZero("gemini-3.8-flash"), 24*time.Hour)
	r.otherModel()
	words := start(t, "a", nil)
	words.rests(fg.Err(429, "You exceeded your current quota.\n* Quota exceeded for metric: x, limit: 0, model: gemini-3.8-flash\nPlease retry in 3s."), 24*time.Hour)
	words.otherModel()
}

func TestE022_ThrottledWithoutDetails(t *testing.T) {
	t.Parallel()
	movesOn(t, fg.ErrExhausted(), keys.Limited, keys.Throttled)
	r := start(t, "a", nil)
	r.rests(fg.ErrExhausted(), 5*time.Second)
	r.otherModel()
	again := start(t, "a", func(cfg *config.Config, _ *Server) { cfg.QueueTimeout = 9 * time.Second })
	again.fake.Key(keyNamed("a"), always(fg.ErrExhausted()))
	if got := again.do("POST", messages, ask(messages, false)); got.status != 429 || got.header.Get("Retry-After") != "10" || again.keysAsked() != "a a" {
		t.Errorf("the second time: %d, Retry-After %s, keys %s", got.status, got.header.Get("Retry-After"), again.keysAsked())
	}
}

func TestE023_EveryKeyRests(t *testing.T) {
	r := start(t, "a b", func(cfg *config.Config, _ *Server) { cfg.QueueTimeout = 5 * time.Second })
	r.fake.Key(keyNamed("a"), always(minute("40s")))
	r.fake.Key(keyNamed("b"), always(minute("20s")))
	began := time.Now()
	got := r.do("POST", messages, ask(messages, true))
	if got.status != 429 || got.header.Get("Retry-After") != "20" || got.header.Get("x-should-retry") != "" || time.Since(began) > 4*time.Second {
		t.Errorf("%d %v after %v", got.status, got.header, time.Since(began))
	}
	has(t, got.body, "rate_limit_error", "2 rate limited", "try again in 20s")

	soon := start(t, "a", func(cfg *config.Config, _ *Server) { cfg.QueueTimeout = 5 * time.Second })
	soon.fake.Key(keyNamed("a"), fg.KeyRule{Error: minute("1.2s"), Times: 1})
	began = time.Now()
	if got := soon.do("POST", messages, ask(messages, false)); got.status != 200 || time.Since(began) < 1200*time.Millisecond {
		t.Errorf("%d after %v", got.status, time.Since(began))
	}
}

func TestE024_Location(t *testing.T) {
	f := func(path string, wants ...string) {
		t.Helper()
		r := start(t, "a b", nil)
		r.fake.Key(keyNamed("a"), always(fg.ErrLocation()))
		r.fake.Key(keyNamed("b"), always(fg.ErrLocation()))
		got := r.do("POST", path, ask(path, true))
		if got.status != 403 || got.header.Get("x-should-retry") != "false" {
			t.Errorf("%d %v", got.status, got.header)
		}
		has(t, got.body, wants...)
		for _, key := range []string{"a", "b"} {
			if s := r.state(key); s.State != keys.Healthy || s.Failures != 0 {
				t.Errorf("%+v", s)
			}
		}
	}
	f(messages, "permission_error", "not available from this server's location")
	f(completions, "unsupported_country_region_territory")
}

func TestE029_ASessionKeepsItsKey(t *testing.T) {
	r := start(t, "a b c d", nil)
	const sessions, turns = 12, 3
	for i := range sessions * turns {
		got := r.do("POST", messages, ask(messages, i%2 == 0),
			"Authorization", "Bearer "+testToken, "x-claude-code-session-id", fmt.Sprint("session ", i%sessions))
		if got.status != 200 {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	asked := strings.Fields(r.keysAsked())
	used := map[string]bool{}
	for i, key := range asked {
		used[key] = true
		if key != asked[i%sessions] {
			t.Errorf("session %d went from key %s to %s", i%sessions, asked[i%sessions], key)
		}
	}
	if len(used) < 2 {
		t.Errorf("all sessions are with key %s", asked[0])
	}

	r.fake.Key(keyNamed(asked[0]), always(daily()))
	for range 2 {
		r.do("POST", messages, ask(messages, false), "Authorization", "Bearer "+testToken, "x-claude-code-session-id", "session 0")
	}
	after := strings.Fields(r.keysAsked())[len(asked):]
	if len(after) != 3 || after[0] != asked[0] || after[1] == asked[0] || after[2] != after[1] {
		t.Errorf("key %s failed, and then came %v", asked[0], after)
	}
}

func TestE030_AProjectsKeysRestTogether(t *testing.T) {
	f := func(e *fg.APIError, asked, resting string) {
		t.Helper()
		r := start(t, "a b c d", func(cfg *config.Config, _ *Server) {
			cfg.Keys[0].Group, cfg.Keys[1].Group, cfg.Keys[2].Group = "one", "two", "one"
		})
		r.fake.Key(keyNamed("a"), always(e))
		for range 4 {
			if got := r.do("POST", messages, ask(messages, false)); got.status != 200 {
				t.Errorf("%v: %d %s", e, got.status, got.body)
			}
		}
		away := ""
		for _, k := range []string{"a", "b", "c", "d"} {
			if r.state(k).State != keys.Healthy {
				away += k
			}
		}
		if got := r.keysAsked(); got != asked || away != resting {
			t.Errorf("%v: keys %s, away are %s", e, got, away)
		}
		r.stop()
	}
	f(daily(), "a b d b d", "ac")
	f(minute("40s"), "a b d b d", "ac")
	f(fg.ErrSpendCap(), "a b d b d", "ac")
	f(fg.ErrProjectDenied(), "a b d b d", "ac")
	f(fg.ErrNoFreeTier(), "a b d b d", "ac")
	f(fg.ErrExhausted(), "a b c d b", "a") // of no quota, so it is the key's alone
	f(fg.ErrCapacity(), "a b c d b", "a")
	f(fg.ErrInvalidKey(), "a b c d b", "a")
	f(fg.ErrLeakedKey(), "a b c d b", "a")
}
