package anthropic

// clientTools are Anthropic's own client tools by the beginning of their type; the first that fits counts (Anthropic API
// docs).
func clientTools() []clientTool {
	return []clientTool{
		{"bash_", `{"type":"object","properties":{"command":{"type":"string"},"restart":{"type":"boolean"}}}`},
		{"text_editor_20241022", editorUndoSchema},
		{"text_editor_20250124", editorUndoSchema},
		{"text_editor_", `{"type":"object","properties":{"command":{"type":"string","enum":["view","create","str_replace","insert"]},"path":{"type":"string"},"file_text":{"type":"string"},"old_str":{"type":"string"},"new_str":{"type":"string"},"insert_line":{"type":"integer"},"insert_text":{"type":"string"},"view_range":{"type":"array","items":{"type":"integer"},"minItems":2,"maxItems":2}},"required":["command","path"]}`},
		{"memory_", `{"type":"object","properties":{"command":{"type":"string","enum":["view","create","str_replace","insert","delete","rename"]},"path":{"type":"string"},"view_range":{"type":"array","items":{"type":"integer"},"minItems":2,"maxItems":2},"file_text":{"type":"string"},"old_str":{"type":"string"},"new_str":{"type":"string"},"insert_line":{"type":"integer"},"insert_text":{"type":"string"},"old_path":{"type":"string"},"new_path":{"type":"string"}},"required":["command"]}`},
		{computerPrefix + "24", computerSchema(oldActions, "")},
		{computerPrefix + "2501", computerSchema(oldActions, "")},
		{computerPrefix, computerSchema(oldActions+`,"zoom"`, `,"region":{"type":"array","items":{"type":"integer"},"minItems":4,"maxItems":4}`)},
	}
}

type clientTool struct{ prefix, schema string }

const (
	computerPrefix = "computer_20"
	oldActions     = `"key","type","mouse_move","left_click","left_click_drag","right_click","middle_click","double_click","triple_click","left_mouse_down","left_mouse_up","scroll","hold_key","wait","screenshot","cursor_position"`
)

func computerSchema(actions, more string) string {
	const point = `{"type":"array","items":{"type":"integer"},"minItems":2,"maxItems":2}`
	return `{"type":"object","properties":{"action":{"type":"string","enum":[` + actions + `]},"coordinate":` + point +
		`,"start_coordinate":` + point + `,"text":{"type":"string"},"scroll_direction":{"type":"string","enum":["up","down","left","right"]},` +
		`"scroll_amount":{"type":"integer"},"duration":{"type":"number"}` + more + `},"required":["action"]}`
}

const editorUndoSchema = `{"type":"object","properties":{"command":{"type":"string","enum":["view","create","str_replace","insert","undo_edit"]},"path":{"type":"string"},"file_text":{"type":"string"},"old_str":{"type":"string"},"new_str":{"type":"string"},"insert_line":{"type":"integer"},"view_range":{"type":"array","items":{"type":"integer"},"minItems":2,"maxItems":2}},"required":["command","path"]}`
