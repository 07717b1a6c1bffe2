package proxy

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
)

//go:embed models.json
var registryFile []byte

// registry is what models.json says of models and their names. How a model behaves is gemini.FamilyOf's.
type registry struct {
	Tiers   map[string]string `json:"tiers"`   // the model that stands for a tier; all keys can use it, so none of the paid ones
	Native  []string          `json:"native"`  // patterns of names that are Google's own
	Names   []nameRule        `json:"names"`   // names that clients come with by themselves, the first match wins
	Retired []nameRule        `json:"retired"` // names that Google serves no more, and what took their place
	Hidden  []string          `json:"hidden"`  // patterns of models that Google lists, and that are not for conversations
	Models  []modelEntry      `json:"models"`
}

// nameRule maps the names of a pattern to a tier or a model.
type nameRule struct {
	Pattern string `json:"pattern"`
	Tier    string `json:"tier"`
	Target  string `json:"target"`
}

// modelEntry describes one model (Gemini API docs).
type modelEntry struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	Day       string   `json:"day"` // from which it is offered, "" where no document names one
	Tier      string   `json:"tier"`
	Free      bool     `json:"free"`      // keys without billing can use it
	Published bool     `json:"published"` // /v1/models names it; what Google retires soon is served, but not advertised
	Embeds    bool     `json:"embeds"`    // makes vectors, and no answers
	Input     int      `json:"input"`     // tokens
	Output    int      `json:"output"`    // tokens
	Fallbacks []string `json:"fallbacks"` // what serves in its place where no key sees it, in this order
	Prices    []price  `json:"prices"`    // one after the other; none are not known
}

// parseRegistry reads a registry whose every name leads to a model that it has.
func parseRegistry(text []byte) (*registry, error) {
	r := &registry{}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(r); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, m := range r.Models {
		if seen[m.ID] {
			return nil, fmt.Errorf("the model %s stands there twice", m.ID)
		}
		seen[m.ID] = true
		if err := r.check(m); err != nil {
			return nil, fmt.Errorf("model %s: %w", m.ID, err)
		}
	}
	for tier, id := range r.Tiers {
		if m := r.find(id); m == nil || !m.Free {
			return nil, fmt.Errorf("tier %s: %s is no model that every key can use", tier, id)
		}
	}
	for _, rule := range slices.Concat(r.Retired, r.Names) {
		if target := r.target(rule); (rule.Tier == "") == (rule.Target == "") || r.find(target) == nil {
			return nil, fmt.Errorf("%s leads to no model", rule.Pattern)
		}
	}
	return r, nil
}

func (r *registry) check(m modelEntry) error {
	if !isModelID(m.ID) || m.Name == "" || m.Input < 1 || m.Output < 1 {
		return fmt.Errorf("id, name or limits are missing")
	}
	if _, ok := r.Tiers[m.Tier]; !ok && !m.Embeds {
		return fmt.Errorf("there is no tier %q", m.Tier)
	}
	if _, err := time.Parse(time.DateOnly, m.Day); err != nil && m.Day != "" {
		return fmt.Errorf("the day %s is none", m.Day)
	}
	if err := checkPrices(m.Prices); err != nil {
		return err
	}
	for _, id := range m.Fallbacks {
		if f := r.find(id); f == nil || f.Embeds != m.Embeds {
			return fmt.Errorf("falls back to %s", id)
		}
	}
	return nil
}

// find returns the entry of a model, nil for one that is not there.
func (r *registry) find(id string) *modelEntry {
	for i := range r.Models {
		if r.Models[i].ID == id {
			return &r.Models[i]
		}
	}
	return nil
}

// target is the model that a rule leads to.
func (r *registry) target(rule nameRule) string {
	if rule.Tier != "" {
		return r.Tiers[rule.Tier]
	}
	return rule.Target
}

// rules are all the rules of names, in their order; "" stands for the name itself.
func (r *registry) rules() []config.ModelRule {
	var all []config.ModelRule
	for _, rule := range r.Retired {
		all = append(all, config.ModelRule{Pattern: rule.Pattern, Target: r.target(rule)})
	}
	for _, pattern := range r.Native {
		all = append(all, config.ModelRule{Pattern: pattern})
	}
	for _, rule := range r.Names {
		all = append(all, config.ModelRule{Pattern: rule.Pattern, Target: r.target(rule)})
	}
	return all
}

// hides reports whether a model that Google lists has no place in a list for clients.
func (r *registry) hides(id string) bool {
	for _, pattern := range r.Hidden {
		if matches(pattern, id) {
			return true
		}
	}
	for _, rule := range r.Retired {
		if matches(rule.Pattern, id) {
			return true
		}
	}
	return false
}
