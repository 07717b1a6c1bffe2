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
func Normalise(contents []gemini.Content) []gemini.Content { return new(Arena).normalise(contents) }

func (a *Arena) normalise(contents []gemini.Content) []gemini.Content {
	h := history{arena: a, out: a.Contents.Make(2*len(contents) + 1)[:0]}
	a.pairs.match(contents)
	for i := range contents {
		contents[i].Parts = dropEmpty(contents[i].Parts)
	}
	for i := 0; i < len(contents); {
		from := i
		for i < len(contents) && (contents[i].Role == gemini.RoleModel || len(contents[i].Parts) == 0) {
			i++
		}
		h.model(contents[from:i])
		if i < len(contents) {
			h.user(contents[i].Parts)
			i++
		}
	}
	if len(h.out) > 0 && h.out[0].Role == gemini.RoleModel {
		first := gemini.Content{Role: gemini.RoleUser, Parts: a.Parts.Keep(gemini.Part{Text: gemini.Quote(".")})}
		h.out = slices.Insert(h.out, 0, first)
	}
	return h.out
}

type history struct {
	arena *Arena
	out   []gemini.Content
}

// model writes the model's turn, which may come in several contents, and if it has calls their results. Calls stand last: their
// results follow them.
func (h *history) model(contents []gemini.Content) {
	parts, calls := 0, 0
	for i := range contents {
		parts += len(contents[i].Parts)
		for j := range contents[i].Parts {
			if contents[i].Parts[j].FunctionCall != nil {
				calls++
			}
		}
	}
	turn, answers := h.arena.Parts.Make(parts), h.arena.Parts.Make(calls)
	said, called := 0, parts-calls
	for i := range contents {
		for j := range contents[i].Parts {
			p := &contents[i].Parts[j]
			if p.FunctionCall == nil {
				turn[said] = *p
				said++
				continue
			}
			turn[called] = *p
			answers[called-(parts-calls)].FunctionResponse = h.arena.answer(p.FunctionCall)
			called++
		}
	}
	h.add(gemini.RoleModel, turn)
	if calls > 0 {
		h.out = append(h.out, gemini.Content{Role: gemini.RoleUser, Parts: answers})
	}
}

// user writes what a user content holds beside results that belong to calls.
func (h *history) user(parts []gemini.Part) {
	rest := parts
	if slices.ContainsFunc(parts, isResult) {
		rest = h.arena.Parts.Make(len(parts))[:0]
		for i := range parts {
			switch r := parts[i].FunctionResponse; {
			case r == nil:
				rest = append(rest, parts[i])
			case !h.arena.pairs.taken(r):
				rest = append(rest, resultAsText(r)...)
			}
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

// answer is the result of a call, under the call's name.
func (a *Arena) answer(call *gemini.FunctionCall) *gemini.FunctionResponse {
	response := a.pairs.of(call)
	if response == nil {
		response = a.Responses.New(gemini.FunctionResponse{ClientID: call.ClientID, Response: ToolResult(gemini.Text(interrupted), true)})
	}
	response.Name = call.Name
	return response
}

// dropEmpty leaves out, in place, texts without characters, and white space that stands alone.
func dropEmpty(parts []gemini.Part) []gemini.Part {
	if slices.ContainsFunc(parts, isNothing) {
		parts = slices.DeleteFunc(parts, isNothing)
	}
	for i := range parts {
		if p := &parts[i]; p.Text == nil || !p.Text.Blank() || p.ThoughtSignature != "" {
			return parts
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
// {"_raw": …} if it is no JSON at all. It may mend raw in place.
func Object(raw []byte) json.RawMessage { return object(&gemini.Walker{}, raw) }

// Object is the function of that name.
func (a *Arena) Object(raw []byte) json.RawMessage { return object(&a.Walker, raw) }

func object(w *gemini.Walker, raw []byte) json.RawMessage {
	raw = bytes.TrimSpace(raw)
	switch {
	case len(raw) == 0:
		return json.RawMessage(`{}`)
	case !w.Valid(raw):
		return append(gemini.AppendQuoted([]byte(`{"_raw":`), raw), '}')
	case raw[0] != '{':
		return json.RawMessage(`{}`)
	}
	return raw
}
