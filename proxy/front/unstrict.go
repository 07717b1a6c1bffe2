package front

import (
	"encoding/json"
	"slices"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// Unstrict gives a call's arguments the form of the function's own schema, where that was declared in the strict form: there
// the values of enums that are no strings are texts, and an object without properties of its own has one that stands for none.
func (c *Call) Unstrict(call *gemini.FunctionCall) {
	named := func(d gemini.FunctionDeclaration) bool { return d.Name == call.Name }
	declared := functionsOf(c.Request.Tools)
	i := slices.IndexFunc(declared, named)
	if i < 0 || declared[i].Parameters == nil || len(call.Args) == 0 || c.decoded == nil {
		return
	}
	own := functionsOf(c.decoded.Tools)
	if i = slices.IndexFunc(own, named); i >= 0 {
		call.Args = unstrictArgs(own[i].ParametersJSONSchema, call.Args)
	}
}

// unstrictArgs is args, a JSON object, by the schema that raw is; args themselves where they are no JSON.
func unstrictArgs(raw, args json.RawMessage) json.RawMessage {
	d, root := readSchema(raw)
	if root == nil {
		return args
	}
	u := unstricter{doc: d, w: gemini.NewWalker(slices.Clone(args)), known: map[*schemaNode][]*schemaNode{}}
	u.value([]*schemaNode{root}, 0)
	if u.w.Done() != nil {
		return args
	}
	return u.dst
}

// unstricter writes a value anew. What a value may be is a list of schemas, since a union has several.
type unstricter struct {
	doc   *schemaDoc
	w     *gemini.Walker
	dst   []byte
	known map[*schemaNode][]*schemaNode // what each schema says, references and unions resolved
}

func (u *unstricter) value(schemas []*schemaNode, depth int) {
	var all []*schemaNode
	for _, n := range schemas {
		all = append(all, u.alternatives(n, 0)...)
	}
	switch {
	case len(all) == 0 || depth > maxSchemaDepth:
		u.dst = append(u.dst, u.w.Any()...)
	case u.w.Kind() == '{':
		u.object(all, depth)
	case u.w.Kind() == '[':
		u.array(all, depth)
	case u.w.Kind() == '"':
		u.dst = append(u.dst, meant(all, u.w.Raw())...)
	default:
		u.dst = append(u.dst, u.w.Any()...)
	}
}

// alternatives are the schemas that n stands for.
func (u *unstricter) alternatives(n *schemaNode, depth int) []*schemaNode {
	if all, ok := u.known[n]; ok || depth > maxSchemaDepth {
		return all
	}
	mark := len(u.doc.open)
	flat := u.doc.flatten(n)
	u.doc.open = u.doc.open[:mark]
	all := []*schemaNode{flat}
	u.known[n] = all // for a union of itself
	for _, branch := range slices.Concat(flat.anyOf, flat.oneOf) {
		all = append(all, u.alternatives(branch, depth+1)...)
	}
	u.known[n] = all
	return all
}

func (u *unstricter) object(all []*schemaNode, depth int) {
	properties := map[string][]*schemaNode{}
	var others []*schemaNode
	for _, n := range all {
		for _, p := range n.properties {
			properties[p.name] = append(properties[p.name], p.schema)
		}
		if n.additional != nil {
			others = append(others, n.additional)
		}
	}
	u.dst = append(u.dst, '{')
	count := 0
	u.w.Object("", func(key []byte) {
		name := string(key)
		schemas, declared := properties[name]
		if !declared && name == placeholder && depth > 0 {
			u.w.Any()
			return
		}
		if !declared {
			schemas = others
		}
		u.dst = append(gemini.AppendQuoted(separated(u.dst, count), name), ':')
		count++
		u.value(schemas, depth+1)
	})
	u.dst = append(u.dst, '}')
}

func (u *unstricter) array(all []*schemaNode, depth int) {
	var elements []*schemaNode
	for _, n := range all {
		elements = append(elements, n.prefix...)
		if n.items != nil {
			elements = append(elements, n.items)
		}
	}
	u.dst = append(u.dst, '[')
	u.w.Array("", func(i int) {
		u.dst = separated(u.dst, i)
		u.value(elements, depth+1)
	})
	u.dst = append(u.dst, ']')
}

// meant is the value that a text stands for: itself where a text may stand, else the one of an enum that is written so.
func meant(all []*schemaNode, text json.RawMessage) json.RawMessage {
	plain := gemini.Text(text).String()
	var other json.RawMessage
	for _, n := range all {
		union := len(n.anyOf)+len(n.oneOf) > 0
		if len(n.enum) == 0 && !union && (n.is("string") || n.soleType() == "string") {
			return text
		}
		for _, v := range n.enum {
			switch {
			case len(v) > 0 && v[0] == '"' && gemini.Text(v).String() == plain:
				return text
			case string(v) == plain:
				other = v
			}
		}
	}
	if other != nil {
		return other
	}
	return text
}
