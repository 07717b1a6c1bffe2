package front

import (
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
		w.Object("", func(name []byte) { n.readKeyword(w, string(name), depth+1) })
	}
	return n
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
			n.additional = readNode(w, depth)
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
	default:
		w.Skip()
	}
}

func readUnlessNever(w *gemini.Walker, depth int) *schemaNode {
	if k := w.Kind(); k != '{' && k != 't' {
		w.Skip()
		return nil
	}
	return readNode(w, depth)
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
