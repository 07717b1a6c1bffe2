package front

import "github.com/gemini-claude-adapter/gca/proxy/gemini"

// seeAttached is the output of a tool that gave media alone.
const seeAttached = `"see attached"`

// Result makes what a tool gave for the call that the client knows by clientID: the texts of output, a line each, and its
// media as parts beside them.
func Result(clientID string, output []gemini.Part, isError bool) *gemini.FunctionResponse {
	r := &gemini.FunctionResponse{ClientID: clientID}
	for _, p := range output {
		if p.Text == nil {
			r.Parts = append(r.Parts, p)
		}
	}
	text := Join(Texts(output))
	if text.Empty() && len(r.Parts) > 0 {
		text = gemini.Text(seeAttached)
	}
	r.Response = ToolResult(text, isError)
	return r
}

// Texts are the texts among parts.
func Texts(parts []gemini.Part) []gemini.Text {
	var out []gemini.Text
	for _, p := range parts {
		if p.Text != nil {
			out = append(out, p.Text)
		}
	}
	return out
}
