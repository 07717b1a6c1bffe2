package fakegemini

import (
	"fmt"
	"slices"
	"sort"
)

// schemas looks at the structure of every proto schema (parameters, response, responseSchema).
func schemas(q *asked) *refusal {
	var lines []string
	q.eachFunction(func(path string, d FunctionDeclaration) {
		lines = append(lines, schemaFaults(d.Parameters, path+".parameters")...)
		lines = append(lines, schemaFaults(d.Response, path+".response")...)
	})
	lines = append(lines, schemaFaults(q.config().ResponseSchema, "generation_config.response_schema")...)
	return q.violations(RuleSchema, lines)
}

// emptyObjects looks for objects without properties below the top.
func emptyObjects(q *asked) *refusal {
	if q.model.Family.MixesBuiltIns {
		return nil
	}
	var lines []string
	q.eachFunction(func(path string, d FunctionDeclaration) {
		lines = append(lines, d.Parameters.emptyBelow(path+".parameters")...)
	})
	return q.violations(RuleEmptyObject, lines)
}

func (s *Schema) emptyBelow(path string) []string {
	var lines []string
	for _, child := range s.children(path) {
		if child.schema.Type == "OBJECT" && len(child.schema.Properties) == 0 {
			lines = append(lines, child.path+".properties: should be non-empty for OBJECT type")
		}
		lines = append(lines, child.schema.emptyBelow(child.path)...)
	}
	return lines
}

type schemaAt struct {
	schema *Schema
	path   string
}

// children are the schemas right below s.
func (s *Schema) children(path string) []schemaAt {
	if s == nil {
		return nil
	}
	var out []schemaAt
	if s.Items != nil {
		out = append(out, schemaAt{s.Items, path + ".items"})
	}
	for _, name := range sortedNames(s.Properties) {
		p := s.Properties[name]
		out = append(out, schemaAt{&p, fmt.Sprintf("%s.properties[%s]", path, name)})
	}
	for i := range s.AnyOf {
		out = append(out, schemaAt{&s.AnyOf[i], fmt.Sprintf("%s.any_of[%d]", path, i)})
	}
	return out
}

// schemaFaults lists what is wrong with s and everything below it, as lines for violations.
func schemaFaults(s *Schema, path string) []string {
	if s == nil {
		return nil
	}
	lines := s.faults(path)
	for _, child := range s.children(path) {
		lines = append(lines, schemaFaults(child.schema, child.path)...)
	}
	return lines
}

func (s *Schema) faults(path string) []string {
	var lines []string
	add := func(bad bool, text string) {
		if bad {
			lines = append(lines, path+"."+text)
		}
	}
	kind := s.Type
	if len(s.AnyOf) > 0 {
		kind = "" // keywords of one type stand in the branches
	}
	add(len(s.Properties) > 0 && kind != "OBJECT", "properties: only allowed for OBJECT type")
	add(len(s.Required) > 0 && kind != "OBJECT", "required: only allowed for OBJECT type")
	add(s.Items != nil && kind != "ARRAY", "items: field predicate failed: $type == Type.ARRAY")
	add(s.Items == nil && kind == "ARRAY", "items: missing field.")
	add(len(s.Enum) > 0 && kind != "STRING", "enum: only allowed for STRING type")
	add(!s.formatFits(), "format: "+formatText[s.Type])
	for i, value := range s.Enum {
		add(value == "", fmt.Sprintf("enum[%d]: cannot be empty", i))
	}
	for i, name := range s.Required {
		if _, ok := s.Properties[name]; !ok && s.Type == "OBJECT" {
			add(true, fmt.Sprintf("required[%d]: property is not defined", i))
		}
	}
	return lines
}

var formats = map[SchemaType][]string{
	"STRING": {"enum", "date-time"}, "NUMBER": {"float", "double"}, "INTEGER": {"int32", "int64"},
}

var formatText = map[SchemaType]string{
	"STRING":  "only 'enum' and 'date-time' are supported for STRING type",
	"NUMBER":  "only 'float' and 'double' are supported for NUMBER type",
	"INTEGER": "only 'int32' and 'int64' are supported for INTEGER type",
}

func (s *Schema) formatFits() bool {
	allowed, limited := formats[s.Type]
	return s.Format == "" || !limited || slices.Contains(allowed, s.Format)
}

func sortedNames(m map[string]Schema) []string {
	out := make([]string, 0, len(m))
	for name := range m {
		out = append(out, name)
	}
	sort.Strings(out)
	return out
}
