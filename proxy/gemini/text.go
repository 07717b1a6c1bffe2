package gemini

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// Text is a JSON string literal, quotes included. Prompts and answers travel from one protocol to the other in this form,
// so that nothing is unescaped and escaped again on the way. nil means absent; `""` is the empty text.
type Text []byte

// Quote makes the literal of s. Bytes that are not UTF-8 become U+FFFD.
func Quote(s string) Text {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		panic("BUG: a string has no JSON form: " + err.Error())
	}
	return Text(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

// String decodes the literal. A literal that is not valid JSON, which UnmarshalJSON never lets in, decodes to "".
func (t Text) String() string {
	if len(t) == 0 {
		return ""
	}
	var s string
	if err := json.Unmarshal(t, &s); err != nil {
		return ""
	}
	return s
}

// Empty reports whether the text is absent or has no characters.
func (t Text) Empty() bool { return len(t) <= len(`""`) }

// Blank reports whether the text has nothing but white space.
func (t Text) Blank() bool {
	for i := 1; i < len(t)-1; i++ {
		switch c := t[i]; {
		case c == ' ':
		case c == '\\' && (t[i+1] == 'n' || t[i+1] == 'r' || t[i+1] == 't'):
			i++
		case c == '\\' || c >= utf8.RuneSelf:
			return len(bytes.TrimSpace([]byte(t.String()))) == 0
		default:
			return false
		}
	}
	return true
}

// Wrap puts before and after, which are plain strings, around the text.
func (t Text) Wrap(before, after string) Text {
	out := Quote(before)
	out = out[:len(out)-1]
	if len(t) >= len(`""`) {
		out = append(out, t[1:len(t)-1]...)
	}
	return append(out, Quote(after)[1:]...)
}

// MarshalJSON writes the literal as it is.
func (t Text) MarshalJSON() ([]byte, error) {
	if t == nil {
		return []byte("null"), nil
	}
	return t, nil
}

// UnmarshalJSON takes a JSON string; null makes the text absent. Anything else, and bytes that are not UTF-8, is an error.
func (t *Text) UnmarshalJSON(b []byte) error {
	switch {
	case string(b) == "null":
		*t = nil
	case len(b) < len(`""`) || b[0] != '"':
		return fmt.Errorf("expected a string, found %.20s", b)
	case !utf8.Valid(b):
		return fmt.Errorf("the text is not valid UTF-8")
	default:
		*t = append((*t)[:0:0], b...)
	}
	return nil
}
