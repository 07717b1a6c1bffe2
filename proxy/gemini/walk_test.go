package gemini

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestWalkerNamesThePlaceAndTheExpectation(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		w := NewWalker([]byte(text))
		w.Object("an object", func(name []byte) {
			switch string(name) {
			case "list":
				w.Array("an array", func(int) {
					w.Object("an element", func(name []byte) {
						if string(name) == "n" {
							w.Int()
							return
						}
						w.Skip()
					})
				})
			case "text":
				w.Text()
			case "on":
				w.Bool()
			case "f":
				w.Float()
			default:
				w.Skip()
			}
		})
		got := ""
		if err := w.Done(); err != nil {
			var f *FormatError
			if !errors.As(err, &f) {
				t.Errorf("%s: %T", text, err)
			}
			got = err.Error()
		}
		if !strings.HasPrefix(got, want) || (want == "" && got != "") {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	f(`{"list":[{"n":1},{"n":2.0},{"n":1e3},null],"text":"x","on":false,"f":1.5,"more":{"a":[]}}`, "")
	f(`{"list":null,"text":null,"on":null,"f":null}`, "")
	f(`{"list":[{},{"n":"x"}]}`, "list.1.n: expected a whole number")
	f(`{"list":[{"n":1.5}]}`, "list.0.n: expected a whole number")
	f(`{"list":[{"n":1e300}]}`, "list.0.n: expected a whole number")
	f(`{"list":[7]}`, "list.0: expected an element")
	f(`{"list":{}}`, "list: expected an array")
	f(`{"text":[]}`, "text: expected a string")
	f(`{"on":"true"}`, "on: expected true or false")
	f(`{"f":1e999}`, "f: the number is too large")
	f(`[]`, "expected an object")
	f(``, "the text is empty")
	f(`{"a":`, "the JSON text ends in the middle")
	f(`{"a" 1}`, "not valid JSON: ")
	f(`{} {}`, "something follows")
	f("{\"text\":\"\xff\"}", "the text is not valid UTF-8")
	f(strings.Repeat("[", 20000), "not valid JSON: ")
}

func TestWalkerGoesOnSoftly(t *testing.T) {
	said := func(e *FormatError) string {
		if e == nil {
			return ""
		}
		return e.Error()
	}
	f := func(text, wantIn, wantOut, failure string) {
		t.Helper()
		w := NewWalker([]byte(text))
		var in *FormatError
		last := ""
		out := w.Softly(func() {
			w.Object("an object", func(name []byte) {
				switch string(name) {
				case "in":
					in = w.Softly(func() { w.Int() })
				case "last":
					last = w.String()
				default:
					w.Text()
				}
			})
		})
		if said(in) != wantIn || said(out) != wantOut {
			t.Errorf("%s: inside %q, outside %q", text, said(in), said(out))
		}
		if err := w.Done(); failure == "" && (err != nil || last != "x") || failure != "" && (err == nil || err.Error() != failure) {
			t.Errorf("%s: %v, want %q; then %q", text, err, failure, last)
		}
	}
	f(`{"a":"b","in":1,"last":"x"}`, "", "", "")
	f(`{"a":5,"b":[],"in":1,"last":"x"}`, "", "a: expected a string", "")
	f(`{"in":"no","last":"x"}`, "in: expected a whole number", "", "")
	f(`{"a":5,"in":`, "", "a: expected a string", "the JSON text ends in the middle")
}

func TestWalkerMendsHalvesOfSurrogatePairs(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		w := NewWalker([]byte(in))
		if got := string(w.Text()); got != want || w.Done() != nil {
			t.Errorf("%s became %s, want %s (%v)", in, got, want, w.Err())
		}
	}
	f(`"\ud83d\ude00"`, `"\ud83d\ude00"`)
	f(`"a\ud83d"`, `"a\ufffd"`)
	f(`"\ude00b"`, `"\ufffdb"`)
	f(`"\ud83d\ud83d\ude00"`, `"\ufffd\ud83d\ude00"`)
	f(`"\\ud83d"`, `"\\ud83d"`)
	f(`"\\\ud83d"`, `"\\\ufffd"`)
	f(`"\uD83D\u0041"`, `"\ufffd\u0041"`)
}

func FuzzMendSurrogates(f *testing.F) {
	f.Add(`"\ud83d\ude00 \ud83d \\ud83d"`)
	f.Fuzz(func(t *testing.T, s string) {
		if !json.Valid([]byte(s)) {
			return
		}
		data := []byte(s)
		if w := (&Walker{lenient: true}); true {
			w.reset(data)
			if w.Any(); w.Done() != nil {
				t.Fatalf("%q: %v", s, w.Err())
			}
		}
		var before, after json.RawMessage
		if json.Unmarshal([]byte(s), &before) != nil || json.Unmarshal(data, &after) != nil {
			t.Fatalf("%q became %q", s, data)
		}
		var a, b string
		if json.Unmarshal(before, &a) == nil && (json.Unmarshal(after, &b) != nil || a != b) {
			t.Errorf("%q means %q, %q means %q", s, a, data, b)
		}
	})
}
