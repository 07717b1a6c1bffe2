package proxy

import (
	"testing"
	"time"
)

func TestListPrice(t *testing.T) {
	f := func(name, day, target string, usd float64, ok bool) {
		t.Helper()
		at, err := time.Parse(time.DateOnly, day)
		if err != nil {
			t.Fatal(err)
		}
		got, cost, known := ListPrice(name, at.Add(12*time.Hour), 1_000_000, 100_000)
		if got != target || cost != usd || known != ok {
			t.Errorf("%s: got %s %v %v", name, got, cost, known)
		}
	}
	f("gemini-3.8-flash", "2026-11-30", "gemini-3.8-flash", 1.125, true)
	f("claude-sonnet-5", "2026-11-30", "gemini-3.8-flash", 1.125, true)
	f("gemini-3.8-flash", "2027-02-01", "gemini-3.8-flash", 2.25, true)
	f("gemini-99", "2026-11-30", "gemini-99", 0, false)
	f("no such name", "2026-11-30", "", 0, false)
}
