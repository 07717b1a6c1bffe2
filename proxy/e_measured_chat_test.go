package proxy

import (
	"testing"

	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

func TestE138_SupportsOutsideOfTheText(t *testing.T) {
	r := start(t, "a", nil)
	support := func(start, end int, text string, sources ...int) fg.Support {
		return fg.Support{Segment: fg.Segment{Start: start, End: end, Text: text}, Sources: sources}
	}
	r.grounded(fg.Grounding{
		Sources: []fg.GroundingSource{fg.Web("", "https://a.example/1"), fg.Web("title", "")},
		Supports: []fg.Support{
			support(0, 3, "日", 0), // startIndex absent
			support(3, 13, "本 ok", 0), support(10, 99, "ok", 0), support(0, 3, "本", 0),
			support(0, 3, "日", 1), support(0, 3, "日", 7, -1), support(3, 2, "", 0),
		},
	}, "日本 ok")
	same(t, r.cited(), "url_citation 0-1 https://a.example/1 a.example\nurl_citation 1-5 https://a.example/1 a.example")
}
