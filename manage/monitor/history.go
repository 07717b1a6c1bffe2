package monitor

import (
	"github.com/gemini-claude-adapter/gca/manage"
	"github.com/gemini-claude-adapter/gca/proxy/control"
)

const maxPoints = 240 // of a sparkline, the newest

// point is what happened between two samples. What was not measured is below zero.
type point struct {
	requests, tokens float64 // a second
	ttft, whole      float64 // milliseconds, the mean of the answers between
}

// between compares two samples. After a restart counts begin anew, and so do those of a day at its end.
func between(a, b manage.Sample) point {
	seconds := b.Time.Sub(a.Time).Seconds()
	if a.Stats == nil || b.Stats == nil || seconds <= 0 {
		return point{-1, -1, -1, -1}
	}
	grown := func(before, after int64) float64 {
		if after < before || !a.Stats.Started.Equal(b.Stats.Started) {
			before = 0
		}
		return float64(after - before)
	}
	p := point{requests: grown(a.Stats.Requests, b.Stats.Requests) / seconds}
	before := tokens(a.Stats)
	if a.Stats.Today.Day != b.Stats.Today.Day {
		before = 0
	}
	p.tokens = float64(max(0, tokens(b.Stats)-before)) / seconds
	p.ttft = mean(a.Stats.Totals.TTFT, b.Stats.Totals.TTFT)
	p.whole = mean(a.Stats.Totals.Answers, b.Stats.Totals.Answers)
	return p
}

func tokens(s *control.Stats) int64 { return s.Today.Total.Input + s.Today.Total.Output }

// mean is that of what came between two sums, in milliseconds.
func mean(a, b control.Sum) float64 {
	if b.Count < a.Count {
		a = control.Sum{}
	}
	if b.Count == a.Count {
		return -1
	}
	return max(0, b.MS-a.MS) / float64(b.Count-a.Count)
}
