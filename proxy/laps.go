package proxy

import (
	"sync/atomic"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/control"
)

// laps are how long answers took, for means.
type laps struct{ n, whole, firsts, first atomic.Int64 }

// add counts an answer: first is until its first content, 0 if it has none.
func (l *laps) add(first, whole time.Duration) {
	l.n.Add(1)
	l.whole.Add(int64(whole))
	if first > 0 {
		l.firsts.Add(1)
		l.first.Add(int64(first))
	}
}

// means are in milliseconds, 0 without answers.
func (l *laps) means() (first, whole float64) {
	mean := func(sum, n int64) float64 {
		if n == 0 {
			return 0
		}
		return float64(time.Duration(sum/n).Microseconds()) / 1000
	}
	return mean(l.first.Load(), l.firsts.Load()), mean(l.whole.Load(), l.n.Load())
}

// sums are what the means are of.
func (l *laps) sums() (first, whole control.Sum) {
	sum := func(count, took *atomic.Int64) control.Sum {
		return control.Sum{Count: count.Load(), MS: float64(time.Duration(took.Load()).Microseconds()) / 1000}
	}
	return sum(&l.firsts, &l.first), sum(&l.n, &l.whole)
}
