package front

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// A client's history becomes one that Gemini takes in two passes: the first finds for each call its result, wherever it
// stands; the second writes the turns anew, each turn with calls directly followed by a content of its own with all the
// results, in the order of the calls. What has no place there is kept as text, so that nothing the client said is lost.

// interrupted is the result of a call that got none.
const interrupted = `"Tool call was interrupted; no result."`

// Normalise brings a conversation, calls and results paired by ClientID, into the shape that Gemini takes whatever the
// model: it begins with the user; consecutive contents of a role are one; a turn with calls is followed by a content that
// holds all its results, in order, and nothing else; contents without parts are gone. contents is used up.
func Normalise(contents []gemini.Content) []gemini.Content {
	h := history{results: matchResults(contents), out: make([]gemini.Content, 0, len(contents)+1)}
	for _, c := range contents {
		parts := dropEmpty(c.Parts)
		switch {
		case len(parts) == 0:
		case c.Role == gemini.RoleModel:
			h.turn = append(h.turn, parts...)
		default:
			h.flush()
			h.user(parts)
		}
	}
	h.flush()
	if len(h.out) > 0 && h.out[0].Role == gemini.RoleModel {
		first := gemini.Content{Role: gemini.RoleUser, Parts: []gemini.Part{{Text: gemini.Quote(".")}}}
		h.out = append([]gemini.Content{first}, h.out...)
	}
	return h.out
}

type history struct {
	results results
	out     []gemini.Content
	turn    []gemini.Part // of the model, not yet written
	parts   gemini.Slab[gemini.Part]
}

// flush writes the model's turn and, if it has calls, their results. Calls stand last: their results follow them.
func (h *history) flush() {
	turn := h.parts.Make(len(h.turn))[:0]
	for _, p := range h.turn {
		if p.FunctionCall == nil {
			turn = append(turn, p)
		}
	}
	answers := h.parts.Make(len(h.turn) - len(turn))[:0]
	for _, p := range h.turn {
		if p.FunctionCall != nil {
			turn = append(turn, p)
			answers = append(answers, gemini.Part{FunctionResponse: h.results.of(p.FunctionCall)})
		}
	}
	h.turn = h.turn[:0]
	h.add(gemini.RoleModel, turn)
	if len(answers) > 0 {
		h.out = append(h.out, gemini.Content{Role: gemini.RoleUser, Parts: answers})
	}
}

// user writes what a user content holds beside results that belong to calls.
func (h *history) user(parts []gemini.Part) {
	rest := parts[:0:0]
	if !slices.ContainsFunc(parts, isResult) {
		rest, parts = parts, nil
	}
	for _, p := range parts {
		switch {
		case p.FunctionResponse == nil:
			rest = append(rest, p)
		case !h.results.taken[p.FunctionResponse]:
			rest = append(rest, resultAsText(p.FunctionResponse)...)
		}
	}
	h.add(gemini.RoleUser, rest)
}

func isResult(p gemini.Part) bool { return p.FunctionResponse != nil }

// add appends parts to the last content if it has the same role and is no list of results, else as a new content.
func (h *history) add(role string, parts []gemini.Part) {
	if len(parts) == 0 {
		return
	}
	if n := len(h.out); n > 0 && h.out[n-1].Role == role && !onlyResults(&h.out[n-1]) {
		h.out[n-1].Parts = append(h.out[n-1].Parts, parts...)
		return
	}
	h.out = append(h.out, gemini.Content{Role: role, Parts: parts})
}

// onlyResults reports whether a normalised content is a list of results.
func onlyResults(c *gemini.Content) bool { return c.Parts[0].FunctionResponse != nil }

// results knows which result belongs to which call.
type results struct {
	byCall map[*gemini.FunctionCall]*gemini.FunctionResponse
	taken  map[*gemini.FunctionResponse]bool

	calls gemini.Slab[*gemini.FunctionCall]
	lists gemini.Slab[waiting]
}

// waiting are the calls of one content with one id that have no result yet, the first one first.
type waiting struct {
	content int
	calls   []*gemini.FunctionCall
}

// matchResults pairs by id. Where an id stands for several calls, a result belongs to the nearest earlier content with such
// a call unanswered, and there to the first; only then to a later one. The first result of a call wins.
func matchResults(contents []gemini.Content) results {
	r := results{byCall: make(map[*gemini.FunctionCall]*gemini.FunctionResponse, len(contents)/2), taken: make(map[*gemini.FunctionResponse]bool, len(contents)/2)}
	open := make(map[string][]waiting, len(contents)/2)
	var early []*gemini.FunctionResponse
	for i := range contents {
		for _, p := range contents[i].Parts {
			if call := p.FunctionCall; call != nil {
				open[call.ClientID] = r.wait(open[call.ClientID], i, call)
			}
			if p.FunctionResponse != nil && !r.take(open, p.FunctionResponse) {
				early = append(early, p.FunctionResponse)
			}
		}
	}
	for _, response := range early {
		r.take(open, response)
	}
	return r
}

func (r *results) wait(list []waiting, content int, call *gemini.FunctionCall) []waiting {
	if n := len(list); n > 0 && list[n-1].content == content {
		list[n-1].calls = append(list[n-1].calls, call)
		return list
	}
	next := waiting{content, r.calls.Keep(call)}
	if list == nil {
		return r.lists.Keep(next)
	}
	return append(list, next)
}

func (r *results) take(open map[string][]waiting, response *gemini.FunctionResponse) bool {
	list := open[response.ClientID]
	if len(list) == 0 {
		return false
	}
	nearest := &list[len(list)-1]
	r.byCall[nearest.calls[0]] = response
	r.taken[response] = true
	if nearest.calls = nearest.calls[1:]; len(nearest.calls) == 0 {
		open[response.ClientID] = list[:len(list)-1]
	}
	return true
}

// of is the result of call, under the call's name.
func (r *results) of(call *gemini.FunctionCall) *gemini.FunctionResponse {
	response := r.byCall[call]
	if response == nil {
		response = &gemini.FunctionResponse{ClientID: call.ClientID, Response: ToolResult(gemini.Text(interrupted), true)}
	}
	response.Name = call.Name
	return response
}

// dropEmpty leaves out texts without characters, and white space that stands alone.
func dropEmpty(parts []gemini.Part) []gemini.Part {
	kept := parts
	if slices.ContainsFunc(parts, isNothing) {
		kept = slices.DeleteFunc(slices.Clone(parts), isNothing)
	}
	for i := range kept {
		if p := &kept[i]; p.Text == nil || !p.Text.Blank() || p.ThoughtSignature != "" {
			return kept
		}
	}
	return nil
}

func isNothing(p gemini.Part) bool {
	return p.Text != nil && p.Text.Empty() && p.ThoughtSignature == ""
}

// resultAsText tells of a result that belongs to no call.
func resultAsText(r *gemini.FunctionResponse) []gemini.Part {
	text := gemini.Text(`""`)
	if value := r.Response.Text(); value != nil {
		text = value
	}
	text = text.Wrap("[tool result "+r.ClientID+"] ", "")
	return append([]gemini.Part{{Text: text}}, r.Parts...)
}

// ToolResult is a tool's result in words.
func ToolResult(text gemini.Text, isError bool) gemini.Result {
	if text == nil {
		text = gemini.Text(`""`)
	}
	if isError {
		return gemini.Result{Error: text}
	}
	return gemini.Result{Output: text}
}

// Join puts texts one below the other.
func Join(texts []gemini.Text) gemini.Text {
	switch len(texts) {
	case 0:
		return nil
	case 1:
		return texts[0]
	}
	out := gemini.Text{'"'}
	for i, t := range texts {
		if i > 0 {
			out = append(out, `\n`...)
		}
		if len(t) >= len(`""`) {
			out = append(out, t[1:len(t)-1]...)
		}
	}
	return append(out, '"')
}

// Object makes a call's arguments of what a client sent: raw itself if it is a JSON object, {} if it is no object, and
// {"_raw": …} if it is no JSON at all.
func Object(raw []byte) json.RawMessage {
	raw = bytes.TrimSpace(raw)
	switch {
	case len(raw) == 0:
		return json.RawMessage(`{}`)
	case !json.Valid(raw):
		return append(gemini.AppendQuoted([]byte(`{"_raw":`), raw), '}')
	case raw[0] != '{':
		return json.RawMessage(`{}`)
	}
	return raw
}
