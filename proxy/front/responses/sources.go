package responses

import (
	"bytes"
	"strconv"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// sources is what an answer rests on. Google tells of it last, and counts in the whole answer's text.
type sources struct {
	wanted    bool // the client asked for a search
	grounding *gemini.Grounding
	before    []byte // the messages before the open one: a JSON string without its quotes
}

// annotations are the citations of the message whose text that is, as url_citation objects.
func (s *sources) annotations(text []byte) [][]byte {
	if !s.wanted {
		return nil
	}
	before := len(literal(s.before).String())
	s.before = append(s.before, text...)
	if s.grounding == nil {
		return nil
	}
	all := literal(s.before).String()
	skip := len([]rune(all[:before]))
	var out [][]byte
	for _, c := range front.Citations(all, s.grounding) {
		if c.Start < before {
			continue
		}
		for _, source := range c.Sources {
			a := strconv.AppendInt([]byte(`{"type":"url_citation","start_index":`), int64(c.RuneStart-skip), 10)
			a = strconv.AppendInt(append(a, `,"end_index":`...), int64(c.RuneEnd-skip), 10)
			a = gemini.AppendQuoted(append(a, `,"url":`...), source.URI)
			a = gemini.AppendQuoted(append(a, `,"title":`...), source.Title)
			out = append(out, append(a, '}'))
		}
	}
	return out
}

func literal(text []byte) gemini.Text {
	return bytes.Join([][]byte{{'"'}, text, {'"'}}, nil)
}

// searched writes the item that tells what was searched for. It stands last, as Google tells of it.
func (e *encoder) searched(dst []byte) []byte {
	g := e.sources.grounding
	if !e.sources.wanted || g == nil || len(g.Queries) == 0 {
		return dst
	}
	e.begin(openNone, "ws_")
	if e.call.Stream {
		dst = append(e.appendSearch(e.itemEvent(dst, "response.output_item.added"), inProgress), "}\n\n"...)
		for _, step := range []string{"in_progress", "searching", "completed"} {
			dst = append(e.about(dst, "response.web_search_call."+step), "}\n\n"...)
		}
	}
	at := e.beginOutput()
	e.output = e.appendSearch(e.output, completed)
	return e.itemDone(dst, at)
}

func (e *encoder) appendSearch(dst []byte, s status) []byte {
	g := e.sources.grounding
	dst = append(append(append(dst, `{"type":"web_search_call","id":"`...), e.id...), `","status":"`...)
	dst = append(append(dst, s...), `","action":{"type":"search","query":`...)
	dst = append(gemini.AppendQuoted(dst, g.Queries[0]), `,"queries":[`...)
	for i, q := range g.Queries {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = gemini.AppendQuoted(dst, q)
	}
	dst = append(dst, `],"sources":[`...)
	for i, source := range g.Sources {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(gemini.AppendQuoted(append(dst, `{"type":"url","url":`...), source.URI), '}')
	}
	return append(dst, "]}}"...)
}
