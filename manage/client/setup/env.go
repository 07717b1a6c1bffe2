package setup

import (
	"regexp"
	"strings"
)

// envFormat is lines of NAME=VALUE, as programs read them from .env. A path is one name; the last line of a name counts.
type envFormat struct{}

var plainValue = regexp.MustCompile(`^[\w.:/@%+,-]+$`)

// envLine is a line of an env file.
func envLine(name, value string) string {
	if plainValue.MatchString(value) {
		return name + "=" + value
	}
	return name + `="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(value) + `"`
}

// lineOf is the place of a name's line, -1 if there is none.
func (envFormat) lineOf(lines []string, name string) int {
	for i := len(lines) - 1; i >= 0; i-- {
		text := strings.TrimSpace(lines[i])
		text = strings.TrimSpace(strings.TrimPrefix(text, "export "))
		if key, _, ok := strings.Cut(text, "="); ok && strings.TrimSpace(key) == name {
			return i
		}
	}
	return -1
}

func (f envFormat) get(text []byte, path []string) (string, bool, error) {
	lines := strings.Split(string(text), "\n")
	at := f.lineOf(lines, path[0])
	if at < 0 {
		return "", false, nil
	}
	return strings.TrimSuffix(lines[at], "\r"), true, nil
}

func (f envFormat) set(text []byte, path []string, raw string) ([]byte, error) {
	lines := strings.SplitAfter(string(text), "\n")
	at := f.lineOf(lines, path[0])
	switch {
	case raw == "" && at < 0:
		return text, nil
	case raw == "":
		return []byte(strings.Join(append(lines[:at:at], lines[at+1:]...), "")), nil
	case at < 0:
		return append(ended(text), raw+"\n"...), nil
	}
	ending := lines[at][len(strings.TrimRight(lines[at], "\r\n")):]
	lines[at] = raw + ending
	return []byte(strings.Join(lines, "")), nil
}

// ended is a text whose last line has an end.
func ended(text []byte) []byte {
	if len(text) > 0 && text[len(text)-1] != '\n' {
		return append(text[:len(text):len(text)], '\n')
	}
	return text[:len(text):len(text)]
}

func (envFormat) empty(text []byte) bool { return strings.TrimSpace(string(text)) == "" }
