package proxy

import (
	"fmt"
	"strings"
	"testing"

	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

func TestE138_SupportsOutsideOfTheText(t *testing.T) {
	r := start(t, "a", nil)
	support := func(start, end int, text string, sources ...int) fg.Support {
		return fg.Support{Segment: fg.Segment{Start: start, End: end, Text: text}, Sources: sources}
	}
	odd := fg.Grounding{
		Sources: []fg.GroundingSource{fg.Web("", "https://a.example/1"), fg.Web("title", "")},
		Supports: []fg.Support{
			support(0, 3, "日", 0), // startIndex absent
			support(3, 13, "本 ok", 0), support(7, 99, "ok and more", 0), support(5, 99, "", 0), support(10, 99, "ok", 0), support(0, 3, "本", 0),
			support(0, 3, "日", 1), support(0, 3, "日", 7, -1), support(3, 2, "", 0),
		},
	}
	r.grounded(odd, "日本 ok")
	same(t, r.cited(), "url_citation 0-1 https://a.example/1 a.example\nurl_citation 1-5 https://a.example/1 a.example\n"+
		"url_citation 3-5 https://a.example/1 a.example\nurl_citation 2-5 https://a.example/1 a.example")
	// Anthropic's blocks cannot overlap: the first support has the text
	same(t, r.citedElsewhere(odd, "日本 ok"), "日<https://a.example/1> 本 ok<https://a.example/1>; 0-1 https://a.example/1 1-5 https://a.example/1 3-5 https://a.example/1 2-5 https://a.example/1")
}

// News of pages that were read, which come in a chunk of their own, take no citations away.
func TestCitationsOutliveNewsOfPages(t *testing.T) {
	r := start(t, "a", nil)
	g := fg.Grounding{Queries: []string{"q"}, Sources: []fg.GroundingSource{fg.Web("a.example", "https://a.example/1")}, Supports: []fg.Support{fg.Supports("well said", "said", 0)}}
	answer := fg.Reply(fg.Text("well said").Grounded(g), fg.Text(" ").Fetched(fg.FetchedURL{URL: "https://b.example/", Status: fg.Fetched}), fg.Text("").Ends("STOP"))
	r.fake.Enqueue(answer, answer)
	same(t, r.cited(), "url_citation 5-9 https://a.example/1 a.example")
	r.fake.Enqueue(answer)
	has(t, r.codex(`"q"`, `,"tools":[{"type":"web_search"}]`), `"type":"url_citation","start_index":5,"end_index":9,"url":"https://a.example/1"`)
	r.fake.Enqueue(answer)
	has(t, r.claude(opus, `"tools":[{"type":"web_search_20250305","name":"web_search"}],`+oneUser).body, `"cited_text":"said"`)
}

// citedElsewhere is what Anthropic's and the Responses protocol make of an answer that rests on pages.
func (r *rig) citedElsewhere(g fg.Grounding, text string) string {
	r.t.Helper()
	r.grounded(g, text)
	m := message(r.t, r.claude(opus, `"tools":[{"type":"web_search_20250305","name":"web_search"}],`+oneUser).body)
	var out []string
	for _, b := range m.Content {
		for _, c := range b.Citations {
			out = append(out, b.Text+"<"+c.URL+">")
		}
	}
	all, _ := events(r.t, r.codex(`"q"`, `,"tools":[{"type":"web_search"}]`))
	var offsets []string
	for _, item := range all[len(all)-1].Response.Output {
		for _, c := range item.Content {
			for _, a := range c.Annotations {
				offsets = append(offsets, fmt.Sprintf("%d-%d %s", a.StartIndex, a.EndIndex, a.URL))
			}
		}
	}
	return strings.Join(out, " ") + "; " + strings.Join(offsets, " ")
}
