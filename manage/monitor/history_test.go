package monitor

import (
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/manage"
	"github.com/gemini-claude-adapter/gca/proxy/control"
)

func TestBetween(t *testing.T) {
	started := noon
	at := func(second int, requests, tokens int64, day string, answers control.Sum) manage.Sample {
		return manage.Sample{Time: noon.Add(time.Duration(second) * time.Second), Stats: &control.Stats{
			Status: control.Status{Started: started, Requests: requests}, Totals: control.Totals{TTFT: answers, Answers: answers},
			Today: control.DayStats{Day: day, Total: control.Figures{Input: tokens}}}}
	}
	f := func(a, b manage.Sample, want point) {
		t.Helper()
		if got := between(a, b); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	first := at(0, 100, 1000, "2026-11-30", control.Sum{Count: 10, MS: 1000})
	f(first, at(2, 110, 1500, "2026-11-30", control.Sum{Count: 12, MS: 1500}), point{5, 250, 250, 250})
	f(first, at(2, 100, 1000, "2026-11-30", control.Sum{Count: 10, MS: 1000}), point{0, 0, -1, -1})
	f(first, at(2, 104, 40, "2026-12-01", control.Sum{Count: 10, MS: 1000}), point{2, 20, -1, -1})
	f(first, at(0, 104, 1000, "2026-11-30", control.Sum{}), point{-1, -1, -1, -1})
	f(first, manage.Sample{Time: noon.Add(time.Second), Problem: "down"}, point{-1, -1, -1, -1})
	started = noon.Add(time.Second) // it restarted
	f(first, at(2, 104, 1100, "2026-11-30", control.Sum{Count: 2, MS: 80}), point{52, 50, 40, 40})
}

func TestWords(t *testing.T) {
	f := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f(short(0), "0")
	f(short(0.25), "0.2")
	f(short(9.99), "10")
	f(short(999), "999")
	f(short(999.6), "1.0k")
	f(short(12_345), "12k")
	f(short(5_600_000), "5.6M")
	f(short(3e15), "3000T")
	f(rate(-1)+rate(2.5), "-2.5/s")
	f(took(-1)+took(812.4)+took(1234)+took(200_000), "-812ms1.2s3m20s")
	f(age(-time.Second)+" "+age(3*time.Hour+7*time.Minute)+" "+age(50*time.Hour), "0s 3h07m 2d2h")
	f(cell("a\tb\nc\x1b", 8), "a b c?  ")
	f(cell("漢字漢字", 5), "漢字…")
	f(number(12_345, 5), "  12k")
	f(spark([]float64{9, 0, 4, -1, 8}, 4), "▁▅ █")
	f(spark([]float64{0, -1}, 4), "  ▁ ")
	f(spark(nil, 2), "  ")
}
