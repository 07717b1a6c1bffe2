package markdown

import (
	"fmt"
	"io"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// Live writes a text to a terminal while it arrives: complete blocks as they stay, and below them, drawn anew with each piece,
// the end of what is not complete.
type Live struct {
	out    io.Writer
	stream *Stream
	style  Style
	height int // of the terminal
	rows   int // of the tail that is shown now
	broken error
}

// NewLive begins a text on a terminal with that many rows.
func NewLive(out io.Writer, style Style, height int) *Live {
	return &Live{out: out, stream: NewStream(style), style: style, height: height}
}

// Write takes a piece.
func (l *Live) Write(piece string) {
	done := l.stream.Write(piece)
	l.draw(done, l.stream.Tail())
}

// Close ends the text, and returns the first error of a write.
func (l *Live) Close() error {
	l.draw(l.stream.Close(), "")
	return l.broken
}

// draw replaces the tail, in one write so that it does not flicker.
func (l *Live) draw(done, tail string) {
	var b strings.Builder
	if l.rows > 0 {
		b.WriteString("\r")
		if l.rows > 1 {
			fmt.Fprintf(&b, "\x1b[%dA", l.rows-1)
		}
		b.WriteString("\x1b[J")
	}
	b.WriteString(done)
	l.rows = 0
	if tail != "" {
		rows := strings.Split(ansi.Wrap(strings.ReplaceAll(tail, "\t", "    "), max(l.style.Width-1, 1), ""), "\n")
		rows = rows[max(0, len(rows)-max(l.height-1, 1)):]
		l.rows = len(rows)
		b.WriteString(strings.Join(rows, "\n"))
	}
	if b.Len() > 0 && l.broken == nil {
		_, l.broken = io.WriteString(l.out, b.String())
	}
}
