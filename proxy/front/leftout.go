package front

import (
	"slices"
	"strings"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// LeftOut names what a client asked for and nobody does here, in the client's own words: fields and types of tools. An answer
// without it is more use than none, so it is no error; the client finds the names in a header, the operator in the log.
type LeftOut []string

const (
	maxLeftOut     = 16 // names
	maxLeftOutName = 64 // bytes
)

// Add adds a name. Of names that no vendor uses only what is harmless in a header is kept.
func (l *LeftOut) Add(name string) {
	name = strings.Map(harmless, name[:min(len(name), maxLeftOutName)])
	if name != "" && len(*l) < maxLeftOut && !slices.Contains(*l, name) {
		*l = append(*l, name)
	}
}

func harmless(r rune) rune {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("_-.", r):
		return r
	}
	return -1
}

// Field reads the value of a field that nobody looks at, and adds its name unless the value says nothing.
func (l *LeftOut) Field(w *gemini.Walker, name string) {
	switch string(w.Raw()) {
	case "", "false", "0", `""`, "[]", "{}":
	default:
		l.Add(name)
	}
}

// String is the names with commas between.
func (l LeftOut) String() string { return strings.Join(l, ", ") }
