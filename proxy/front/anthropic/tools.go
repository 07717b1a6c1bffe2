package anthropic

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// tools is what a request declares. Nothing in it changes, since other requests may have the same.
type tools struct {
	list      []tool
	functions *front.Toolset
	elsewhere []string // names of those that are no functions
	builtIn   front.BuiltIn
	leftOut   front.LeftOut
	strict    bool
}

func readTools(w *gemini.Walker) *tools {
	var list []tool
	r := &reader{Walker: w}
	w.Array("an array of tools", func(int) { list = append(list, readTool(r)) })
	return newTools(list)
}

// placeholder is declared by Claude Code for its own ends and must never be called.
const placeholder = "DeferredToolPlaceholder"

// newTools tells the functions from the tools that Google runs. What neither the client nor Google runs is left out.
func newTools(list []tool) *tools {
	s := &tools{list: list}
	var functions []front.Tool
	for i := range list {
		t := &list[i]
		if t.name == placeholder {
			continue
		}
		schema, ok := t.parameters()
		if !ok {
			if !t.builtIn(&s.builtIn) {
				s.leftOut.Add(t.kind)
			}
			s.elsewhere = append(s.elsewhere, t.name)
			continue
		}
		functions = append(functions, front.Tool{Name: t.name, Description: t.words(), Schema: schema})
		s.strict = s.strict || t.strict
	}
	s.functions = front.NewToolset(functions)
	return s
}

func readTool(w *reader) tool {
	var t tool
	if !w.Object("a tool object", func(name []byte) { t.field(w, string(name)) }) {
		w.Fail(w.Path(), "expected a tool object")
		return t
	}
	if t.name == "" && (t.kind == "" || t.kind == "custom") {
		w.Fail(w.Path()+".name", "expected the name of the tool")
	}
	return t
}

func (t *tool) field(w *reader, name string) {
	switch name {
	case "type":
		t.kind = w.String()
	case "name":
		t.name = w.String()
	case "description":
		t.description = w.Text()
	case "input_schema":
		if w.Expect("{", "a JSON Schema object") {
			t.schema = w.Raw()
		}
	case "strict":
		t.strict = w.Bool()
	case "display_width_px":
		t.width = readPixels(w)
	case "display_height_px":
		t.height = readPixels(w)
	case "allowed_domains":
		t.server.allowed = readStrings(w)
	case "blocked_domains":
		t.server.blocked = readStrings(w)
	case "user_location":
		t.server.location = readLocation(w)
	default:
		w.Skip()
	}
}

func readPixels(w *reader) int {
	if n := w.Int(); n != nil {
		return *n
	}
	return 0
}

func readStrings(w *reader) (list []string) {
	w.Array("an array of strings", func(int) { list = append(list, w.String()) })
	return list
}

func readLocation(w *reader) []string {
	var at [4]string
	w.Object("an object", func(name []byte) {
		for i, field := range []string{"city", "region", "country", "timezone"} {
			if string(name) == field {
				at[i] = w.String()
				return
			}
		}
		w.Skip()
	})
	return nonEmpty(at[:])
}

// declared are the tools of the request, with those that came in the course of the conversation.
func (d *decoder) declared() *tools {
	var list []tool
	for i := range d.req.messages {
		for j := range d.req.messages[i].content {
			if b := &d.req.messages[i].content[j]; b.kind == "tool_addition" && b.tool != nil {
				list = append(list, *b.tool)
			}
		}
	}
	if d.req.tools != nil && len(list) == 0 {
		return d.req.tools
	}
	if d.req.tools != nil {
		list = slices.Concat(d.req.tools.list, list)
	}
	return newTools(list)
}

// tools declares the functions and notes the tools that Google runs.
func (d *decoder) tools() error {
	declared := d.declared()
	d.call.BuiltIn, d.call.StrictTools = declared.builtIn, declared.strict
	for _, kind := range declared.leftOut {
		d.call.LeftOut.Add(kind)
	}
	choice := front.ToolChoice{Param: "tool_choice.name"}
	switch d.req.choice.kind {
	case "auto":
		choice.Mode = front.ModeAuto
	case "any":
		choice.Mode = front.ModeAny
	case "none":
		choice.Mode = front.ModeNone
	case "tool":
		if slices.Contains(declared.elsewhere, d.req.choice.name) {
			break // Google's own tools cannot be forced
		}
		choice.Mode, choice.Names = front.ModeAny, []string{d.req.choice.name}
	}
	return d.call.Declare(declared.functions, choice)
}

// builtIn marks the tool of Google's that stands for one of Anthropic's, if there is one. Their versions change, the
// beginnings do not.
func (t *tool) builtIn(b *front.BuiltIn) bool {
	switch {
	case strings.HasPrefix(t.kind, "web_search_"):
		b.Search = true
	case strings.HasPrefix(t.kind, "web_fetch_"):
		b.Fetch = true
	case strings.HasPrefix(t.kind, "code_execution_"):
		b.Code = true
	default:
		return false
	}
	return true
}

// searchWishes says in words what Google's tools have no fields for.
func (r *request) searchWishes() string {
	var lines []string
	if r.tools == nil {
		return ""
	}
	for i := range r.tools.list {
		t := &r.tools.list[i]
		about := "When you search the web"
		if strings.HasPrefix(t.kind, "web_fetch_") {
			about = "When you read web pages"
		} else if !strings.HasPrefix(t.kind, "web_search_") {
			continue
		}
		if len(t.server.allowed) > 0 {
			lines = append(lines, about+", use only these domains: "+strings.Join(t.server.allowed, ", ")+".")
		}
		if len(t.server.blocked) > 0 {
			lines = append(lines, about+", do not use these domains: "+strings.Join(t.server.blocked, ", ")+".")
		}
		if len(t.server.location) > 0 {
			lines = append(lines, about+", the user is near: "+strings.Join(t.server.location, ", ")+".")
		}
	}
	return strings.Join(lines, "\n")
}

// words is the description.
func (t *tool) words() gemini.Text {
	known, ok := t.known()
	switch {
	case t.description != nil || !ok:
		return t.description
	case t.width > 0 && t.height > 0:
		return gemini.Quote(fmt.Sprintf("%s The display is %d × %d pixels.", known.description, t.width, t.height))
	}
	return gemini.Quote(known.description)
}

// parameters is the JSON Schema to declare. Tools that Anthropic executes itself have none, and are not ok.
func (t *tool) parameters() (schema json.RawMessage, ok bool) {
	if t.kind == "" || t.kind == "custom" || t.schema != nil {
		return t.schema, true
	}
	known, ok := t.known()
	return json.RawMessage(known.schema), ok
}

// known is the tool that Anthropic defines and the client executes, if it is one and does not bring a schema of its own.
func (t *tool) known() (clientTool, bool) {
	if t.schema != nil || t.name == "" {
		return clientTool{}, false
	}
	for _, known := range clientTools() {
		if strings.HasPrefix(t.kind, known.prefix) {
			return known, true
		}
	}
	return clientTool{}, false
}
