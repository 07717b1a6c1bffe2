// Package markdown shows Markdown, as models write it, on a terminal: whole texts, and texts that are still arriving.
//
// Stream cuts a text into blocks as it comes. A block that is complete is read by goldmark and written by the writer of
// render.go; the lines of a fenced code block are written one by one, since those blocks are long and their lines do not change
// any more. Without colours a text keeps Markdown's own marks.
package markdown

import (
	"regexp"
	"strings"
	"unicode"
)

// Style says how texts are shown.
type Style struct {
	Width  int // of the terminal in columns; lines are broken before it
	Colour bool
}

// Clean is text as it may be shown on a terminal: what the terminal would take for a command is replaced.
func Clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\r' || r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) && r != '\u200d') {
			return -1
		}
		return r
	}, text)
}

// Render shows a whole text. It ends in a line feed, unless nothing is shown.
func Render(text string, style Style) string {
	s := NewStream(style)
	return s.Write(text) + s.Close()
}

// Stream shows a text that arrives in pieces.
type Stream struct {
	style  Style
	line   string   // the last one, as far as it came
	block  []string // lines of a block that may go on
	code   *code    // the fenced block that is open
	fence  string   // that ends it
	indent string   // of the fence
	shown  bool     // something was
}

// NewStream begins a text.
func NewStream(style Style) *Stream { return &Stream{style: style} }

// Write takes a piece and returns what is complete with it, ready to be shown, "" if nothing is.
func (s *Stream) Write(piece string) string {
	var out strings.Builder
	s.line += Clean(piece)
	for {
		line, rest, ok := strings.Cut(s.line, "\n")
		if !ok {
			return out.String()
		}
		s.line = rest
		out.WriteString(s.take(line))
	}
}

// Tail is what came and is not complete yet, as it came.
func (s *Stream) Tail() string {
	lines := strings.Join(s.block, "\n")
	if lines != "" && s.line != "" {
		lines += "\n"
	}
	return lines + s.line
}

// Close ends the text and returns what is left to show.
func (s *Stream) Close() string {
	var out string
	if s.line != "" {
		out = s.take(s.line)
		s.line = ""
	}
	out += s.flush()
	s.code = nil
	return out
}

var (
	fenceLine = regexp.MustCompile("^([ \t]*(?:[-*+] |\\d+[.)] )?[ \t]*)(`{3,}|~{3,})[ \t]*([^`]*)$")
	listLine  = regexp.MustCompile(`^\s*(?:[-*+]|\d{1,9}[.)])\s`)
)

// take adds a whole line and returns what is complete with it.
func (s *Stream) take(line string) string {
	if s.code != nil {
		return s.codeLine(line)
	}
	if m := fenceLine.FindStringSubmatch(line); m != nil {
		out := s.flush()
		s.fence, s.indent = m[2], strings.Repeat(" ", len(m[1]))
		s.code = newCode(strings.TrimSpace(m[3]), s.style)
		out += s.gap()
		if item := strings.TrimSpace(m[1]); item != "" {
			out += item + "\n"
		}
		return out + s.code.open()
	}
	if s.goesOn(line) {
		s.block = append(s.block, line)
		return ""
	}
	out := s.flush()
	if strings.TrimSpace(line) != "" {
		s.block = append(s.block, line)
	}
	return out
}

// goesOn reports whether a line belongs to the block before it: all up to a blank line, and in a list what follows that and is
// set in or an item.
func (s *Stream) goesOn(line string) bool {
	if len(s.block) == 0 {
		return false
	}
	blank := strings.TrimSpace(line) == ""
	afterBlank := strings.TrimSpace(s.block[len(s.block)-1]) == ""
	inList := listLine.MatchString(s.block[0])
	switch {
	case afterBlank:
		return inList && (blank || strings.HasPrefix(line, "  ") || strings.HasPrefix(line, "\t") || listLine.MatchString(line))
	case blank:
		return inList
	}
	return true
}

func (s *Stream) codeLine(line string) string {
	text := strings.TrimSpace(line)
	if strings.HasPrefix(text, s.fence) && strings.Trim(text, s.fence[:1]) == "" {
		end := s.code.close()
		s.code = nil
		return end
	}
	return s.code.line(strings.TrimPrefix(line, s.indent))
}

// flush shows the block.
func (s *Stream) flush() string {
	text := strings.TrimRight(strings.Join(s.block, "\n"), "\n ")
	s.block = nil
	if text == "" {
		return ""
	}
	shown := render(text, s.style)
	if shown == "" {
		return ""
	}
	return s.gap() + shown
}

// gap is the blank line between blocks.
func (s *Stream) gap() string {
	if !s.shown {
		s.shown = true
		return ""
	}
	return "\n"
}
