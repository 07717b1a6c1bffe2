package chat

import "github.com/gemini-claude-adapter/gca/proxy/gemini"

func readMessage(w *gemini.Walker) message {
	var m message
	if !w.Object("a message object", func(name []byte) { m.field(w, string(name)) }) {
		w.Fail(w.Path(), "expected a message object")
		return m
	}
	switch {
	case m.role == "":
		w.Fail(w.Path()+".role", "expected system, developer, user, assistant or tool")
	case m.role == "tool" && m.callID == "":
		w.Fail(w.Path()+".tool_call_id", "expected the id of the tool call")
	case m.role != "assistant" && m.role != "tool" && !m.hasContent:
		w.Fail(w.Path()+".content", "expected a string or an array of parts")
	}
	return m
}

func (m *message) field(w *gemini.Walker, name string) {
	switch name {
	case "role":
		m.role = w.String()
		switch m.role {
		case "system", "developer", "user", "assistant", "tool":
		case "function":
			w.Fail(w.Path(), "messages of role function are not supported, use tools and role tool")
		default:
			w.Fail(w.Path(), "expected system, developer, user, assistant or tool")
		}
	case "content":
		m.readContent(w)
	case "tool_calls":
		w.Array("an array of tool calls", func(int) { m.calls = append(m.calls, readCall(w)) })
	case "tool_call_id":
		m.callID = w.String()
	case "function_call":
		if w.Raw() != nil {
			w.Fail(w.Path(), "the deprecated function interface is not supported, use tool_calls")
		}
	default:
		w.Skip()
	}
}

func (m *message) readContent(w *gemini.Walker) {
	switch w.Kind() {
	case '"':
		m.content = []part{{kind: "text", text: w.Text()}}
	case 'n':
		w.Skip()
		return
	default:
		m.content = nil
		w.Array("a string or an array of parts", func(int) { m.content = append(m.content, readPart(w)) })
	}
	m.hasContent = true
}

func readPart(w *gemini.Walker) part {
	var p part
	if w.Kind() == '"' {
		return part{kind: "text", text: w.Text()}
	}
	if !w.Object("a content part", func(name []byte) { p.field(w, string(name)) }) {
		w.Fail(w.Path(), "expected a content part")
		return p
	}
	if field, problem := p.check(); problem != "" {
		w.Fail(w.Path()+field, problem)
	}
	return p
}

func (p *part) field(w *gemini.Walker, name string) {
	switch name {
	case "type":
		p.kind = w.String()
	case "text", "refusal":
		p.text = w.Text()
	case "image_url":
		if w.Kind() == '"' {
			p.url = w.Text()
			return
		}
		w.Object("an object", func(name []byte) {
			if string(name) == "url" {
				p.url = w.Text()
				return
			}
			w.Skip()
		})
	case "input_audio":
		w.Object("an object", func(name []byte) {
			switch string(name) {
			case "data":
				p.data = w.Text()
			case "format":
				p.format = w.String()
			default:
				w.Skip()
			}
		})
	case "file":
		w.Object("an object", func(name []byte) {
			switch string(name) {
			case "file_data":
				p.fileData = w.Text()
			case "file_id":
				p.fileID = w.String()
			default:
				w.Skip()
			}
		})
	default:
		w.Skip()
	}
}

func readCall(w *gemini.Walker) toolCall {
	var c toolCall
	if !w.Object("a tool call", func(name []byte) {
		switch string(name) {
		case "id":
			c.id = w.String()
		case "type":
			c.kind = w.String()
		case "function":
			w.Object("an object", func(name []byte) {
				switch string(name) {
				case "name":
					c.name = w.String()
				case "arguments":
					if w.Expect(`"{n`, "a string") {
						c.args = w.Raw()
					}
				default:
					w.Skip()
				}
			})
		case "extra_content":
			c.signature = readSignature(w)
		default:
			w.Skip()
		}
	}) {
		w.Fail(w.Path(), "expected a tool call")
		return c
	}
	switch {
	case c.kind != "" && c.kind != "function":
		w.Fail(w.Path()+".type", "expected function, other calls are not supported")
	case c.name == "":
		w.Fail(w.Path()+".function.name", "expected the name of the function")
	}
	return c
}

// readSignature reads extra_content.google.thought_signature.
func readSignature(w *gemini.Walker) (signature string) {
	if w.Kind() != '{' {
		w.Skip()
		return ""
	}
	w.Object("", func(name []byte) {
		if string(name) != "google" || w.Kind() != '{' {
			w.Skip()
			return
		}
		w.Object("", func(name []byte) {
			if string(name) == "thought_signature" && w.Kind() == '"' {
				signature = w.String()
				return
			}
			w.Skip()
		})
	})
	return signature
}

func readTool(w *gemini.Walker) tool {
	var t tool
	if !w.Object("a tool object", func(name []byte) {
		switch string(name) {
		case "type":
			t.kind = w.String()
		case "function":
			t.readFunction(w)
		default:
			w.Skip()
		}
	}) {
		w.Fail(w.Path(), "expected a tool object")
		return t
	}
	switch {
	case t.kind != "" && t.kind != "function":
		w.Fail(w.Path()+".type", "expected function, other tools are not supported")
	case t.name == "":
		w.Fail(w.Path()+".function.name", "expected the name of the function")
	}
	return t
}

func (t *tool) readFunction(w *gemini.Walker) {
	w.Object("an object", func(name []byte) {
		switch string(name) {
		case "name":
			t.name = w.String()
		case "description":
			t.description = w.Text()
		case "parameters":
			if w.Expect("{", "a JSON Schema object") {
				t.schema = w.Raw()
			}
		case "strict":
			t.strict = w.Bool()
		default:
			w.Skip()
		}
	})
}

func readChoice(w *gemini.Walker) choice {
	var c choice
	if w.Kind() == '"' {
		c.kind = w.String()
		switch c.kind {
		case "none", "auto", "required":
		default:
			w.Fail(w.Path(), "expected none, auto, required or an object")
		}
		return c
	}
	named := func(name []byte) {
		if string(name) == "name" {
			c.names = append(c.names, w.String())
			return
		}
		w.Skip()
	}
	w.Object("none, auto, required or an object", func(name []byte) {
		switch string(name) {
		case "type":
			c.kind = w.String()
			if c.kind != "function" && c.kind != "allowed_tools" {
				w.Fail(w.Path(), "expected function or allowed_tools")
			}
		case "function":
			w.Object("an object", named)
		case "allowed_tools":
			w.Object("an object", func(name []byte) { c.readAllowed(w, string(name), named) })
		default:
			w.Skip()
		}
	})
	return c
}

func (c *choice) readAllowed(w *gemini.Walker, name string, named func([]byte)) {
	switch name {
	case "mode":
		c.mode = w.String()
	case "tools":
		w.Array("an array of tools", func(int) {
			w.Object("a tool", func(name []byte) {
				if string(name) == "function" {
					w.Object("an object", named)
					return
				}
				w.Skip()
			})
		})
	default:
		w.Skip()
	}
}

func readFormat(w *gemini.Walker) format {
	var f format
	w.Object("an object", func(name []byte) {
		switch string(name) {
		case "type":
			f.kind = w.String()
			switch f.kind {
			case "text", "json_object", "json_schema":
			default:
				w.Fail(w.Path(), "expected text, json_object or json_schema")
			}
		case "json_schema":
			w.Object("an object", func(name []byte) {
				if string(name) == "schema" && w.Expect("{", "a JSON Schema object") {
					f.schema = w.Raw()
					return
				}
				if string(name) != "schema" {
					w.Skip()
				}
			})
		default:
			w.Skip()
		}
	})
	return f
}

func readStrings(w *gemini.Walker, what string) []string {
	if w.Kind() == '"' {
		return []string{w.String()}
	}
	var out []string
	w.Array(what, func(int) { out = append(out, w.String()) })
	return out
}
