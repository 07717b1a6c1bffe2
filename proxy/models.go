package proxy

import (
	"slices"
	"strings"

	"github.com/gemini-claude-adapter/gca/proxy/config"
)

// aliasPrefix makes names that Claude Code's model discovery shows, which skips all others.
const aliasPrefix = "claude-"

// familiar maps the names that clients come with by themselves. The first match wins.
var familiar = []config.ModelRule{
	{Pattern: "gemini-*", Target: ""}, // as it is
	{Pattern: "gemma-*", Target: ""},
	{Pattern: "claude-*haiku*", Target: "gemini-3.5-flash-lite"},
	{Pattern: "claude-*", Target: "gemini-3.8-flash"},
	{Pattern: "gpt-*", Target: "gemini-3.8-flash"},
	{Pattern: "chatgpt-*", Target: "gemini-3.8-flash"},
	{Pattern: "o1*", Target: "gemini-3.8-flash"},
	{Pattern: "o3*", Target: "gemini-3.8-flash"},
	{Pattern: "o4*", Target: "gemini-3.8-flash"},
}

// published are the models that /v1/models names, and the day from which each is offered, "" where no document names one
// (Gemini API docs). Models that Google retires soon are served all the same, but not advertised.
var published = []struct{ id, name, day string }{
	{"gemini-3.8-flash", "Gemini 3.8 Flash", "2026-09-02"},
	{"gemini-3.6-flash", "Gemini 3.6 Flash", "2026-07-21"},
	{"gemini-3.5-flash-lite", "Gemini 3.5 Flash-Lite", "2026-07-21"},
	{"gemini-3.1-flash-lite", "Gemini 3.1 Flash-Lite", ""},
	{"gemini-3.1-pro-preview", "Gemini 3.1 Pro Preview", ""},
	{"gemini-4-hydrogen", "Gemini 4 Hydrogen", ""},
	{"gemini-4-neon", "Gemini 4 Neon", "2026-11-18"},
	{"gemini-4-carbon", "Gemini 4 Carbon", "2026-11-10"},
	{"gemini-4-argon", "Gemini 4 Argon", "2026-10-13"},
	{"gemini-2.5-flash-lite", "Gemini 2.5 Flash-Lite", ""},
}

// unknownDay stands for a day that is not known: the epoch, as Anthropic's API docs have it for created_at.
const unknownDay = "1970-01-01"

// models resolves the names that clients use.
type models struct{ rules []config.ModelRule }

func newModels(configured []config.ModelRule) *models {
	return &models{rules: slices.Concat(configured, familiar)}
}

// resolve finds the Gemini model for a client's name; not ok is a name that means nothing. An alias means its model, unless
// it is configured by its whole name: a rule for claude-* is about Claude's models.
func (m *models) resolve(name string) (target string, ok bool) {
	name = strings.TrimPrefix(name, "models/")
	if !slices.ContainsFunc(m.rules, func(r config.ModelRule) bool { return r.Pattern == name }) {
		name = unalias(name)
	}
	for _, rule := range m.rules {
		if !matches(rule.Pattern, name) {
			continue
		}
		if target = strings.TrimPrefix(rule.Target, "models/"); target == "" {
			target = name
		}
		return target, isModelID(target)
	}
	return "", false
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
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == name
	}
	rest, ok := strings.CutPrefix(name, parts[0])
	if !ok {
		return false
	}
	for _, part := range parts[1 : len(parts)-1] {
		_, after, found := strings.Cut(rest, part)
		if !found {
			return false
		}
		rest = after
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}

// names lists every id that /v1/models shows: the configured names that have no wildcard, the models, and their aliases.
func (m *models) names() []string {
	var all []string
	for _, rule := range m.rules {
		if !strings.Contains(rule.Pattern, "*") {
			all = append(all, rule.Pattern)
		}
	}
	for _, p := range published {
		all = append(all, aliasPrefix+p.id)
	}
	for _, p := range published {
		all = append(all, p.id)
	}
	return all
}
