package keys

import (
	"maps"
	"slices"
	"time"
)

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
	Group    string // as configured, perhaps ""
	Egress   string // as Lease.Egress has it
	Learned  string // the project that it seems to share with others: the same word for all of them, "" where nothing hints at one
	State    State
	Reason   Reason    // why it is not Healthy
	Until    time.Time // the end of the rest, of the longest one when it is Limited; zero if there is none
	Rests    []ModelRest
	Inflight int64
	Requests int64
	Failures int64
}

// ModelRest is why a key does not serve one model.
type ModelRest struct {
	Model  string
	Reason Reason
	Until  time.Time
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
		ID: k.id, Label: k.label, Group: k.group, Egress: k.egress, State: Healthy,
		Inflight: k.inflight, Requests: k.requests, Failures: k.failures,
	}
	for _, model := range slices.Sorted(maps.Keys(k.rests)) {
		r := k.rests[model]
		if r.until.After(now) {
			s.Rests = append(s.Rests, ModelRest{Model: model, Reason: r.reason, Until: r.until})
		}
		// whoever mistypes a model's name says nothing about the key
		if r.reason != NoModel && r.until.After(now) && r.until.After(s.Until) {
			s.State, s.Reason, s.Until = Limited, r.reason, r.until
		}
	}
	if k.whole.until.After(now) {
		s.State, s.Reason, s.Until = Resting, k.whole.reason, k.whole.until
	}
	if k.out() != NoReason {
		s.State, s.Reason, s.Until = Disabled, k.out(), time.Time{}
	}
	return s
}
