package proxy

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	"github.com/gemini-claude-adapter/gca/proxy/control"
	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
	"github.com/gemini-claude-adapter/gca/proxy/store"
)

// statsAs reads /stats with a token, strictly.
func statsAs[T any](r *rig, token, query string) (v T) {
	r.t.Helper()
	r.server.usage.flush()
	got := r.do("GET", "/stats"+query, "", "Authorization", "Bearer "+token)
	if got.status != 200 {
		r.t.Fatalf("%d %s", got.status, got.body)
	}
	d := json.NewDecoder(strings.NewReader(got.body))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		r.t.Fatalf("%v in %s", err, got.body)
	}
	hasNot(r.t, got.body, "PLANTED")
	return v
}

func TestStats_everythingForAnAdmin(t *testing.T) {
	r := traffic(t)
	s := statsAs[control.Stats](r, adminToken, "")
	if s.Schema != 1 || s.Version != "1.2.3" || s.Health != "degraded" || s.Requests == 0 || len(s.Keys) != 5 || len(s.KeyStats) != 5 {
		t.Errorf("%+v", s)
	}
	a, b, c := s.KeyStats[0], s.KeyStats[1], s.KeyStats[2]
	if a.Active || a.SuccessRate == nil || *a.SuccessRate != 0 || s.Keys[0].State != "disabled" || s.Keys[0].Reason != "invalid" {
		t.Errorf("%+v %+v", a, s.Keys[0])
	}
	if !b.Active || b.SecondsLeft < 1 || s.Keys[1].Until.Location() != time.UTC && s.Keys[1].Until.IsZero() {
		t.Errorf("%+v %+v", b, s.Keys[1])
	}
	if c.Egress != "direct" || c.MeanMS <= 0 || c.MeanTTFTMS <= 0 || c.Today.Requests < 1 || c.Today.Input < 1 || c.Today.Output < 1 {
		t.Errorf("%+v", c)
	}
	if e := s.KeyStats[4].Egress; !strings.HasPrefix(e, "http://127.0.0.1:") || !strings.Contains(e, " (user ") {
		t.Errorf("%s", e)
	}
	i := slices.IndexFunc(s.Models, func(m control.ModelStats) bool { return m.Model == "gemini-3.8-flash" })
	if i < 0 || s.Models[i].Resting != 1 || s.Models[i].SecondsLeft < 1 || s.Models[i].Today.Requests < 12 {
		t.Errorf("%+v", s.Models)
	}
	if s.Saved < 1 || s.Fallbacks != 1 || s.Totals.Attempts < 14 || s.Totals.MeanMS <= 0 || s.Totals.TTFT.Count < 1 || s.Totals.Answers.Count < s.Totals.TTFT.Count ||
		math.Abs(s.Totals.Answers.MS/float64(s.Totals.Answers.Count)-s.Totals.MeanMS) > 0.01 {
		t.Errorf("%+v", s.Totals)
	}
	day := s.Today
	if day.Day != keys.Day(time.Now()) || day.Total.Requests < 14 || len(day.Tokens) != 1 || day.Tokens[0].Name != "ann" || s.Days != nil {
		t.Errorf("%+v", day)
	}
}

func TestStats_aClientSeesItself(t *testing.T) {
	r := start(t, "a", func(cfg *config.Config, s *Server) {
		asAdmin(cfg, s)
		cfg.Tokens[1].Limits = config.Limits{Requests: 100, DayCost: 2_500_000}
	})
	r.do("POST", messages, ask(messages, false))
	r.do("POST", completions, ask(completions, false), "Authorization", "Bearer x")
	s := statsAs[control.TokenStats](r, testToken, "?days=2")
	if s.Token != "ann" || s.Today.Total.Requests != 1 || len(s.Today.Models) != 1 || len(s.Days) != 1 || s.Limits.Requests != 100 || s.Limits.DayCostUSD != 2.5 || !s.Resets.After(time.Now()) {
		t.Errorf("%+v", s)
	}
	if got := r.do("GET", "/stats", "", "x-api-key", "wrong"); got.status != 401 {
		t.Errorf("nobody: %d", got.status)
	}
	for _, days := range []string{"-1", "367", "x", "1e3"} {
		if got := r.do("GET", "/stats?days="+days, ""); got.status != 400 || !strings.Contains(got.body, "expected a number from 0 to 366") {
			t.Errorf("days=%s: %d %s", days, got.status, got.body)
		}
	}
}

func TestStats_byDay(t *testing.T) {
	r := start(t, "a", asAdmin)
	noon := time.Now()
	var rows []store.Usage
	for i := range 5 {
		rows = append(rows, store.Usage{
			Day: keys.Day(noon.AddDate(0, 0, -i)), Token: "ann", Key: "k", Model: "m", Requests: int64(i + 1), Prompt: 100, Cached: 25, Output: 5, Thoughts: 2, CostMicro: 1500, Unpriced: 1,
		})
	}
	if err := r.server.deps.Store.AddUsage(rows); err != nil {
		t.Fatal(err)
	}
	s := statsAs[control.Stats](r, adminToken, "?days=3")
	if len(s.Days) != 3 {
		t.Fatalf("%+v", s.Days)
	}
	for i, d := range s.Days {
		want := control.Figures{Requests: int64(i + 1), Input: 100, Cached: 25, Output: 7, CachedShare: 0.25, CostUSD: 0.0015, Unpriced: 1}
		if d.Day != rows[i].Day || d.Total != want || d.Models[0].Figures != want || d.Keys[0].Name != "k" {
			t.Errorf("%+v", d)
		}
	}
}

func TestStats_aRefusedRegionNamesTheCure(t *testing.T) {
	r := start(t, "a", asAdmin)
	r.fake.Key(keyNamed("a"), always(fg.ErrLocation()))
	r.do("POST", messages, ask(messages, false))
	s := statsAs[control.Stats](r, adminToken, "")
	if len(s.Egresses) != 1 || s.Egresses[0].Up || s.Health != "unhealthy" || s.KeyStats[0].Active {
		t.Errorf("%+v", s)
	}
	has(t, s.Egresses[0].Problem, "PROXY_URL, or proxy= behind keys in the keys file")
	if got := r.do("GET", "/health", ""); got.status != 503 {
		t.Errorf("%d %s", got.status, got.body)
	}
}
