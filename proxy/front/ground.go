package front

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// Citation is a stretch of an answer and the pages that back it.
type Citation struct {
	Start, End         int    // bytes of UTF-8, as Google counts; never inside a character
	RuneStart, RuneEnd int    // characters, as OpenAI counts
	Text               string // the stretch itself, not empty
	// Sources are one or more, each with an address and a title.
	Sources []gemini.Source
}

// Citations finds what the supports of g say of answer, which is the answer's whole text. A support that runs past the end
// is cut there (recorded traffic has such), one whose words do not stand at its place or that names no page is left out. g
// may be nil.
func Citations(answer string, g *gemini.Grounding) []Citation {
	if g == nil || len(g.Supports) == 0 || answer == "" {
		return nil
	}
	var citations []Citation
	runes := countRunes(answer)
	pages := pages{all: g.Sources, taken: make([]int, len(g.Sources))}
	for i, s := range g.Supports {
		start, end, ok := place(answer, &s)
		if !ok {
			continue
		}
		sources := pages.of(i+1, s.Sources)
		if len(sources) == 0 {
			continue
		}
		citations = append(citations, Citation{
			Start: start, End: end, RuneStart: runes.before(start), RuneEnd: runes.before(end),
			Text: answer[start:end], Sources: sources,
		})
	}
	return citations
}

// place is where a support's words stand. Without words its indexes are believed.
func place(answer string, s *gemini.Support) (start, end int, ok bool) {
	start, end = max(s.Start, 0), min(s.End, len(answer))
	if start >= len(answer) {
		return 0, 0, false
	}
	rest := answer[start:]
	switch {
	case s.Text == "":
		for start < end && !utf8.RuneStart(answer[start]) {
			start++
		}
		for end > start && end < len(answer) && !utf8.RuneStart(answer[end]) {
			end--
		}
		return start, end, start < end
	case strings.HasPrefix(rest, s.Text):
		return start, start + len(s.Text), true
	case strings.HasPrefix(s.Text, rest):
		return start, len(answer), true
	}
	return 0, 0, false
}

// pages looks up what a support's indexes name; taken holds for each page the number of the support that took it last.
type pages struct {
	all   []gemini.Source
	taken []int
}

func (p *pages) of(support int, indexes []int) []gemini.Source {
	var sources []gemini.Source
	for _, i := range indexes {
		if i < 0 || i >= len(p.all) || p.all[i].URI == "" || p.taken[i] == support {
			continue
		}
		p.taken[i] = support
		sources = append(sources, gemini.Source{URI: p.all[i].URI, Title: SourceTitle(p.all[i])})
	}
	return sources
}

// SourceTitle is the title of a page, or its host where Google gave none.
func SourceTitle(s gemini.Source) string {
	if s.Title != "" {
		return s.Title
	}
	if u, err := url.Parse(s.URI); err == nil && u.Hostname() != "" {
		return u.Hostname()
	}
	return s.URI
}

const runeBlock = 512

// runeCount knows the number of characters before each block of runeBlock bytes, so that a long answer with many supports
// is not counted again for each of them.
type runeCount struct {
	text   string
	blocks []int
}

func countRunes(text string) runeCount {
	c := runeCount{text: text, blocks: make([]int, 1, len(text)/runeBlock+1)}
	for at := runeBlock; at <= len(text); at += runeBlock {
		c.blocks = append(c.blocks, c.blocks[len(c.blocks)-1]+runeStarts(text[at-runeBlock:at]))
	}
	return c
}

// before is the number of characters that begin before the byte at.
func (c *runeCount) before(at int) int {
	block := at / runeBlock
	return c.blocks[block] + runeStarts(c.text[block*runeBlock:at])
}

func runeStarts(s string) int {
	n := 0
	for i := range len(s) {
		if utf8.RuneStart(s[i]) {
			n++
		}
	}
	return n
}
