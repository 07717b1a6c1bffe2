package gemini

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Walker reads one JSON value in a single pass, without building a tree: the caller says at each place what it expects and
// gets the raw bytes of what it wants to keep. The first error sticks; from then on every read returns the zero value, so
// that a walk is written without an error check per field. JSON null reads as absent everywhere.
//
// What it returns as Text or raw JSON aliases the walked data.
type Walker struct {
	data    []byte
	src     bytes.Buffer
	dec     jsontext.Decoder
	lenient bool
	err     error
	softly  bool         // within Softly
	found   *FormatError // there
	// elements counts what was read of arrays so far, at any depth.
	elements int
}

// maxElements is how many elements the arrays of one text may have together. Anthropic's API takes as many messages.
const maxElements = 100_000

// FormatError says where a JSON text is not what it should be. Path is dotted, "" for the whole text:
// "messages.0.content". Problem never quotes more than a character of the text.
type FormatError struct {
	Path    string
	Problem string
}

func (e *FormatError) Error() string {
	if e.Path == "" {
		return e.Problem
	}
	return e.Path + ": " + e.Problem
}

// NewWalker walks data strictly: a value of another type than the one expected is a *FormatError. Escaped surrogates
// without their other half are replaced by U+FFFD in data itself; bytes that are not UTF-8 are an error.
func NewWalker(data []byte) *Walker {
	w := &Walker{}
	w.reset(data)
	if !utf8.Valid(data) {
		w.Fail("", "the text is not valid UTF-8")
	}
	return w
}

// reset starts a new walk over data with the same settings.
func (w *Walker) reset(data []byte) {
	mendSurrogates(data)
	w.data, w.err, w.found, w.elements = data, nil, nil, 0
	w.src = *bytes.NewBuffer(data)
	w.dec.Reset(&w.src, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// Err is the first error, nil if there was none.
func (w *Walker) Err() error { return w.err }

// Fail makes err out of a path and a problem, unless there is an error already.
func (w *Walker) Fail(path, problem string) {
	e := &FormatError{Path: path, Problem: problem}
	switch {
	case w.err != nil:
	case !w.softly:
		w.err = e
	case w.found == nil:
		w.found = e
	}
}

// Softly calls read and goes on after what it finds wrong, as if those values were absent: whether they matter is known
// afterwards. It returns the first problem, nil if there was none; text that is not JSON is an error as everywhere.
func (w *Walker) Softly(read func()) *FormatError {
	softly, found := w.softly, w.found
	w.softly, w.found = true, nil
	read()
	mine := w.found
	w.softly, w.found = softly, found
	return mine
}

// Done checks that nothing follows the value, and returns the first error.
func (w *Walker) Done() error {
	if w.err == nil {
		if _, err := w.dec.ReadToken(); err != io.EOF {
			w.Fail("", "something follows the end of the JSON value")
		}
	}
	return w.err
}

// Path is the dotted path of the value read last.
func (w *Walker) Path() string {
	var b []byte
	for tok := range w.dec.StackPointer().Tokens() {
		if len(b) > 0 {
			b = append(b, '.')
		}
		b = append(b, tok...)
	}
	return string(b)
}

// Kind is the first byte of the next value: one of n f t " 0 { [, or 0 when there is none.
func (w *Walker) Kind() byte {
	if w.err != nil {
		return 0
	}
	return byte(w.dec.PeekKind())
}

// Raw reads any value; null is nil.
func (w *Walker) Raw() json.RawMessage {
	null := w.Kind() == 'n'
	v := w.Any()
	if null {
		return nil
	}
	return v
}

// Skip reads a value and forgets it.
func (w *Walker) Skip() {
	if w.err == nil {
		if err := w.dec.SkipValue(); err != nil {
			w.syntax(err)
		}
	}
}

// Any reads any value, null included; it is nil only after an error.
func (w *Walker) Any() json.RawMessage {
	if w.err != nil {
		return nil
	}
	v, err := w.dec.ReadValue()
	if err != nil {
		w.syntax(err)
		return nil
	}
	end := int(w.dec.InputOffset())
	return w.data[end-len(v) : end : end]
}

// Span calls read, which must read exactly one value, and returns that value as it stands; nil for null.
func (w *Walker) Span(read func()) json.RawMessage {
	null := w.Kind() == 'n'
	start := w.dec.InputOffset()
	read()
	if null || w.err != nil {
		return nil
	}
	// What stands between the token before and the value goes.
	return bytes.TrimLeft(w.data[start:w.dec.InputOffset()], " \t\r\n:,")
}

// Expect reads null as absent and reports whether the next value begins with one of kinds. If not, it is skipped, and in a
// strict walk it is an error: "expected " + what.
func (w *Walker) Expect(kinds, what string) bool {
	k := w.Kind()
	if k != 0 && bytes.IndexByte([]byte(kinds), k) >= 0 {
		return true
	}
	w.Skip()
	if k != 'n' && !w.lenient && w.err == nil {
		w.Fail(w.Path(), "expected "+what)
	}
	return false
}

// Object calls field for each member; field must read exactly one value and not keep name. It reports whether there was an
// object.
func (w *Walker) Object(what string, field func(name []byte)) bool {
	if !w.Expect("{", what) {
		return false
	}
	w.token()
	for w.err == nil && w.dec.PeekKind() != '}' {
		name := w.Any()
		if w.err != nil {
			return false
		}
		field(unquoted(name))
	}
	w.token()
	return w.err == nil
}

// Array calls elem for each element, of at most 100,000 in a text, numbers aside; elem must read exactly one value. It reports whether there was an array.
func (w *Walker) Array(what string, elem func(i int)) bool {
	if !w.Expect("[", what) {
		return false
	}
	w.token()
	for i := 0; w.err == nil; i++ {
		kind := w.dec.PeekKind()
		if kind == ']' {
			break
		}
		elem(i)
		if kind != '0' {
			w.count()
		}
	}
	w.token()
	return w.err == nil
}

// count bounds the elements that a caller makes something of: each takes a hundred times the memory of its JSON. Numbers are
// not counted, embeddings have many.
func (w *Walker) count() {
	if w.elements++; w.elements > maxElements {
		w.softly = false
		w.Fail(w.Path(), "more than "+strconv.Itoa(maxElements)+" elements")
	}
}

func (w *Walker) token() {
	if w.err == nil {
		if _, err := w.dec.ReadToken(); err != nil {
			w.syntax(err)
		}
	}
}

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
	return string(unquoted(w.Any()))
}

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

// Int reads a whole number of at most 53 bits, nil when absent.
func (w *Walker) Int() *int {
	if !w.Expect("0", "a whole number") {
		return nil
	}
	v := w.Any()
	if n, err := strconv.Atoi(string(v)); err == nil && n > -1<<53 && n < 1<<53 {
		return &n
	}
	f, err := strconv.ParseFloat(string(v), 64)
	if err == nil && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		n := int(f)
		return &n
	}
	if w.err == nil && !w.lenient {
		w.Fail(w.Path(), "expected a whole number")
	}
	return nil
}

func (w *Walker) syntax(err error) {
	w.softly = false // there is nothing to go on with
	var s *jsontext.SyntacticError
	switch {
	case err == io.EOF:
		w.Fail("", "the text is empty, expected JSON")
	case errors.Is(err, io.ErrUnexpectedEOF):
		w.Fail("", "the JSON text ends in the middle")
	case errors.As(err, &s):
		w.Fail("", fmt.Sprintf("not valid JSON: %v at byte %d", s.Err, s.ByteOffset))
	default:
		w.Fail("", "not valid JSON")
	}
}

// unquoted decodes a string literal; it aliases lit where nothing is escaped.
func unquoted(lit []byte) []byte {
	if len(lit) < len(`""`) {
		return nil
	}
	if bytes.IndexByte(lit, '\\') < 0 {
		return lit[1 : len(lit)-1]
	}
	// The literal was checked as it was read; only bytes that are not UTF-8 make an error here, beside their replacement.
	s, _ := jsontext.AppendUnquote([]byte(nil), lit)
	return s
}

// mendSurrogates replaces each \uD800..\uDFFF that is no half of a pair by \ufffd, in place. Clients that cut text by
// UTF-16 units send such halves, and Google refuses them.
func mendSurrogates(data []byte) {
	for i := 0; ; {
		j := bytes.Index(data[i:], []byte(`\u`))
		if j < 0 {
			return
		}
		i += j
		switch r := escaped(data, i); {
		case !startsEscape(data, i):
			i++
		case isHigh(r) && isLow(escaped(data, i+6)):
			i += 12
		case isHigh(r) || isLow(r):
			copy(data[i:], `\ufffd`)
			i += 6
		default:
			i += 2
		}
	}
}

func isHigh(r int) bool { return r >= 0xD800 && r < 0xDC00 }
func isLow(r int) bool  { return r >= 0xDC00 && r < 0xE000 }

// startsEscape reports whether the backslash at i is not itself escaped.
func startsEscape(data []byte, i int) bool {
	n := 0
	for i--; i >= 0 && data[i] == '\\'; i-- {
		n++
	}
	return n%2 == 0
}

// escaped is the code unit of the \uXXXX at i, -1 if there is none.
func escaped(data []byte, i int) int {
	if i+6 > len(data) || data[i] != '\\' || data[i+1] != 'u' {
		return -1
	}
	n := 0
	for _, c := range data[i+2 : i+6] {
		switch {
		case c >= '0' && c <= '9':
			n = n<<4 | int(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			n = n<<4 | int(c|0x20-'a'+10)
		default:
			return -1
		}
	}
	return n
}
