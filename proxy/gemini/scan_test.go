package gemini

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// valid is the scanner's verdict on a whole text.
func valid(data []byte) bool {
	s := scanner{data: data}
	return s.skip() && s.space() == 0 && s.pos == len(data)
}

func TestScan(t *testing.T) {
	f := func(text, problem string) {
		t.Helper()
		s := scanner{data: []byte(text)}
		if ok := s.skip(); ok != (problem == "") || s.problem != problem {
			t.Errorf("%.50s: %t, %q, want %q", text, ok, s.problem, problem)
		}
	}
	f(` {"a" : [1, -0.5e+7, true, false, null, "x\u00e9\n"], "b":{}, "c":[]} `, "")
	f(`[1 2]`, `not valid JSON: '2' in place of a comma or the end at byte 3`)
	f(`{"a" 1}`, `not valid JSON: '1' in place of a colon at byte 5`)
	f(`{a:1}`, `not valid JSON: 'a' in place of a name at byte 1`)
	f(`{"a":1,}`, `not valid JSON: '}' in place of a name at byte 7`)
	f(`[1,]`, `not valid JSON: ']' in place of a value at byte 3`)
	f(`[01]`, `not valid JSON: '1' in place of a comma or the end at byte 2`)
	f(`tru1`, `not valid JSON: '1' in place of true at byte 3`)
	f(`1.`, endsEarly)
	f(`1.e5`, `not valid JSON: 'e' in place of a digit at byte 2`)
	f("\"a\nb\"", `not valid JSON: '\n' in place of a character of a string at byte 2`)
	f(`"\x"`, `not valid JSON: 'x' in place of an escaped character at byte 2`)
	f(`"\u12g4"`, `not valid JSON: 'g' in place of a hexadecimal digit at byte 5`)
	f(`"abc`, endsEarly)
	f(`[[`, endsEarly)
	f(strings.Repeat("[", maxDepth)+strings.Repeat("]", maxDepth), "")
	f(strings.Repeat("[", maxDepth+1), "not valid JSON: more than 10000 values in each other")
}

// What means something in a string is found wherever it stands among the eight bytes that are looked at together, whatever
// stands beside it.
func TestText(t *testing.T) {
	marks := []string{`"`, `\n`, `\"`, `\\`, `\x`, `\`, `\u12ab`, `\ud83d`, `\u12`, "\x00", "\n", "\x1f"}
	for _, first := range marks {
		for _, second := range marks {
			for at := range 18 {
				for _, filler := range []string{" ", "!", "#", "[", "]", "\x7f", "é", "a"} {
					text := []byte(`"` + strings.Repeat(filler, at) + first + second + strings.Repeat(filler, 9) + `"`)
					if got, want := valid(bytes.Clone(text)), json.Valid(text); got != want {
						t.Fatalf("%q: %t", text, got)
					}
				}
			}
		}
	}
}

// The scanner takes what encoding/json takes, and finds the same ends of values as jsontext.
func FuzzScan(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2.5e-3,"x\ud83d\ude00"],"b":{"c":null}}`, `"\ud83d"`, `[1,]`, "\"\x01\"", `-0`, `01`, ` true `, `{"a":1}}`, `[[[[{}]]]]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if ok := valid(bytes.Clone(text)); ok != json.Valid(text) {
			t.Fatalf("%q: %t", text, ok)
		}
		s := scanner{data: bytes.Clone(text)}
		dec := jsontext.NewDecoder(bytes.NewReader(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
		for {
			_, err := dec.ReadValue()
			if err == io.EOF {
				return
			}
			if ok := s.skip(); ok != (err == nil) {
				t.Fatalf("%q: %t, jsontext %v", text, ok, err)
			}
			if err != nil {
				return
			}
			if s.pos != int(dec.InputOffset()) {
				t.Fatalf("%q: a value ends at %d, not at %d", text, dec.InputOffset(), s.pos)
			}
		}
	})
}

// BenchmarkScan reads a large request's worth of text, code and schemas.
func BenchmarkScan(b *testing.B) {
	value := `{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_01","content":"` + strings.Repeat(`\tif err := r.read(ctx, \"file\"); err != nil {\n\t\treturn err\n`, 80) +
		`"},{"type":"text","text":"` + strings.Repeat("plain words of a longer text ", 60) + `"}]}`
	text := []byte("[" + strings.Repeat(value+",", 25) + "1]")
	run := func(name string, read func() bool) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if !read() {
					b.Fatal("not valid")
				}
			}
		})
	}
	run("scanner", func() bool { return valid(text) })
	run("encoding/json", func() bool { return json.Valid(text) })
	run("jsontext", func() bool {
		dec := jsontext.NewDecoder(bytes.NewBuffer(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
		return dec.SkipValue() == nil
	})
}
