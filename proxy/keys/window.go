package keys

// span is a minute and the second that it may be out of step with Google's.
const span = 61

// window counts what was asked in each of the last seconds. The zero window is empty.
type window struct {
	last             int64 // the second of the newest bucket, of the steady clock
	requests, tokens int64 // the sums of all buckets
	buckets          [span]struct{ requests, tokens int32 }
}

// move lets time pass: what is older than span is forgotten. For an earlier second it stands still.
func (w *window) move(sec int64) {
	if sec <= w.last {
		return
	}
	if sec-w.last >= span {
		*w = window{last: sec}
		return
	}
	for w.last < sec {
		w.last++
		b := &w.buckets[w.last%span]
		w.requests -= int64(b.requests)
		w.tokens -= int64(b.tokens)
		b.requests, b.tokens = 0, 0
	}
}

// add counts in the bucket of now.
func (w *window) add(sec, requests, tokens int64) {
	w.move(sec)
	w.correct(w.last, requests, tokens)
}

// correct changes the bucket of a second, as long as it is there; no bucket gets below zero.
func (w *window) correct(sec, requests, tokens int64) {
	if sec > w.last || sec <= w.last-span {
		return
	}
	b := &w.buckets[sec%span]
	requests = max(requests, -int64(b.requests))
	tokens = min(max(tokens, -int64(b.tokens)), 1<<30-int64(b.tokens))
	b.requests += int32(requests)
	b.tokens += int32(tokens)
	w.requests += requests
	w.tokens += tokens
}

// next is the first second, not before sec, in which a request fits beside what is counted.
func (w *window) next(sec int64, limits Limits, tokens int64) int64 {
	requests, used := w.requests, w.tokens
	at := sec
	for old := w.last - span + 1; old <= w.last; old++ {
		if old > sec-span && fits(requests, used, limits, tokens) {
			return at
		}
		if b := w.buckets[old%span]; b.requests != 0 || b.tokens != 0 {
			requests -= int64(b.requests)
			used -= int64(b.tokens)
			at = max(sec, old+span)
		}
	}
	return at
}
