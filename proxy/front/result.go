package front

import "github.com/gemini-claude-adapter/gca/proxy/gemini"

// seeAttached is the output of a tool that gave media alone.
const seeAttached = `"see attached"`

// Result makes what a tool gave for the call that the client knows by clientID: the texts of output, a line each, and its
// media as parts beside them.
func (a *Arena) Result(clientID string, output []gemini.Part, isError bool) *gemini.FunctionResponse {
	r := a.Responses.New(gemini.FunctionResponse{ClientID: clientID})
	for _, p := range output {
		if p.Text == nil {
			r.Parts = append(r.Parts, p)
		}
	}
	text := a.Join(output)
	if text.Empty() && len(r.Parts) > 0 {
		text = gemini.Text(seeAttached)
	}
	r.Response = ToolResult(text, isError)
	return r
}

// Join puts the texts among parts one below the other; nil if there are none.
func (a *Arena) Join(parts []gemini.Part) gemini.Text {
	var only gemini.Text
	texts, size := 0, 0
	for i := range parts {
		if t := parts[i].Text; t != nil {
			only = t
			texts, size = texts+1, size+len(t)
		}
	}
	if texts <= 1 {
		return only
	}
	out := append(a.Bytes.Make(size)[:0], '"')
	for i := range parts {
		t := parts[i].Text
		if t == nil {
			continue
		}
		if len(out) > 1 || texts == 0 {
			out = append(out, `\n`...)
		}
		texts = 0 // one was written, empty perhaps
		if len(t) >= len(`""`) {
			out = append(out, t[1:len(t)-1]...)
		}
	}
	return append(out, '"')
}
