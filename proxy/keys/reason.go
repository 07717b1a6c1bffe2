package keys

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
	ServiceOff         // the API is switched off in the project
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
	ServiceOff:  {"service_off", "in a project without the API"},
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
	case Suspended, NoBilling, ServiceOff, DayQuota, NoAccess, NoModel, Depleted, SpendCap, RateLimited:
		return true
	}
	return false
}
