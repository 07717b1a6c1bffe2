package front

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// cleanRoot writes a flattened root, and the definitions that it needs.
func (d *schemaDoc) cleanRoot(root *schemaNode) json.RawMessage {
	out := d.writeKeywords([]byte{'{'}, root, 0)
	if len(d.defs) > 0 {
		out = append(appendKey(out, "$defs"), '{')
		out = append(append(out, d.defs...), '}')
	}
	return append(out, '}')
}

// clean writes one schema for parametersJsonSchema.
func (d *schemaDoc) clean(dst []byte, n *schemaNode, depth int) []byte {
	if depth > maxSchemaDepth || len(dst) > maxSchema {
		return append(dst, someObject...)
	}
	if name, ok := d.definition(n); ok {
		dst = append(dst, `{"$ref":"#/$defs/`...)
		return append(gemini.AppendEscaped(dst, name), '"', '}')
	}
	mark := len(d.open)
	flat := d.flatten(n)
	flat.normalise()
	dst = append(d.writeKeywords(append(dst, '{'), flat, depth), '}')
	d.open = d.open[:mark]
	return dst
}

// definition writes what a plain reference to the root's definitions leads to, once, and returns the name that it has in
// $defs. Such a reference may stay; every other one is resolved.
func (d *schemaDoc) definition(n *schemaNode) (name string, ok bool) {
	if n.ref == "" || !n.bare() || slices.Contains(d.open, n.ref) {
		return "", false
	}
	if name, ok = d.named[n.ref]; ok {
		return name, true
	}
	name, ok = definitionName(n.ref)
	target := d.target(n.ref)
	if !ok || target == nil || d.taken[name] { // $defs and definitions may both have it
		return "", false
	}
	d.open = append(d.open, n.ref)
	body := d.clean(nil, target, 2)
	d.open = d.open[:len(d.open)-1]
	if d.named == nil {
		d.named, d.taken = map[string]string{}, map[string]bool{}
	}
	d.named[n.ref], d.taken[name] = name, true
	if len(d.defs) > 0 {
		d.defs = append(d.defs, ',')
	}
	d.defs = append(gemini.AppendQuoted(d.defs, name), ':')
	d.defs = append(d.defs, body...)
	return name, true
}

// definitionName is the plain name of a definition at the root.
func definitionName(ref string) (string, bool) {
	name, ok := strings.CutPrefix(ref, "#/$defs/")
	if !ok {
		if name, ok = strings.CutPrefix(ref, "#/definitions/"); !ok {
			return "", false
		}
	}
	for i := range len(name) {
		if c := name[i]; !isNameByte(c) {
			return "", false
		}
	}
	return name, name != "" && len(name) <= maxToolName
}

// writeKeywords writes the members of a flattened, normalised schema.
func (d *schemaDoc) writeKeywords(dst []byte, n *schemaNode, depth int) []byte {
	n.tellRequired()
	switch {
	case len(n.types) == 1:
		dst = gemini.AppendQuoted(appendKey(dst, "type"), n.types[0])
	case len(n.types) > 1:
		dst = appendNames(appendKey(dst, "type"), n.types)
	}
	dst = appendTexts(dst, n)
	if len(n.enum) > 0 {
		dst = append(appendKey(dst, "enum"), '[')
		for i, v := range n.enum {
			dst = append(separated(dst, i), v...)
		}
		dst = append(dst, ']')
	}
	dst = appendNumbers(dst, n, kwMinimum, kwMaximum, kwMinLength, kwMaxLength)
	dst = appendLiteral(dst, "pattern", n.pattern)
	if n.items != nil {
		dst = d.clean(appendKey(dst, "items"), n.items, depth+1)
	}
	dst = d.cleanList(dst, "prefixItems", n.prefix, depth)
	dst = appendNumbers(dst, n, kwMinItems, kwMaxItems)
	dst = d.cleanProperties(dst, n, depth)
	dst = d.cleanUnion(dst, "anyOf", n.anyOf, depth)
	return d.cleanUnion(dst, "oneOf", n.oneOf, depth)
}

// cleanUnion leaves out a union whose branches say nothing that Gemini can be told.
func (d *schemaDoc) cleanUnion(dst []byte, name string, list []*schemaNode, depth int) []byte {
	out := d.cleanList(dst, name, list, depth)
	_, branches, _ := bytes.Cut(out[len(dst):], []byte{':'})
	if len(bytes.Trim(branches, "[{},]")) == 0 {
		return out[:len(dst)]
	}
	return out
}

func (d *schemaDoc) cleanProperties(dst []byte, n *schemaNode, depth int) []byte {
	if n.properties != nil {
		dst = append(appendKey(dst, "properties"), '{')
		for _, p := range n.properties {
			dst = d.clean(appendKey(dst, p.name), p.schema, depth+1)
		}
		dst = append(dst, '}')
	}
	if len(n.required) > 0 {
		dst = appendNames(appendKey(dst, "required"), n.required)
	}
	if len(n.ordering) > 0 {
		dst = appendNames(appendKey(dst, "propertyOrdering"), n.ordering)
	}
	if n.additional != nil {
		dst = d.clean(appendKey(dst, "additionalProperties"), n.additional, depth+1)
	}
	return appendLiteral(dst, "additionalProperties", n.additionalBool)
}

func (d *schemaDoc) cleanList(dst []byte, name string, list []*schemaNode, depth int) []byte {
	if len(list) == 0 {
		return dst
	}
	dst = append(appendKey(dst, name), '[')
	for i, n := range list {
		dst = d.clean(separated(dst, i), n, depth+1)
	}
	return append(dst, ']')
}

// appendTexts writes what a schema says in words.
func appendTexts(dst []byte, n *schemaNode) []byte {
	if n.format != "" {
		dst = gemini.AppendQuoted(appendKey(dst, "format"), n.format)
	}
	dst = appendLiteral(dst, "title", n.title)
	return appendLiteral(dst, "description", n.description)
}

func appendNumbers(dst []byte, n *schemaNode, keywords ...int) []byte {
	names := [...]string{kwMinimum: "minimum", kwMaximum: "maximum", kwMinLength: "minLength", kwMaxLength: "maxLength",
		kwMinItems: "minItems", kwMaxItems: "maxItems"}
	for _, k := range keywords {
		dst = appendLiteral(dst, names[k], n.numbers[k])
	}
	return dst
}

// appendLiteral writes a member whose value is JSON already, unless it is nil.
func appendLiteral[L ~[]byte](dst []byte, name string, value L) []byte {
	if value == nil {
		return dst
	}
	return append(appendKey(dst, name), value...)
}

// appendKey begins a member of the object that dst ends in.
func appendKey(dst []byte, name string) []byte {
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	return append(gemini.AppendQuoted(dst, name), ':')
}

func appendNames(dst []byte, names []string) []byte {
	dst = append(dst, '[')
	for i, name := range names {
		dst = gemini.AppendQuoted(separated(dst, i), name)
	}
	return append(dst, ']')
}

func separated(dst []byte, i int) []byte {
	if i > 0 {
		return append(dst, ',')
	}
	return dst
}
