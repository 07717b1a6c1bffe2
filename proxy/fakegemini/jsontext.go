package fakegemini

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxDepth is how deep objects and lists may nest in a request.
const maxDepth = 100

// wellFormed refuses a body that is no JSON at all, in Google's words. An empty body is an empty object.
func wellFormed(body []byte) *refusal {
	if !utf8.Valid(body) {
		return refuse(RuleJSON, "Invalid JSON payload received. Encountered non UTF-8 code points.")
	}
	if depth(body) > maxDepth {
		return refuse(RuleDepth, "Invalid JSON payload received. Message too deep. Max recursion depth reached.")
	}
	var raw json.RawMessage
	err := json.Unmarshal(body, &raw)
	if err == nil {
		return nil
	}
	var syntax *json.SyntaxError
	at := len(body)
	if errors.As(err, &syntax) {
		at = int(syntax.Offset) - 1
	}
	if at >= len(body)-1 && strings.Contains(err.Error(), "unexpected end") {
		return refuse(RuleJSON, "Invalid JSON payload received. Unexpected end of string."+pointer(body, len(body)))
	}
	return refuse(RuleJSON, "Invalid JSON payload received. Unexpected token."+pointer(body, at))
}

// pointer shows the place of a fault: up to 20 bytes on either side, and a caret below.
func pointer(body []byte, at int) string {
	at = min(max(at, 0), len(body))
	from, to := max(0, at-20), min(len(body), at+20)
	line := bytes.ReplaceAll(body[from:to], []byte("\n"), []byte(" "))
	return fmt.Sprintf("\n%s\n%s^", line, strings.Repeat(" ", at-from))
}

// depth is the deepest nesting of a text, in any JSON or near-JSON.
func depth(body []byte) int {
	deep, now := 0, 0
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '"':
			i = endOfString(body, i) - 1
		case '{', '[':
			now++
			deep = max(deep, now)
		case '}', ']':
			now--
		}
	}
	return deep
}

// endOfString returns the index behind the string that starts at i.
func endOfString(raw []byte, i int) int {
	for i++; i < len(raw); i++ {
		switch raw[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(raw)
}

// endOfValue returns the index behind the value that starts at i, in well-formed JSON.
func endOfValue(raw []byte, i int) int {
	now := 0
	for i < len(raw) {
		switch raw[i] {
		case '"':
			i = endOfString(raw, i)
			if now == 0 {
				return i
			}
			continue
		case '{', '[':
			now++
		case '}', ']':
			if now--; now == 0 {
				return i + 1
			}
			if now < 0 {
				return i
			}
		case ',', ' ', '\n', '\r', '\t':
			if now == 0 {
				return i
			}
		}
		i++
	}
	return i
}

type member struct {
	name string
	raw  json.RawMessage
}

// members splits a well-formed object, in order; elements splits a list. Both drop white space around values.
func members(raw []byte) []member {
	var out []member
	for i := next(raw, 1); i < len(raw) && raw[i] != '}'; {
		end := endOfString(raw, i)
		m := member{name: unquote(raw[i:end])}
		i = next(raw, end)
		i = next(raw, i+1)
		end = endOfValue(raw, i)
		m.raw = json.RawMessage(raw[i:end])
		out = append(out, m)
		i = comma(raw, end)
	}
	return out
}

func elements(raw []byte) []json.RawMessage {
	var out []json.RawMessage
	for i := next(raw, 1); i < len(raw) && raw[i] != ']'; {
		end := endOfValue(raw, i)
		out = append(out, json.RawMessage(raw[i:end]))
		i = comma(raw, end)
	}
	return out
}

// next skips white space from i on.
func next(raw []byte, i int) int {
	for i < len(raw) && (raw[i] == ' ' || raw[i] == '\n' || raw[i] == '\r' || raw[i] == '\t') {
		i++
	}
	return i
}

// comma skips white space, one comma, and white space.
func comma(raw []byte, i int) int {
	i = next(raw, i)
	if i < len(raw) && raw[i] == ',' {
		i = next(raw, i+1)
	}
	return i
}

// unquote reads a well-formed JSON string; anything else is returned as it is.
func unquote(raw []byte) string {
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return string(raw)
	}
	return s
}
