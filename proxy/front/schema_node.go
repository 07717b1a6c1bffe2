package front

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// schemaNode is one schema: those of its keywords that mean something to Gemini, in a form that all drafts share.
type schemaNode struct {
	size     int  // bytes, of the target of a reference
	never    bool // the schema false
	ref      string
	types    []string
	nullable bool // OpenAPI's word for the type null

	format             string
	title, description gemini.Text
	fallback           json.RawMessage // default
	enum               []json.RawMessage
	numbers            [numberKeywords]json.RawMessage
	pattern            gemini.Text

	items, additional   *schemaNode
	additionalBool      json.RawMessage // additionalProperties: true or false
	prefix              []*schemaNode
	properties          []schemaProperty
	required, ordering  []string
	allOf, anyOf, oneOf []*schemaNode
	sometimes           []*schemaNode // then, else, dependentSchemas: what they say of properties holds in some cases
}

type schemaProperty struct {
	name   string
	schema *schemaNode
}

// The keywords whose value is a number; those from minLength on count something.
const (
	kwMinimum = iota
	kwMaximum
	kwExclusiveMinimum
	kwExclusiveMaximum
	kwMinLength
	kwMaxLength
	kwMinItems
	kwMaxItems
	numberKeywords
)

func numberKeyword(name string) int {
	return slices.Index([]string{
		"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "minItems", "maxItems",
	}, name)
}

// is reports whether a value of type t fits the node's types.
func (n *schemaNode) is(t string) bool { return slices.Contains(n.types, t) }

// bare reports whether the node has no keyword but perhaps a reference.
func (n *schemaNode) bare() bool {
	words := len(n.types) > 0 || n.nullable || n.format != "" || n.title != nil || n.description != nil || n.fallback != nil ||
		n.enum != nil || n.pattern != nil || slices.ContainsFunc(n.numbers[:], func(v json.RawMessage) bool { return v != nil })
	schemas := n.items != nil || n.additional != nil || n.additionalBool != nil || n.prefix != nil || n.properties != nil ||
		n.required != nil || n.allOf != nil || n.anyOf != nil || n.oneOf != nil || n.sometimes != nil
	return !words && !schemas
}

// normalise settles what depends on several keywords, once allOf and references are merged in.
func (n *schemaNode) normalise() {
	n.settleTypes()
	var notes []string
	if note := n.settleEnum(); note != "" {
		notes = append(notes, note)
	}
	if n.format != "" && !n.formatFits() {
		if len(n.format) <= maxNote {
			notes = append(notes, "format: "+n.format)
		}
		n.format = ""
	}
	if len(n.fallback) > 0 && len(n.fallback) <= maxNote && strings.IndexByte(`{[n`, n.fallback[0]) < 0 && string(n.fallback) != `""` {
		notes = append(notes, "default: "+string(n.fallback))
	}
	n.fallback = nil
	if len(notes) > 0 {
		n.description = withNote(n.description, strings.Join(notes, ", "))
	}
	n.settleNumbers()
	n.settleNames()
	if n.is("array") && n.items == nil && len(n.prefix) == 0 {
		n.items = &schemaNode{}
	}
}

// tellRequired puts a union into words that says no more than which properties must be there: as schemas its branches mean
// nothing to Gemini.
func (n *schemaNode) tellRequired() {
	for _, union := range []*[]*schemaNode{&n.anyOf, &n.oneOf} {
		if note := requiredNote(*union); note != "" && len(note) <= maxNote {
			n.description = withNote(n.description, note)
			*union = nil
		}
	}
}

func requiredNote(union []*schemaNode) string {
	var sets []string
	for _, branch := range union {
		rest := *branch
		rest.required = nil
		if slices.Equal(rest.types, []string{"object"}) {
			rest.types = nil
		}
		if len(branch.required) == 0 || rest.ref != "" || !rest.bare() {
			return ""
		}
		sets = append(sets, strings.Join(branch.required, " and "))
	}
	if len(sets) == 0 {
		return ""
	}
	return "required: " + strings.Join(sets, ", or ")
}

// maxNote is how many bytes of a default or of values are told in a description.
const maxNote = 200

// withNote puts what the keywords of a schema cannot say into its description.
func withNote(description gemini.Text, note string) gemini.Text {
	if description.Empty() {
		return gemini.Quote(note)
	}
	return description.Wrap("", " ("+note+")")
}

// settleTypes leaves the types that JSON Schema has, each once. A list of values has the type of its values.
func (n *schemaNode) settleTypes() {
	var types []string
	for _, t := range n.types {
		t = strings.ToLower(t)
		switch t {
		case "string", "number", "integer", "boolean", "array", "object", "null":
			if !slices.Contains(types, t) {
				types = append(types, t)
			}
		}
	}
	if types == nil {
		types = typeOf(n.enum)
	}
	if n.nullable && len(types) > 0 && !slices.Contains(types, "null") {
		types = append(types, "null")
	}
	n.types, n.nullable = types, n.nullable && len(types) == 0
}

// typeOf is the type that all values share, with null beside it if that is among them; nil if they have several.
func typeOf(values []json.RawMessage) (types []string) {
	for _, v := range values {
		if len(v) == 0 {
			continue
		}
		t := "number"
		switch v[0] {
		case '"':
			t = "string"
		case 't', 'f':
			t = "boolean"
		case '{':
			t = "object"
		case '[':
			t = "array"
		case 'n':
			t = "null"
		default:
			if !finite(v) {
				continue
			}
		}
		if !slices.Contains(types, t) {
			types = append(types, t)
		}
	}
	if len(types) > 2 || len(types) == 2 && !slices.Contains(types, "null") {
		return nil
	}
	return types
}

// settleEnum leaves the values that Gemini can be held to, strings and numbers, each once. If there are others, a note names
// all of them.
func (n *schemaNode) settleEnum() (note string) {
	var values []json.RawMessage
	other, seen := false, map[string]bool{}
	for _, v := range n.enum {
		if len(v) == 0 || seen[string(v)] {
			continue
		}
		seen[string(v)] = true
		switch v[0] {
		case 'n':
			if len(n.types) > 0 && !n.is("null") {
				n.types = append(n.types, "null")
			}
			continue
		case 't', 'f', '{', '[':
			other = true
		case '"':
		default:
			if !finite(v) {
				continue
			}
		}
		values = append(values, v)
	}
	if n.enum = values; !other {
		return ""
	}
	n.enum = nil
	return "allowed: " + listed(values)
}

// listed names values in a note, as many as have room in it.
func listed(values []json.RawMessage) (note string) {
	for i, v := range values {
		if len(note) > maxNote || len(v) > maxNote {
			break
		}
		if i > 0 {
			note += " or "
		}
		note += string(v)
	}
	return note
}

// formatFits reports whether Gemini knows the format for the node's types.
func (n *schemaNode) formatFits() bool {
	switch n.format {
	case "date-time", "date", "time", "duration", "enum":
		return len(n.types) == 0 || n.is("string")
	case "float", "double":
		return len(n.types) == 0 || n.is("number")
	case "int32", "int64":
		return len(n.types) == 0 || n.is("integer") || n.is("number")
	}
	return false
}

// settleNumbers turns exclusive bounds into inclusive ones and drops what is no number, or no count.
func (n *schemaNode) settleNumbers() {
	for i := range n.numbers {
		v := n.numbers[i]
		switch {
		case v == nil:
		case !finite(v):
			n.numbers[i] = nil
		case i >= kwMinLength:
			n.numbers[i] = count(v)
		}
	}
	n.exclusive(kwExclusiveMinimum, kwMinimum, 1)
	n.exclusive(kwExclusiveMaximum, kwMaximum, -1)
}

// exclusive puts an exclusive bound in the place of an inclusive one that is not there.
func (n *schemaNode) exclusive(from, to, step int) {
	v := n.numbers[from]
	n.numbers[from] = nil
	if v == nil || n.numbers[to] != nil {
		return
	}
	n.numbers[to] = v
	if i, err := strconv.ParseInt(string(v), 10, 53); err == nil && n.is("integer") && !n.is("number") {
		n.numbers[to] = strconv.AppendInt(nil, i+int64(step), 10)
	}
}

// finite reports whether a JSON value is a number that a reader of doubles can take.
func finite(v json.RawMessage) bool {
	_, err := strconv.ParseFloat(string(v), 64)
	return err == nil && len(v) <= maxNote
}

// count is v as digits, nil if it counts nothing.
func count(v json.RawMessage) json.RawMessage {
	f, err := strconv.ParseFloat(string(v), 64)
	if err != nil || f < 0 || f >= 1<<31 || f != float64(int64(f)) {
		return nil
	}
	return strconv.AppendInt(nil, int64(f), 10)
}

// settleNames drops properties that nothing satisfies, and the names of properties that are not there.
func (n *schemaNode) settleNames() {
	var kept []schemaProperty
	names := map[string]bool{}
	for _, p := range n.properties {
		if !p.schema.never {
			kept = append(kept, p)
			names[p.name] = true
		}
	}
	if n.properties != nil && kept == nil {
		kept = []schemaProperty{}
	}
	n.properties = kept
	n.required = onceOf(n.required, names)
	n.ordering = onceOf(n.ordering, names)
}

// onceOf is the list of those of list that are in names, each once.
func onceOf(list []string, names map[string]bool) (out []string) {
	seen := make(map[string]bool, len(list))
	for _, name := range list {
		if names[name] && !seen[name] {
			seen[name] = true
			out = append(out, name)
		}
	}
	return out
}
