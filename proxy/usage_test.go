package proxy

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
	"github.com/gemini-claude-adapter/gca/proxy/store"
	"github.com/gemini-claude-adapter/gca/proxy/store/storetest"
)

func usageOver(t testing.TB, kept store.Store) *usage {
	t.Helper()
	r, err := parseRegistry(registryFile)
	if err != nil {
		t.Fatal(err)
	}
	u := newUsage(kept, r, slog.New(slog.DiscardHandler))
	u.flush()
	return u
}

// used is a request that is over.
func used(token, model string, prompt, output int) *access {
	return &access{token: token, key: "k", target: model, usage: gemini.Usage{Prompt: prompt, Candidates: output}}
}

func wantSpent(t *testing.T, u *usage, token string, tokens, costMicro int64) {
	t.Helper()
	if got := u.spent(token); got != (spent{tokens, costMicro}) {
		t.Errorf("%s spent %+v; want %d, %d", token, got, tokens, costMicro)
	}
}

// wantRows wants rows as "token key model requests errors unpriced prompt output cost".
func wantRows(t *testing.T, s store.Store, day string, want ...string) {
	t.Helper()
	rows, err := s.Usage(day, day)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range rows {
		got = append(got, fmt.Sprint(r.Token, r.Key, r.Model, r.Requests, r.Errors, r.Unpriced, r.Prompt, r.Output, r.CostMicro))
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("on %s:\n%s\nwant:\n%s", day, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func rowOf(parts ...any) string { return fmt.Sprint(parts...) }

func TestUsageIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := store.NewMemory(store.DefaultLimits())
		u := usageOver(t, kept)
		day := keys.Day(time.Now())
		u.add(used("ann", "gemini-3.6-flash", 1000, 100), 200)
		u.add(used("ann", "gemini-3.6-flash", 1000, 100), 502)
		u.add(used("ann", "gemini-3.6-flash", 0, 0), statusClientGone)
		u.add(used("bob", "gemini-9", 10, 1), 200)
		u.add(used("bob", "", 0, 0), 404)
		wantSpent(t, u, "ann", 2200, 2250)
		wantSpent(t, u, "bob", 11, 0)
		wantSpent(t, u, "eve", 0, 0)
		u.flush()
		u.flush()
		wantRows(t, kept, day, rowOf("ann", "k", "gemini-3.6-flash", 3, 1, 0, 2000, 200, 2250), rowOf("bob", "k", "gemini-9", 1, 0, 1, 10, 1, 0))
		wantSpent(t, u, "ann", 2200, 2250)

		time.Sleep(time.Until(keys.NextDay(time.Now())))
		wantSpent(t, u, "ann", 0, 0)
		u.add(used("ann", "gemini-3.6-flash", 4, 0), 200)
		u.flush()
		wantSpent(t, u, "ann", 4, 3)
		wantRows(t, kept, keys.Day(time.Now()), rowOf("ann", "k", "gemini-3.6-flash", 1, 0, 0, 4, 0, 3))
	})
}

func TestUsageIsBoundedInModels(t *testing.T) {
	kept := store.NewMemory(store.DefaultLimits())
	u := usageOver(t, kept)
	for i := range maxUsageModels + 50 {
		for range 2 {
			u.add(used("ann", fmt.Sprintf("gemini-9-%d", i), 1, 0), 404)
		}
	}
	u.add(used("ann", "gemini-3.6-flash", 4, 0), 200)
	u.flush()
	rows, err := kept.Usage("", "~")
	if err != nil || len(rows) != maxUsageModels+2 || rows[len(rows)-1].Model != otherModels || rows[len(rows)-1].Requests != 100 {
		t.Errorf("%d rows, the last is %+v, %v", len(rows), rows[len(rows)-1], err)
	}
	wantSpent(t, u, "ann", 504, 3)
}

// During a handover two processes serve the same tokens.
func TestUsageOfAnotherProcessCounts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	open := func() (*store.SQLite, *usage) {
		s := store.OpenSQLite(path, store.DefaultLimits(), slog.New(slog.NewTextHandler(t.Output(), nil)))
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		return s, usageOver(t, s)
	}
	one, a := open()
	_, b := open()
	var wg sync.WaitGroup
	for _, u := range []*usage{a, b} {
		wg.Go(func() {
			for range 500 {
				u.add(used("ann", "gemini-3.6-flash", 3, 1), 200)
				u.flush()
			}
		})
	}
	wg.Wait()
	storetest.Until(t, "both know of both", func() bool {
		a.flush()
		b.flush()
		all := spent{4000, 6000}
		return a.spent("ann") == all && b.spent("ann") == all
	})
	wantRows(t, one, keys.Day(time.Now()), rowOf("ann", "k", "gemini-3.6-flash", 1000, 0, 0, 3000, 1000, 6000))
	_, c := open()
	wantSpent(t, c, "ann", 4000, 6000)
}

// What Google counted of an attempt that failed is used, too, of the key that it came with; the client hears of its answer alone.
func TestFailedAttemptsCount(t *testing.T) {
	for _, stream := range []bool{false, true} {
		r := start(t, "a b", nil)
		empty := fg.Reply(fg.Finish("STOP").With(fg.Usage{Prompt: 1000, Thoughts: 50, Total: 1050}))
		r.fake.Enqueue(empty, empty, fg.Reply(fg.Text("x"), fg.Finish("STOP").With(fg.Usage{Prompt: 1000, Candidates: 10, Total: 1010})))
		got := r.do("POST", completions, strings.Replace(ask(completions, stream), "{", `{"stream_options":{"include_usage":true},`, 1))
		has(t, got.body, `"prompt_tokens":1000,"completion_tokens":10`)
		r.stop()
		if used := r.server.usage.spent("ann"); got.status != 200 || used.tokens != 3110 {
			t.Errorf("%d %s: %+v", got.status, got.body, used)
		}
		has(t, r.log.String(), `"tokens_in":3000,"tokens_out":110,"cost":`)
		rows, err := r.server.Usage("", "9")
		if err != nil || len(rows) != 2 || rows[0].Requests+rows[1].Requests != 1 || rows[0].Prompt+rows[1].Prompt != 3000 || rows[0].Prompt == 0 || rows[1].Prompt == 0 {
			t.Errorf("%+v, %v", rows, err)
		}
	}
}

// What a server counted is in the store when it has drained, and the access line tells the cost.
func TestUsageSurvivesDraining(t *testing.T) {
	var kept store.Store
	r := start(t, "a", func(_ *config.Config, s *Server) {
		if s != nil {
			kept = s.deps.Store
		}
	})
	r.fake.Respond(func(fg.Recorded) (fg.Answer, bool) { return fg.Say("hello"), true })
	for _, path := range []string{messages, completions, replies} {
		for _, stream := range []bool{false, true} {
			if got := r.do("POST", path, ask(path, stream)); got.status != 200 {
				t.Fatalf("%s: %d %s", path, got.status, got.body)
			}
		}
	}
	r.do("GET", "/v1/models", "")
	r.stop()
	rows, err := kept.Usage("", "~")
	if err != nil || len(rows) != 1 || rows[0].Requests != 6 || rows[0].Token != "ann" || rows[0].Key != keys.ID(config.NewSecret(keyNamed("a"))) ||
		rows[0].Model != "gemini-3.8-flash" || rows[0].Prompt == 0 || rows[0].Output == 0 || rows[0].CostMicro == 0 || rows[0].Errors != 0 {
		t.Errorf("%+v, %v", rows, err)
	}
	has(t, r.log.String(), `"cost":0.0`)
}

// BenchmarkUsageAdd is what counting one request costs when its row is there.
func BenchmarkUsageAdd(b *testing.B) {
	u := usageOver(b, store.NewMemory(store.DefaultLimits()))
	a := used("ann", "gemini-3.8-flash", 1000, 100)
	u.add(a, 200)
	b.ReportAllocs()
	for b.Loop() {
		u.add(a, 200)
	}
}
