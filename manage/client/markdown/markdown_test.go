package markdown

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/charmbracelet/x/ansi"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil || got != string(want) {
		t.Errorf("%s is not what is shown (error %v); -update rewrites it:\n%s", name, err, got)
	}
}

func TestRender(t *testing.T) {
	source, err := os.ReadFile("testdata/guide.md")
	if err != nil {
		t.Fatal(err)
	}
	coloured := Render(string(source), Style{72, true})
	golden(t, "testdata/guide.colour.golden", coloured)
	plain := Render(string(source), Style{72, false})
	golden(t, "testdata/guide.plain.golden", plain)
	if strings.Contains(plain, "\x1b") {
		t.Error("a code without colours")
	}
	for line := range strings.Lines(coloured) {
		if width := ansi.StringWidth(line); width > 73 {
			t.Errorf("%d columns: %q", width, line)
		}
	}
}

// A text's pieces come at once where they are complete, and what is not is its tail.
func TestStream(t *testing.T) {
	s := NewStream(Style{40, false})
	f := func(piece, shown, tail string) {
		t.Helper()
		if got := s.Write(piece); got != shown || s.Tail() != tail {
			t.Errorf("%q shows %q with the tail %q", piece, got, s.Tail())
		}
	}
	f("Hel", "", "Hel")
	f("lo *you*\nthere", "", "Hello *you*\nthere")
	f("\n\n", "Hello *you* there\n", "")
	f("- a\n\n", "", "- a\n")
	f("- b\n", "", "- a\n\n- b")
	f("end\n", "", "- a\n\n- b\nend")
	f("\n```go\n", "\n• a\n\n• b end\n\n```go\n", "")
	f("x := 1\ny", "x := 1\n", "y")
	f(" := 2\n``", "y := 2\n", "``")
	f("`\n", "```\n", "")
	f("last\x1b[31m\r", "", "last[31m")
	if got := s.Close(); got != "\nlast[31m\n" || s.Tail() != "" || s.Close() != "" {
		t.Errorf("the end shows %q", got)
	}
}

var codes = regexp.MustCompile("\x1b\\[[0-9;]*m")

// However a text is cut, the same is shown; and whatever it holds, the terminal gets no command but the codes of colours.
func FuzzStream(f *testing.F) {
	source, err := os.ReadFile("testdata/guide.md")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(source), 7)
	f.Add("1. a\n\n   b\n~~~\nx\n", 1)
	f.Add("|a|b|\n|-|\n|1|2|3|\n", 3)
	f.Add("&#27;[2J \x9b\x1b]0;x\x07", 2)
	f.Fuzz(func(t *testing.T, text string, step int) {
		if step < 1 || len(text) > 1<<14 {
			return
		}
		style := Style{30, true}
		whole := Render(text, style)
		var cut strings.Builder
		s := NewStream(style)
		for rest := text; rest != ""; {
			n := min(step, len(rest))
			for n < len(rest) && rest[n]&0xc0 == 0x80 {
				n++
			}
			cut.WriteString(s.Write(rest[:n]))
			rest = rest[n:]
		}
		cut.WriteString(s.Close())
		if cut.String() != whole {
			t.Fatalf("whole:\n%q\nin pieces of %d:\n%q", whole, step, cut.String())
		}
		for _, r := range codes.ReplaceAllString(whole, "") {
			if unicode.IsControl(r) && r != '\n' && r != '\t' {
				t.Fatalf("%q shows %q", text, whole)
			}
		}
	})
}
