package proxy

import (
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
	"github.com/gemini-claude-adapter/gca/proxy/store"
)

// mapped maps Claude's names to a model that does not exist.
func mapped(cfg *config.Config, _ *Server) {
	cfg.ModelMap = []config.ModelRule{{Pattern: "claude-*", Target: "gemini-nope"}, {Pattern: "gpt-*", Target: "gemini-nope"}}
}

func TestAMissingModelIsToldByTheNameThatIsMissing(t *testing.T) {
	r := start(t, "a b", mapped)
	for range 2 { // asked, and known from before
		got := r.do("POST", messages, ask(messages, false))
		if got.status != 404 {
			t.Errorf("%d", got.status)
		}
		has(t, got.body, `"not_found_error"`, "model: claude-opus-5-5: none of the keys may use gemini-nope, which claude-opus-5-5 stands for", "MODEL_MAP")
		got = r.do("POST", completions, ask(completions, false))
		if got.status != 404 {
			t.Errorf("%d", got.status)
		}
		has(t, got.body, `"model_not_found"`, "The model `gpt-5` does not exist or you do not have access to it: none of the keys may use gemini-nope", "MODEL_MAP")
	}
	itself := r.do("POST", messages, strings.Replace(ask(messages, false), "claude-opus-5-5", "gemini-9-none", 1))
	hasNot(t, itself.body, "MODEL_MAP", "stands for")
}

// Google has trouble with a model of its own list: nobody waits for hours, and it shows.
func TestAListedModelIsMissedForAShortTime(t *testing.T) {
	r := startListing(t, fg.Models(), time.Hour)
	r.seen(1)
	body := strings.Replace(ask(messages, false), "claude-opus-5-5", "gemini-3.8-flash", 1)
	r.fake.Key(keyNamed("a"), fg.KeyRule{Error: fg.ErrUnknownModel("gemini-3.8-flash", "generateContent"), Times: 1})
	for range 2 {
		if got := r.do("POST", messages, body); got.status != 404 {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
	rests := r.state("a").Rests
	if len(rests) != 1 || rests[0].Reason != keys.NoModel || time.Until(rests[0].Until) > time.Minute {
		t.Errorf("%+v", rests)
	}
	has(t, r.do("GET", "/health", "").body, `"status":"degraded","active_keys":1`)
	if k := r.server.Status().Keys[0]; k.State != "active" || k.Reason != "without a model that Google lists" {
		t.Errorf("%+v", k)
	}
}

// Names that clients invent are remembered for a short time, by this process alone, and cost no write.
func TestInventedNamesAreNotKept(t *testing.T) {
	state := &url.URL{Scheme: "file", Path: filepath.Join(t.TempDir(), "state.db")}
	r := start(t, "a b", func(cfg *config.Config, _ *Server) { cfg.StateURL = state })
	for i := range 20 {
		name := fmt.Sprint("gemini-invented-", i)
		if got := r.do("POST", messages, strings.Replace(ask(messages, false), "claude-opus-5-5", name, 1)); got.status != 404 {
			t.Fatalf("%d %s", got.status, got.body)
		}
		if got := r.do("POST", "/v1beta/models/"+name+"-too:generateContent", nativeAsk); got.status != 404 {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	a := r.state("a").Rests
	if len(a) == 0 || len(a) > 256 || time.Until(a[0].Until) > inventedFor {
		t.Errorf("%+v", a)
	}
	r.fake.Key(keyNamed("a"), fg.KeyRule{Error: fg.ErrUnknownModel("gemini-3.8-flash", "generateContent"), Model: "gemini-3.8-flash"})
	r.do("POST", messages, ask(messages, false))
	kept := store.Open(state, store.DefaultLimits(), slog.New(slog.DiscardHandler))
	defer kept.Close()
	records, _, err := kept.KeysSince(0)
	if err != nil || len(records) != 1 || records[0].Model != "gemini-3.8-flash" {
		t.Errorf("%+v, %v", records, err)
	}
	if err := r.server.pool.Reset(r.state("a").ID); err != nil {
		t.Error(err)
	}
	if records, _, err = kept.KeysSince(0); err != nil || len(records) != 1 || !records[0].Gone {
		t.Errorf("%+v, %v", records, err)
	}
}

// Just after midnight in Los Angeles a quota of the day may be yesterday's.
func TestAQuotaOfTheDayThatHasJustBegun(t *testing.T) {
	for _, path := range []string{messages, "/v1beta/models/gemini-3.8-flash:generateContent"} {
		r := start(t, "a", func(_ *config.Config, s *Server) {
			if s != nil {
				s.pace.dawn = 26 * time.Hour // all day, and there is one of 25 hours
			}
		})
		r.fake.Key(keyNamed("a"), fg.KeyRule{Error: daily()})
		body := ask(messages, false)
		if path != messages {
			body = nativeAsk
		}
		got := r.do("POST", path, body)
		if wait, err := strconv.Atoi(got.header.Get("Retry-After")); got.status != 429 || err != nil || wait > 30 || got.header.Get("x-should-retry") != "" {
			t.Errorf("%d %v", got.status, got.header)
		}
		if a := r.state("a"); a.Reason != keys.RateLimited || time.Until(a.Until) > 30*time.Second || len(a.Limits) != 0 {
			t.Errorf("%+v", a)
		}
	}
}

func TestTheDayDawns(t *testing.T) {
	s := &Server{pace: pace{dawn: 5 * time.Minute}}
	f := func(at string, want bool) {
		t.Helper()
		now, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if s.dawns(now) != want {
			t.Errorf("%s: %v", at, !want)
		}
	}
	f("2026-11-30T07:59:59Z", false)
	f("2026-11-30T08:00:00Z", true)
	f("2026-11-30T08:04:59Z", true)
	f("2026-11-30T08:05:00Z", false)
	f("2026-07-01T07:01:00Z", true)
	f("2026-07-01T08:01:00Z", false)
}
