package fakegemini

import (
	"encoding/json"
	"sort"
	"strconv"
	"strings"
)

// Arguments for the calls of the built-in model: the required properties of the function's schema, filled by type.

// shape is what invention reads of either kind of schema.
type shape struct {
	Type       json.RawMessage   `json:"type"`
	Enum       []json.RawMessage `json:"enum"`
	Const      json.RawMessage   `json:"const"`
	Default    json.RawMessage   `json:"default"`
	Minimum    *float64          `json:"minimum"`
	Properties map[string]shape  `json:"properties"`
	Required   []string          `json:"required"`
	Items      *shape            `json:"items"`
	MinItems   int               `json:"minItems"`
	AnyOf      []shape           `json:"anyOf"`
	Ref        string            `json:"$ref"`
}

// inventDepth bounds how deep required objects are filled.
const inventDepth = 8

func inventCall(f FunctionDeclaration) FunctionCall {
	s, ok := shapeOf(f)
	if !ok || len(s.Properties) == 0 {
		return FunctionCall{Name: f.Name, Args: Object("{}")}
	}
	return FunctionCall{Name: f.Name, Args: Object(s.object(inventDepth))}
}

func shapeOf(f FunctionDeclaration) (shape, bool) {
	raw := []byte(f.ParametersJSONSchema)
	if f.Parameters != nil {
		var err error
		if raw, err = json.Marshal(f.Parameters); err != nil {
			return shape{}, false
		}
	}
	var s shape
	if len(raw) == 0 || json.Unmarshal(raw, &s) != nil {
		return shape{}, false
	}
	return s, true
}

// structured is the JSON text that a response schema asks for.
func structured(c GenerationConfig) (string, bool) {
	if c.ResponseMimeType != mimeJSON {
		return "", false
	}
	s, ok := shapeOf(FunctionDeclaration{Parameters: c.ResponseSchema, ParametersJSONSchema: c.ResponseJSONSchema})
	if !ok {
		return `{"answer":"example"}`, true
	}
	return s.value("answer", inventDepth), true
}

// object fills the required properties, in the order of their names.
func (s shape) object(depth int) string {
	required := append([]string(nil), s.Required...)
	sort.Strings(required)
	var fields []string
	for _, name := range required {
		if p, ok := s.Properties[name]; ok && depth > 0 {
			fields = append(fields, strconv.Quote(name)+":"+p.value(name, depth-1))
		}
	}
	return "{" + strings.Join(fields, ",") + "}"
}

// value is a value that fits the schema of the property called name.
func (s shape) value(name string, depth int) string {
	switch {
	case len(s.Const) > 0:
		return string(s.Const)
	case len(s.Enum) > 0:
		return string(s.Enum[0])
	case len(s.Default) > 0 && string(s.Default) != "null":
		return string(s.Default)
	case len(s.AnyOf) > 0 && len(s.Type) == 0:
		return s.AnyOf[0].value(name, depth)
	}
	switch s.kind() {
	case "object":
		return s.object(depth)
	case "array":
		return s.array(name, depth)
	case "integer", "number":
		if s.Minimum != nil {
			return strconv.FormatFloat(*s.Minimum, 'f', -1, 64)
		}
		return "1"
	case "boolean":
		return "true"
	case "null":
		return "null"
	}
	return strconv.Quote(sample(name))
}

func (s shape) array(name string, depth int) string {
	if s.Items == nil || depth <= 0 || s.MinItems == 0 {
		return "[]"
	}
	return "[" + s.Items.value(name, depth-1) + "]"
}

// kind is the type in lower case; the first of several.
func (s shape) kind() string {
	var one string
	var many []string
	if json.Unmarshal(s.Type, &one) == nil {
		return strings.ToLower(one)
	}
	if json.Unmarshal(s.Type, &many) == nil && len(many) > 0 {
		return strings.ToLower(many[0])
	}
	return "string"
}

// sample is a text that suits a property by its name.
func sample(name string) string {
	lower := strings.ToLower(name)
	for _, s := range [][2]string{{"path", "/tmp/example.txt"}, {"file", "/tmp/example.txt"}, {"url", "https://example.com/"}, {"command", "echo hello"},
		{"city", "Paris"}, {"location", "Paris"}, {"query", "example"}, {"pattern", "example"}} {
		if strings.Contains(lower, s[0]) {
			return s[1]
		}
	}
	return "example"
}
