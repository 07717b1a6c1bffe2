package responses

import (
	"encoding/json"
	"strings"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// toolKind is the form in which a tool's calls go out and come back.
type toolKind uint8

const (
	functionTool   toolKind = iota // arguments as JSON
	customTool                     // a text
	localShellTool                 // one command, as Codex ran it once
	shellTool                      // several commands
	patchTool                      // an operation on a file
	searchTool                     // a search among tools that the client has not declared yet
)

// tool is one that a client declares for itself to run.
type tool struct {
	kind        toolKind
	namespace   string
	name        string
	description gemini.Text
	schema      json.RawMessage
	strict      bool
	grammar     front.Grammar // of a custom tool's input
}

// fullName is the tool's name among those of all namespaces.
func fullName(namespace, name string) string {
	if namespace == "" || strings.HasSuffix(namespace, "__") {
		return namespace + name
	}
	return namespace + "__" + name
}

// Tools of OpenAI's own have no schema in a request; these are their calls' fields as functions (openai-go,
// ResponseInputItemLocalShellCallAction and its like).
const (
	localShellSchema = `{"type":"object","properties":{` +
		`"command":{"type":"array","items":{"type":"string"},"description":"The program and its arguments."},` +
		`"working_directory":{"type":"string"},"timeout_ms":{"type":"integer"},` +
		`"env":{"type":"object","additionalProperties":{"type":"string"}},"user":{"type":"string"}},"required":["command"]}`
	shellSchema = `{"type":"object","properties":{` +
		`"commands":{"type":"array","items":{"type":"string"},"description":"Shell command lines, run one after the other."},` +
		`"timeout_ms":{"type":"integer"},"max_output_length":{"type":"integer","description":"In characters."}},"required":["commands"]}`
	patchSchema = `{"type":"object","properties":{` +
		`"type":{"type":"string","enum":["create_file","update_file","delete_file"]},"path":{"type":"string"},` +
		`"diff":{"type":"string","description":"To create a file: its lines, each after a +. To update one: hunks in the V4A format, ` +
		`each a line that begins with @@, then lines that begin with a space, a - or a +. Left out to delete a file."}},` +
		`"required":["type","path"]}`
)

// builtIn are the tools that run at the client, but are OpenAI's own.
func builtIn(kind string) (tool, bool) {
	switch kind {
	case "local_shell":
		return tool{kind: localShellTool, name: kind, schema: json.RawMessage(localShellSchema),
			description: gemini.Quote("Runs a command on the user's machine.")}, true
	case "shell":
		return tool{kind: shellTool, name: kind, schema: json.RawMessage(shellSchema),
			description: gemini.Quote("Runs shell commands on the user's machine.")}, true
	case "apply_patch":
		return tool{kind: patchTool, name: kind, schema: json.RawMessage(patchSchema),
			description: gemini.Quote("Creates, changes or deletes a file in the user's workspace.")}, true
	}
	return tool{}, false
}

// declaration is one element of a request's tools.
type declaration struct {
	kind        string
	name        string
	description gemini.Text
	schema      json.RawMessage
	strict      bool
	grammar     front.Grammar
	inner       []tool // of a namespace
	hosted      bool   // a shell that OpenAI would run
	execution   string // of tool_search: client, or server
}

// toolSet is what a list of tools holds.
type toolSet struct {
	tools   []tool
	builtIn front.BuiltIn // tools that Google runs
	leftOut front.LeftOut
}

// declared is what a request declares. Nothing in it changes, since other requests may have the same.
type declared struct {
	toolSet
	functions *front.Toolset
	byName    map[string]tool // by full name
	strict    bool
}

func readTools(w *gemini.Walker) *declared {
	var set toolSet
	w.Array("an array of tools", func(int) { set.read(w) })
	return newDeclared(set)
}

func newDeclared(set toolSet) *declared {
	d := &declared{toolSet: set, byName: make(map[string]tool, len(set.tools))}
	functions := make([]front.Tool, 0, len(set.tools))
	for _, t := range set.tools {
		d.byName[fullName(t.namespace, t.name)] = t
		functions = append(functions, t.declare())
		d.strict = d.strict || t.strict
	}
	d.functions = front.NewToolset(functions)
	return d
}

// read reads one tool.
func (s *toolSet) read(w *gemini.Walker) {
	var d declaration
	if !w.Object("a tool object", func(name []byte) { d.field(w, string(name)) }) {
		w.Fail(w.Path(), "expected a tool object")
		return
	}
	switch {
	case d.kind == "":
		w.Fail(w.Path()+".type", "expected the type of the tool")
	case d.kind == "namespace":
		for _, t := range d.inner {
			t.namespace = d.name
			s.tools = append(s.tools, t)
		}
	case googleTool(d.kind, &s.builtIn):
	default:
		if t, ok := d.tool(w); ok {
			s.tools = append(s.tools, t)
		} else {
			s.leftOut.Add(d.kind)
		}
	}
}

// googleTool switches on the tool of Google's own that a type of tool means, and reports whether there is one.
func googleTool(kind string, on *front.BuiltIn) bool {
	switch {
	case strings.HasPrefix(kind, "web_search"):
		on.Search = true
	case kind == "code_interpreter":
		on.Code = true
	default:
		return false
	}
	return true
}

// tool is what the client runs; ok is false for tools that nobody could run.
func (d *declaration) tool(w *gemini.Walker) (t tool, ok bool) {
	if t, ok = builtIn(d.kind); ok {
		return t, !d.hosted
	}
	switch d.kind {
	case "tool_search":
		t = tool{kind: searchTool, name: d.kind, description: d.description, schema: d.schema}
		return t, d.execution == "client"
	case "function", "custom":
	default:
		return t, false
	}
	if d.name == "" {
		w.Fail(w.Path()+".name", "expected the name of the function")
	}
	t = tool{name: d.name, description: d.description, schema: d.schema, strict: d.strict, grammar: d.grammar}
	if d.kind == "custom" {
		t.kind = customTool
	}
	return t, true
}

// declare makes the function that Gemini gets.
func (t *tool) declare() front.Tool {
	name := fullName(t.namespace, t.name)
	if t.kind == customTool {
		return front.CustomTool(name, t.description, t.grammar)
	}
	return front.Tool{Name: name, Description: t.description, Schema: t.schema}
}

func (d *declaration) field(w *gemini.Walker, name string) {
	switch name {
	case "type":
		d.kind = w.String()
	case "name":
		d.name = w.String()
	case "description":
		d.description = w.Text()
	case "parameters":
		if w.Expect("{", "a JSON Schema object") {
			d.schema = w.Raw()
		}
	case "strict":
		d.strict = w.Bool()
	case "format":
		d.readFormat(w)
	case "environment":
		d.readEnvironment(w)
	case "execution":
		d.execution = w.String()
	case "tools":
		d.readInner(w)
	default:
		w.Skip()
	}
}

// found are the tools that an item brings into the conversation; what is no tool there is left out.
func (it *item) found() []tool {
	switch it.kind {
	case "tool_search_output", "additional_tools":
	default:
		return nil
	}
	var set toolSet
	w := gemini.NewWalker(it.tools)
	w.Array("an array", func(int) { set.read(w) })
	return set.tools
}

// readFormat reads what a custom tool demands of its input.
func (d *declaration) readFormat(w *gemini.Walker) {
	if w.Kind() != '{' {
		w.Skip()
		return
	}
	w.Object("", func(name []byte) {
		switch string(name) {
		case "syntax":
			d.grammar.Syntax = w.String()
		case "definition":
			d.grammar.Definition = w.Text()
		default:
			w.Skip()
		}
	})
}

// readEnvironment reads where a shell is: the client's own machine, or a container of OpenAI's.
func (d *declaration) readEnvironment(w *gemini.Walker) {
	if w.Kind() != '{' {
		w.Skip()
		return
	}
	w.Object("", func(name []byte) {
		if string(name) == "type" {
			d.hosted = strings.HasPrefix(w.String(), "container")
			return
		}
		w.Skip()
	})
}

// readInner reads the tools of a namespace. What is listed there and is no tool of the client's is left out.
func (d *declaration) readInner(w *gemini.Walker) {
	if w.Kind() != '[' {
		w.Skip()
		return
	}
	var inner toolSet
	w.Array("", func(int) { inner.read(w) })
	d.inner = inner.tools
}

// choice is tool_choice: a mode, or with kind function or allowed_tools the tools that it names.
type choice struct {
	kind   string
	mode   string // allowed_tools: auto or required
	names  []string
	listed int           // allowed_tools: how many there are, whatever runs them
	hosted front.BuiltIn // allowed_tools: those that Google runs
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
	var named namedTool
	w.Object("none, auto, required or an object", func(name []byte) {
		switch string(name) {
		case "type":
			c.kind = w.String()
		case "mode":
			c.mode = w.String()
		case "tools":
			w.Array("an array of tools", func(int) {
				var t namedTool
				w.Object("a tool", func(name []byte) { t.field(w, string(name)) })
				c.names = append(c.names, t.names()...)
				c.listed++
				googleTool(t.kind, &c.hosted)
			})
		default:
			named.field(w, string(name))
		}
	})
	if c.kind != "allowed_tools" {
		named.kind = c.kind
		c.names = named.names()
	}
	return c
}

// namedTool names one of the request's tools.
type namedTool struct{ kind, namespace, name string }

func (t *namedTool) field(w *gemini.Walker, name string) {
	switch name {
	case "type":
		t.kind = w.String()
	case "name":
		t.name = w.String()
	case "namespace":
		t.namespace = w.String()
	default:
		w.Skip()
	}
}

// names is the tool's name, if it is one that the client runs.
func (t *namedTool) names() []string {
	switch t.kind {
	case "function", "custom":
		return []string{fullName(t.namespace, t.name)}
	case "local_shell", "shell", "apply_patch":
		return []string{t.kind}
	}
	return nil
}
