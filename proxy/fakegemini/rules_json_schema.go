package fakegemini

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// JSON schemas (parametersJsonSchema, responseJsonSchema) are free text but for their references: each leads somewhere
// inside of the schema, stands alone but for $-names, and comes back to itself only where a property may be left out.

// jsonSchema is one schema text and what was found in it.
type jsonSchema struct {
	root   json.RawMessage
	faults []string
	seen   map[string]int // references: onTheWay or through
}

const (
	onTheWay = 1
	through  = 2
)

// subschemas are the keywords that hold a schema, a list of schemas, or an object of schemas.
var subschemas = map[string]bool{
	"items": true, "prefixItems": true, "additionalProperties": true, "anyOf": true, "oneOf": true, "allOf": true, "not": true,
}

var schemaMaps = map[string]bool{"properties": true, "$defs": true, "definitions": true, "patternProperties": true}

func jsonSchemas(q *asked) *refusal {
	all := []Value{q.config().ResponseJSONSchema}
	for _, d := range q.functions() {
		all = append(all, d.ParametersJSONSchema, d.ResponseJSONSchema)
	}
	for _, v := range all {
		s := jsonSchema{root: json.RawMessage(v), seen: map[string]int{}}
		s.walk(s.root, nil)
		if len(s.faults) > 0 {
			return refuse(RuleJSONSchema, s.faults[0])
		}
	}
	return nil
}

func isObject(raw json.RawMessage) bool { return len(raw) > 0 && raw[0] == '{' }

// walk looks at every reference below raw; path is where raw stands.
func (s *jsonSchema) walk(raw json.RawMessage, path []string) {
	if len(raw) > 0 && raw[0] == '[' {
		for i, item := range elements(raw) {
			s.walk(item, at(path, strconv.Itoa(i)))
		}
	}
	if !isObject(raw) {
		return
	}
	fields := members(raw)
	for _, m := range fields {
		switch {
		case m.name == "$ref":
			s.reference(unquote(m.raw), fields, path)
		case subschemas[m.name]:
			s.walk(m.raw, at(path, m.name))
		case schemaMaps[m.name] && isObject(m.raw):
			for _, p := range members(m.raw) {
				s.walk(p.raw, at(path, m.name, p.name))
			}
		}
	}
}

func at(path []string, more ...string) []string { return append(slices.Clip(path), more...) }

func (s *jsonSchema) reference(ref string, siblings []member, path []string) {
	for _, m := range siblings {
		if !strings.HasPrefix(m.name, "$") {
			s.faults = append(s.faults, fmt.Sprintf("$ref '%s' was set alongside unsupported fields. If a schema node has $ref set, then only names that begin with $ can be set alongside it.", ref))
			return
		}
	}
	if _, ok := s.resolve(ref); !ok {
		s.faults = append(s.faults, "reference to undefined schema at "+strings.Join(path, "."))
		return
	}
	s.visit(ref, path)
}

// resolve follows "#", "#/a/b" and "#anchor", and the root's own $id.
func (s *jsonSchema) resolve(ref string) (json.RawMessage, bool) {
	if id, ok := fieldOf(s.root, "$id"); ok && unquote(id) == ref {
		return s.root, true
	}
	pointer, ok := strings.CutPrefix(ref, "#")
	if !ok {
		return nil, false
	}
	if pointer != "" && pointer[0] != '/' {
		return anchored(s.root, pointer)
	}
	here := s.root
	for step := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		if step == "" {
			continue
		}
		next, ok := fieldOf(here, strings.NewReplacer("~1", "/", "~0", "~").Replace(step))
		if !ok {
			return nil, false
		}
		here = next
	}
	return here, true
}

func fieldOf(raw json.RawMessage, name string) (json.RawMessage, bool) {
	if len(raw) > 0 && raw[0] == '[' {
		i, err := strconv.Atoi(name)
		items := elements(raw)
		if err != nil || i < 0 || i >= len(items) {
			return nil, false
		}
		return items[i], true
	}
	if !isObject(raw) {
		return nil, false
	}
	for _, m := range members(raw) {
		if m.name == name {
			return m.raw, true
		}
	}
	return nil, false
}

// anchored finds the schema with an $anchor.
func anchored(raw json.RawMessage, name string) (json.RawMessage, bool) {
	var children []json.RawMessage
	if len(raw) > 0 && raw[0] == '[' {
		children = elements(raw)
	} else if isObject(raw) {
		for _, m := range members(raw) {
			if m.name == "$anchor" && unquote(m.raw) == name {
				return raw, true
			}
			children = append(children, m.raw)
		}
	}
	for _, c := range children {
		if found, ok := anchored(c, name); ok {
			return found, true
		}
	}
	return nil, false
}

// visit follows a reference and every one that must be followed behind it; one that is met again on its own way is a
// loop without an end.
func (s *jsonSchema) visit(ref string, path []string) {
	switch s.seen[ref] {
	case onTheWay:
		s.faults = append(s.faults, fmt.Sprintf("reference %s at %s leads back to itself through required properties", ref, strings.Join(path, ".")))
	case 0:
		s.seen[ref] = onTheWay
		if to, ok := s.resolve(ref); ok {
			s.follow(to, path)
		}
		s.seen[ref] = through
	}
}

// follow goes on to all that a value of the schema raw must have.
func (s *jsonSchema) follow(raw json.RawMessage, path []string) {
	if len(raw) > 0 && raw[0] == '[' {
		for _, item := range elements(raw) {
			s.follow(item, path)
		}
	}
	if !isObject(raw) || len(s.faults) > 0 {
		return
	}
	properties, _ := fieldOf(raw, "properties")
	for _, name := range requiredOf(raw) {
		if p, ok := fieldOf(properties, name); ok {
			s.follow(p, path)
		}
	}
	for _, m := range members(raw) {
		if m.name == "$ref" {
			s.visit(unquote(m.raw), path)
		} else if subschemas[m.name] {
			s.follow(m.raw, path)
		}
	}
}

func requiredOf(raw json.RawMessage) []string {
	list, ok := fieldOf(raw, "required")
	if !ok || len(list) == 0 || list[0] != '[' {
		return nil
	}
	var out []string
	for _, e := range elements(list) {
		out = append(out, unquote(e))
	}
	return out
}
