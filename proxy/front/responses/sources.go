package responses

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// sources is what an answer rests on. Google tells of it last, and counts in the whole answer's text.
type sources struct {
	wanted    bool // the client asked for a search
	grounding gemini.Grounding
	told      bool   // a search has its item
	before    []byte // the messages before the open one: a JSON string without its quotes
}

// annotations are the citations of the message whose text that is, as url_citation objects.
func (s *sources) annotations(text []byte) [][]byte {
	if !s.wanted {
		return nil
	}
	before := len(literal(s.before).String())
	s.before = append(s.before, text...)
	if len(s.grounding.Supports) == 0 {
		return nil
	}
	all := literal(s.before).String()
	skip := len([]rune(all[:before]))
	var out [][]byte
	for _, c := range front.Citations(all, &s.grounding) {
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

// serverCall tells of a search that the model makes among its calls.
func (e *encoder) serverCall(dst []byte, ev *gemini.Event) []byte {
	var call struct {
		ToolType string
		Args     struct{ Queries []string }
	}
	if !e.sources.wanted || json.Unmarshal(ev.Server, &call) != nil || !strings.HasPrefix(call.ToolType, "GOOGLE_SEARCH") {
		return dst
	}
	return e.searched(e.close(dst, completed), call.Args.Queries, nil)
}

// grounded tells of the search that an answer rests on, unless its item is there. It stands last, as Google tells of it.
func (e *encoder) grounded(dst []byte) []byte {
	g := &e.sources.grounding
	if !e.sources.wanted || e.sources.told || len(g.Queries) == 0 {
		return dst
	}
	return e.searched(dst, g.Queries, g.Sources)
}

// searched writes a search's item.
func (e *encoder) searched(dst []byte, queries []string, pages []gemini.Source) []byte {
	e.sources.told = true
	e.begin(openNone, "ws_")
	action := appendSearch(nil, queries, pages)
	if e.call.Stream {
		dst = e.itemEvent(dst, "response.output_item.added")
		dst = append(e.appendSearchCall(dst, inProgress, action), "}\n\n"...)
		for _, step := range []string{"in_progress", "searching", "completed"} {
			dst = append(e.about(dst, "response.web_search_call."+step), "}\n\n"...)
		}
	}
	at := e.beginOutput()
	e.output = e.appendSearchCall(e.output, completed, action)
	return e.itemDone(dst, at)
}

func (e *encoder) appendSearchCall(dst []byte, s status, action []byte) []byte {
	dst = append(append(append(dst, `{"type":"web_search_call","id":"`...), e.id...), `","status":"`...)
	dst = append(append(append(dst, s...), `","action":`...), action...)
	return append(dst, '}')
}

func appendSearch(dst []byte, queries []string, pages []gemini.Source) []byte {
	query := ""
	if len(queries) > 0 {
		query = queries[0]
	}
	dst = append(gemini.AppendQuoted(append(dst, `{"type":"search","query":`...), query), `,"queries":[`...)
	for i, q := range queries {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = gemini.AppendQuoted(dst, q)
	}
	dst = append(dst, `],"sources":[`...)
	before := len(dst)
	for _, page := range pages {
		if page.URI == "" {
			continue
		}
		if len(dst) > before {
			dst = append(dst, ',')
		}
		dst = append(gemini.AppendQuoted(append(dst, `{"type":"url","url":`...), page.URI), '}')
	}
	return append(dst, "]}"...)
}
