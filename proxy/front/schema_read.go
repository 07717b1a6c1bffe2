package front

import (
	"bytes"
	"encoding/json"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// maxReadDepth bounds the recursion of the reader; what lies deeper than maxSchemaDepth is not written anyway.
const maxReadDepth = 2 * maxSchemaDepth

// readNode reads one schema. Values of a type that the keyword cannot have are passed over.
func readNode(w *gemini.Walker, depth int) *schemaNode {
	n := &schemaNode{}
	switch {
	case w.Kind() == 'f':
		n.never = true
		w.Skip()
	case w.Kind() != '{':
		w.Skip() // true, and what is no schema, allows everything
	case depth > maxReadDepth:
		n.types = []string{"object"}
		w.Skip()
	default:
		var patterns []*schemaNode
		w.Object("", func(name []byte) {
			if string(name) == "patternProperties" {
				patterns = readMap(w, depth+1)
				return
			}
			n.readKeyword(w, string(name), depth+1)
		})
		n.usePatterns(patterns)
	}
	return n
}

// usePatterns takes what is said of the properties that match a pattern for what is said of all that have no name: Gemini
// knows no patterns, and additionalProperties false beside them would forbid what they allow.
func (n *schemaNode) usePatterns(patterns []*schemaNode) {
	switch {
	case n.additional != nil || string(n.additionalBool) == "true":
		return
	case len(patterns) == 1:
		n.additional, n.additionalBool = patterns[0], nil
	case len(patterns) > 1:
		n.additional, n.additionalBool = &schemaNode{anyOf: patterns}, nil
	}
}

func (n *schemaNode) readKeyword(w *gemini.Walker, name string, depth int) {
	if i := numberKeyword(name); i >= 0 {
		n.numbers[i] = rawOf(w, '0')
		return
	}
	switch name {
	case "type":
		n.types = readStrings(w, true)
	case "nullable":
		n.nullable = string(rawOf(w, 't')) == "true"
	case "$ref", "$dynamicRef", "$recursiveRef":
		n.ref = readString(w)
	case "format":
		n.format = readString(w)
	case "title":
		n.title = gemini.Text(rawOf(w, '"'))
	case "description":
		n.description = gemini.Text(rawOf(w, '"'))
	case "pattern":
		n.pattern = gemini.Text(rawOf(w, '"'))
	case "default":
		n.fallback = w.Any()
	case "const":
		n.enum = []json.RawMessage{w.Any()}
	case "required":
		n.required = readStrings(w, false)
	case "propertyOrdering":
		n.ordering = readStrings(w, false)
	default:
		n.readSchemas(w, name, depth)
	}
}

// readSchemas reads the keywords that hold schemas, and passes over every other one.
func (n *schemaNode) readSchemas(w *gemini.Walker, name string, depth int) {
	switch name {
	case "enum":
		if w.Kind() != '[' {
			w.Skip()
			return
		}
		var values []json.RawMessage
		w.Array("", func(int) { values = append(values, w.Any()) })
		if n.enum == nil { // const says more
			n.enum = values
		}
	case "items":
		if w.Kind() == '[' { // a tuple, before draft 2020-12
			n.prefix = readNodes(w, depth)
		} else {
			n.items = readUnlessNever(w, depth)
		}
	case "prefixItems":
		n.prefix = readNodes(w, depth)
	case "additionalItems":
		if more := readUnlessNever(w, depth); n.prefix != nil {
			n.items = more
		}
	case "additionalProperties":
		if k := w.Kind(); k == 't' || k == 'f' {
			n.additionalBool = w.Any()
		} else if k == '{' {
			if n.additional = readNode(w, depth); n.additional.never {
				n.additional, n.additionalBool = nil, json.RawMessage("false")
			}
		} else {
			w.Skip()
		}
	case "properties":
		n.properties = readProperties(w, depth)
	case "allOf":
		n.allOf = readNodes(w, depth)
	case "anyOf":
		n.anyOf = readNodes(w, depth)
	case "oneOf":
		n.oneOf = readNodes(w, depth)
	case "not":
		n.never = n.never || allowsAll(w.Any()) // zod writes undefined and never like this
	case "then", "else":
		n.sometimes = append(n.sometimes, readNode(w, depth))
	case "dependentSchemas", "dependencies":
		n.sometimes = append(n.sometimes, readMap(w, depth)...)
	default:
		w.Skip()
	}
}

// allowsAll reports whether a schema says nothing at all.
func allowsAll(raw json.RawMessage) bool {
	return string(raw) == "true" || len(raw) > 1 && raw[0] == '{' && len(bytes.TrimSpace(raw[1:len(raw)-1])) == 0
}

func readUnlessNever(w *gemini.Walker, depth int) *schemaNode {
	if k := w.Kind(); k != '{' && k != 't' {
		w.Skip()
		return nil
	}
	if n := readNode(w, depth); !n.never {
		return n
	}
	return nil
}

// readNodes reads a list of schemas without those that nothing satisfies; nil if there is none.
func readNodes(w *gemini.Walker, depth int) (nodes []*schemaNode) {
	if w.Kind() != '[' {
		w.Skip()
		return nil
	}
	w.Array("", func(int) {
		if n := readNode(w, depth); !n.never {
			nodes = append(nodes, n)
		}
	})
	return nodes
}

// readMap reads the schemas of a map without those that nothing satisfies.
func readMap(w *gemini.Walker, depth int) (nodes []*schemaNode) {
	for _, p := range readProperties(w, depth) {
		if !p.schema.never {
			nodes = append(nodes, p.schema)
		}
	}
	return nodes
}

// readProperties reads a map of schemas in its order. The last of two properties with one name counts, in the place of the
// first.
func readProperties(w *gemini.Walker, depth int) []schemaProperty {
	if w.Kind() != '{' {
		w.Skip()
		return nil
	}
	properties := []schemaProperty{}
	at := map[string]int{}
	w.Object("", func(name []byte) {
		p := schemaProperty{name: string(name)}
		p.schema = readNode(w, depth)
		if i, twice := at[p.name]; twice {
			properties[i] = p
			return
		}
		at[p.name] = len(properties)
		properties = append(properties, p)
	})
	return properties
}

// readStrings reads the strings of an array; one may also stand as a single string.
func readStrings(w *gemini.Walker, single bool) (list []string) {
	switch {
	case w.Kind() == '[':
		w.Array("", func(int) {
			if w.Kind() == '"' {
				list = append(list, w.String())
			} else {
				w.Skip()
			}
		})
	case w.Kind() == '"' && single:
		list = []string{w.String()}
	default:
		w.Skip()
	}
	return list
}

func readString(w *gemini.Walker) string {
	if w.Kind() != '"' {
		w.Skip()
		return ""
	}
	return w.String()
}

// rawOf reads a value that begins with kind; any other is nil.
func rawOf(w *gemini.Walker, kind byte) json.RawMessage {
	if w.Kind() != kind {
		w.Skip()
		return nil
	}
	return w.Any()
}
