package front

import (
	"encoding/json"
	"slices"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// The proto Schema that Gemini takes as parameters and responseSchema knows few keywords and ties each to a type (Gemini API
// docs and its error texts). It is the fallback for a JSON Schema that was refused.

// anyString stands for what has no type, or lies too deep: the proto Schema wants a type everywhere.
const anyString = `{"type":"STRING"}`

// placeholder is the property of an object that has none of its own; Unstrict takes it out of arguments.
const placeholder = "_"

// emptyStrict is a function without parameters.
const emptyStrict = `{"type":"OBJECT","properties":{}}`

// StrictSchema writes a function's JSON Schema in the form of FunctionDeclaration.Parameters. It takes what CleanSchema takes,
// and what it gives. References are resolved, circles broken; of a tuple its items are kept, of a numeric enum the values as
// strings. What is no schema, or becomes one of more than 256 KiB, is a function without parameters.
func StrictSchema(raw json.RawMessage) json.RawMessage {
	d, root := readSchema(raw)
	if root == nil {
		return json.RawMessage(emptyStrict)
	}
	root = d.joined(d.flatten(root))
	root.normalise()
	root.asParameters()
	root.types, root.enum = []string{"object"}, nil
	if out := d.strictOne(nil, root, "object", 0); len(out) <= maxSchema {
		return out
	}
	return json.RawMessage(emptyStrict)
}

// joined is a root without its union: a set of parameters is one object, with the properties of all branches. Those are
// required that every branch requires.
func (d *schemaDoc) joined(root *schemaNode) *schemaNode {
	j := joint{at: map[string]int{}, whole: map[string]bool{}}
	needed := map[string]int{}
	branches := slices.Concat(root.anyOf, root.oneOf)
	for _, alternative := range branches {
		mark := len(d.open)
		branch := d.flatten(alternative)
		d.open = d.open[:mark] // what one branch refers to is no circle in the next
		for _, p := range branch.properties {
			j.add(d, p)
		}
		for _, name := range slices.Compact(slices.Sorted(slices.Values(branch.required))) {
			if needed[name]++; needed[name] == len(branches) {
				root.required = append(slices.Clip(root.required), name)
			}
		}
	}
	root.properties = mergeProperties(root.properties, j.properties)
	root.anyOf, root.oneOf = nil, nil
	return root
}

// joint is the properties of several branches.
type joint struct {
	properties []schemaProperty
	at         map[string]int  // by name
	whole      map[string]bool // names of those whose values are put together from several branches
}

// add takes a property of a further branch. Of two of one name the first counts, but lists of values, such as those that tell
// the branches apart, are put together.
func (j *joint) add(d *schemaDoc, p schemaProperty) {
	i, twice := j.at[p.name]
	if !twice {
		j.at[p.name] = len(j.properties)
		j.properties = append(j.properties, p)
		return
	}
	mark := len(d.open)
	first, second := j.properties[i].schema, d.flatten(p.schema)
	if !j.whole[p.name] {
		first = d.flatten(first)
		first.enum = slices.Clip(first.enum)
	}
	d.open = d.open[:mark]
	if len(first.enum) > 0 && len(second.enum) > 0 {
		first.enum = append(first.enum, second.enum...)
		j.properties[i].schema, j.whole[p.name] = first, true
	}
}

// StrictOutput is StrictSchema for the schema of an answer, whose root may be of any type. It is nil if raw is no schema.
func StrictOutput(raw json.RawMessage) json.RawMessage {
	d, root := readSchema(raw)
	if root == nil {
		return nil
	}
	if out := d.strict(nil, root, 1); len(out) <= maxSchema {
		return out
	}
	return nil
}

// strict writes one schema.
func (d *schemaDoc) strict(dst []byte, n *schemaNode, depth int) []byte {
	if depth > maxSchemaDepth || len(dst) > maxSchema {
		return append(dst, anyString...)
	}
	mark := len(d.open)
	defer func() { d.open = d.open[:mark] }()
	n = d.flatten(n)
	n.normalise()
	types := slices.DeleteFunc(n.types, func(t string) bool { return t == "null" })
	n.nullable = n.nullable || len(types) < len(n.types)
	n.types = types
	branches := d.branches(n)
	switch {
	case len(branches) > 1:
		return d.strictUnion(dst, n, branches, depth)
	case len(branches) == 1:
		only := *n
		only.anyOf, only.oneOf = nil, nil
		branches[0].merge(&only)
		d.open = append(d.open, branches[0].within...)
		return d.strict(dst, branches[0].schemaNode, depth+1)
	}
	return d.strictOne(dst, n, n.soleType(), depth)
}

// strictBranch is an alternative of a union, and the references that led to what it says: within it they are open.
type strictBranch struct {
	*schemaNode
	within []string
}

// branches are the alternatives of a schema: of its anyOf or oneOf, else of its types. One that is null alone makes the whole
// nullable.
func (d *schemaDoc) branches(n *schemaNode) (out []strictBranch) {
	union := n.anyOf
	if len(union) == 0 {
		union = n.oneOf
	}
	for _, alternative := range union {
		mark := len(d.open)
		branch := strictBranch{d.flatten(alternative), slices.Clone(d.open[mark:])}
		d.open = d.open[:mark]
		if len(branch.types) == 1 && branch.types[0] == "null" {
			n.nullable = true
			continue
		}
		out = append(out, branch)
	}
	if len(union) > 0 || len(n.types) < 2 || len(n.enum) > 0 {
		return out
	}
	for _, t := range n.types {
		out = append(out, strictBranch{schemaNode: &schemaNode{types: []string{t}}})
	}
	return out
}

// soleType is the type of a schema that has one at most.
func (n *schemaNode) soleType() string {
	switch {
	case len(n.enum) > 0:
		return "string"
	case len(n.types) > 0:
		return n.types[0]
	case n.properties != nil || n.additional != nil:
		return "object"
	case n.items != nil || len(n.prefix) > 0:
		return "array"
	case n.numbers[kwMinimum] != nil || n.numbers[kwMaximum] != nil:
		return "number"
	}
	return "string"
}

// strictUnion writes a union. What stands beside it goes into each branch: the proto Schema ties keywords to one type.
func (d *schemaDoc) strictUnion(dst []byte, n *schemaNode, branches []strictBranch, depth int) []byte {
	beside := *n
	beside.anyOf, beside.oneOf, beside.title, beside.description, beside.nullable = nil, nil, nil, nil, false
	n.format = ""
	dst = appendNullable(appendTexts(append(dst, '{'), n), n.nullable)
	dst = append(appendKey(dst, "anyOf"), '[')
	for i, branch := range branches {
		if len(dst) > maxSchema {
			break // too long, whatever follows
		}
		branch.merge(&beside)
		mark := len(d.open)
		d.open = append(d.open, branch.within...)
		dst = d.strict(separated(dst, i), branch.schemaNode, depth+1)
		d.open = d.open[:mark]
	}
	return append(dst, ']', '}')
}

func appendNullable(dst []byte, nullable bool) []byte {
	if !nullable {
		return dst
	}
	return append(appendKey(dst, "nullable"), "true"...)
}

// strictOne writes a schema of one type, with the keywords that go with it.
func (d *schemaDoc) strictOne(dst []byte, n *schemaNode, t string, depth int) []byte {
	if n.format != "" && !strictFormat(t, n.format) {
		n.description = withNote(n.description, "format: "+n.format)
		n.format = ""
	}
	dst = append(dst, `{"type":"`...)
	dst = append(append(dst, strictName(t)...), '"')
	dst = appendTexts(dst, n)
	dst = appendNullable(dst, n.nullable)
	switch t {
	case "string":
		dst = appendEnum(dst, n.enum)
		dst = appendNumbers(dst, n, kwMinLength, kwMaxLength)
		dst = appendLiteral(dst, "pattern", n.pattern)
	case "number", "integer":
		dst = appendNumbers(dst, n, kwMinimum, kwMaximum)
	case "array":
		dst = d.strict(appendKey(dst, "items"), n.element(), depth+1)
		dst = appendNumbers(dst, n, kwMinItems, kwMaxItems)
	case "object":
		dst = d.strictProperties(dst, n, depth)
	}
	return append(dst, '}')
}

// strictName is the proto's name of a JSON type.
func strictName(t string) string {
	switch t {
	case "object":
		return "OBJECT"
	case "array":
		return "ARRAY"
	case "number":
		return "NUMBER"
	case "integer":
		return "INTEGER"
	case "boolean":
		return "BOOLEAN"
	}
	return "STRING"
}

func strictFormat(t, format string) bool {
	switch format {
	case "enum", "date-time":
		return t == "string"
	case "float", "double":
		return t == "number"
	case "int32", "int64":
		return t == "integer"
	}
	return false
}

// appendEnum writes the values that are there, all of them as strings.
func appendEnum(dst []byte, values []json.RawMessage) []byte {
	count := 0
	for _, v := range values {
		if string(v) == `""` {
			continue // refused as empty
		}
		if count == 0 {
			dst = append(appendKey(dst, "enum"), '[')
		}
		if dst = separated(dst, count); v[0] == '"' {
			dst = append(dst, v...)
		} else {
			dst = gemini.AppendQuoted(dst, v)
		}
		count++
	}
	if count > 0 {
		dst = append(dst, ']')
	}
	return dst
}

// element is the schema of an array's elements; those of a tuple may each have their own.
func (n *schemaNode) element() *schemaNode {
	switch {
	case len(n.prefix) > 0:
		return &schemaNode{anyOf: n.prefix}
	case n.items != nil:
		return n.items
	}
	return &schemaNode{}
}

// strictProperties writes an object's properties: within another schema there must be one at least.
func (d *schemaDoc) strictProperties(dst []byte, n *schemaNode, depth int) []byte {
	dst = append(appendKey(dst, "properties"), '{')
	for _, p := range n.properties {
		dst = d.strict(appendKey(dst, p.name), p.schema, depth+1)
	}
	if len(n.properties) == 0 && depth > 0 {
		dst = append(dst, `"`+placeholder+`":{"type":"STRING","description":"Not in use: leave it out, and give the object the properties that it needs.","nullable":true}`...)
	}
	dst = append(dst, '}')
	if len(n.required) > 0 {
		dst = appendNames(appendKey(dst, "required"), n.required)
	}
	return dst
}
