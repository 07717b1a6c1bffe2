package keys

import "time"

type outcomeKind uint8

const (
	outcomeNone outcomeKind = iota
	outcomeOK
	outcomeRest
	outcomeDisable
	outcomeFault
)

// Outcome is what a request taught about its key.
type Outcome struct {
	kind   outcomeKind
	model  string
	steps  []time.Duration
	reason Reason
	tokens int64
	unkept bool
	free   bool // of the quota: Google did not let the request in

	words string // Google's

	limited string // the model that limits are of
	limits  Limits
}

// OK is a served request: the key's faults and its past rests for the model are forgotten.
func OK(model string) Outcome { return Outcome{kind: outcomeOK, model: model} }

// None is a failure that says nothing about the key: the request's own, the client's, or the service's.
func None() Outcome { return Outcome{} }

// TooLong is None for a prompt that Google did not let in: it takes nothing of the key's quota either, as with Rest and Disable.
func TooLong() Outcome { return Outcome{free: true} }

// Fault is a failure that nobody has a name for. Several in a row make the key rest.
func Fault() Outcome { return Outcome{kind: outcomeFault} }

// Disable retires the key until it is reset, or found to be in order again.
func Disable(reason Reason) Outcome { return Outcome{kind: outcomeDisable, reason: reason, free: true} }

// Saying adds Google's own words, without the key, for the log.
func (o Outcome) Saying(words string) Outcome {
	o.words = words
	return o
}

// Rest keeps the key from model, or from all models if that is "", for the first of steps; when that did not help, for the
// second, and so on, the last one counting on. There is at least one step, and none is shorter than a second: a key that was
// just turned down is not asked again at once, whatever Google said.
func Rest(model string, reason Reason, steps ...time.Duration) Outcome {
	return Outcome{kind: outcomeRest, model: model, steps: steps, reason: reason, free: true}
}

// Unkept makes a rest one that only this process knows of.
func (o Outcome) Unkept() Outcome {
	o.unkept = true
	return o
}

// Stating adds the limits of the model that Google named.
func (o Outcome) Stating(model string, limits Limits) Outcome {
	o.limited, o.limits = model, limits
	return o
}

// Used adds what the prompt really had in tokens, where that is known; it takes the place of the estimate.
func (o Outcome) Used(tokens int) Outcome {
	o.tokens = int64(max(tokens, 0))
	return o
}
