package gemini

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// scanner reads JSON off data in one pass (RFC 8259: everything is checked but UTF-8 and repeated names). It is what every
// request and every chunk goes through, and exists for its speed alone: BenchmarkScan puts it beside encoding/json and
// jsontext, FuzzScan holds it to their verdicts.
//
// Escaped surrogates without their other half become \ufffd in data itself: clients that cut text by UTF-16 units send such
// halves, and Google refuses them.
type scanner struct {
	data    []byte
	pos     int
	depth   int    // of what the caller has open
	open    []byte // what skip has open, below it: { or [
	units   bool   // there was a character that stands as \uXXXX
	problem string // why the text is not JSON, "" as long as it may be
}

// maxDepth bounds how deep values lie in each other, as encoding/json does.
const maxDepth = 10_000

const (
	endsEarly = "the JSON text ends in the middle"
	isEmpty   = "the text is empty, expected JSON"
)

// space skips white space and returns the byte behind it, 0 at the end.
func (s *scanner) space() byte {
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; c {
		case ' ', '\n', '\r', '\t':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

// kind is what the next value begins with: one of n f t " 0 { [, or 0 where none begins.
func (s *scanner) kind() byte {
	switch c := s.space(); {
	case c == '-' || c >= '0' && c <= '9':
		return '0'
	case c == '"' || c == '{' || c == '[' || c == 't' || c == 'f' || c == 'n':
		return c
	}
	return 0
}

// fail says that something else was expected here, and returns false.
func (s *scanner) fail(expected string) bool {
	switch {
	case s.problem != "":
	case s.pos >= len(s.data):
		s.problem = endsEarly
	default:
		s.problem = fmt.Sprintf("not valid JSON: %q in place of %s at byte %d", rune(s.data[s.pos]), expected, s.pos)
	}
	return false
}

// take moves on over c, which must be next.
func (s *scanner) take(c byte, expected string) bool {
	if s.space() != c {
		return s.fail(expected)
	}
	s.pos++
	return true
}

// name reads the name of a member and the colon behind it.
func (s *scanner) name() (literal []byte, ok bool) {
	if s.space() != '"' {
		return nil, s.fail("a name")
	}
	start := s.pos
	if !s.text() {
		return nil, false
	}
	literal = s.data[start:s.pos:s.pos]
	return literal, s.take(':', "a colon")
}

// skip reads any value.
func (s *scanner) skip() bool {
	s.open = s.open[:0]
	for {
		nested, ok := s.begin()
		if !ok {
			return false
		}
		for !nested {
			if len(s.open) == 0 {
				return true
			}
			if nested, ok = s.more(); !ok {
				return false
			}
		}
	}
}

// begin reads a scalar, an empty object or array, or the beginning of one that has something in it; nested tells of the last
// that a value comes next.
func (s *scanner) begin() (nested, ok bool) {
	switch c := s.space(); c {
	case '"':
		return false, s.text()
	case '{', '[':
		if s.depth+len(s.open) >= maxDepth {
			s.problem = fmt.Sprintf("not valid JSON: more than %d values in each other", maxDepth)
			return false, false
		}
		s.pos++
		if s.space() == c+2 { // the closing one, for both kinds
			s.pos++
			return false, true
		}
		s.open = append(s.open, c)
		if c == '[' {
			return true, true
		}
		_, ok = s.name()
		return true, ok
	case 't':
		return false, s.word("true")
	case 'f':
		return false, s.word("false")
	case 'n':
		return false, s.word("null")
	}
	return false, s.number()
}

// more reads what stands behind a value within the innermost open object or array: a comma, and in an object a name, or its end.
func (s *scanner) more() (nested, ok bool) {
	top := s.open[len(s.open)-1]
	switch s.space() {
	case ',':
		s.pos++
		if top == '{' {
			_, ok := s.name()
			return true, ok
		}
		return true, true
	case top + 2:
		s.pos++
		s.open = s.open[:len(s.open)-1]
		return false, true
	}
	return false, s.fail("a comma or the end")
}

func (s *scanner) word(word string) bool {
	for i := range len(word) {
		if s.pos >= len(s.data) || s.data[s.pos] != word[i] {
			return s.fail(word)
		}
		s.pos++
	}
	return true
}

func (s *scanner) number() bool {
	if s.at('-') {
		s.pos++
	}
	if s.at('0') {
		s.pos++
	} else if !s.digits("a value") {
		return false
	}
	if s.at('.') {
		s.pos++
		if !s.digits("a digit") {
			return false
		}
	}
	if s.at('e') || s.at('E') {
		s.pos++
		if s.at('+') || s.at('-') {
			s.pos++
		}
		return s.digits("a digit")
	}
	return true
}

func (s *scanner) at(c byte) bool { return s.pos < len(s.data) && s.data[s.pos] == c }

// digits reads one or more.
func (s *scanner) digits(expected string) bool {
	start := s.pos
	for s.pos < len(s.data) && s.data[s.pos] >= '0' && s.data[s.pos] <= '9' {
		s.pos++
	}
	return s.pos > start || s.fail(expected)
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// special has bit 7 of each byte set that is below 0x20, or '"', or '\\'. A borrow can set one wrongly above one that is right, so
// the byte is looked at again.
func special(eight uint64) uint64 {
	quote, slash := eight^ones*'"', eight^ones*'\\'
	return ((eight-ones*0x20)&^eight | (quote-ones)&^quote | (slash-ones)&^slash) & highs
}

// text reads a string, which begins here. Eight bytes are looked at in one go; within them, one after the other of those that
// mean something.
func (s *scanner) text() bool {
	data := s.data
	i := s.pos + 1
	for i+8 <= len(data) {
		from := i
		i += 8
		for found := special(binary.LittleEndian.Uint64(data[from:])); found != 0; {
			k := bits.TrailingZeros64(found) / 8
			switch at := from + k; {
			case data[at] == '"':
				s.pos = at + 1
				return true
			case data[at] == '\\' && at+1 < len(data) && escapes[data[at+1]]:
				found &= ^uint64(0) << (8 * (k + 2))
				i = max(i, at+2)
			case data[at] == '\\':
				if s.pos = at; !s.unit() {
					return false
				}
				i, found = s.pos, 0
			case data[at] < 0x20:
				s.pos = at
				return s.fail("a character of a string")
			default:
				found &= found - 1
			}
		}
	}
	return s.textEnd(i)
}

// textEnd reads the rest of a string that goes on at i, near the end of the text.
func (s *scanner) textEnd(i int) bool {
	for s.pos = i; s.pos < len(s.data); {
		switch c := s.data[s.pos]; {
		case c == '"':
			s.pos++
			return true
		case c == '\\' && s.pos+1 < len(s.data) && escapes[s.data[s.pos+1]]:
			s.pos += 2
		case c == '\\':
			if !s.unit() {
				return false
			}
		case c < 0x20:
			return s.fail("a character of a string")
		default:
			s.pos++
		}
	}
	return s.fail("a character of a string")
}

// escapes are the characters that are one behind a backslash.
var escapes = [256]bool{'"': true, '\\': true, '/': true, 'b': true, 'f': true, 'n': true, 'r': true, 't': true}

// unit reads an escaped code unit, \uXXXX, or a pair of surrogates.
func (s *scanner) unit() bool {
	start := s.pos
	s.units = true
	if s.pos++; !s.at('u') {
		return s.fail("an escaped character")
	}
	r := escaped(s.data, start)
	if r < 0 {
		for s.pos++; s.pos < len(s.data) && isHex(s.data[s.pos]); {
			s.pos++
		}
		return s.fail("a hexadecimal digit")
	}
	s.pos = start + 6
	switch {
	case isHigh(r) && isLow(escaped(s.data, s.pos)):
		s.pos += 6
	case isHigh(r) || isLow(r):
		copy(s.data[start:], `\ufffd`)
	}
	return true
}

func isHigh(r int) bool { return r >= 0xD800 && r < 0xDC00 }
func isLow(r int) bool  { return r >= 0xDC00 && r < 0xE000 }

func isHex(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' }

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
