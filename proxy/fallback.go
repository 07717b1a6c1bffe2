package proxy

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
	"github.com/gemini-claude-adapter/gca/proxy/upstream"
)

// fallbackWait bounds how long a request waits for a resting key where another model could serve it.
const fallbackWait = 10 * time.Second

// ladder is the models that may serve a request in place of the one that it asked for, each of them once. Up to the content
// commit a request goes over to the next one where every key is dry for a model, or Google has no room for it. When none is left,
// it waits for the one whose turn comes first.
type ladder struct {
	fit       func(target string) error // makes the request for a model; nil where there is no ladder
	fallbacks []string                  // by MODEL_FALLBACK
	unseen    []string                  // by the registry: only where no key sees the model
	dry       []dry                     // what no key could serve
	failed    *upstream.Error           // the fault of the service that the last model but this one was left for
	returned  bool                      // to one of them
}

// dry is a model, and why no key could serve it.
type dry struct {
	target string
	none   *keys.NoneError
}

// fallbacksOf are the models that the rules name for one, in their order, and those that they name for these.
func fallbacksOf(rules []config.ModelRule, name, target string) []string {
	if len(rules) == 0 {
		return nil
	}
	chain := []string{target}
	for i := 0; i < len(chain); i++ {
		for _, rule := range rules {
			next := strings.TrimPrefix(rule.Target, "models/")
			fits := matches(rule.Pattern, chain[i]) || i == 0 && matches(rule.Pattern, name)
			if fits && isModelID(next) && !slices.Contains(chain, next) {
				chain = append(chain, next)
			}
		}
	}
	return chain[1:]
}

// patience is until when the request waits for a resting key of this model.
func (t *tries) patience() time.Time {
	until := t.until()
	if soon := time.Now().Add(fallbackWait); len(t.ladder.fallbacks) > 0 && soon.Before(until) {
		return soon
	}
	return until
}

// dried goes over to another model where no key can serve this one, and reports whether there was one.
func (t *tries) dried(err error) bool {
	var none *keys.NoneError
	if t.ladder.fit == nil || !errors.As(err, &none) {
		return false
	}
	if none.Only(keys.NoModel) {
		return t.climb(&t.ladder.fallbacks) || t.climb(&t.ladder.unseen)
	}
	if len(none.Resting) == 0 && none.Small == 0 {
		return false // what keeps these keys away has nothing to do with the model
	}
	t.ladder.dry = append(t.ladder.dry, dry{t.target, none})
	if t.climb(&t.ladder.fallbacks) {
		return true
	}
	first := t.soonest()
	if t.ladder.returned || first.target == t.target || first.none.Soonest.IsZero() || first.none.Soonest.After(t.until()) {
		return false
	}
	t.ladder.returned = true
	return t.climb(&[]string{first.target})
}

// soonest is the dry model whose turn comes first; one that never does comes last.
func (t *tries) soonest() dry {
	return slices.MinFunc(t.ladder.dry, func(a, b dry) int {
		switch {
		case a.none.Soonest.IsZero() == b.none.Soonest.IsZero():
			return a.none.Soonest.Compare(b.none.Soonest)
		case a.none.Soonest.IsZero():
			return 1
		}
		return -1
	})
}

// moveOn goes over to another model after a failure that all keys would meet with this one.
func (t *tries) moveOn(failed *upstream.Error) bool {
	switch failed.Kind {
	case upstream.NoModel:
		return t.climb(&t.ladder.fallbacks) || t.climb(&t.ladder.unseen)
	case upstream.Overloaded, upstream.ServerFault, upstream.BadGateway, upstream.Deadline, upstream.NoFirstByte, upstream.Unreachable:
		if !t.climb(&t.ladder.fallbacks) {
			return false
		}
		t.ladder.failed = failed
		return true
	case upstream.SizeQuota:
		return t.climb(&t.ladder.fallbacks)
	case upstream.Overflow:
		t.ladder.fallbacks = slices.DeleteFunc(t.ladder.fallbacks, func(model string) bool {
			return t.s.models.entry(model).Input <= t.s.models.entry(t.target).Input
		})
		return t.climb(&t.ladder.fallbacks)
	}
	return false
}

// climb begins anew with the first model of a list that the request can be made for.
func (t *tries) climb(models *[]string) bool {
	for t.ladder.fit != nil && len(*models) > 0 {
		next := (*models)[0]
		*models = (*models)[1:]
		if t.ladder.fit(next) == nil {
			t.unsure, t.faults, t.harmless, t.above, t.keys = 0, 0, 0, 0, nil
			return true
		}
	}
	return false
}
