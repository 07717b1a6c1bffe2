package setup

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/tailscale/hujson"
)

// jsonFormat is JSON as programs for people read it, with comments and trailing commas. A path names members of objects.
type jsonFormat struct{}

// quote is a text in JSON.
func quote(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		panic("BUG: " + err.Error()) // of a string
	}
	return string(b)
}

// parse reads a text, an empty one as an object.
func (jsonFormat) parse(text []byte) (hujson.Value, *hujson.Object, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		text = []byte("{}\n")
	}
	v, err := hujson.Parse(text)
	if err != nil {
		return v, nil, err
	}
	root, ok := v.Value.(*hujson.Object)
	if !ok {
		return v, nil, fmt.Errorf("it is no JSON object")
	}
	return v, root, nil
}

func memberOf(o *hujson.Object, name string) int {
	for i := range o.Members {
		if literal, ok := o.Members[i].Name.Value.(hujson.Literal); ok && literal.String() == name {
			return i
		}
	}
	return -1
}

func (f jsonFormat) get(text []byte, path []string) (string, bool, error) {
	_, o, err := f.parse(text)
	if err != nil {
		return "", false, err
	}
	for depth, name := range path {
		at := memberOf(o, name)
		if at < 0 {
			return "", false, nil
		}
		value := o.Members[at].Value
		if depth == len(path)-1 {
			value.BeforeExtra, value.AfterExtra = nil, nil
			return value.String(), true, nil
		}
		inner, ok := value.Value.(*hujson.Object)
		if !ok {
			return "", false, fmt.Errorf("%s is no JSON object", strings.Join(path[:depth+1], "."))
		}
		o = inner
	}
	return "", false, nil
}

func (f jsonFormat) set(text []byte, path []string, raw string) ([]byte, error) {
	v, o, err := f.parse(text)
	if err != nil {
		return nil, err
	}
	unit := indentUnit(o)
	for depth, name := range path[:len(path)-1] {
		at := memberOf(o, name)
		if at < 0 {
			if raw == "" {
				return text, nil
			}
			at = insert(o, name, hujson.Value{Value: &hujson.Object{}}, strings.Repeat(unit, depth), unit)
		}
		inner, ok := o.Members[at].Value.Value.(*hujson.Object)
		if !ok {
			return nil, fmt.Errorf("%s is no JSON object", strings.Join(path[:depth+1], "."))
		}
		o = inner
	}
	name, indent := path[len(path)-1], strings.Repeat(unit, len(path)-1)
	at := memberOf(o, name)
	switch {
	case raw == "" && at >= 0:
		remove(o, at)
	case raw != "":
		value, err := hujson.Parse([]byte(raw))
		if err != nil {
			return nil, err
		}
		if at < 0 {
			insert(o, name, value, indent, unit)
		} else {
			o.Members[at].Value.Value = value.Value
		}
	}
	return v.Pack(), nil
}

// indentUnit is what one more level is set in by, as the file has it.
func indentUnit(root *hujson.Object) string {
	if len(root.Members) > 0 {
		extra := string(root.Members[0].Name.BeforeExtra)
		if unit := extra[strings.LastIndex(extra, "\n")+1:]; strings.Contains(extra, "\n") && unit != "" && strings.Trim(unit, " \t") == "" {
			return unit
		}
	}
	return "  "
}

// insert adds a member at the end of an object, on a line of its own.
func insert(o *hujson.Object, name string, value hujson.Value, indent, unit string) (at int) {
	value.BeforeExtra = hujson.Extra(" ")
	if n := len(o.Members); n > 0 {
		last := &o.Members[n-1].Value
		if last.AfterExtra != nil { // a trailing comma is the new member's
			value.AfterExtra, last.AfterExtra = last.AfterExtra, nil
		}
	}
	line := "\n" + indent + unit
	before := line
	if comments := strings.TrimRight(string(o.AfterExtra), " \t\r\n"); comments != "" { // of the last one, and before the new one
		before = comments + line
	}
	o.AfterExtra = hujson.Extra("\n" + indent)
	o.Members = append(o.Members, hujson.ObjectMember{Name: hujson.Value{BeforeExtra: hujson.Extra(before), Value: hujson.String(name)}, Value: value})
	return len(o.Members) - 1
}

// remove takes a member out, and keeps the comments around it.
func remove(o *hujson.Object, at int) {
	before := strings.TrimRight(string(o.Members[at].Name.BeforeExtra), " \t\r\n")
	after := o.Members[at].Value.AfterExtra
	last := at == len(o.Members)-1
	o.Members = append(o.Members[:at], o.Members[at+1:]...)
	switch {
	case len(o.Members) == 0 && before == "":
		o.AfterExtra = nil
	case last:
		o.AfterExtra = append(hujson.Extra(before), o.AfterExtra...)
		if at > 0 && after != nil {
			o.Members[at-1].Value.AfterExtra = after
		}
	case before != "":
		next := &o.Members[at].Name
		next.BeforeExtra = append(hujson.Extra(before), next.BeforeExtra...)
	}
}

func (f jsonFormat) empty(text []byte) bool {
	v, o, err := f.parse(text)
	if err != nil || len(o.Members) > 0 {
		return false
	}
	return strings.Trim(v.String(), "{} \t\r\n") == ""
}
