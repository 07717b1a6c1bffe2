package responses

import (
	"strings"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// droppable reports whether an item that the client only refers to may be missing: thoughts and searches are not sent to
// Gemini again anyway.
func droppable(id string) bool { return strings.HasPrefix(id, "rs_") || strings.HasPrefix(id, "ws_") }

// contents makes the history, a content an item; front.Normalise puts together what belongs together.
func (d *decoder) contents() []gemini.Content {
	contents := d.arena.Contents.Make(len(d.req.input))[:0]
	for _, it := range d.gather() {
		if c := d.content(it); len(c.Parts) > 0 {
			contents = append(contents, c)
		}
	}
	return contents
}

// gather puts the outputs of a turn's calls behind the last of the calls. Clients that run each call as they read it send them
// in between, where the calls would seem to have been made one after the other.
func (d *decoder) gather() []*item {
	items := d.req.input
	all, outputs := d.order.Make(len(items))[:0], d.order.Make(len(items))[:0]
	current := ""
	for i := range items {
		it := &items[i]
		switch turn := turnOf(it.id); {
		case current != "" && strings.HasSuffix(it.kind, "_output"):
			outputs = append(outputs, it)
			continue
		case turn == "" || turn != current:
			all, outputs = append(all, outputs...), outputs[:0]
			current = turn
		}
		all = append(all, it)
	}
	return append(all, outputs...)
}

// turnOf is what the ids of the items of one answer have in common, "" for an id that was not made here.
func turnOf(id string) string {
	_, rest, _ := strings.Cut(id, "_")
	if len(rest) <= front.IDLength || strings.Trim(rest[front.IDLength:], "0123456789") != "" {
		return ""
	}
	return rest[:front.IDLength]
}

func (d *decoder) content(it *item) gemini.Content {
	switch it.kind {
	case "tool_search_call", "tool_search_output":
		if it.callID == "" {
			return gemini.Content{} // another server searched
		}
	}
	switch it.kind {
	case "message":
		return d.message(it)
	case "reasoning":
		d.call.Carry(it.encrypted) // anybody else's is left out
	case "function_call", "custom_tool_call", "local_shell_call", "shell_call", "apply_patch_call", "tool_search_call":
		return d.functionCall(it)
	case "tool_search_output":
		return d.one(gemini.RoleUser, gemini.Part{FunctionResponse: foundTools(it)})
	case "function_call_output", "custom_tool_call_output", "local_shell_call_output", "shell_call_output",
		"apply_patch_call_output":
		return d.one(gemini.RoleUser, gemini.Part{FunctionResponse: d.result(it)})
	default:
		return unknown(it)
	}
	return gemini.Content{}
}

// one makes a content of one part.
func (d *decoder) one(role string, p gemini.Part) gemini.Content {
	return gemini.Content{Role: role, Parts: d.arena.Parts.Keep(p)}
}

func (d *decoder) message(it *item) gemini.Content {
	switch {
	case it.role == "assistant":
		return gemini.Content{Role: gemini.RoleModel, Parts: it.content}
	case isSystem(it):
		if text := d.arena.Join(it.content); !text.Empty() {
			return d.one(gemini.RoleUser, gemini.Part{Text: text.Wrap("<system-message>\n", "\n</system-message>")})
		}
		return gemini.Content{}
	}
	return gemini.Content{Role: gemini.RoleUser, Parts: it.content}
}

// unknown keeps the text of an item that means nothing here, as the model's unless it says otherwise.
func unknown(it *item) gemini.Content {
	c := gemini.Content{Role: gemini.RoleModel}
	if it.role == "user" {
		c.Role = gemini.RoleUser
	}
	for _, p := range it.content {
		if p.Text != nil {
			c.Parts = append(c.Parts, gemini.Part{Text: p.Text})
		}
	}
	return c
}

// pairID is the id that pairs a call and its output; the local shell of early days puts it elsewhere.
func (it *item) pairID() string {
	if it.callID != "" {
		return it.callID
	}
	return it.id
}

func (d *decoder) functionCall(it *item) gemini.Content {
	call := d.arena.Calls.New(gemini.FunctionCall{ClientID: it.pairID()})
	name := fullName(it.namespace, it.name)
	switch it.kind {
	case "function_call":
		call.Args = d.arena.Object(it.args)
	case "tool_search_call":
		name, call.Args = "tool_search", d.arena.Object(it.args)
	case "custom_tool_call":
		call.Args = d.arena.CustomArgs(it.input)
	default:
		name = strings.TrimSuffix(it.kind, "_call")
		call.Args = d.arena.Object(it.action)
	}
	call.Name = d.call.Tools.Upstream(name)
	return d.one(gemini.RoleModel, gemini.Part{FunctionCall: call})
}

// foundTools tells the model what a search among tools found; the tools themselves are declared from now on.
func foundTools(it *item) *gemini.FunctionResponse {
	var names []gemini.Text
	for _, t := range it.found() {
		names = append(names, gemini.Quote("Loaded tool: "+fullName(t.namespace, t.name)))
	}
	if names == nil {
		names = []gemini.Text{gemini.Quote("No tool was found.")}
	}
	return &gemini.FunctionResponse{ClientID: it.pairID(), Response: front.ToolResult(front.Join(names), it.failed)}
}

// result makes a tool's result: its texts are the output, a line each, its media are parts beside it. What a shell printed
// is passed on as the JSON it came as.
func (d *decoder) result(it *item) *gemini.FunctionResponse {
	if it.kind == "shell_call_output" && it.chunks != nil {
		return d.arena.Result(it.pairID(), []gemini.Part{{Text: gemini.Quote(string(it.chunks))}}, false)
	}
	return d.arena.Result(it.pairID(), it.output, it.failed)
}
