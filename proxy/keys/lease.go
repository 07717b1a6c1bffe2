package keys

import (
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
)

// Lease is the right to make one request with a key. It comes from Pool.Acquire only and ends with Done.
type Lease struct {
	pool   *Pool
	key    *key
	proxy  *url.URL // the key's when it was leased: another one may be configured meanwhile
	egress string
	done   atomic.Bool
}

// Authorize puts the key into the one header that Google reads it from.
func (l *Lease) Authorize(h http.Header) { h.Set("x-goog-api-key", l.key.secret.Reveal()) }

// KeyID names the key in logs and errors; it cannot be turned back into the key.
func (l *Lease) KeyID() string { return l.key.id }

// Secret is the key, for taking it out of texts that others wrote; it prints as "***".
func (l *Lease) Secret() config.Secret { return l.key.secret }

// Format prints the key's id whatever the verb.
func (l *Lease) Format(f fmt.State, _ rune) { fmt.Fprint(f, l.key.id) }

// Done gives the key back. It is called exactly once: a second call panics.
func (l *Lease) Done(o Outcome) {
	if l.done.Swap(true) {
		panic("BUG: the lease of key " + l.key.id + " was given back twice")
	}
	l.pool.settle(l.key, o)
}

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
	tokens int
}

// OK is a served request: the key's faults and its past rests for the model are forgotten.
func OK(model string) Outcome { return Outcome{kind: outcomeOK, model: model} }

// Used adds what the prompt really had in tokens, where that is known.
func (o Outcome) Used(tokens int) Outcome {
	o.tokens = tokens
	return o
}

// None is a failure that says nothing about the key: the request's own, the client's, or the service's.
func None() Outcome { return Outcome{} }

// Fault is a failure that nobody has a name for. Several in a row make the key rest.
func Fault() Outcome { return Outcome{kind: outcomeFault} }

// Disable retires the key until it is reset.
func Disable(reason Reason) Outcome { return Outcome{kind: outcomeDisable, reason: reason} }

// Rest keeps the key from model, or from all models if that is "", for the first of steps; when that did not help, for the
// second, and so on, the last one counting on. There is at least one step, and none is shorter than a second: a key that was
// just turned down is not asked again at once, whatever Google said.
func Rest(model string, reason Reason, steps ...time.Duration) Outcome {
	return Outcome{kind: outcomeRest, model: model, steps: steps, reason: reason}
}
