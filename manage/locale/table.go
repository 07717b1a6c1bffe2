package locale

import (
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// gap parts the columns of a table.
const gap = "  "

// Table is a table with a head, whose columns begin below those of the head, in runes: each cell is looked up but those that are
// names, and the columns are made as wide as their words are now. What is not known stays as it is.
func (w Words) Table(english string) string {
	if w.catalog == nil {
		return english
	}
	var rows [][]string
	var starts []int
	for line := range strings.Lines(english) {
		runes := []rune(strings.TrimSuffix(line, "\n"))
		if starts == nil {
			starts = columns(runes)
		}
		rows = append(rows, cells(runes, starts))
	}
	widths := make([]int, len(starts))
	for y, row := range slices.Backward(rows) { // the head at last, which tells what are names
		for x, cell := range row {
			if y == 0 || !ofNames(rows[0][x]) {
				row[x] = w.cell(cell)
			}
			widths[x] = max(widths[x], ansi.StringWidth(row[x]))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		line := ""
		for i, cell := range row {
			line += cell + strings.Repeat(" ", widths[i]-ansi.StringWidth(cell)) + gap
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}

// ofNames tells the columns of names, which are to be typed.
func ofNames(head string) bool {
	return slices.Contains([]string{"ID", "LABEL", "GROUP", "NAME"}, head)
}

// columns are where those of a head begin.
func columns(head []rune) []int {
	starts := []int{0}
	for i := len(gap); i < len(head); i++ {
		if head[i] != ' ' && string(head[i-len(gap):i]) == gap {
			starts = append(starts, i)
		}
	}
	return starts
}

// cells are those of a line.
func cells(line []rune, starts []int) []string {
	var all []string
	for i, from := range starts {
		to := len(line)
		if i+1 < len(starts) {
			to = min(to, starts[i+1])
		}
		all = append(all, strings.TrimSpace(string(line[min(from, to):to])))
	}
	return all
}

// cell is one in this language. It stands alone, so it may say less than a text that has to be told from others; one of a name and
// what is said of it has the latter looked up.
func (w Words) cell(english string) string {
	if said := w.format(english); said != english {
		return said
	}
	said := w.Text(english)
	if name, what, ok := strings.Cut(english, ": "); ok && said == english {
		if known := w.Text(what); known != what {
			return name + "：" + known
		}
	}
	return said
}
