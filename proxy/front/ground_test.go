package front

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

func TestCitations(t *testing.T) {
	pages := []gemini.Source{
		{URI: "https://a.example/x", Title: "A"}, {URI: "https://b.example:8443/y"}, {Title: "no address"}, {URI: "::"},
	}
	f := func(answer string, support gemini.Support, want string) {
		t.Helper()
		var got []string
		for _, c := range Citations(answer, &gemini.Grounding{Sources: pages, Supports: []gemini.Support{support}}) {
			s := fmt.Sprintf("%d-%d %d-%d %q", c.Start, c.End, c.RuneStart, c.RuneEnd, c.Text)
			for _, source := range c.Sources {
				s += " " + source.URI + "=" + source.Title
			}
			got = append(got, s)
		}
		if s := strings.Join(got, ", "); s != want {
			t.Errorf("%q %+v: %s, want %s", answer, support, s, want)
		}
	}
	of := func(start, end int, text string, sources ...int) gemini.Support {
		return gemini.Support{Start: start, End: end, Text: text, Sources: sources}
	}
	const chinese = "北京今天晴,最高气温三十度。🙂 ok"
	f("plain text", of(0, 5, "plain", 0), `0-5 0-5 "plain" https://a.example/x=A`)
	f(chinese, of(6, 15, "今天晴", 0), `6-15 2-5 "今天晴" https://a.example/x=A`)
	f(chinese, of(40, 47, "🙂 ok", 0), `40-47 14-18 "🙂 ok" https://a.example/x=A`)

	// past the end, and before the beginning
	f("plain text", of(6, 14, "text", 0), `6-10 6-10 "text" https://a.example/x=A`)
	f("plain text", of(6, 14, "text\n\nmore", 0), `6-10 6-10 "text" https://a.example/x=A`)
	f("plain text", of(6, 14, "", 0), `6-10 6-10 "text" https://a.example/x=A`)
	f("plain text", of(-3, 5, "plain", 0), `0-5 0-5 "plain" https://a.example/x=A`)
	f("plain text", of(10, 14, "text", 0), ``)
	f("plain text", of(1<<40, 1<<41, "text", 0), ``)
	f("plain text", of(5, 2, "", 0), ``)
	f("", of(0, 4, "text", 0), ``)

	// words that are not there
	f("plain text", of(5, 9, "text", 0), ``)
	f(chinese, of(2, 5, "今天晴", 0), ``)

	// indexes inside a character, without words to go by
	f("日本", of(1, 5, "", 0), ``)
	f("日本語", of(1, 7, "", 0), `3-6 1-2 "本" https://a.example/x=A`)

	// pages
	f("plain", of(0, 5, "plain", 1, 0, 1), `0-5 0-5 "plain" https://b.example:8443/y=b.example https://a.example/x=A`)
	f("plain", of(0, 5, "plain", 3), `0-5 0-5 "plain" ::=::`)
	f("plain", of(0, 5, "plain", 2, -1, 4), ``)
	f("plain", of(0, 5, "plain"), ``)

	if c := Citations("x", nil); c != nil {
		t.Errorf("nothing gives %v", c)
	}
}

// TestCitationsOfALongAnswer counts over many blocks.
func TestCitationsOfALongAnswer(t *testing.T) {
	answer := strings.Repeat("über 山 ", 2000)
	g := &gemini.Grounding{Sources: []gemini.Source{{URI: "u"}}}
	for at := 0; at < len(answer); at += len("über 山 ") {
		g.Supports = append(g.Supports, gemini.Support{Start: at, End: at + 5, Text: "über", Sources: []int{0}})
	}
	citations := Citations(answer, g)
	if len(citations) != 2000 {
		t.Fatalf("%d citations", len(citations))
	}
	for i, c := range citations {
		if c.RuneStart != 7*i || c.RuneEnd != 7*i+4 {
			t.Fatalf("citation %d: %d-%d", i, c.RuneStart, c.RuneEnd)
		}
	}
}

func FuzzCitations(f *testing.F) {
	f.Add("北京今天晴。", 6, 15, "今天晴", 0, "https://a.example/")
	f.Add("text", 2, 99, "xt", 1, "")
	f.Add("\xe5\x8c", 1, -4, "", -1, "::")
	f.Fuzz(func(t *testing.T, answer string, start, end int, text string, source int, uri string) {
		support := gemini.Support{Start: start, End: end, Text: text, Sources: []int{source, 0}}
		g := &gemini.Grounding{Sources: []gemini.Source{{URI: uri}}, Supports: []gemini.Support{support, support}}
		for _, c := range Citations(answer, g) {
			if c.Text == "" || c.Text != answer[c.Start:c.End] || len(c.Sources) == 0 || c.Sources[0].Title == "" {
				t.Errorf("%+v", c)
			}
			if utf8.ValidString(answer) && utf8.ValidString(text) && string([]rune(answer)[c.RuneStart:c.RuneEnd]) != c.Text {
				t.Errorf("characters %d-%d are not %q", c.RuneStart, c.RuneEnd, c.Text)
			}
		}
	})
}
