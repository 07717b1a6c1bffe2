package proxy

import (
	"strings"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
	"github.com/gemini-claude-adapter/gca/proxy/upstream"
)

// A 404 for a model means that the key does not see it, that nobody does, or that Google has trouble. Where Google's own list
// names the model it is no fault of a name: the keys rest shortly, and it shows; else they rest for hours, and it does not,
// since whoever mistypes a name says nothing of the keys.

// missingFor is how long a key rests for a model that it does not see although Google lists it, each time in a row.
func missingFor() []time.Duration {
	return []time.Duration{time.Minute, 5 * time.Minute, 30 * time.Minute, time.Hour}
}

// inventedFor is how long a key rests for a name that neither Google lists nor the registry knows. Nobody writes that down: any
// client can invent any number of names.
const inventedFor = 10 * time.Minute

// outcome is what a failure means for the key that it came with.
func (t *tries) outcome(failed *upstream.Error) keys.Outcome {
	switch {
	case failed.Kind == upstream.DayQuota && t.s.dawns(time.Now()):
		return keys.Rest(t.quota(), keys.RateLimited, 30*time.Second, time.Minute)
	case failed.Kind != upstream.NoModel:
	case t.s.models.lists(t.target):
		return keys.Rest(t.quota(), keys.NoModel, missingFor()...)
	case t.s.models.registry.find(t.target) == nil:
		return keys.Rest(t.quota(), keys.NoModel, inventedFor).Unkept()
	}
	return failed.Outcome(t.quota())
}

// dawns reports whether Google's day has only just begun: whoever is told then that the quota of the day is used up may be told so
// of yesterday's, by a counter that lags behind or a clock here that is ahead, and would rest for a day that has hardly begun.
func (s *Server) dawns(now time.Time) bool { return keys.Day(now) != keys.Day(now.Add(-s.pace.dawn)) }

// noModel tells a client that no key sees its model, and which one that is where the name stands for another.
func (t *tries) noModel() *front.Error {
	e := unknownModel(t.model)
	target, mapped := t.s.models.standsFor(t.model)
	if target == "" {
		return e
	}
	e.Detail = "none of the keys may use " + target + ", which " + bounded(t.model, 200) + " stands for"
	if mapped {
		e.Detail += "\nhint: MODEL_MAP says so on the adapter's server; gca config get HOST MODEL_MAP shows it"
	}
	return e
}

// standsFor is the model that a name means, "" where it means itself; mapped says that MODEL_MAP has it so.
func (m *models) standsFor(name string) (target string, mapped bool) {
	target, mapped = m.match(name)
	if target == unalias(plain(name)) {
		return "", false
	}
	return target, mapped
}

// keyStates is how the keys stand. One that does not see a model which Google lists is not wholly healthy.
func (s *Server) keyStates() []keys.Status {
	all := s.pool.Snapshot()
	for i := range all {
		k := &all[i]
		for _, r := range k.Rests {
			model, _, _ := strings.Cut(r.Model, ":") // before the verb
			if k.State == keys.Healthy && r.Reason == keys.NoModel && s.models.lists(model) {
				k.State, k.Reason, k.Until = keys.Limited, r.Reason, r.Until
			}
		}
	}
	return all
}
