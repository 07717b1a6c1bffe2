package gemini

import (
	"bytes"
	"math"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// Text reads a string as its literal.
func (w *Walker) Text() Text {
	if !w.Expect(`"`, "a string") {
		return nil
	}
	return Text(w.Any())
}

// String reads a string.
func (w *Walker) String() string {
	if !w.Expect(`"`, "a string") {
		return ""
	}
	return w.word(w.unquoted(w.Any()))
}

// Unquoted reads a string as its bytes, which nobody may change; nil when absent.
func (w *Walker) Unquoted() []byte {
	if !w.Expect(`"`, "a string") {
		return nil
	}
	return w.unquoted(w.Any())
}

// word is string(b), the same one as before where it came before.
func (w *Walker) word(b []byte) string {
	if len(b) == 0 || len(b) > 64 {
		return string(b)
	}
	if w.words == nil {
		w.words = new([64]string)
	}
	slot := &w.words[(uint(b[0])*7+uint(b[len(b)-1])*31+uint(len(b)))%uint(len(w.words))]
	if *slot != string(b) {
		*slot = w.spell(b)
	}
	return *slot
}

// spell makes a word. Those of an answer are few, and may be kept for long.
func (w *Walker) spell(b []byte) string {
	if w.lenient {
		return string(b)
	}
	return w.letters.Of(b, lettersSize)
}

// Plain reports whether nothing that was read so far has a character that stands as \uXXXX.
func (w *Walker) Plain() bool { return !w.scan.units }

// Bool reads a boolean.
func (w *Walker) Bool() bool {
	if !w.Expect("tf", "true or false") {
		return false
	}
	v := w.Any()
	return len(v) > 0 && v[0] == 't'
}

// Float reads a number, nil when absent.
func (w *Walker) Float() *float64 {
	if !w.Expect("0", "a number") {
		return nil
	}
	v := w.Any()
	f, err := strconv.ParseFloat(string(v), 64)
	if err != nil && w.err == nil && !w.lenient {
		w.Fail(w.Path(), "the number is too large")
		return nil
	}
	return &f
}

// maxWhole is beyond the whole numbers that JSON's readers agree on, and on some machines beyond int's.
const maxWhole = min(1<<53, math.MaxInt)

// Int reads a whole number of at most 53 bits, nil when absent.
func (w *Walker) Int() *int {
	n, ok := w.whole()
	if !ok {
		return nil
	}
	return &n
}

// whole is Int for whoever needs it at once.
func (w *Walker) whole() (n int, ok bool) {
	if !w.Expect("0", "a whole number") {
		return 0, false
	}
	v := w.Any()
	if n, ok = digits(v); ok {
		return n, true
	}
	f, err := strconv.ParseFloat(string(v), 64)
	if err == nil && f == math.Trunc(f) && math.Abs(f) < maxWhole {
		return int(f), true
	}
	if w.err == nil && !w.lenient {
		w.Fail(w.Path(), "expected a whole number")
	}
	return 0, false
}

// digits reads a number of a few digits and nothing else, as most are.
func digits(v []byte) (n int, ok bool) {
	if len(v) > 9 {
		return 0, false
	}
	for _, c := range v {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, len(v) > 0
}

// check makes an error of a text that is not JSON.
func (w *Walker) check(ok bool) {
	if ok || w.err != nil {
		return
	}
	w.softly = false // there is nothing to go on with
	if len(bytes.TrimLeft(w.scan.data, " \n\r\t")) == 0 {
		w.scan.problem = isEmpty
	}
	w.Fail("", w.scan.problem)
}

// unquoted decodes a string literal; it aliases lit where nothing is escaped.
func (w *Walker) unquoted(lit []byte) []byte {
	if len(lit) < len(`""`) {
		return nil
	}
	if bytes.IndexByte(lit, '\\') < 0 {
		return lit[1 : len(lit)-1]
	}
	// The literal was checked as it was read; only bytes that are not UTF-8 make an error here, beside their replacement. Nothing
	// gets longer by it.
	s, _ := jsontext.AppendUnquote(w.bytes.Make(len(lit))[:0], lit)
	return s
}
