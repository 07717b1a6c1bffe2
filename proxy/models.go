package proxy

import (
	"cmp"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/gemini-claude-adapter/gca/proxy/config"
)

// aliasPrefix makes names that Claude Code's model discovery shows, which skips all others.
const aliasPrefix = "claude-"

// unknownDay stands for a day that is not known: the epoch, as Anthropic's API docs have it for created_at.
const unknownDay = "1970-01-01"

// models resolves the names that clients use, and knows what there is to know of the models.
type models struct {
	registry *registry
	rules    atomic.Pointer[nameRules]
	listed   atomic.Pointer[listing] // what Google lists; nil until it was asked
}

// nameRules say what a client's name stands for, the first that fits. They never change.
type nameRules struct {
	configured int // how many of them are MODEL_MAP's, which come first
	all        []config.ModelRule
}

func newModels(configured []config.ModelRule) *models {
	r, err := parseRegistry(registryFile)
	if err != nil {
		panic("BUG: models.json: " + err.Error())
	}
	m := &models{registry: r}
	m.configure(configured)
	m.listed.Store(&listing{})
	return m
}

// configure puts other rules of MODEL_MAP's into force.
func (m *models) configure(configured []config.ModelRule) {
	m.rules.Store(&nameRules{configured: len(configured), all: slices.Concat(configured, m.registry.rules())})
}

// resolve finds the Gemini model for a client's name; not ok is a name that means nothing. An alias means its model, unless
// it is configured by its whole name (a rule for claude-* is about Claude's models), or Google is known not to have that model:
// then it is a name of Claude's like any other.
func (m *models) resolve(name string) (target string, ok bool) {
	target, _ = m.match(name)
	return target, isModelID(target)
}

// match returns the target of the first rule that fits, "" if none does, and whether that is one of MODEL_MAP's.
func (m *models) match(name string) (target string, configured bool) {
	rules := m.rules.Load()
	name = plain(name)
	own := unalias(name)
	if own == name || slices.ContainsFunc(rules.all, func(r config.ModelRule) bool { return strings.EqualFold(r.Pattern, name) }) {
		return rules.first(name)
	}
	if target, configured = rules.first(own); m.lacks(target) {
		return rules.first(name)
	}
	return target, configured
}

func (r *nameRules) first(name string) (target string, configured bool) {
	for i, rule := range r.all {
		if matches(strings.ToLower(rule.Pattern), name) {
			return cmp.Or(strings.TrimPrefix(rule.Target, "models/"), name), i < r.configured
		}
	}
	return "", false
}

// vendors begin names as routers write them: anthropic/claude-sonnet-4.
var vendors = []string{"models/", "anthropic/", "openai/", "google/"}

// plain is a client's name as rules have it: in small letters, as all vendors' are, and without the vendor.
func plain(name string) string {
	name = strings.ToLower(name)
	for _, vendor := range vendors {
		name = strings.TrimPrefix(name, vendor)
	}
	return name
}

// fallbacks are the models that may serve a name in place of its target. Who names a model of Google's, or configured one,
// gets that or the truth.
func (m *models) fallbacks(name string) []string {
	target, configured := m.match(name)
	if entry := m.registry.find(target); entry != nil && !configured && target != unalias(plain(name)) {
		return entry.Fallbacks
	}
	return nil
}

// embeds reports whether a model makes vectors and no answers.
func (m *models) embeds(id string) bool {
	if entry := m.registry.find(id); entry != nil {
		return entry.Embeds
	}
	return strings.Contains(id, "embedding")
}

// unalias turns claude-gemini-3.8-flash back into the model that it stands for.
func unalias(name string) string {
	rest, ok := strings.CutPrefix(name, aliasPrefix)
	if ok && (strings.HasPrefix(rest, "gemini-") || strings.HasPrefix(rest, "gemma-")) {
		return rest
	}
	return name
}

// isModelID keeps out what has no place in a path.
func isModelID(s string) bool {
	return len(s) > 0 && len(s) <= 100 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") == ""
}

// matches reports whether name fits pattern, in which * stands for any characters.
func matches(pattern, name string) bool {
	part, pattern, more := strings.Cut(pattern, "*")
	if !more {
		return part == name
	}
	rest, ok := strings.CutPrefix(name, part)
	for ok {
		if part, pattern, more = strings.Cut(pattern, "*"); !more {
			return strings.HasSuffix(rest, part)
		}
		_, rest, ok = strings.Cut(rest, part)
	}
	return false
}

// names lists every id that /v1/models shows: the configured names that have no wildcard, the models that are advertised or
// that Google lists, and their aliases.
func (m *models) names() []string {
	var all, ids []string
	rules := m.rules.Load()
	for _, rule := range rules.all[:rules.configured] {
		if !strings.Contains(rule.Pattern, "*") {
			all = append(all, rule.Pattern)
		}
	}
	for _, entry := range m.registry.Models {
		if entry.Published || m.lists(entry.ID) {
			ids = append(ids, entry.ID)
		}
	}
	for _, id := range m.listed.Load().ids {
		if m.registry.find(id) == nil && !m.registry.hides(id) {
			ids = append(ids, id)
		}
	}
	for _, id := range ids {
		if !m.embeds(id) {
			all = append(all, aliasPrefix+id)
		}
	}
	seen := map[string]bool{}
	return slices.DeleteFunc(append(all, ids...), func(id string) bool {
		again := seen[id]
		seen[id] = true
		return again
	})
}
