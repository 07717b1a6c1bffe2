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
	Disabled State = "disabled" // is out until it is reset, or found to be in order
)

// Status describes one key; it holds nothing of the secret but its last four characters.
type Status struct {
	ID       string
	Label    string // as configured, perhaps ""
	Group    string // as configured, perhaps ""
	Egress   string // as Lease.Egress has it
	Learned  string // the project that it seems to share with others: the same word for all of them, "" where nothing hints at one
	State    State
	Reason   Reason       // why it is not Healthy
	Until    time.Time    // the end of the rest, of the longest one when it is Limited; zero if there is none
	Rests    []ModelRest  // for single models, by their names
	Limits   []ModelLimit // that Google named, by the models' names
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

// ModelLimit is the quota of a key's project for one model, as far as Google named it, and what was used of it by this process.
type ModelLimit struct {
	Model string
	Limit Limits // 0 is not named
	Used  Limits // in the last minute, and today
}

// Snapshot describes the keys in their configured order.
func (p *Pool) Snapshot() []Status {
	p.lock()
	defer p.mu.Unlock()
	all := make([]Status, 0, len(p.keys))
	for _, k := range p.keys {
		all = append(all, k.status(&p.moment))
	}
	return all
}

func (k *key) status(m *moment) Status {
	g := k.group
	s := Status{
		ID: k.id, Label: k.label, Group: k.declared, Egress: k.egress, State: Healthy,
		Rests: k.modelRests(m.now), Limits: g.modelLimits(m),
		Inflight: k.inflight, Requests: k.requests, Failures: k.failures,
	}
	if l := g.mates(m.now); l != nil {
		s.Learned = l.name
	}
	for _, r := range s.Rests {
		// whoever mistypes a model's name says nothing about the key
		if r.Reason != NoModel && r.Until.After(s.Until) {
			s.State, s.Reason, s.Until = Limited, r.Reason, r.Until
		}
	}
	if r := k.whole.later(g.whole); r.live(m.now) {
		s.State, s.Reason, s.Until = Resting, r.reason, r.until
	}
	if k.out() != NoReason {
		s.State, s.Reason, s.Until = Disabled, k.out(), time.Time{}
	}
	return s
}

// modelRests are the key's own rests and its group's.
func (k *key) modelRests(now time.Time) (all []ModelRest) {
	rests := map[string]rest{}
	for model, r := range k.rests {
		rests[model] = r
	}
	for model, l := range k.group.ledgers {
		rests[model] = rests[model].later(l.rest)
		if s := k.group.firmly(model, now); s != nil {
			rests[model] = rests[model].later(s.resting())
		}
	}
	for _, model := range slices.Sorted(maps.Keys(rests)) {
		if r := rests[model]; r.live(now) {
			all = append(all, ModelRest{model, r.reason, r.until})
		}
	}
	return all
}

func (g *group) modelLimits(m *moment) (all []ModelLimit) {
	for _, model := range slices.Sorted(maps.Keys(g.ledgers)) {
		l := g.ledgers[model]
		if limits := l.limits(m); limits != (Limits{}) {
			all = append(all, ModelLimit{model, limits, l.usage(m)})
		}
	}
	return all
}
