package proxy

import (
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

func TestCost(t *testing.T) {
	r, err := parseRegistry(registryFile)
	if err != nil {
		t.Fatal(err)
	}
	f := func(model, day string, u gemini.Usage, want int64, known bool) {
		t.Helper()
		if got, ok := r.cost(model, day, &u); got != want || ok != known {
			t.Errorf("%s on %s, %+v costs %d, %v; want %d, %v", model, day, u, got, ok, want, known)
		}
	}
	million := gemini.Usage{Prompt: 900_000, ToolUse: 100_000, Cached: 400_000, Candidates: 250_000, Thoughts: 750_000}
	f("gemini-4-argon", "2026-11-30", million, 600_000*2+400_000*10/100+10_000_000, true)
	f("gemini-4-argon", "2026-12-01", million, 600_000*4+400_000*20/100+20_000_000, true)
	f("gemini-3.8-flash", "2026-12-31", million, 4_500_000, true)
	f("gemini-3.8-flash", "2027-01-01", million, 9_000_000, true)
	f("gemini-3.5-flash-lite", "2026-11-30", gemini.Usage{Prompt: 10, Candidates: 1}, 6, true) // 5.5
	f("gemini-3.1-pro-preview", "2026-11-30", gemini.Usage{Prompt: 200_000}, 400_000, true)
	f("gemini-3.1-pro-preview", "2026-11-30", gemini.Usage{Prompt: 200_001}, 400_002, false)
	f("gemini-4-neon", "2026-11-30", million, 0, false)
	f("gemini-9-unknown", "2026-11-30", million, 0, false)
	f("gemini-9-unknown", "2026-11-30", gemini.Usage{}, 0, true)
	f("gemini-3.6-flash", "2026-11-30", gemini.Usage{Prompt: 100, Cached: 5000}, 75, true)
}

func TestPricesThatAreNone(t *testing.T) {
	f := func(want string, prices ...price) {
		t.Helper()
		if err := checkPrices(prices); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", prices, err, want)
		}
	}
	good, later := price{Input: 1, Output: 2}, price{From: "2026-12-01", Input: 2, Output: 4}
	f("")
	f("", good, later)
	f("", later)
	f("price 1 is none", price{Input: 1})
	f("price 1 is none", price{Output: 1})
	f("price 1 is none", price{Input: 1, Cached: 2, Output: 1})
	f("price 1 is none", price{Input: 1, Cached: -1, Output: 1})
	f("price 1 is none", price{Input: 1, Output: 1, UpTo: -1})
	f(`the day "2026-13-01" is none`, price{From: "2026-13-01", Input: 1, Output: 1})
	f(`the day "" is none`, good, good)
	f("begins no later", later, later)
}
