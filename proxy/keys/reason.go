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
)

// String is the reason in words.
func (r Reason) String() string {
	switch r {
	case Invalid:
		return "invalid"
	case Leaked:
		return "reported as leaked"
	case Blocked:
		return "blocked"
	case Suspended:
		return "suspended"
	case NoBilling:
		return "without the billing that its region needs"
	case DayQuota:
		return "out of quota"
	case NoAccess:
		return "without access to the model"
	case NoModel:
		return "without the model"
	case Depleted:
		return "out of credits"
	case SpendCap:
		return "at its spending limit"
	case RateLimited:
		return "rate limited"
	case Throttled:
		return "throttled"
	case Failing:
		return "failing"
	default:
		return ""
	}
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
	Soonest  time.Time      // when the first of them does; zero if none
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
	for r := NoReason + 1; r <= Failing; r++ {
		if n := e.Disabled[r] + e.Resting[r]; n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n, r))
		}
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

// State is what a key can do now.
type State string

// The states of a key.
const (
	Healthy  State = "healthy"  // serves every model
	Limited  State = "limited"  // rests for some models that it sees
	Resting  State = "resting"  // rests for all models
	Disabled State = "disabled" // is out until it is reset
)

// Status describes one key; it holds nothing of the secret but its last four characters.
type Status struct {
	ID       string
	Label    string // as configured, perhaps ""
	State    State
	Reason   Reason    // why it is not Healthy
	Until    time.Time // the end of the rest, of the longest one when it is Limited; zero if there is none
	Inflight int64
	Requests int64
	Failures int64
}

// Snapshot describes the keys in their configured order.
func (p *Pool) Snapshot() []Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	all := make([]Status, 0, len(p.keys))
	for _, k := range p.keys {
		all = append(all, k.status(now))
	}
	return all
}

func (k *key) status(now time.Time) Status {
	s := Status{
		ID: k.id, Label: k.label, State: Healthy,
		Inflight: k.inflight, Requests: k.requests, Failures: k.failures,
	}
	for _, r := range k.rests {
		// whoever mistypes a model's name says nothing about the key
		if r.reason != NoModel && r.until.After(now) && r.until.After(s.Until) {
			s.State, s.Reason, s.Until = Limited, r.reason, r.until
		}
	}
	if k.whole.until.After(now) {
		s.State, s.Reason, s.Until = Resting, k.whole.reason, k.whole.until
	}
	if k.disabled != NoReason {
		s.State, s.Reason, s.Until = Disabled, k.disabled, time.Time{}
	}
	return s
}
