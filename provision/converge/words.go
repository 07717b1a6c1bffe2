package converge

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// A server does not know by which name a person calls it: the commands of gca that it names are for HOST.
var forHOST = regexp.MustCompile(`(\bgca [^\n]*?) (?:root@)?(?:HOST|THIS-SERVER)([^=\w]|$)`)

// ForHost is what a server says, for one who sits at a laptop and calls it host.
func ForHost(text, host string) string {
	text = strings.ReplaceAll(text, "from your laptop: ", "")
	return forHOST.ReplaceAllString(text, "${1} "+strings.ReplaceAll(host, "$", "$$")+"${2}")
}

// wordsOf says what changes in a file that holds secrets, in words: " (3 keys)", " (PORT, HOST)".
func wordsOf(st fileStep, now PathState) string {
	switch st.path {
	case keysFile:
		return countText(st.content, "key")
	case tokensFile:
		return countText(st.content, "token")
	case settingsFile:
		if names := changedSettings(string(now.Content), string(st.content)); len(names) > 0 {
			return " (" + strings.Join(names, ", ") + ")"
		}
	}
	return ""
}

func countText(text []byte, what string) string {
	n := 0
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			n++
		}
	}
	return " (" + plural(n, what) + ")"
}

// plural is "1 key" or "2 keys".
func plural(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// changedSettings names the settings that two texts do not have in common.
func changedSettings(before, after string) []string {
	was, is := assignments(before), assignments(after)
	var names []string
	for name, value := range is {
		if old, ok := was[name]; !ok || old != value {
			names = append(names, name)
		}
	}
	for name := range was {
		if _, ok := is[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func assignments(text string) map[string]string {
	values := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := parseAssignment(line); ok {
			values[name] = value
		}
	}
	return values
}
