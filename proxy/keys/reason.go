package keys

import (
	"fmt"
	"strings"
	"time"
)

// Reason is why a key is not used.
type Reason uint8

// The reasons. String gives the words that users see.
const (
	NoReason    Reason = iota
	Invalid            // Google does not know the key, or it expired
	Leaked             // Google blocked it because it was published
	Blocked            // the key, its project or its restrictions do not allow the API
	Suspended          // the project is suspended
	NoBilling          // the project must have billing where this server is
	DayQuota           // the model's quota of the day is used up
	NoAccess           // the key's tier has no quota for the model at all
	NoModel            // the key does not see the model
	Depleted           // prepaid credits are used up
	SpendCap           // the project's spending limit is reached
	RateLimited        // the quota of a minute, or the like
	Throttled          // turned down for a moment, without a word of a quota
	Failing            // MAX_FAILURES unexplained faults in a row
	ByHand             // a person disabled it
)

// reasons has the words of each reason: code for records and metrics, which never changes, and text for people.
var reasons = [...]struct{ code, text string }{
	NoReason:    {"", ""},
	Invalid:     {"invalid", "invalid"},
	Leaked:      {"leaked", "reported as leaked"},
	Blocked:     {"blocked", "blocked"},
	Suspended:   {"suspended", "suspended"},
	NoBilling:   {"no_billing", "without the billing that its region needs"},
	DayQuota:    {"day_quota", "out of quota"},
	NoAccess:    {"no_access", "without access to the model"},
	NoModel:     {"no_model", "without the model"},
	Depleted:    {"depleted", "out of credits"},
	SpendCap:    {"spend_cap", "at its spending limit"},
	RateLimited: {"rate_limited", "rate limited"},
	Throttled:   {"throttled", "throttled"},
	Failing:     {"failing", "failing"},
	ByHand:      {"by_hand", "disabled by hand"},
}

// String is the reason in words.
func (r Reason) String() string { return reasons[r].text }

// Code is the reason as records and metrics have it; it never changes.
func (r Reason) Code() string { return reasons[r].code }

// reasonOf is the reason that a code stands for, NoReason for one that this version does not know.
func reasonOf(code string) Reason {
	for r := range reasons {
		if reasons[r].code == code {
			return Reason(r)
		}
	}
	return NoReason
}

// long reports whether the reason keeps a key away for hours, so that it is as good as gone for a waiting client.
func (r Reason) long() bool {
	return r == DayQuota || r == NoAccess || r == NoModel || r == Depleted
}

// project reports whether the reason is the project's, so that it counts for all of its keys: Google's quotas are
// (Gemini API docs), and so are the models that it sees.
func (r Reason) project() bool {
	switch r {
	case Suspended, NoBilling, DayQuota, NoAccess, NoModel, Depleted, SpendCap, RateLimited:
		return true
	}
	return false
}

// NoneError says that no key can serve a model now.
type NoneError struct {
	Key      string // the id of the only key that could, "" where any could
	Total    int
	Disabled map[Reason]int // how many keys are out for which reason
	Resting  map[Reason]int // how many keys come back by themselves
	Barred   int            // how many keys lead out by a way that is not to be taken
	Soonest  time.Time      // when the first resting one comes back; zero if none rests
}

// Error lists how many keys are out for which reason.
func (e *NoneError) Error() string {
	if e.Key != "" && e.Total == 0 {
		return "the only Gemini API key that could serve this is not configured any more: " + e.Key
	}
	if e.Key != "" {
		return "the only Gemini API key that could serve this is not usable: " + e.counts() + " (" + e.Key + ")"
	}
	if e.Total == 0 {
		return "no usable Gemini API key: none is configured"
	}
	return "no usable Gemini API key: " + e.counts()
}

func (e *NoneError) counts() string {
	var words []string
	for r := NoReason + 1; r <= ByHand; r++ {
		if n := e.Disabled[r] + e.Resting[r]; n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n, r))
		}
	}
	if e.Barred > 0 {
		words = append(words, fmt.Sprintf("%d behind a way out that leads to where Gemini is not available", e.Barred))
	}
	return strings.Join(words, ", ")
}

// Dead reports whether no key is worth waiting for and at least one of them never comes back by itself.
func (e *NoneError) Dead() bool {
	return e.Total == 0 || len(e.Disabled) > 0 && !e.hasShort()
}

// ForHours reports whether every key that comes back by itself does so in hours only.
func (e *NoneError) ForHours() bool { return !e.hasShort() }

// Only reports whether r is why every one of the keys is away.
func (e *NoneError) Only(r Reason) bool { return e.Total > 0 && e.Disabled[r]+e.Resting[r] == e.Total }

func (e *NoneError) hasShort() bool {
	for r := range e.Resting {
		if !r.long() {
			return true
		}
	}
	return false
}
