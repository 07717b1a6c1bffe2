package fakegemini

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Reading a request: the JSON text is walked beside the Go types of types.go. Names are taken in camelCase and in
// snake_case, numbers also as strings, one object where a list is due (all of it proto JSON as Google reads it). Every
// fault becomes one line in Google's words, with the path in snake_case; all lines go into one error.

// fault is one field violation.
type fault struct {
	rule RuleName
	path string
	text string
}

type reader struct{ faults []fault }

// read fills into from body, which must be well formed.
func read(body []byte, into any) *refusal {
	r := &reader{}
	raw := json.RawMessage(strings.TrimSpace(string(body)))
	if len(raw) == 0 {
		return nil
	}
	v := reflect.ValueOf(into).Elem()
	if raw[0] != '{' {
		return refuse(RuleType, "Invalid JSON payload received. Unknown name \"\": Root element must be a message.")
	}
	r.message(raw, v, "")
	if len(r.faults) == 0 {
		return nil
	}
	return r.refusal()
}

func (r *reader) refusal() *refusal {
	lines := make([]string, len(r.faults))
	detail := Detail{Type: typeBadRequest}
	for i, f := range r.faults {
		lines[i] = f.text
		detail.FieldViolations = append(detail.FieldViolations, FieldViolation{Field: f.path, Description: f.text})
	}
	out := refuse(r.faults[0].rule, strings.Join(lines, "\n"))
	out.err.Details = []Detail{detail}
	return out
}

func (r *reader) fail(rule RuleName, path, format string, args ...any) {
	r.faults = append(r.faults, fault{rule, path, fmt.Sprintf(format, args...)})
}

// invalid is the usual line for a value of the wrong type.
func (r *reader) invalid(path, kind string, raw []byte) {
	r.fail(RuleType, path, "Invalid value at '%s' (%s), %s", path, kind, clip(string(raw)))
}

func clip(s string) string {
	if len(s) > 100 {
		return strings.ToValidUTF8(s[:100], "") + "…"
	}
	return s
}

// message reads an object into the struct v.
func (r *reader) message(raw json.RawMessage, v reflect.Value, path string) {
	if raw[0] != '{' {
		r.invalid(path, protoName(v.Type()), raw)
		return
	}
	oneofs := map[string]string{}
	for _, m := range members(raw) {
		field, ok := fieldNamed(v.Type(), m.name)
		if !ok {
			r.unknown(m.name, path, "Cannot find field.")
			continue
		}
		if string(m.raw) == "null" && field.Type != reflect.TypeFor[Value]() {
			continue
		}
		if group := field.Tag.Get("oneof"); group != "" {
			if oneofs[group] != "" && oneofs[group] != field.Name {
				r.fail(RuleOneOf, path, "Invalid value at '%s' (oneof), oneof field '%s' is already set. Cannot set '%s'", path, group, camel(field))
				continue
			}
			oneofs[group] = field.Name
		}
		r.field(m, v.FieldByIndex(field.Index), join(path, snake(camel(field))), path)
	}
}

func (r *reader) unknown(name, path, why string) {
	at := ""
	if path != "" {
		at = fmt.Sprintf(" at '%s'", path)
	}
	r.fail(RuleUnknownName, path, "Invalid JSON payload received. Unknown name %s%s: %s", strconv.Quote(name), at, why)
}

// field reads one member; parent is the path of the message that holds it.
func (r *reader) field(m member, v reflect.Value, path, parent string) {
	isList := m.raw[0] == '['
	raw := v.Type() == reflect.TypeFor[Value]() || v.Type() == reflect.TypeFor[Object]()
	switch {
	case raw || v.Kind() != reflect.Slice && !isList:
		r.value(m.raw, v, path)
	case v.Kind() != reflect.Slice:
		r.fail(RuleType, parent, "Invalid JSON payload received. Unknown name %s at '%s': Proto field is not repeating, cannot start list.", strconv.Quote(m.name), parent)
	case isList:
		r.list(m.raw, v, path)
	default:
		one := reflect.New(v.Type().Elem()).Elem()
		r.value(m.raw, one, path)
		v.Set(reflect.Append(v, one))
	}
}

func (r *reader) list(raw json.RawMessage, v reflect.Value, path string) {
	items := elements(raw)
	out := reflect.MakeSlice(v.Type(), len(items), len(items))
	for i, item := range items {
		r.value(item, out.Index(i), fmt.Sprintf("%s[%d]", path, i))
	}
	v.Set(out)
}

// value reads one value that isn't a list of the request's own.
func (r *reader) value(raw json.RawMessage, v reflect.Value, path string) {
	switch v.Interface().(type) {
	case Bytes:
		r.bytes(raw, v, path)
		return
	case Object:
		if raw[0] != '{' {
			r.invalid(path, "type.googleapis.com/google.protobuf.Struct", raw)
			return
		}
		v.SetBytes(raw)
		return
	case Value:
		v.SetBytes(raw)
		return
	case enum:
		r.enum(raw, v, path)
		return
	}
	r.plain(raw, v, path)
}

func (r *reader) plain(raw json.RawMessage, v reflect.Value, path string) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		r.value(raw, v.Elem(), path)
	case reflect.Struct:
		r.message(raw, v, path)
	case reflect.Map:
		r.entries(raw, v, path)
	case reflect.String:
		if raw[0] != '"' {
			r.invalid(path, "TYPE_STRING", raw)
			return
		}
		v.SetString(unquote(raw))
	case reflect.Bool:
		if s := strings.Trim(string(raw), `"`); s != "true" && s != "false" {
			r.invalid(path, "TYPE_BOOL", raw)
			return
		}
		v.SetBool(strings.Contains(string(raw), "true"))
	case reflect.Int32, reflect.Int64, reflect.Float64:
		r.number(raw, v, path)
	default:
		panic("BUG: no reading for " + v.Type().String())
	}
}

func (r *reader) number(raw json.RawMessage, v reflect.Value, path string) {
	f, err := strconv.ParseFloat(strings.Trim(string(raw), `"`), 64)
	limit := map[reflect.Kind]float64{reflect.Int32: math.MaxInt32, reflect.Int64: 1 << 62, reflect.Float64: math.MaxFloat64}[v.Kind()]
	whole := v.Kind() == reflect.Float64 || f == math.Trunc(f)
	if err != nil || !whole || math.Abs(f) > limit {
		kind := map[reflect.Kind]string{reflect.Int32: "TYPE_INT32", reflect.Int64: "TYPE_INT64", reflect.Float64: "TYPE_FLOAT"}[v.Kind()]
		r.invalid(path, kind, raw)
		return
	}
	if v.Kind() == reflect.Float64 {
		v.SetFloat(f)
		return
	}
	v.SetInt(int64(f))
}

// entries reads a map; Google counts its entries in the path.
func (r *reader) entries(raw json.RawMessage, v reflect.Value, path string) {
	if raw[0] != '{' {
		r.invalid(path, "type.googleapis.com/google.protobuf.Struct", raw)
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for i, m := range members(raw) {
		one := reflect.New(v.Type().Elem()).Elem()
		r.value(m.raw, one, fmt.Sprintf("%s[%d].value", path, i))
		v.SetMapIndex(reflect.ValueOf(m.name), one)
	}
}

func (r *reader) enum(raw json.RawMessage, v reflect.Value, path string) {
	allowed := v.Interface().(enum).values()
	name := unquote(raw)
	if i, err := strconv.Atoi(string(raw)); err == nil && i >= 0 && i < len(allowed) {
		name = allowed[i]
	}
	if _, isType := v.Interface().(SchemaType); isType {
		name = strings.ToUpper(name)
	}
	if !slices.Contains(allowed, name) {
		r.invalid(path, protoName(v.Type()), raw)
		return
	}
	v.SetString(name)
}

func (r *reader) bytes(raw json.RawMessage, v reflect.Value, path string) {
	s := unquote(raw)
	if _, err := decodeBase64(s); err != nil || raw[0] != '"' {
		r.fail(RuleType, path, "Invalid value at '%s' (TYPE_BYTES), Base64 decoding failed for %s", path, clip(string(raw)))
		return
	}
	v.SetString(s)
}

// decodeBase64 reads either alphabet, with or without padding.
func decodeBase64(s string) ([]byte, error) {
	s = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(s, "="))
	return base64.RawStdEncoding.DecodeString(s)
}

func fieldNamed(t reflect.Type, name string) (reflect.StructField, bool) {
	for i := range t.NumField() {
		f := t.Field(i)
		if c := camel(f); c == name || snake(c) == name {
			return f, true
		}
	}
	return reflect.StructField{}, false
}

// camel is the camelCase name of a field, from its tag.
func camel(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

func snake(name string) string {
	var b strings.Builder
	for _, c := range name {
		if c >= 'A' && c <= 'Z' {
			b.WriteByte('_')
			c += 'a' - 'A'
		}
		b.WriteRune(c)
	}
	return b.String()
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func protoName(t reflect.Type) string {
	name := t.Name()
	if p, ok := protoEnums[name]; ok {
		name = p
	}
	return "type.googleapis.com/google.ai.generativelanguage.v1beta." + name
}
