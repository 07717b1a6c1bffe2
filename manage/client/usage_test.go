package client

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/control"
)

func figures(requests, input, cached, output int64, usd float64) control.Figures {
	f := control.Figures{Requests: requests, Errors: requests / 10, Input: input, Cached: cached, Output: output, CostUSD: usd}
	finish(&f)
	return f
}

func part(name string, f control.Figures) control.Part { return control.Part{Name: name, Figures: f} }

// seenByAll is an adapter of two days, two keys, one of them resting, and requests without a token.
func seenByAll() Seen {
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	day := func(name string, n int64) control.DayStats {
		return control.DayStats{
			Day: name, Total: figures(3*n, 3000*n, 600*n, 300*n, 0.3*float64(n)),
			Models: []control.Part{part("cheap", figures(2*n, 1000*n, 0, 100*n, 0.1*float64(n))), part("dear", figures(n, 2000*n, 600*n, 200*n, 0.2*float64(n)))},
			Tokens: []control.Part{part("", figures(n, 1000*n, 0, 100*n, 0.1*float64(n))), part("laptop", figures(2*n, 2000*n, 600*n, 200*n, 0.2*float64(n)))},
			Keys:   []control.Part{part("aa-1111", figures(3*n, 3000*n, 600*n, 300*n, 0.3*float64(n)))},
		}
	}
	rate := 0.9
	today := day("2026-01-31", 10)
	return Seen{All: &control.Stats{
		Schema: 1, Health: "degraded", Now: now,
		Status: control.Status{Version: "1.2.3", Started: now.Add(-time.Hour), Requests: 1000, Errors: 10, Saved: 7, Fallbacks: 1,
			Keys: []control.Key{{ID: "aa-1111", State: "active", Requests: 990}, {ID: "bb-2222", Label: "spare", State: "resting", Reason: "its quota of the day is used", Until: now.Add(2 * time.Hour)}}},
		Totals: control.Totals{Waits: 3, MeanTTFTMS: 812, MeanMS: 2400.4},
		KeyStats: []control.KeyStats{{ID: "aa-1111", Active: true, SuccessRate: &rate, MeanTTFTMS: 800, MeanMS: 2000, Today: today.Total},
			{ID: "bb-2222", Label: "spare"}},
		Today: today, Days: []control.DayStats{today, day("2026-01-30", 1)},
	}}
}

func seenByOne() Seen {
	all := seenByAll().All
	of := func(d control.DayStats) control.TokenDay {
		return control.TokenDay{Day: d.Day, Total: d.Total, Models: d.Models}
	}
	return Seen{Own: &control.TokenStats{Schema: 1, Token: "laptop", Limits: &control.TokenLimits{Requests: 60, DayCostUSD: 2.5, Models: []string{"claude-*"}},
		Today: of(all.Days[0]), Days: []control.TokenDay{of(all.Days[0]), of(all.Days[1])}, Resets: all.Now.Add(20 * time.Hour)}}
}

func TestAddUp(t *testing.T) {
	f := func(seen Seen, by By, want string) {
		t.Helper()
		u, err := seen.AddUp(by)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := u.Print(&b); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(strings.Fields(b.String()), " "); got != want {
			t.Errorf("by %s:\n%s", by, b.String())
		}
		if u.Total.Requests != 33 || u.From != "2026-01-30" || u.To != "2026-01-31" {
			t.Errorf("by %s: %+v", by, u)
		}
	}
	const titles, total = " REQUESTS ERRORS TOKENS IN CACHED TOKENS OUT COST ", " total 33 3 33,000 20% 3,300 $3.30"
	f(seenByAll(), ByDay, "DAY"+titles+"2026-01-31 30 3 30,000 20% 3,000 $3.00 2026-01-30 3 0 3,000 20% 300 $0.3000"+total)
	f(seenByOne(), ByDay, "DAY"+titles+"2026-01-31 30 3 30,000 20% 3,000 $3.00 2026-01-30 3 0 3,000 20% 300 $0.3000"+total)
	f(seenByAll(), ByModel, "MODEL"+titles+"dear 11 1 22,000 30% 2,200 $2.20 cheap 22 2 11,000 0% 1,100 $1.10"+total)
	f(seenByAll(), ByToken, "TOKEN"+titles+"laptop 22 2 22,000 30% 2,200 $2.20 (without a token) 11 1 11,000 0% 1,100 $1.10"+total)
	f(seenByAll(), ByKey, "KEY"+titles+"aa-1111 33 3 33,000 20% 3,300 $3.30"+total)
	if _, err := seenByOne().AddUp(ByKey); err == nil || !strings.Contains(err.Error(), "its own days and models alone") {
		t.Errorf("a client by key: %v", err)
	}
}

func TestPrint(t *testing.T) {
	f := func(seen Seen, wants ...string) {
		t.Helper()
		var b bytes.Buffer
		if err := seen.Print(&b, seenByAll().All.Now); err != nil {
			t.Fatal(err)
		}
		for _, want := range wants {
			if !strings.Contains(b.String(), want) {
				t.Errorf("no %q in:\n%s", want, b.String())
			}
		}
	}
	f(seenByAll(), "status       degraded, version 1.2.3, up 1h0m0s\n", "active keys  1/2\n", "1,000 since the start, 99.0% of them served; 3 waited, 7 were saved by another key, 1 went",
		"first text after 812ms, whole after 2.4s", "aa-1111  -      active   990       90.0%    800ms       2s     30     $3.00",
		"bb-2222  spare  resting  0         -        0s          0s     0      $0.00  its quota of the day is used, until Jan 31 14:00:00")
	f(seenByOne(), "token        laptop\n", "today        30 requests, 3 errors, 30,000 tokens in (20% cached), 3,000 out, $3.00\n",
		"limits       60 requests a minute; $2.50 a day; models claude-*\n", "day ends     08:00, in 20h0m0s\n", "dear   10")
}

func TestCSV(t *testing.T) {
	var b bytes.Buffer
	if err := seenByAll().CSV(&b); err != nil || !strings.Contains(b.String(), "\nbb-2222,spare,resting,its quota of the day is used,0,0,0,0,0,0,0,0,0,0.000000,0\n") {
		t.Errorf("%v:\n%s", err, b.String())
	}
	b.Reset()
	u, err := seenByOne().AddUp(ByModel)
	if err == nil {
		err = u.CSV(&b)
	}
	if err != nil || !strings.HasPrefix(b.String(), "model,requests,errors,input_tokens,cached_tokens,output_tokens,cost_usd,unpriced_requests\ndear,11,1,22000,6600,2200,2.200000,0\n") {
		t.Errorf("%v:\n%s", err, b.String())
	}
}

func TestReadSeen(t *testing.T) {
	for text, want := range map[string]string{`{"schema":2,"health":"healthy"}`: "another schema", `{"schema":2,"token":"x"}`: "another schema", `<html>`: "cannot be read"} {
		if _, err := ReadSeen([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000", -100: "-100"} {
		if got := thousands(n); got != want {
			t.Errorf("%d: got %s", n, got)
		}
	}
}
