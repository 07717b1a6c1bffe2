package chat

import (
	"strings"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// declaration is a tool as it is read. OpenAI has all but its type in an object of its own, as function or custom; Cursor sends
// some tools flat, as the Responses API has them, and Anthropic's with input_schema.
type declaration struct {
	front.Tool
	strict     bool
	kind       string
	nested     bool
	anthropics bool // it has Anthropic's input_schema, and need not tell its type
	grammar    front.Grammar
}

// declared are the tools of a request, and what is known of them beside. Nothing in it changes, since other requests may have the
// same.
type declared struct {
	list      []front.Tool
	functions *front.Toolset // list
	strict    bool
	builtIn   front.BuiltIn
	leftOut   front.LeftOut
}

func readTools(w *gemini.Walker) *declared {
	d := &declared{}
	w.Array("an array of tools", func(int) { d.readTool(w) })
	d.functions = front.NewToolset(d.list)
	return d
}

// declare takes tools.
func (r *request) declare(d *declared) {
	r.tools = d
	r.builtIn.Search = r.builtIn.Search || d.builtIn.Search
	r.builtIn.Fetch = r.builtIn.Fetch || d.builtIn.Fetch
	r.builtIn.Code = r.builtIn.Code || d.builtIn.Code
	for _, what := range d.leftOut {
		r.leftOut.Add(what)
	}
}

// readTool reads a tool: a function, a custom one, or one that runs elsewhere. Of those Google has some of its own; the others
// nobody here can run, and they are left out.
func (r *declared) readTool(w *gemini.Walker) {
	var d declaration
	if !w.Object("a tool object", func(name []byte) { d.field(w, string(name)) }) {
		w.Fail(w.Path(), "expected a tool object")
		return
	}
	switch {
	case d.kind == "" && !d.anthropics:
		w.Fail(w.Path()+".type", "expected function, or the type of another tool")
	case d.kind == "custom" && d.Name == "":
		w.Fail(w.Path()+".custom.name", "expected the name of the tool")
	case d.kind == "custom":
		r.list = append(r.list, front.CustomTool(d.Name, d.Description, d.grammar))
	case (d.kind == "" || d.kind == "function") && d.Name == "":
		w.Fail(w.Path()+".function.name", "expected the name of the function")
	case d.kind == "" || d.kind == "function" || d.nested && d.Name != "":
		r.list, r.strict = append(r.list, d.Tool), r.strict || d.strict
	case !googleTool(d.kind, &r.builtIn):
		r.leftOut.Add(d.kind)
	}
}

func (d *declaration) field(w *gemini.Walker, name string) {
	switch name {
	case "type":
		d.kind = w.String()
	case "function", "custom":
		d.nested = w.Object("an object", func(name []byte) { d.detail(w, string(name)) })
	default:
		if name == "format" && w.Kind() != '{' {
			w.Skip() // of a tool that runs elsewhere
			return
		}
		d.detail(w, name)
	}
}

func (d *declaration) detail(w *gemini.Walker, name string) {
	switch name {
	case "name":
		d.Name = w.String()
	case "description":
		d.Description = w.Text()
	case "parameters", "input_schema":
		d.anthropics = name == "input_schema"
		if w.Expect("{", "a JSON Schema object") {
			d.Schema = w.Raw()
		}
	case "strict":
		d.strict = w.Bool()
	case "format":
		w.Object("an object", func(name []byte) { readGrammar(w, &d.grammar, string(name)) })
	default:
		w.Skip()
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

// readGrammar reads a field of {"type":"grammar","grammar":{"syntax","definition"}}, or of the same without the inner object;
// {"type":"text"} is none.
func readGrammar(w *gemini.Walker, g *front.Grammar, name string) {
	switch name {
	case "syntax":
		g.Syntax = w.String()
	case "definition":
		g.Definition = w.Text()
	case "grammar":
		w.Object("an object", func(name []byte) { readGrammar(w, g, string(name)) })
	default:
		w.Skip()
	}
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
		if string(name) != "type" {
			c.field(w, string(name))
			return
		}
		c.kind = w.String()
		switch {
		case googleTool(c.kind, &front.BuiltIn{}):
			c.kind = "auto" // Gemini decides itself when to use these
		case c.kind != "none" && c.kind != "auto" && c.kind != "required" && !c.named():
			w.Fail(w.Path(), "expected function, custom or allowed_tools")
		}
	})
	return c
}

// field reads what names tools, in an object of its own or flat like the tools themselves.
func (c *choice) field(w *gemini.Walker, name string) {
	switch name {
	case "function", "custom", "allowed_tools":
		w.Object("an object", func(name []byte) { c.field(w, string(name)) })
	case "name":
		c.names = append(c.names, w.String())
	case "mode":
		if c.mode = w.String(); c.mode != "auto" && c.mode != "required" {
			w.Fail(w.Path(), "expected auto or required")
		}
	case "tools":
		w.Array("an array of tools", func(int) { c.allow(w) })
	default:
		w.Skip()
	}
}

// allow reads one of the allowed tools. One that runs elsewhere has a type alone.
func (c *choice) allow(w *gemini.Walker) {
	kind, before := "", len(c.names)
	c.listed++
	w.Object("a tool", func(name []byte) {
		if string(name) == "type" {
			kind = w.String()
			return
		}
		c.field(w, string(name))
	})
	if len(c.names) > before || googleTool(kind, &c.hosted) {
		return
	}
	if kind == "" || kind == "function" || kind == "custom" {
		c.names = append(c.names, "") // which is refused
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
	w.Object("an object", func(name []byte) { c.field(w, string(name)) })
	return c
}
