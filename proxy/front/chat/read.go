package chat

import (
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

const (
	roles        = "expected system, developer, user, assistant, tool or function"
	contentForms = "a string or an array of parts"
)

func readMessage(w *reader) message {
	var m message
	if !w.Object("a message object", func(name []byte) { m.field(w, string(name)) }) {
		w.Fail(w.Path(), "expected a message object")
		return m
	}
	switch {
	case m.role == "":
		w.Fail(w.Path()+".role", roles)
	case m.role == "tool" && m.callID == "":
		w.Fail(w.Path()+".tool_call_id", "expected the id of the tool call")
	case m.role == "function" && m.name == "":
		w.Fail(w.Path()+".name", "expected the name of the function")
	case (isSystem(m.role) || m.role == "user") && !m.hasContent:
		w.Fail(w.Path()+".content", "expected "+contentForms)
	}
	return m
}

func (m *message) field(w *reader, name string) {
	switch name {
	case "role":
		m.role = w.String()
		switch m.role {
		case "system", "developer", "user", "assistant", "tool", "function":
		default:
			w.Fail(w.Path(), roles)
		}
	case "content":
		m.readContent(w)
	case "name":
		m.name = w.String()
	case "refusal":
		m.refusal = w.Text()
	case "tool_calls":
		m.readCalls(w)
	case "tool_call_id":
		m.callID = w.String()
	case "function_call":
		m.readFunctionCall(w)
	case "extra_content":
		m.signature = readSignature(w.Walker)
	default:
		w.Skip()
	}
}

func (m *message) readCalls(w *reader) {
	w.open = append(w.open[:0], m.calls...)
	w.Array("an array of tool calls", func(int) { w.open = append(w.open, readCall(w)) })
	m.calls = w.calls.Keep(w.open...)
}

func (m *message) readContent(w *reader) {
	m.content, m.hasContent = nil, true
	switch w.Kind() {
	case '"':
		m.content = w.arena.Parts.Keep(gemini.Part{Text: w.Text()})
	case 'n':
		w.Skip()
		m.hasContent = false
	default:
		w.parts = w.parts[:0]
		w.Array(contentForms, func(int) {
			p, ok, leftOut := readPart(w.Walker)
			if ok {
				w.parts = append(w.parts, p)
			}
			if leftOut != "" {
				m.leftOut = append(m.leftOut, leftOut)
			}
		})
		m.content = w.arena.Parts.Keep(w.parts...)
	}
}

// readCall reads a call of a function or of a custom tool.
func readCall(w *reader) toolCall {
	var c toolCall
	kind, field := "", "function"
	if !w.Object("a tool call", func(name []byte) {
		switch string(name) {
		case "id":
			c.id = w.String()
		case "type":
			kind = w.String()
		case "function":
			c.readFunction(w)
		case "custom":
			field = "custom"
			c.readCustom(w)
		case "extra_content":
			c.signature = readSignature(w.Walker)
		default:
			w.Skip()
		}
	}) {
		w.Fail(w.Path(), "expected a tool call")
		return c
	}
	switch {
	case kind != "" && kind != "function" && kind != "custom":
		w.Fail(w.Path()+".type", "expected function or custom")
	case c.name == "":
		w.Fail(w.Path()+"."+field+".name", "expected the name of the tool")
	}
	return c
}

func (c *toolCall) readFunction(w *reader) {
	w.Object("an object", func(name []byte) {
		switch string(name) {
		case "name":
			c.name = w.String()
		case "arguments":
			c.readArguments(w)
		default:
			w.Skip()
		}
	})
}

// readArguments reads JSON in a string. Some clients send the object itself.
func (c *toolCall) readArguments(w *reader) {
	if !w.Expect(`"{`, "a string") {
		return
	}
	if w.Kind() == '{' {
		c.args = w.Raw()
		return
	}
	c.args = w.Unquoted()
}

func (c *toolCall) readCustom(w *reader) {
	var input gemini.Text
	w.Object("an object", func(name []byte) {
		switch string(name) {
		case "name":
			c.name = w.String()
		case "input":
			input = w.Text()
		default:
			w.Skip()
		}
	})
	c.args = w.arena.CustomArgs(input)
}

// readFunctionCall reads the deprecated form of a call. It has no id: its name stands for it.
func (m *message) readFunctionCall(w *reader) {
	if w.Kind() == 'n' {
		w.Skip()
		return
	}
	var c toolCall
	c.readFunction(w)
	if c.name == "" {
		w.Fail(w.Path()+".name", "expected the name of the function")
	}
	c.id = c.name
	m.calls = append(m.calls, c)
}

// readSignature reads extra_content.google.thought_signature.
func readSignature(w *gemini.Walker) (signature []byte) {
	if w.Kind() != '{' {
		w.Skip()
		return nil
	}
	w.Object("", func(name []byte) {
		if string(name) != "google" || w.Kind() != '{' {
			w.Skip()
			return
		}
		w.Object("", func(name []byte) {
			if string(name) == "thought_signature" && w.Kind() == '"' {
				signature = w.Unquoted()
				return
			}
			w.Skip()
		})
	})
	return signature
}
