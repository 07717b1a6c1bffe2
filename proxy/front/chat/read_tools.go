package chat

import (
	"strings"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// readTool reads a tool: a function, a custom one, or one that runs elsewhere. Of those Google has some of its own; the others
// nobody here can run, and they are left out.
func (r *request) readTool(w *gemini.Walker) {
	var t tool
	var kind string
	if !w.Object("a tool object", func(name []byte) {
		switch string(name) {
		case "type":
			kind = w.String()
		case "function":
			t.readFunction(w)
		case "custom":
			t.readCustom(w)
		default:
			w.Skip()
		}
	}) {
		w.Fail(w.Path(), "expected a tool object")
		return
	}
	switch {
	case kind == "custom" && !t.Custom:
		w.Fail(w.Path()+".custom.name", "expected the name of the tool")
	case (kind == "" || kind == "function") && t.Name == "":
		w.Fail(w.Path()+".function.name", "expected the name of the function")
	case t.Name != "":
		r.tools = append(r.tools, t)
	default:
		googleTool(kind, &r.builtIn)
	}
}

// googleTool switches on the tool of Google's own that a type of tool means, and reports whether there is one.
func googleTool(kind string, on *front.BuiltIn) bool {
	switch {
	case strings.HasPrefix(kind, "web_search"), kind == "google_search":
		on.Search = true
	case strings.HasPrefix(kind, "web_fetch"), kind == "url_context":
		on.Fetch = true
	case strings.HasPrefix(kind, "code_execution"), kind == "code_interpreter":
		on.Code = true
	default:
		return false
	}
	return true
}

func (t *tool) readFunction(w *gemini.Walker) {
	w.Object("an object", func(name []byte) {
		switch string(name) {
		case "name":
			t.Name = w.String()
		case "description":
			t.Description = w.Text()
		case "parameters":
			if w.Expect("{", "a JSON Schema object") {
				t.Schema = w.Raw()
			}
		case "strict":
			t.strict = w.Bool()
		default:
			w.Skip()
		}
	})
}

func (t *tool) readCustom(w *gemini.Walker) {
	var name string
	var description gemini.Text
	var grammar front.Grammar
	w.Object("an object", func(field []byte) {
		switch string(field) {
		case "name":
			name = w.String()
		case "description":
			description = w.Text()
		case "format":
			grammar = readGrammar(w)
		default:
			w.Skip()
		}
	})
	if name != "" {
		t.Tool = front.CustomTool(name, description, grammar)
	}
}

// readGrammar reads {"type":"grammar","grammar":{"syntax","definition"}}; {"type":"text"} is none.
func readGrammar(w *gemini.Walker) (g front.Grammar) {
	w.Object("an object", func(name []byte) {
		if string(name) != "grammar" {
			w.Skip()
			return
		}
		w.Object("an object", func(name []byte) {
			switch string(name) {
			case "syntax":
				g.Syntax = w.String()
			case "definition":
				g.Definition = w.Text()
			default:
				w.Skip()
			}
		})
	})
	return g
}

func readChoice(w *gemini.Walker) choice {
	const expected = "none, auto, required or an object"
	var c choice
	if w.Kind() == '"' {
		c.kind = w.String()
		if c.kind != "none" && c.kind != "auto" && c.kind != "required" {
			w.Fail(w.Path(), "expected "+expected)
		}
		return c
	}
	w.Object(expected, func(name []byte) {
		switch string(name) {
		case "type":
			c.kind = w.String()
			if googleTool(c.kind, &front.BuiltIn{}) {
				c.kind = "auto" // Gemini decides itself when to use these
			} else if !c.named() {
				w.Fail(w.Path(), "expected function, custom or allowed_tools")
			}
		case "function", "custom":
			c.readName(w)
		case "allowed_tools":
			w.Object("an object", func(name []byte) { c.readAllowed(w, string(name)) })
		default:
			w.Skip()
		}
	})
	return c
}

// readName reads {"name":…}.
func (c *choice) readName(w *gemini.Walker) {
	w.Object("an object", func(name []byte) {
		if string(name) == "name" {
			c.names = append(c.names, w.String())
			return
		}
		w.Skip()
	})
}

func (c *choice) readAllowed(w *gemini.Walker, name string) {
	switch name {
	case "mode":
		if c.mode = w.String(); c.mode != "auto" && c.mode != "required" {
			w.Fail(w.Path(), "expected auto or required")
		}
	case "tools":
		w.Array("an array of tools", func(int) {
			w.Object("a tool", func(name []byte) {
				if string(name) == "function" || string(name) == "custom" {
					c.readName(w)
					return
				}
				w.Skip()
			})
		})
	default:
		w.Skip()
	}
}

// readFunctionCall reads the deprecated form of a choice: none, auto or {"name":…}.
func readFunctionCall(w *gemini.Walker) choice {
	const expected = "none, auto or an object with a name"
	if w.Kind() == '"' {
		c := choice{kind: w.String()}
		if c.kind != "none" && c.kind != "auto" {
			w.Fail(w.Path(), "expected "+expected)
		}
		return c
	}
	if w.Kind() == 'n' {
		w.Skip()
		return choice{}
	}
	c := choice{kind: "function"}
	c.readName(w)
	return c
}
