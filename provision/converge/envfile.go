package converge

import (
	"fmt"
	"strings"
)

// Setting is one line to ensure in adapter.env.
type Setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	// Default leaves a value that is there already alone.
	Default bool `json:"default,omitempty"`
}

// parseAssignment reads `NAME=value`, with an optional export, quotes and a
// trailing comment. Comments and everything else are not ok.
func parseAssignment(line string) (name, value string, ok bool) {
	line = strings.TrimSpace(line)
	if strings.HasPrefix(line, "#") {
		return "", "", false
	}
	name, value, ok = strings.Cut(strings.TrimPrefix(line, "export "), "=")
	name = strings.TrimSpace(name)
	if !ok || !isName(name) {
		return "", "", false
	}
	value, ok = unquote(strings.TrimSpace(value))
	return name, value, ok
}

func isName(s string) bool {
	for i, c := range s {
		letter := c == '_' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// unquote is not ok where a quote has no end, or something other than a comment follows it.
func unquote(value string) (text string, ok bool) {
	if value == "" || value[0] != '"' && value[0] != '\'' {
		return cutComment(value), true
	}
	text, rest, ok := strings.Cut(value[1:], value[:1])
	return text, ok && cutComment(strings.TrimSpace(rest)) == ""
}

func cutComment(value string) string {
	for i := range len(value) {
		if value[i] == '#' && (i == 0 || value[i-1] == ' ' || value[i-1] == '\t') {
			return strings.TrimSpace(value[:i])
		}
	}
	return value
}

func quote(value string) string {
	if value == "" || !strings.ContainsAny(value, " \t#'\"") {
		return value
	}
	if !strings.Contains(value, `"`) {
		return `"` + value + `"`
	}
	return "'" + value + "'"
}

const settingsHeader = "# Settings of the Gemini adapter, one NAME=value a line. A deploy changes only the lines that it must.\n"

// MergeSettings ensures want in text and keeps every other line, its comments and its order. It judges nothing: what the
// adapter could not read in text, it cannot read in the result.
func MergeSettings(text string, want []Setting) string {
	if text == "" {
		text = settingsHeader
	}
	lines := strings.SplitAfter(text, "\n")
	if last := len(lines) - 1; lines[last] == "" {
		lines = lines[:last]
	} else {
		lines[last] += "\n"
	}
	for _, s := range want {
		lines = mergeSetting(lines, s)
	}
	return strings.Join(lines, "")
}

func mergeSetting(lines []string, s Setting) []string {
	assignment := s.Name + "=" + quote(s.Value) + "\n"
	for i := len(lines) - 1; i >= 0; i-- {
		name, value, ok := parseAssignment(lines[i])
		if !ok || name != s.Name {
			continue
		}
		if !s.Default && value != s.Value {
			lines[i] = assignment
		}
		return lines
	}
	return append(lines, assignment)
}

func (s Setting) validate() error {
	switch {
	case !isName(s.Name):
		return fmt.Errorf("setting %q: a name is capital letters, digits and underscores", s.Name)
	case strings.ContainsFunc(s.Value, func(c rune) bool { return c < ' ' || c == 0x7f }):
		return fmt.Errorf("setting %s: the value has a line break or another control character", s.Name)
	case strings.Contains(s.Value, `"`) && strings.Contains(s.Value, "'"):
		return fmt.Errorf("setting %s: the value has both kinds of quotes", s.Name)
	}
	return nil
}
