package locale

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// Report is a report of lines that begin with a name, indent columns wide with the blanks behind it: both the name and what is said
// are looked up. What is not known stays as it is.
func (w Words) Report(english string, indent int) string {
	if w.catalog == nil {
		return english
	}
	var b strings.Builder
	for line := range strings.Lines(english) {
		line = strings.TrimSuffix(line, "\n")
		name := ansi.Truncate(line, indent, "")
		b.WriteString(w.column(name, indent) + w.Text(strings.TrimPrefix(line, name)) + "\n")
	}
	return b.String()
}

// column is a name with the blanks behind it.
func (w Words) column(name string, width int) string {
	trimmed := strings.TrimSpace(name)
	if trimmed == "" {
		return name
	}
	name = strings.TrimRight(strings.Replace(name, trimmed, w.Say(trimmed), 1), " ")
	return name + strings.Repeat(" ", max(1, width-ansi.StringWidth(name)))
}
