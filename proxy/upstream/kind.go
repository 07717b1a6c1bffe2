package upstream

import (
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/keys"
)

// Kind is what went wrong with a call to Gemini. What follows from it, for the key and for the request, is said once, in the
// table of this file.
type Kind uint8

// The kinds, in the order in which they are looked for.
const (
	Unknown      Kind = iota // nothing that has a name here
	Cancelled                // we hung up ourselves
	KeyInvalid               // Google does not know the key, or takes its kind no longer
	KeyLeaked                // the key was published
	NeedsOAuth               // what was asked for takes no API keys at all
	KeyBlocked               // the key's restrictions forbid the API
	ServiceOff               // the API is switched off in the key's project
	KeySuspended             // the project is suspended, denied or gone
	NoBilling                // the project's billing is off, where it is needed
	Region                   // no service at all where this server is
	NoAccess                 // the key's tier has no quota for the model
	DayQuota                 // the model's quota of the day is used up
	SizeQuota                // the prompt alone is more than the quota of a minute
	MinuteQuota              // a short quota, with the time that it takes
	SpendCap                 // the project's spending limit
	Depleted                 // the project's credits
	Throttled                // a 429 that is about no quota, or without reasons
	NoModel                  // the key does not see the model
	Overflow                 // the prompt is longer than the model takes
	Signature                // a thought signature is missing or does not fit
	Unsaid                   // an invalid argument, Google does not say which
	Schema                   // a function's schema is not taken
	States                   // schemas are too much to hold an answer to
	Output                   // the answer's schema or type is not taken
	Thinking                 // the thinking asked for is not taken
	Safety                   // a safety threshold is not taken
	BadRequest               // any other fault of the request
	TooLarge                 // the request has too many bytes
	Forbidden                // a file or cache of another project
	Denied                   // a 403 that says nothing known: perhaps another key may
	NotFound                 // what the request refers to, other than its model
	Overloaded               // the model is busy
	ServerFault              // an internal error of Google's
	BadGateway               // another 5xx, or a page in place of an answer
	Deadline                 // Google gave up
	Unreachable              // no connection, or one that broke before the answer
	NoFirstByte              // nothing within REQUEST_TIMEOUT
	Silent                   // a running answer stopped for STREAM_IDLE_TIMEOUT
	Cut                      // the answer ended in its middle
	Garbled                  // the answer cannot be read
	Unusable                 // the answer is whole but empty, or its call is malformed
	kinds
)

// Action is what the request does next, as long as nothing of an answer went to the client.
type Action uint8

// The actions.
const (
	Answer  Action = iota // tell the client
	NextKey               // at once with another key; this is no retry
	Backoff               // with another key after a pause, MAX_RETRIES times
	Again                 // with another key at once, a fixed number of times
	Repair                // with the same key, after the request was mended; each way to mend it once
)

// penalty is what the key gets.
type penalty uint8

const (
	noPenalty penalty = iota
	tooLong           // none, and nothing of its quota is gone
	fault
	disable
	restModel
	restKey
)

type policy struct {
	name    string // in logs and metrics
	action  Action
	penalty penalty
	reason  keys.Reason
	rests   []time.Duration // unless the answer itself says how long
}

// policies is the error table: first the key's faults, then the quotas, the request's faults, and those of the service.
var policies = [kinds]policy{
	Unknown:      {"unknown", Backoff, fault, keys.NoReason, nil},
	Cancelled:    {"cancelled", Answer, noPenalty, keys.NoReason, nil},
	KeyInvalid:   {"key_invalid", NextKey, disable, keys.Invalid, nil},
	KeyLeaked:    {"key_leaked", NextKey, disable, keys.Leaked, nil},
	NeedsOAuth:   {"needs_oauth", Answer, noPenalty, keys.NoReason, nil},
	KeyBlocked:   {"key_blocked", NextKey, disable, keys.Blocked, nil},
	ServiceOff:   {"service_off", NextKey, disable, keys.ServiceOff, nil},
	KeySuspended: {"key_suspended", NextKey, disable, keys.Suspended, nil},
	NoBilling:    {"no_billing", NextKey, disable, keys.NoBilling, nil},
	Region:       {"region", NextKey, noPenalty, keys.NoReason, nil},
	NoAccess:     {"no_access", NextKey, restModel, keys.NoAccess, []time.Duration{24 * time.Hour}},
	DayQuota:     {"day_quota", NextKey, restModel, keys.DayQuota, []time.Duration{24 * time.Hour}},
	SizeQuota:    {"size_quota", NextKey, tooLong, keys.NoReason, nil},
	MinuteQuota:  {"minute_quota", NextKey, restModel, keys.RateLimited, []time.Duration{time.Minute}},
	SpendCap:     {"spend_cap", NextKey, restKey, keys.SpendCap, []time.Duration{10 * time.Minute, 30 * time.Minute, time.Hour}},
	Depleted:     {"credits_depleted", NextKey, restKey, keys.Depleted, []time.Duration{time.Hour}},
	Throttled:    {"throttled", NextKey, restModel, keys.Throttled, []time.Duration{5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute}},
	NoModel:      {"no_model", NextKey, restModel, keys.NoModel, []time.Duration{6 * time.Hour}},
	Overflow:     {"overflow", Answer, tooLong, keys.NoReason, nil},
	Signature:    {"signature", Repair, noPenalty, keys.NoReason, nil},
	Unsaid:       {"invalid_argument", Repair, noPenalty, keys.NoReason, nil},
	Schema:       {"schema", Repair, noPenalty, keys.NoReason, nil},
	States:       {"schema_states", Repair, noPenalty, keys.NoReason, nil},
	Output:       {"output_schema", Repair, noPenalty, keys.NoReason, nil},
	Thinking:     {"thinking", Repair, noPenalty, keys.NoReason, nil},
	Safety:       {"safety", Repair, noPenalty, keys.NoReason, nil},
	BadRequest:   {"bad_request", Answer, noPenalty, keys.NoReason, nil},
	TooLarge:     {"too_large", Answer, noPenalty, keys.NoReason, nil},
	Forbidden:    {"forbidden", Answer, noPenalty, keys.NoReason, nil},
	Denied:       {"denied", NextKey, noPenalty, keys.NoReason, nil},
	NotFound:     {"not_found", Answer, noPenalty, keys.NoReason, nil},
	Overloaded:   {"overloaded", Backoff, noPenalty, keys.NoReason, nil},
	ServerFault:  {"server_fault", Backoff, noPenalty, keys.NoReason, nil},
	BadGateway:   {"bad_gateway", Backoff, noPenalty, keys.NoReason, nil},
	Deadline:     {"deadline", Backoff, noPenalty, keys.NoReason, nil},
	Unreachable:  {"unreachable", Backoff, noPenalty, keys.NoReason, nil},
	NoFirstByte:  {"no_first_byte", Backoff, noPenalty, keys.NoReason, nil},
	Silent:       {"silent", Backoff, noPenalty, keys.NoReason, nil},
	Cut:          {"cut", Again, noPenalty, keys.NoReason, nil},
	Garbled:      {"garbled", Again, noPenalty, keys.NoReason, nil},
	Unusable:     {"unusable", Again, noPenalty, keys.NoReason, nil},
}

// String is the kind's name in logs.
func (k Kind) String() string { return policies[k].name }

// Retires reports whether the kind is about the key itself, which is out until somebody looks after it.
func (k Kind) Retires() bool { return policies[k].penalty == disable }

// Action says what the request does next.
func (k Kind) Action() Action { return policies[k].action }

// Error is a failed call. Message is Google's or the network's, without the key, and no longer than 2,000 bytes.
type Error struct {
	Kind    Kind
	Status  int // HTTP's, 0 if there was no answer
	Message string
	Rest    time.Duration // how long the answer itself said to wait, 0 if it did not
	Tokens  int           // Overflow and SizeQuota: what the prompt has, 0 if Google did not say
	Limit   int           // Overflow and SizeQuota: what is allowed, 0 if unknown
	Limits  keys.Limits   // the quotas of a 429, as far as Google named them
}

// Error is for logs.
func (e *Error) Error() string { return "gemini: " + e.Kind.String() + ": " + e.Message }

// Wait is how long the failure keeps its key away, 0 if it does not.
func (e *Error) Wait() time.Duration {
	if rests := e.rests(); len(rests) > 0 {
		return rests[0]
	}
	return 0
}

func (e *Error) rests() []time.Duration {
	if e.Rest > 0 {
		return []time.Duration{e.Rest}
	}
	return policies[e.Kind].rests
}

// Outcome is what the failure means for the key that was used for model.
func (e *Error) Outcome(model string) keys.Outcome {
	o := e.verdict(model)
	if e.Limits == (keys.Limits{}) {
		return o
	}
	return o.Stating(model, e.Limits)
}

func (e *Error) verdict(model string) keys.Outcome {
	p := policies[e.Kind]
	switch p.penalty {
	case tooLong:
		return keys.TooLong()
	case fault:
		return keys.Fault()
	case disable:
		return keys.Disable(p.reason).Saying(e.Message)
	case restModel:
		return keys.Rest(model, p.reason, e.rests()...)
	case restKey:
		return keys.Rest("", p.reason, e.rests()...)
	default:
		return keys.None()
	}
}
