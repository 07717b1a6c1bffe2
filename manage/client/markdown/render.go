package markdown

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// ink is how a piece of text is written: the terminal's code for it, and Markdown's own marks in its place where there are no
// colours.
type ink struct{ code, mark string }

var (
	bold    = ink{"1", "**"}
	italic  = ink{"3", "*"}
	struck  = ink{"9", "~~"}
	span    = ink{"33", "`"}
	heading = ink{"1;36", ""}
	link    = ink{"4;34", ""}
	faint   = ink{"2", ""}
)

func (s Style) paint(i ink, text string) string {
	if !s.Colour {
		return i.mark + text + i.mark
	}
	// What is written inside may end with a reset of its own.
	open := "\x1b[" + i.code + "m"
	return open + strings.ReplaceAll(text, "\x1b[0m", "\x1b[0m"+open) + "\x1b[0m"
}

const narrowest = 20

// width is how wide a line may be behind a prefix.
func (s Style) width(prefix int) int { return max(s.Width-prefix, narrowest) }

// writer writes the tree of a text.
type writer struct {
	style  Style
	source []byte
}

// render shows complete blocks. It ends in a line feed.
func render(source string, style Style) string {
	parser := goldmark.New(goldmark.WithExtensions(extension.Table, extension.Strikethrough, extension.TaskList)).Parser()
	w := &writer{style, []byte(source)}
	lines := w.blocks(parser.Parse(text.NewReader(w.source)), style.width(0), true)
	if len(lines) == 0 {
		return ""
	}
	return strings.Join(lines, "\n") + "\n"
}

// blocks are the lines of the blocks below a node; loose ones have blank lines between them.
func (w *writer) blocks(parent ast.Node, width int, loose bool) []string {
	var lines []string
	for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
		block := w.block(n, width)
		if len(block) > 0 && len(lines) > 0 && loose {
			lines = append(lines, "")
		}
		lines = append(lines, block...)
	}
	return lines
}

func (w *writer) block(n ast.Node, width int) []string {
	switch n := n.(type) {
	case *ast.Heading:
		title := w.inline(n)
		if !w.style.Colour {
			title = strings.Repeat("#", n.Level) + " " + title
		}
		return wrap(w.style.paint(heading, title), width)
	case *ast.List:
		return w.list(n, width)
	case *ast.Blockquote:
		return prefixed(w.blocks(n, max(width-2, narrowest), true), w.style.paint(faint, "│ "), w.style.paint(faint, "│ "))
	case *ast.ThematicBreak:
		return []string{w.style.paint(faint, strings.Repeat("─", min(width, 40)))}
	case *ast.CodeBlock:
		return prefixed(w.raw(n), "    ", "    ")
	case *ast.FencedCodeBlock:
		return prefixed(w.raw(n), "    ", "    ")
	case *ast.HTMLBlock:
		return w.raw(n)
	case *extast.Table:
		return w.table(n, width)
	}
	return wrap(w.inline(n), width)
}

// raw are a block's lines as they were written.
func (w *writer) raw(n ast.Node) []string {
	var lines []string
	for i := range n.Lines().Len() {
		segment := n.Lines().At(i)
		lines = append(lines, strings.TrimRight(string(segment.Value(w.source)), "\n"))
	}
	return lines
}

func (w *writer) list(n *ast.List, width int) []string {
	var lines []string
	number := n.Start
	for item := n.FirstChild(); item != nil; item = item.NextSibling() {
		mark := "• "
		if n.IsOrdered() {
			mark = fmt.Sprintf("%d. ", number)
			number++
		}
		block := prefixed(w.blocks(item, max(width-ansi.StringWidth(mark), narrowest), !n.IsTight), mark, strings.Repeat(" ", ansi.StringWidth(mark)))
		if len(lines) > 0 && !n.IsTight {
			lines = append(lines, "")
		}
		lines = append(lines, block...)
	}
	return lines
}

func prefixed(lines []string, first, others string) []string {
	if len(lines) == 0 {
		return []string{strings.TrimRight(first, " ")}
	}
	for i := range lines {
		switch {
		case i == 0:
			lines[i] = first + lines[i]
		case lines[i] != "":
			lines[i] = others + lines[i]
		}
	}
	return lines
}

// wrap breaks text into lines, each of which begins and ends with plain ink.
func wrap(text string, width int) []string {
	if text == "" {
		return nil
	}
	lines := strings.Split(ansi.Wrap(text, width, ""), "\n")
	open := ""
	for i, line := range lines {
		lines[i] = open + strings.TrimRight(line, " ")
		open = openCodes(lines[i])
		if open != "" {
			lines[i] += "\x1b[0m"
		}
	}
	return lines
}

// openCodes are the codes that a line has opened and not closed.
func openCodes(line string) string {
	open := ""
	for {
		at := strings.Index(line, "\x1b[")
		if at < 0 {
			return open
		}
		end := strings.IndexByte(line[at:], 'm')
		if end < 0 {
			return open
		}
		if code := line[at : at+end+1]; code == "\x1b[0m" {
			open = ""
		} else {
			open += code
		}
		line = line[at+end+1:]
	}
}

// inline is the text within a block.
func (w *writer) inline(parent ast.Node) string {
	var b strings.Builder
	for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
		b.WriteString(w.piece(n))
	}
	return b.String()
}

func (w *writer) piece(n ast.Node) string {
	switch n := n.(type) {
	case *ast.Text:
		text := plain(n, w.source)
		switch {
		case n.HardLineBreak():
			return text + "\n"
		case n.SoftLineBreak():
			return text + " "
		}
		return text
	case *ast.String:
		return string(n.Value)
	case *ast.CodeSpan:
		return w.style.paint(span, w.inline(n))
	case *ast.Emphasis:
		if n.Level > 1 {
			return w.style.paint(bold, w.inline(n))
		}
		return w.style.paint(italic, w.inline(n))
	case *extast.Strikethrough:
		return w.style.paint(struck, w.inline(n))
	case *extast.TaskCheckBox:
		if n.IsChecked {
			return "[x] "
		}
		return "[ ] "
	case *ast.AutoLink:
		return w.style.paint(link, string(n.URL(w.source)))
	case *ast.Link:
		return w.target(w.inline(n), string(n.Destination))
	case *ast.Image:
		return w.target(w.inline(n), string(n.Destination))
	case *ast.RawHTML:
		var b strings.Builder
		for i := range n.Segments.Len() {
			segment := n.Segments.At(i)
			b.Write(segment.Value(w.source))
		}
		return b.String()
	}
	return w.inline(n)
}

// target is a link: its text, and where it goes unless that is the text.
func (w *writer) target(text, to string) string {
	if text == to || text == "" {
		return w.style.paint(link, to)
	}
	return w.style.paint(link, text) + w.style.paint(faint, " ("+to+")")
}

// plain is text without Markdown's escapes and HTML's entities, which count in code as they are.
func plain(n *ast.Text, source []byte) string {
	text := n.Segment.Value(source)
	if _, inCode := n.Parent().(*ast.CodeSpan); inCode || n.IsRaw() {
		return string(text)
	}
	return Clean(string(util.ResolveNumericReferences(util.ResolveEntityNames(util.UnescapePunctuations(text)))))
}
