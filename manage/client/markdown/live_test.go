package markdown

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/charmbracelet/x/vt"
)

// terminal is an emulator whose line feeds return, as a terminal's do.
type terminal struct{ screen *vt.Emulator }

func (t terminal) Write(p []byte) (int, error) {
	_, err := t.screen.Write([]byte(strings.ReplaceAll(string(p), "\n", "\r\n")))
	return len(p), err
}

// However it arrives, what stays on the terminal is the whole text as it is shown.
func TestLive(t *testing.T) {
	source, err := os.ReadFile("testdata/guide.md")
	if err != nil {
		t.Fatal(err)
	}
	style := Style{72, false}
	for _, step := range []int{1, 7, 100} {
		screen := terminal{vt.NewEmulator(72, 100)}
		l := NewLive(screen, style, 100)
		for rest := []rune(string(source)); len(rest) > 0; {
			n := min(step, len(rest))
			l.Write(string(rest[:n]))
			rest = rest[n:]
			if step == 7 && len(rest) > 1200 && l.stream.Tail() != "" && !strings.Contains(screen.screen.String(), strings.TrimSpace(l.stream.Tail())[:1]) {
				t.Errorf("the tail %q is not shown:\n%s", l.stream.Tail(), screen.screen.String())
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		var lines []string
		for line := range strings.SplitSeq(screen.screen.String(), "\n") {
			lines = append(lines, strings.TrimRight(line, " \r"))
		}
		got := strings.TrimRight(strings.Join(lines, "\n"), "\n") + "\n"
		if want := Render(string(source), style); got != want {
			t.Errorf("in pieces of %d:\n%s\nwant:\n%s", step, got, want)
		}
		if err := screen.screen.Close(); err != nil {
			t.Error(err)
		}
	}
}

type gone struct{}

func (gone) Write([]byte) (int, error) { return 0, errors.New("gone") }

func TestLive_brokenTerminal(t *testing.T) {
	l := NewLive(gone{}, Style{72, false}, 24)
	l.Write("a\n\nb")
	if err := l.Close(); err == nil || err.Error() != "gone" {
		t.Errorf("got %v", err)
	}
}
