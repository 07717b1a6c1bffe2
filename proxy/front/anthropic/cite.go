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
// backs. A stream has sent its text long before Google names the pages.

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
	citations := front.Citations(strings.Join(texts, ""), &e.served.ground)
	slices.SortStableFunc(citations, func(a, b front.Citation) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End))
	})
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
// begins in the answer. A citation that overlaps with one before it is left out.
func (c *citer) write(citations []front.Citation, at int) []front.Citation {
	for len(citations) > 0 && citations[0].Start < at+len(c.text) {
		start, end := citations[0].Start-at, citations[0].End-at
		switch {
		case c.open && start == c.from && end == c.done:
			c.cite(&citations[0])
		case start >= c.done && end <= len(c.text):
			c.plain(start)
			c.begin(end)
			c.cite(&citations[0])
		}
		citations = citations[1:]
	}
	c.plain(len(c.text))
	return citations
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
		c.out = gemini.AppendQuoted(append(c.out, `{"type":"web_search_result_location","url":`...), s.URI)
		c.out = gemini.AppendQuoted(append(c.out, `,"title":`...), s.Title)
		c.out = append(append(c.out, `,"encrypted_index":"`...), c.index...)
		c.out = gemini.AppendQuoted(append(c.out, `","cited_text":`...), citation.Text)
		c.out = append(c.out, '}')
	}
}

func (c *citer) finish() {
	if c.open {
		c.out = append(c.out, ']', '}')
		c.open = false
	}
}
