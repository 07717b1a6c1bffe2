package responses

import (
	"encoding/json"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// item is one element of input. A client may send back items of any type that any model ever put out: of those that are
// unknown here nothing is demanded.
type item struct {
	kind      string
	role      string
	id        string
	content   []gemini.Part // of a message
	callID    string
	name      string
	namespace string
	args      json.RawMessage // of a function_call
	input     gemini.Text     // of a custom_tool_call
	action    json.RawMessage // of shell calls; the operation of an apply_patch_call
	output    []gemini.Part   // of a call's output
	chunks    json.RawMessage // output, where it is a list that is not of content parts
	failed    bool            // status says so
	encrypted []byte          // encrypted_content
	tools     json.RawMessage // of a tool_search_output: what was found

	hasContent, hasOutput bool
	fault                 fault
}

// fault is the first field that is not what it should be. Whether that is an error is known once the type is.
type fault struct {
	path, problem string
	leftOut       []string // types of parts that come to nothing
}

func (f *fault) note(path, problem string) {
	if f.problem == "" {
		f.path, f.problem = path, problem
	}
}

// text reads a string.
func (f *fault) text(w *gemini.Walker) gemini.Text {
	switch w.Kind() {
	case '"', 'n':
		return w.Text()
	}
	w.Skip()
	f.note(w.Path(), "expected a string")
	return nil
}

func (f *fault) string(w *gemini.Walker) string {
	switch w.Kind() {
	case '"', 'n':
		return w.String()
	}
	f.text(w)
	return ""
}

func (f *fault) bytes(w *gemini.Walker) []byte {
	switch w.Kind() {
	case '"', 'n':
		return w.Unquoted()
	}
	f.text(w)
	return nil
}

func readItem(w *reader) item {
	var it item
	if !w.Object("an input item", func(name []byte) { it.field(w, string(name)) }) {
		w.Fail(w.Path(), "expected an input item")
		return it
	}
	switch {
	case it.kind == "" && it.role != "":
		it.kind = "message"
	case it.kind == "" && it.id != "":
		it.kind = "item_reference"
	}
	it.check(w.Walker)
	return it
}

func (it *item) field(w *reader, name string) {
	f := &it.fault
	switch name {
	case "type":
		it.kind = f.string(w.Walker)
	case "role":
		it.role = f.string(w.Walker)
	case "id":
		it.id = f.string(w.Walker)
	case "content":
		it.content, it.hasContent = f.parts(w)
	case "call_id":
		it.callID = f.string(w.Walker)
	case "name":
		it.name = f.string(w.Walker)
	case "namespace":
		it.namespace = f.string(w.Walker)
	case "arguments":
		it.readArguments(w)
	case "input":
		it.input = f.text(w.Walker)
	case "action", "operation":
		it.action = w.Raw()
	case "output":
		it.readOutput(w)
	case "tools":
		it.tools = w.Raw()
	case "status":
		it.failed = f.string(w.Walker) == "failed"
	case "encrypted_content":
		it.encrypted = f.bytes(w.Walker)
	default:
		w.Skip()
	}
}

// readOutput reads what a tool gave: a text, content parts, or what a shell printed.
func (it *item) readOutput(w *reader) {
	raw := w.Span(func() { it.output, it.hasOutput = it.fault.parts(w) })
	if len(raw) > 0 && raw[0] == '[' {
		it.chunks = raw
	}
}

// readArguments reads JSON in a string, or an object.
func (it *item) readArguments(w *reader) {
	if w.Kind() == '"' {
		it.args = w.Unquoted()
		return
	}
	it.args = w.Raw()
}

// check finds what is wrong with an item of a known type.
func (it *item) check(w *gemini.Walker) {
	switch it.kind {
	case "", "message", "function_call", "function_call_output", "custom_tool_call", "custom_tool_call_output":
		if it.fault.problem != "" {
			w.Fail(it.fault.path, it.fault.problem)
		}
	}
	if field, problem := it.missing(); problem != "" {
		w.Fail(w.Path()+field, problem)
	}
}

func (it *item) missing() (field, problem string) {
	switch it.kind {
	case "":
		return ".type", "expected the type of the item, or the role of a message"
	case "message":
		return it.missingOfMessage()
	case "function_call", "custom_tool_call":
		switch {
		case it.callID == "":
			return ".call_id", "expected the id of the call"
		case it.name == "":
			return ".name", "expected the name of the function"
		}
	case "function_call_output", "custom_tool_call_output":
		switch {
		case it.callID == "":
			return ".call_id", "expected the id of the call"
		case !it.hasOutput:
			return ".output", "expected a string or an array of parts"
		}
	case "item_reference":
		if !droppable(it.id) {
			return "", noStore
		}
	case "local_shell_call", "shell_call", "apply_patch_call",
		"local_shell_call_output", "shell_call_output", "apply_patch_call_output":
		if it.callID == "" && it.id == "" {
			return ".call_id", "expected the id of the call"
		}
	}
	return "", ""
}

func (it *item) missingOfMessage() (field, problem string) {
	switch it.role {
	case "system", "developer", "user", "assistant":
	default:
		return ".role", "expected system, developer, user or assistant"
	}
	if !it.hasContent {
		return ".content", "expected a string or an array of parts"
	}
	return "", ""
}
