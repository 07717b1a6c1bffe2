package front

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// schemaDoc is a schema with what its references lead to.
type schemaDoc struct {
	raw     json.RawMessage
	targets map[string]*schemaNode // by reference, read when first asked for; nil leads nowhere
	open    []string               // references whose targets are being written, to find circles
	budget  int                    // bytes that may still be copied to where they are used

	index  map[string]json.RawMessage // the root's definitions, by plain reference
	search int                        // bytes that may still be looked through for other targets

	named map[string]string // references that were kept: the name that the definition has in $defs
	taken map[string]bool   // those names
	defs  []byte            // the definitions that were asked for, as members of an object
}

// flatten is a copy of n with the schemas of its allOf and its reference merged in, what n itself says first, and with the
// properties that it has in some cases. A reference that
// leads back to where it stands, or to more than the budget has, becomes an object. What was opened is d.open's new end.
func (d *schemaDoc) flatten(n *schemaNode) *schemaNode {
	out := *n
	out.ref, out.allOf, out.sometimes = "", nil, nil
	if n.ref != "" {
		d.mergeRef(&out, n.ref)
	}
	var more [][]schemaProperty
	for _, child := range n.allOf {
		flat := d.flatten(child)
		more = append(more, flat.properties)
		flat.properties = nil // all at once below: there may be thousands of children
		out.merge(flat)
	}
	for _, child := range n.sometimes {
		more = append(more, d.flatten(child).properties)
	}
	out.properties = mergeProperties(out.properties, more...)
	return &out
}

func (d *schemaDoc) mergeRef(out *schemaNode, ref string) {
	target := d.target(ref)
	if target == nil {
		return
	}
	cost := inlineCost + target.size
	if slices.Contains(d.open, ref) || cost > d.budget {
		out.merge(&schemaNode{types: []string{"object"}})
		return
	}
	d.budget -= cost
	d.open = append(d.open, ref)
	out.merge(d.flatten(target))
}

// merge adds what n does not say itself.
func (n *schemaNode) merge(more *schemaNode) {
	n.nullable = n.nullable || more.nullable
	orSlice(&n.types, more.types)
	if n.format == "" {
		n.format = more.format
	}
	orSlice(&n.title, more.title)
	orSlice(&n.description, more.description)
	orSlice(&n.fallback, more.fallback)
	orSlice(&n.enum, more.enum)
	for i := range n.numbers {
		orSlice(&n.numbers[i], more.numbers[i])
	}
	orSlice(&n.pattern, more.pattern)
	if n.items == nil {
		n.items = more.items
	}
	if n.additional == nil && n.additionalBool == nil {
		n.additional, n.additionalBool = more.additional, more.additionalBool
	}
	orSlice(&n.prefix, more.prefix)
	orSlice(&n.anyOf, more.anyOf)
	orSlice(&n.oneOf, more.oneOf)
	n.properties = mergeProperties(n.properties, more.properties)
	n.required = slices.Concat(n.required, more.required)
	n.ordering = slices.Concat(n.ordering, more.ordering)
}

func orSlice[S ~[]E, E any](to *S, from S) {
	if *to == nil {
		*to = from
	}
}

// mergeProperties adds to first what it does not have; nil is no list at all.
func mergeProperties(first []schemaProperty, more ...[]schemaProperty) []schemaProperty {
	if !slices.ContainsFunc(more, func(list []schemaProperty) bool { return list != nil }) {
		return first
	}
	names := make(map[string]bool, len(first))
	for _, p := range first {
		names[p.name] = true
	}
	out := append([]schemaProperty{}, first...)
	for _, list := range more {
		for _, p := range list {
			if !names[p.name] {
				names[p.name] = true
				out = append(out, p)
			}
		}
	}
	return out
}

// target is the schema that a reference leads to, nil if there is none in this document.
func (d *schemaDoc) target(ref string) *schemaNode {
	if n, known := d.targets[ref]; known {
		return n
	}
	if d.targets == nil {
		d.targets = map[string]*schemaNode{}
	}
	raw := d.find(ref)
	var n *schemaNode
	if raw != nil {
		n = readNode(gemini.NewWalker(raw), 0)
		n.size = len(raw)
	}
	d.targets[ref] = n
	return n
}

// find is the text of a reference's target.
func (d *schemaDoc) find(ref string) json.RawMessage {
	if d.index == nil {
		d.index = map[string]json.RawMessage{}
		for _, key := range []string{"definitions", "$defs"} {
			eachMember(member(d.raw, key), func(name string, value json.RawMessage) { d.index["#/"+key+"/"+name] = value })
		}
	}
	if raw, ok := d.index[ref]; ok {
		return raw
	}
	if d.search -= len(d.raw); d.search < 0 {
		return nil
	}
	fragment, local := strings.CutPrefix(ref, "#")
	if local && (fragment == "" || fragment[0] == '/') {
		path, err := url.PathUnescape(fragment)
		if err != nil {
			return nil
		}
		return pointed(d.raw, path)
	}
	d.search -= 4 * len(d.raw) // every level is read anew
	return identified(d.raw, ref, fragment, 0)
}

// pointed is the value at a JSON pointer (RFC 6901), nil if there is none.
func pointed(raw json.RawMessage, pointer string) json.RawMessage {
	if pointer == "" {
		return raw
	}
	for _, step := range strings.Split(pointer[1:], "/") {
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		if raw = member(raw, step); raw == nil {
			return nil
		}
	}
	return raw
}

func member(raw json.RawMessage, name string) (found json.RawMessage) {
	eachMember(raw, func(key string, value json.RawMessage) {
		if key == name {
			found = value
		}
	})
	return found
}

// eachMember calls f for the members of an object, or for the elements of an array by their number.
func eachMember(raw json.RawMessage, f func(key string, value json.RawMessage)) {
	w := gemini.NewWalker(raw)
	switch w.Kind() {
	case '{':
		w.Object("", func(name []byte) { f(string(name), w.Any()) })
	case '[':
		w.Array("", func(i int) { f(strconv.Itoa(i), w.Any()) })
	}
}

// identified finds the schema whose $id is id or whose $anchor is anchor.
func identified(raw json.RawMessage, id, anchor string, depth int) (found json.RawMessage) {
	if depth > maxReadDepth {
		return nil
	}
	eachMember(raw, func(key string, value json.RawMessage) {
		switch {
		case found != nil || len(value) == 0:
		case value[0] == '{' || value[0] == '[':
			found = identified(value, id, anchor, depth+1)
		case key == "$id" || key == "id":
			if gemini.Text(value).String() == id {
				found = raw
			}
		case key == "$anchor" || key == "$dynamicAnchor":
			if gemini.Text(value).String() == anchor {
				found = raw
			}
		}
	})
	return found
}
