package config

import (
	"fmt"
	"strings"
)

// setting is one NAME=value line of adapter.env.
type setting struct {
	name, value string
	line        int
}

// parseEnvFile reads adapter.env as the predecessor's guide writes it: NAME=value, an optional `export`, quotes, comments
// on lines of their own or after white space. A name may be set once.
func parseEnvFile(text string) ([]setting, error) {
	var out []setting
	seen := make(map[string]int)
	for i, raw := range strings.Split(text, "\n") {
		line := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(raw), "export "))
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, rest, ok := strings.Cut(line, "=")
		name = strings.TrimSpace(name)
		if !ok || !isName(name) {
			return nil, fmt.Errorf("line %d: expected NAME=value", i+1)
		}
		if first, dup := seen[name]; dup {
			return nil, fmt.Errorf("line %d: %s is set a second time, first on line %d", i+1, name, first)
		}
		value, err := unquote(strings.TrimSpace(rest))
		if err != nil {
			return nil, fmt.Errorf("line %d: %s: %w", i+1, name, err)
		}
		seen[name] = i + 1
		out = append(out, setting{name, value, i + 1})
	}
	return out, nil
}

func isName(s string) bool {
	for i, r := range s {
		if r != '_' && (r < 'A' || r > 'Z') && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}

func unquote(s string) (string, error) {
	if s == "" || (s[0] != '"' && s[0] != '\'') {
		return stripComment(s), nil
	}
	end := strings.IndexByte(s[1:], s[0])
	if end < 0 {
		return "", fmt.Errorf("the quote %c is not closed", s[0])
	}
	if tail := strings.TrimSpace(s[end+2:]); tail != "" && tail[0] != '#' {
		return "", fmt.Errorf("there is text after the closing quote")
	}
	return s[1 : end+1], nil
}

func stripComment(s string) string {
	for i := range len(s) {
		if s[i] == '#' && (i == 0 || s[i-1] == ' ' || s[i-1] == '\t') {
			return strings.TrimSpace(s[:i])
		}
	}
	return s
}
