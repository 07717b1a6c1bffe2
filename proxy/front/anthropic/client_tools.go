package anthropic

// clientTools are Anthropic's own client tools by the beginning of their type; the first that fits counts (Anthropic API
// docs). On the wire they have neither a schema nor a description, since Claude knows them.
func clientTools() []clientTool {
	return []clientTool{
		{"bash_", bashWords, `{"type":"object","properties":{"command":{"type":"string"},"restart":{"type":"boolean"}}}`},
		{"text_editor_20241022", editorWords, editorUndoSchema},
		{"text_editor_20250124", editorWords, editorUndoSchema},
		{"text_editor_", editorWords, `{"type":"object","properties":{"command":{"type":"string","enum":["view","create","str_replace","insert"]},"path":{"type":"string"},"file_text":{"type":"string"},"old_str":{"type":"string"},"new_str":{"type":"string"},"insert_line":{"type":"integer"},"insert_text":{"type":"string"},"view_range":{"type":"array","items":{"type":"integer"},"minItems":2,"maxItems":2}},"required":["command","path"]}`},
		{"memory_", memoryWords, `{"type":"object","properties":{"command":{"type":"string","enum":["view","create","str_replace","insert","delete","rename"]},"path":{"type":"string"},"view_range":{"type":"array","items":{"type":"integer"},"minItems":2,"maxItems":2},"file_text":{"type":"string"},"old_str":{"type":"string"},"new_str":{"type":"string"},"insert_line":{"type":"integer"},"insert_text":{"type":"string"},"old_path":{"type":"string"},"new_path":{"type":"string"}},"required":["command"]}`},
		{computerPrefix + "24", computerWords, computerSchema(oldActions, "")},
		{computerPrefix + "2501", computerWords, computerSchema(oldActions, "")},
		{computerPrefix, computerWords, computerSchema(oldActions+`,"zoom"`, `,"region":{"type":"array","items":{"type":"integer"},"minItems":4,"maxItems":4}`)},
	}
}

type clientTool struct{ prefix, description, schema string }

const (
	bashWords   = "Runs a command in a persistent bash session. restart true starts the session anew."
	editorWords = "Views, creates and edits files. view shows a file, or the lines of view_range, or lists a folder; create writes file_text; " +
		"str_replace replaces old_str, which must occur exactly once, by new_str; insert puts text after the line insert_line."
	memoryWords = "Keeps notes in files below /memories, which outlast the conversation. View /memories before anything else, and write down there " +
		"what will be needed later. view shows a folder or a file; create writes file_text; str_replace, insert, delete and rename change what is there."
	computerWords = "Controls a computer by mouse, keyboard and screenshots."

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
