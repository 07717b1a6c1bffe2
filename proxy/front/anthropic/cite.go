package anthropic

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// In an answer in one piece a text that rests on pages is split into blocks, so that each page stands at the words it
// backs. A stream has sent its text before Google names the pages: there the last text, which is still open then, gets all
// citations of its own.

// span is a stretch of bytes.
type span struct{ from, to int }

// cited is the content of a whole answer with its citations.
func (e *encoder) cited() []byte {
	if !e.call.BuiltIn.Search || len(e.served.ground.Supports) == 0 {
		return e.content
	}
	texts := make([]string, len(e.texts))
	for i, s := range e.texts {
		var block struct{ Text string }
		if json.Unmarshal(e.content[s.from:s.to], &block) != nil {
			return e.content
		}
		texts[i] = block.Text
	}
	citations := sortedCitations(strings.Join(texts, ""), &e.served.ground)
	var out []byte
	done, at := 0, 0
	for i, s := range e.texts {
		out = append(out, e.content[done:s.from]...)
		c := citer{out: out, text: texts[i], index: front.Seal(e.call.Target)}
		citations = c.write(citations, at)
		out, done, at = c.out, s.to, at+len(texts[i])
	}
	return append(out, e.content[done:]...)
}

// sortedCitations are the citations of a whole answer's text, by their places.
func sortedCitations(answer string, g *gemini.Grounding) []front.Citation {
	citations := front.Citations(answer, g)
	slices.SortStableFunc(citations, func(a, b front.Citation) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End))
	})
	return citations
}

// standing are those of sorted citations that lie between two places of the answer, and those of later texts. One that
// overlaps with another before it is left out.
func standing(citations []front.Citation, from, to int) (here, later []front.Citation) {
	last := span{-1, from}
	for len(citations) > 0 && citations[0].Start < to {
		c := citations[0]
		citations = citations[1:]
		if place := (span{c.Start, c.End}); place == last || c.Start >= last.to && c.End <= to {
			here, last = append(here, c), place
		}
	}
	return here, citations
}

// note keeps the text of a stream that may be cited.
func (e *encoder) note(text gemini.Text) {
	if e.call.Stream && e.call.BuiltIn.Search {
		e.told = append(e.told, text[1:len(text)-1]...)
	}
}

// citeOpen cites, in a stream, what is known of the text that is about to be closed.
func (e *encoder) citeOpen(dst []byte) []byte {
	if !e.call.BuiltIn.Search || len(e.served.ground.Supports) == 0 {
		return dst
	}
	answer, from := literal(e.told), len(literal(e.told[:e.block]))
	here, _ := standing(sortedCitations(answer, &e.served.ground), from, len(answer))
	for i := range here {
		for _, source := range here[i].Sources {
			dst = e.frameDelta(dst, `{"type":"citations_delta","citation":`)
			dst = appendCitation(dst, source, front.Seal(e.call.Target), here[i].Text)
			dst = append(dst, "}}\n\n"...)
		}
	}
	return dst
}

func literal(inner []byte) string {
	return gemini.Text(slices.Concat([]byte{'"'}, inner, []byte{'"'})).String()
}

// citer splits one text block.
type citer struct {
	out   []byte
	text  string
	index string // opaque, stands in every citation
	open  bool   // the last block written is cited and can take more citations
	from  int    // of that block
	done  int    // bytes of text written
}

// write writes the text with those citations that lie in it, and returns the citations of later texts. at is where the text
// begins in the answer.
func (c *citer) write(citations []front.Citation, at int) []front.Citation {
	here, later := standing(citations, at, at+len(c.text))
	for i := range here {
		start, end := here[i].Start-at, here[i].End-at
		if !c.open || start != c.from || end != c.done {
			c.plain(start)
			c.begin(end)
		}
		c.cite(&here[i])
	}
	c.plain(len(c.text))
	return later
}

// plain writes the text up to end without citations.
func (c *citer) plain(end int) {
	c.finish()
	if c.done < end {
		c.block(end)
		c.out = append(c.out, '}')
	}
}

func (c *citer) begin(end int) {
	c.from = c.done
	c.block(end)
	c.out = append(c.out, `,"citations":[`...)
	c.open = true
}

func (c *citer) block(end int) {
	if c.done > 0 {
		c.out = append(c.out, ',')
	}
	c.out = gemini.AppendQuoted(append(c.out, `{"type":"text","text":`...), c.text[c.done:end])
	c.done = end
}

func (c *citer) cite(citation *front.Citation) {
	for _, s := range citation.Sources {
		if c.out[len(c.out)-1] != '[' {
			c.out = append(c.out, ',')
		}
		c.out = appendCitation(c.out, s, c.index, citation.Text)
	}
}

func appendCitation(dst []byte, page gemini.Source, index, text string) []byte {
	dst = gemini.AppendQuoted(append(dst, `{"type":"web_search_result_location","url":`...), page.URI)
	dst = gemini.AppendQuoted(append(dst, `,"title":`...), page.Title)
	dst = append(append(dst, `,"encrypted_index":"`...), index...)
	return append(gemini.AppendQuoted(append(dst, `","cited_text":`...), text), '}')
}

func (c *citer) finish() {
	if c.open {
		c.out = append(c.out, ']', '}')
		c.open = false
	}
}
