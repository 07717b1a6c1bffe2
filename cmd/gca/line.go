package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
	"github.com/mattn/go-isatty"
	"golang.org/x/term"
)

// maxWidth is how wide a line for a person may be, in columns.
const maxWidth = 78

// statusLine is the last line of a terminal, which is written over until something else is printed. The zero value, for
// what is no terminal, shows nothing.
type statusLine struct {
	out   io.Writer
	width func() int
	shown string
}

func newStatusLine(out io.Writer) *statusLine {
	f, ok := out.(*os.File)
	if !ok || !isatty.IsTerminal(f.Fd()) || os.Getenv("TERM") == "dumb" {
		return &statusLine{}
	}
	return &statusLine{out: out, width: func() int { return terminalWidth(f) }}
}

func terminalWidth(f *os.File) int {
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width < 20 {
		return maxWidth
	}
	return min(width-1, maxWidth)
}

func (l *statusLine) live() bool { return l.out != nil }

// show replaces the line in one write, so that it does not flicker.
func (l *statusLine) show(text string) error {
	if !l.live() {
		return nil
	}
	text = fit(text, l.width())
	if text == l.shown {
		return nil
	}
	l.shown = text
	_, err := io.WriteString(l.out, "\r"+text+"\x1b[K")
	return err
}

// clear leaves a clean line.
func (l *statusLine) clear() error {
	if l.shown == "" {
		return nil
	}
	l.shown = ""
	_, err := io.WriteString(l.out, "\r\x1b[K")
	return err
}

// fit cuts text to width columns of a terminal, of which a Chinese character takes two.
func fit(text string, width int) string { return ansi.Truncate(text, width, "…") }

// pad fills text up to width columns.
func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-ansi.StringWidth(text)))
}

// visible is text of a server as it may be shown: without what a terminal would take for a command.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
			return '\uFFFD'
		}
		return r
	}, text)
}

// visibleWriter passes text of a server on as visible shows it.
type visibleWriter struct {
	to   io.Writer
	rest []byte // the beginning of a character
}

func (w *visibleWriter) Write(p []byte) (int, error) {
	text := append(w.rest, p...)
	whole := len(text)
	for i := max(0, whole-utf8.UTFMax+1); i < len(text); i++ {
		if utf8.RuneStart(text[i]) && !utf8.FullRune(text[i:]) {
			whole = i
			break
		}
	}
	w.rest = bytes.Clone(text[whole:])
	_, err := io.WriteString(w.to, visible(string(text[:whole])))
	return len(p), err
}

// span is a time as a person reads it: 0.4s, 12s, 2m05s.
func span(d time.Duration) string {
	switch {
	case d < 10*time.Second-50*time.Millisecond:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Minute-time.Second/2:
		return fmt.Sprintf("%.0fs", d.Seconds())
	}
	d = d.Round(time.Second)
	return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// count is "1 change", "2 changes".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
