package front

import (
	"bytes"
	"encoding/json"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// emptySchema is a function without parameters.
const emptySchema = `{"type":"object","properties":{}}`

// CleanSchema makes a tool's JSON Schema one that Gemini takes as parametersJsonSchema: an object at the root, without
// $schema and $comment. Properties with such names stay, and so does the order of everything. raw must be valid JSON or nil.
func CleanSchema(raw json.RawMessage) json.RawMessage {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || raw[0] != '{' {
		return json.RawMessage(emptySchema)
	}
	if bytes.Contains(raw, []byte(`$schema`)) || bytes.Contains(raw, []byte(`$comment`)) {
		raw = withoutNotes(raw)
	}
	return withObjectRoot(raw)
}

// withObjectRoot gives the root the type object if it has none; a root of another type is no set of parameters.
func withObjectRoot(raw json.RawMessage) json.RawMessage {
	var root struct {
		Type json.RawMessage `json:"type"`
	}
	if json.Unmarshal(raw, &root) != nil || len(bytes.TrimSpace(raw[1:len(raw)-1])) == 0 {
		return json.RawMessage(emptySchema)
	}
	switch string(root.Type) {
	case `"object"`:
		return raw
	case "":
		return append([]byte(`{"type":"object",`), raw[1:]...)
	}
	if root.Type[0] != '"' {
		return raw
	}
	return json.RawMessage(emptySchema)
}

// CleanOutput is CleanSchema for the schema of an answer, whose root may be anything.
func CleanOutput(raw json.RawMessage) json.RawMessage {
	if bytes.Contains(raw, []byte(`$schema`)) || bytes.Contains(raw, []byte(`$comment`)) {
		return withoutNotes(raw)
	}
	return raw
}

// withoutNotes copies a schema without $schema and $comment, at the places where a schema stands.
func withoutNotes(raw json.RawMessage) json.RawMessage {
	w := gemini.NewWalker(append([]byte(nil), raw...))
	out := copySchema(nil, w)
	if w.Done() != nil {
		return raw
	}
	return out
}

func copySchema(dst []byte, w *gemini.Walker) []byte {
	if w.Kind() != '{' {
		return append(dst, w.Any()...)
	}
	dst = append(dst, '{')
	first := true
	w.Object("", func(name []byte) {
		if string(name) == "$schema" || string(name) == "$comment" {
			w.Skip()
			return
		}
		dst = appendName(dst, name, &first)
		switch string(name) {
		case "properties", "patternProperties", "$defs", "definitions", "dependentSchemas":
			dst = copySchemaMap(dst, w)
		case "items", "prefixItems", "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "contains",
			"additionalProperties", "propertyNames", "unevaluatedProperties", "unevaluatedItems", "additionalItems":
			dst = copySchemas(dst, w)
		default:
			dst = append(dst, w.Any()...)
		}
	})
	return append(dst, '}')
}

// copySchemaMap copies an object whose values are schemas.
func copySchemaMap(dst []byte, w *gemini.Walker) []byte {
	if w.Kind() != '{' {
		return append(dst, w.Any()...)
	}
	dst = append(dst, '{')
	first := true
	w.Object("", func(name []byte) {
		dst = copySchema(appendName(dst, name, &first), w)
	})
	return append(dst, '}')
}

// copySchemas copies a schema or an array of schemas.
func copySchemas(dst []byte, w *gemini.Walker) []byte {
	if w.Kind() != '[' {
		return copySchema(dst, w)
	}
	dst = append(dst, '[')
	w.Array("", func(i int) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = copySchema(dst, w)
	})
	return append(dst, ']')
}

func appendName(dst, name []byte, first *bool) []byte {
	if !*first {
		dst = append(dst, ',')
	}
	*first = false
	return append(gemini.AppendQuoted(dst, name), ':')
}
