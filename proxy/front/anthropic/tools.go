package anthropic

import (
	"encoding/json"
	"strings"
)

// parameters is the JSON Schema to declare. Tools that Anthropic defines and the client executes have none on the wire;
// those that Anthropic executes itself are not ok.
func (t *tool) parameters() (schema json.RawMessage, ok bool) {
	if t.kind == "" || t.kind == "custom" || t.schema != nil {
		return t.schema, true
	}
	for _, known := range clientTools {
		if strings.HasPrefix(t.kind, known.prefix) && t.name != "" {
			return json.RawMessage(known.schema), true
		}
	}
	return nil, false
}

// clientTools are Anthropic's own client tools by the beginning of their type; the first that fits counts (Anthropic API
// docs).
var clientTools = []struct{ prefix, schema string }{
	{"bash_", `{"type":"object","properties":{"command":{"type":"string"},"restart":{"type":"boolean"}}}`},
	{"text_editor_20241022", editorUndoSchema},
	{"text_editor_20250124", editorUndoSchema},
	{"text_editor_", `{"type":"object","properties":{"command":{"type":"string","enum":["view","create","str_replace","insert"]},"path":{"type":"string"},"file_text":{"type":"string"},"old_str":{"type":"string"},"new_str":{"type":"string"},"insert_line":{"type":"integer"},"insert_text":{"type":"string"},"view_range":{"type":"array","items":{"type":"integer"},"minItems":2,"maxItems":2}},"required":["command","path"]}`},
	{"memory_", `{"type":"object","properties":{"command":{"type":"string","enum":["view","create","str_replace","insert","delete","rename"]},"path":{"type":"string"},"view_range":{"type":"array","items":{"type":"integer"},"minItems":2,"maxItems":2},"file_text":{"type":"string"},"old_str":{"type":"string"},"new_str":{"type":"string"},"insert_line":{"type":"integer"},"insert_text":{"type":"string"},"old_path":{"type":"string"},"new_path":{"type":"string"}},"required":["command"]}`},
}

const editorUndoSchema = `{"type":"object","properties":{"command":{"type":"string","enum":["view","create","str_replace","insert","undo_edit"]},"path":{"type":"string"},"file_text":{"type":"string"},"old_str":{"type":"string"},"new_str":{"type":"string"},"insert_line":{"type":"integer"},"view_range":{"type":"array","items":{"type":"integer"},"minItems":2,"maxItems":2}},"required":["command","path"]}`
