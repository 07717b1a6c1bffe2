package markdown

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
	extast "github.com/yuin/goldmark/extension/ast"
)

const between = "  "

// table sets cells in columns. Where they are too wide together, the widest columns are cut and their cells broken into lines.
func (w *writer) table(n *extast.Table, width int) []string {
	var rows [][]string
	for row := n.FirstChild(); row != nil; row = row.NextSibling() {
		var cells []string
		for cell := row.FirstChild(); cell != nil; cell = cell.NextSibling() {
			text := w.inline(cell)
			if row == n.FirstChild() {
				text = w.style.paint(ink{bold.code, ""}, text)
			}
			cells = append(cells, text)
		}
		rows = append(rows, cells)
	}
	widths := columnWidths(rows, width)
	var lines []string
	for i, row := range rows {
		lines = append(lines, setRow(row, widths, n.Alignments)...)
		if i == 0 {
			var rule []string
			for _, column := range widths {
				rule = append(rule, strings.Repeat("─", column))
			}
			lines = append(lines, w.style.paint(faint, strings.Join(rule, between)))
		}
	}
	return lines
}

const narrowColumn = 6

func columnWidths(rows [][]string, width int) []int {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 1)
			}
			widths[i] = max(widths[i], ansi.StringWidth(cell))
		}
	}
	for {
		total, widest := (len(widths)-1)*len(between), 0
		for i, column := range widths {
			total += column
			if column > widths[widest] {
				widest = i
			}
		}
		if total <= width || len(widths) == 0 || widths[widest] <= narrowColumn {
			return widths
		}
		widths[widest] = max(narrowColumn, widths[widest]-(total-width))
	}
}

// setRow are the lines of one row.
func setRow(row []string, widths []int, alignments []extast.Alignment) []string {
	var cells [][]string
	height := 1
	for i, cell := range row {
		broken := wrap(cell, widths[i])
		cells = append(cells, broken)
		height = max(height, len(broken))
	}
	lines := make([]string, height)
	for y := range lines {
		var columns []string
		for i := range widths {
			text := ""
			if i < len(cells) && y < len(cells[i]) {
				text = cells[i][y]
			}
			columns = append(columns, align(text, widths[i], alignmentOf(alignments, i)))
		}
		lines[y] = strings.TrimRight(strings.Join(columns, between), " ")
	}
	return lines
}

func alignmentOf(alignments []extast.Alignment, i int) extast.Alignment {
	if i < len(alignments) {
		return alignments[i]
	}
	return extast.AlignNone
}

func align(text string, width int, how extast.Alignment) string {
	free := max(0, width-ansi.StringWidth(text))
	switch how {
	case extast.AlignRight:
		return strings.Repeat(" ", free) + text
	case extast.AlignCenter:
		return strings.Repeat(" ", free/2) + text + strings.Repeat(" ", free-free/2)
	}
	return text + strings.Repeat(" ", free)
}
