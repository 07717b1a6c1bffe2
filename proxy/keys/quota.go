package keys

import "time"

// limitLife is how long a limit counts after Google last named it: who pays for a larger one gets it within a day.
const limitLife = 24 * time.Hour

// Limits are quotas of a project for one model, as Google named them when they were exceeded; 0 is not named.
type Limits struct {
	Requests int64 // a minute
	Tokens   int64 // of prompts, a minute
	Day      int64 // requests a day
}

// limit is one of them, in force until some second of the steady clock.
type limit struct{ value, until int64 }

func (l limit) at(sec int64) int64 {
	if sec >= l.until {
		return 0
	}
	return l.value
}

// ledger is what a project's quota of one model is known to be, and what was used of it.
type ledger struct {
	rest                  rest // by Google's word
	requests, tokens, day limit
	window                *window // nil as long as nothing was asked of the model
	dayUsed               int64
	dayEnd                int64     // of the day that dayUsed counts, in Unix seconds of the wall
	used                  int64     // when it was last asked, in seconds of the steady clock
	served                time.Time // when the latest lease began that ended well
}

// limits are those in force.
func (l *ledger) limits(m *moment) Limits {
	return Limits{l.requests.at(m.sec), l.tokens.at(m.sec), l.day.at(m.sec)}
}

// take counts a request, before it is made.
func (l *ledger) take(m *moment, tokens int64) {
	if l.window == nil {
		l.window = &window{}
	}
	l.window.add(m.sec, 1, tokens)
	if end := m.midnight.Unix(); l.dayEnd != end {
		l.dayEnd, l.dayUsed = end, 0
	}
	l.dayUsed++
	l.used = m.sec
}

// giveBack takes a request out of the count that was never made.
func (l *ledger) giveBack(m *moment, at int64, tokens int64) {
	if l.window != nil {
		l.window.move(m.sec)
		l.window.correct(at, -1, -tokens)
	}
	l.dayUsed = max(l.dayUsed-1, 0)
}

// usedToday is what was asked since midnight in Los Angeles.
func (l *ledger) usedToday(m *moment) int64 {
	if l.dayEnd != m.midnight.Unix() {
		return 0
	}
	return l.dayUsed
}

// tooSmall reports whether a prompt will never fit into the tokens of a minute. An estimate is not that exact: what is a
// little too long gets its chance in an empty minute, unless Google said already that it is longer than above.
func (l *ledger) tooSmall(m *moment, tokens, above int64) bool {
	most := l.tokens.at(m.sec)
	return most > 0 && (most <= above || tokens > most+most/2)
}

// room reports whether the limits allow a request now.
func (l *ledger) room(m *moment, tokens int64) bool {
	limits := l.limits(m)
	if limits.Day > 0 && l.usedToday(m) >= limits.Day {
		return false
	}
	if limits.Requests == 0 && limits.Tokens == 0 || l.window == nil {
		return true
	}
	l.window.move(m.sec)
	return fits(l.window.requests, l.window.tokens, limits, tokens)
}

// fits reports whether a request fits beside what a minute has already.
func fits(requests, used int64, limits Limits, tokens int64) bool {
	if limits.Requests > 0 && requests >= limits.Requests {
		return false
	}
	return limits.Tokens == 0 || used == 0 || used+tokens <= limits.Tokens
}

// share is how much of the quota is left, 0 to 1; what has no known limit is 1.
func (l *ledger) share(m *moment) float64 {
	limits, left := l.limits(m), 1.0
	if limits.Day > 0 {
		left = min(left, 1-float64(l.usedToday(m))/float64(limits.Day))
	}
	if l.window == nil {
		return left
	}
	l.window.move(m.sec)
	if limits.Requests > 0 {
		left = min(left, 1-float64(l.window.requests)/float64(limits.Requests))
	}
	if limits.Tokens > 0 {
		left = min(left, 1-float64(l.window.tokens)/float64(limits.Tokens))
	}
	return left
}

// opens is when the limits allow a request, not before from, and which kept it until then. jitter comes after midnight.
func (l *ledger) opens(m *moment, from time.Time, tokens int64, jitter time.Duration) (time.Time, Reason) {
	limits, reason := l.limits(m), NoReason
	if limits.Day > 0 && l.usedToday(m) >= limits.Day && from.Before(m.midnight) {
		from, reason = m.midnight.Add(jitter), DayQuota
	}
	if limits.Requests == 0 && limits.Tokens == 0 || l.window == nil {
		return from, reason
	}
	l.window.move(m.sec)
	if first := m.second(from); l.window.next(first, limits, tokens) > first {
		return m.at(l.window.next(first, limits, tokens)), RateLimited
	}
	return from, reason
}

// usage is what was used, in the terms of limits.
func (l *ledger) usage(m *moment) Limits {
	used := Limits{Day: l.usedToday(m)}
	if l.window != nil {
		l.window.move(m.sec)
		used.Requests, used.Tokens = l.window.requests, l.window.tokens
	}
	return used
}
