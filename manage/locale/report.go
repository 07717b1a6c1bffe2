package locale

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// mostBroken is over how many lines a text may be broken that is looked up.
const mostBroken = 4

// Report is a report of lines that begin with a name, width columns wide with the blanks behind it: both the name and what is said
// are looked up, the latter over line breaks, too. What is not known stays as it is.
func (w Words) Report(english string, width int) string {
	if w.catalog == nil {
		return english
	}
	var b strings.Builder
	lines := strings.Split(strings.TrimSuffix(english, "\n"), "\n")
	for i := 0; i < len(lines); {
		name := ansi.Truncate(lines[i], width, "")
		said, n := w.broken(lines[i:], width)
		b.WriteString(w.column(name, width) + said + "\n")
		i += n
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

// broken is what the first line says, or the first n lines where it goes on in them.
func (w Words) broken(lines []string, width int) (said string, n int) {
	first := strings.TrimPrefix(lines[0], ansi.Truncate(lines[0], width, ""))
	text := first
	for n := 1; n <= min(mostBroken, len(lines)); n++ {
		if n > 1 {
			more, ok := strings.CutPrefix(lines[n-1], strings.Repeat(" ", width))
			if !ok {
				break
			}
			text += " " + more
		}
		if said := w.Text(text); said != text {
			return said, n
		}
	}
	return first, 1
}
