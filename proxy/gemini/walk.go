package gemini

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Walker reads one JSON value in a single pass, without building a tree: the caller says at each place what it expects and
// gets the raw bytes of what it wants to keep. The first error sticks; from then on every read returns the zero value, so
// that a walk is written without an error check per field. JSON null reads as absent everywhere.
//
// What it returns as Text or raw JSON aliases the walked data.
type Walker struct {
	scan    scanner
	path    []step // to the value read last
	lenient bool
	err     error
	softly  bool         // within Softly
	found   *FormatError // there
	// elements counts what was read of arrays so far, at any depth.
	elements int
	words    *[64]string // of String, by their beginnings and ends: ids and names come twice or more
	letters  Letters     // what words are made of
	bytes    Slab[byte]  // what has escapes, without them
}

// lettersSize is how many bytes of words are made at once: a word keeps the others with it as long as it is kept.
const lettersSize = 512

// step is one step of a path: a name, or where name is nil an index.
type step struct {
	name  []byte
	index int
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
	w.Start(data)
	return w
}

// Start is NewWalker with what memory the Walker has, until Release.
func (w *Walker) Start(data []byte) {
	w.reset(data)
	if !utf8.Valid(data) {
		w.Fail("", "the text is not valid UTF-8")
	}
}

// Release ends a walk, and with it what Unquoted returned. It returns how many bytes the Walker goes on with.
func (w *Walker) Release() (size int) {
	w.reset(nil)
	if w.words != nil {
		clear(w.words[:])
	}
	w.letters = Letters{}
	return w.bytes.Reset() + cap(w.scan.open) + Recycle(&w.path)
}

// reset starts a new walk over data with the same settings; what Unquoted returned is gone.
func (w *Walker) reset(data []byte) {
	w.bytes.Reset()
	w.scan = scanner{data: data, open: w.scan.open}
	w.path, w.err, w.found, w.elements = w.path[:0], nil, nil, 0
}

// Valid reports whether data is one JSON value and nothing else, whatever the Walker walks through. Escaped surrogates without their
// other half become \ufffd in it.
func (w *Walker) Valid(data []byte) bool {
	s := scanner{data: data, open: w.scan.open}
	ok := s.skip()
	s.space()
	w.scan.open = s.open
	return ok && s.pos == len(data)
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
	if w.scan.space(); w.err == nil && w.scan.pos < len(w.scan.data) {
		w.Fail("", "something follows the end of the JSON value")
	}
	return w.err
}

// Path is the dotted path of the value read last.
func (w *Walker) Path() string {
	var b []byte
	for i, s := range w.path {
		if i > 0 {
			b = append(b, '.')
		}
		if s.name != nil {
			b = append(b, s.name...)
		} else {
			b = strconv.AppendInt(b, int64(s.index), 10)
		}
	}
	return string(b)
}

// Kind is the first byte of the next value: one of n f t " 0 { [, or 0 when there is none.
func (w *Walker) Kind() byte {
	if w.err != nil {
		return 0
	}
	return w.scan.kind()
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
		w.check(w.scan.skip())
	}
}

// Any reads any value, null included; it is nil only after an error.
func (w *Walker) Any() json.RawMessage {
	return w.between(w.Skip)
}

// Span calls read, which must read exactly one value, and returns that value as it stands; nil for null.
func (w *Walker) Span(read func()) json.RawMessage {
	null := w.Kind() == 'n'
	v := w.between(read)
	if null {
		return nil
	}
	return v
}

func (w *Walker) between(read func()) json.RawMessage {
	w.scan.space()
	start := w.scan.pos
	read()
	if w.err != nil {
		return nil
	}
	return w.scan.data[start:w.scan.pos:w.scan.pos]
}

// Expect reads null as absent and reports whether the next value begins with one of kinds. If not, it is skipped, and in a
// strict walk it is an error: "expected " + what.
func (w *Walker) Expect(kinds, what string) bool {
	k := w.Kind()
	if k != 0 && strings.IndexByte(kinds, k) >= 0 {
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
	w.enter()
	more := w.scan.space() != '}'
	for more && w.err == nil {
		literal, ok := w.scan.name()
		if w.check(ok); !ok {
			break
		}
		name := w.unquoted(literal)
		w.path[len(w.path)-1].name = name
		field(name)
		more = w.comma('}')
	}
	return w.leave('}')
}

// Array calls elem for each element, of at most 100,000 in a text, numbers aside; elem must read exactly one value. It reports whether there was an array.
func (w *Walker) Array(what string, elem func(i int)) bool {
	if !w.Expect("[", what) {
		return false
	}
	w.enter()
	more := w.scan.space() != ']'
	for i := 0; more && w.err == nil; i++ {
		w.path[len(w.path)-1].index = i
		kind := w.scan.kind()
		elem(i)
		if kind != '0' {
			w.count()
		}
		more = w.comma(']')
	}
	return w.leave(']')
}

// enter goes into the object or array that begins here.
func (w *Walker) enter() {
	w.scan.pos++
	w.scan.depth++
	w.path = append(w.path, step{})
}

// comma reads what stands behind a value, and reports whether another one follows.
func (w *Walker) comma(end byte) bool {
	if w.err != nil || w.scan.space() == end {
		return false
	}
	ok := w.scan.take(',', "a comma or the end")
	w.check(ok)
	return ok
}

// leave reads the end of an object or array.
func (w *Walker) leave(end byte) bool {
	if w.err == nil {
		w.check(w.scan.take(end, "a comma or the end"))
	}
	w.scan.depth--
	w.path = w.path[:len(w.path)-1]
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
