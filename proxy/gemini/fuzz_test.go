package gemini

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

// walkAny walks whatever stands there and appends it again.
func walkAny(w *Walker, dst []byte) []byte {
	switch w.Kind() {
	case '{':
		dst = append(dst, '{')
		n := 0
		w.Object("an object", func(name []byte) {
			dst = append(AppendQuoted(comma(dst, n), string(name)), ':')
			dst = walkAny(w, dst)
			n++
		})
		return append(dst, '}')
	case '[':
		dst = append(dst, '[')
		w.Array("an array", func(i int) { dst = walkAny(w, comma(dst, i)) })
		return append(dst, ']')
	case '"':
		return append(dst, w.Text()...)
	default:
		return append(dst, w.Any()...)
	}
}

// FuzzWalker takes what encoding/json takes, as long as it is UTF-8 and not too deep, and reads the same.
func FuzzWalker(f *testing.F) {
	f.Add(`{"a":[1,"x\u00e9",null,{"b":true}],"":-1.5e3}`)
	f.Add(`[[[]]] x`)
	f.Add(`{"a\ud83d":"\ud83d"}`)
	f.Fuzz(func(t *testing.T, text string) {
		w := NewWalker([]byte(text))
		got := walkAny(w, nil)
		err := w.Done()
		var format *FormatError
		if err != nil && !errors.As(err, &format) {
			t.Errorf("%q: %T", text, err)
		}
		if valid := json.Valid([]byte(text)) && utf8.ValidString(text); err == nil && !valid || err != nil && valid && strings.Count(text, "[")+strings.Count(text, "{") < 1000 {
			t.Errorf("%q: %v, valid %v", text, err, valid)
		}
		if err == nil && !json.Valid(got) {
			t.Errorf("%q became %q", text, got)
		}
	})
}

// FuzzText holds the literal and its meaning together.
func FuzzText(f *testing.F) {
	f.Add(`" \n\u2028"`, "<", "\xff")
	f.Add(`"é"`, "", "")
	f.Fuzz(func(t *testing.T, literal, before, after string) {
		var text Text
		if json.Unmarshal([]byte(literal), &text) != nil || text == nil {
			return
		}
		said := text.String()
		if text.Empty() != (said == "") || text.Blank() != (strings.TrimSpace(said) == "") {
			t.Errorf("%s means %q: empty %v, blank %v", literal, said, text.Empty(), text.Blank())
		}
		want := strings.ToValidUTF8(before, "\ufffd") + said + strings.ToValidUTF8(after, "\ufffd")
		if got := text.Wrap(before, after).String(); strings.ReplaceAll(got, "\ufffd", "") != strings.ReplaceAll(want, "\ufffd", "") {
			t.Errorf("%q, want %q", got, want)
		}
		if again := Quote(said).String(); again != said {
			t.Errorf("%q became %q", said, again)
		}
	})
}

// FuzzFamilyOf reads any name.
func FuzzFamilyOf(f *testing.F) {
	f.Add("models/gemini-3.1-flash-lite-preview-001")
	f.Add("gemini-99999999999999999999.1-pro")
	f.Fuzz(func(t *testing.T, model string) {
		family := FamilyOf(model)
		if family.Thinking == ThinkingByLevel && len(family.Levels) == 0 || family.Thinking == ThinkingByBudget && family.MaxBudget == 0 {
			t.Errorf("%q: %+v", model, family)
		}
		if !SameFamily(model, model) || family.OutputLimit <= 0 {
			t.Errorf("%q: %+v", model, family)
		}
	})
}
