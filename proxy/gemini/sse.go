package gemini

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// MaxFrame is the largest frame of an answer's stream, in bytes. Google sends inline images and long arguments whole.
const MaxFrame = 16 << 20

// ErrFrameTooLarge is a frame beyond MaxFrame.
var ErrFrameTooLarge = errors.New("a frame of Gemini's answer is larger than 16 MB")

// Reader yields the payloads of a text/event-stream: lines end in LF or CRLF, comments and fields other than data are
// skipped. A JSON text that stands there without "data:", as Google sends errors at times, is a payload too.
type Reader struct {
	br    *bufio.Reader
	line  []byte
	frame []byte
	bare  bareJSON
}

// NewReader reads from r. One goroutine may use it.
func NewReader(r io.Reader) *Reader {
	return &Reader{br: bufio.NewReaderSize(r, readSize)}
}

// readSize is for a dozen frames as they usually are; each running answer has so much.
const readSize = 4 << 10

// maxReused is the largest memory, in bytes, that serves another stream.
const maxReused = 64 << 10

// Reset makes it read another stream, from its beginning. What Next returned is not valid any more. It reports false where its
// memory is not worth keeping.
func (r *Reader) Reset(another io.Reader) bool {
	r.br.Reset(another)
	r.line, r.frame, r.bare = r.line[:0], r.frame[:0], bareJSON{}
	return cap(r.line)+cap(r.frame) <= maxReused
}

// Next returns the next payload, valid until the call after it. The error is io.EOF at the end of the stream,
// io.ErrUnexpectedEOF when the stream was cut within a frame, ErrFrameTooLarge, or r's own.
func (r *Reader) Next() ([]byte, error) {
	r.frame, r.bare = r.frame[:0], bareJSON{}
	for {
		line, err := r.readLine()
		if err == io.EOF {
			return r.atEOF(line)
		}
		if err != nil {
			return nil, err
		}
		if r.take(line) {
			return r.frame, nil
		}
		if len(r.frame) > MaxFrame {
			return nil, ErrFrameTooLarge
		}
	}
}

// Ready reports whether Next has a whole frame without waiting for the network.
func (r *Reader) Ready() bool {
	b, err := r.br.Peek(r.br.Buffered())
	data := false
	for err == nil {
		line, rest, whole := bytes.Cut(b, []byte("\n"))
		line = bytes.TrimSuffix(line, []byte("\r"))
		switch value, ok := bytes.CutPrefix(line, []byte("data:")); {
		case !whole:
			return false
		case len(line) == 0 && data:
			return true
		case ok && len(value) > 1:
			data = true
		}
		b = rest
	}
	return false
}

// take adds a line to the frame and reports whether that completes it.
func (r *Reader) take(line []byte) bool {
	if r.bare.open || (len(r.frame) == 0 && startsJSON(line)) {
		r.frame = append(append(r.frame, line...), '\n')
		return r.bare.feed(line)
	}
	if len(line) == 0 {
		return len(r.frame) > 0
	}
	data, ok := bytes.CutPrefix(line, []byte("data:"))
	if !ok {
		return false
	}
	if len(r.frame) > 0 {
		r.frame = append(r.frame, '\n')
	}
	r.frame = append(r.frame, bytes.TrimPrefix(data, []byte(" "))...)
	return false
}

// atEOF takes a last frame that lacks its blank line, if it is whole.
func (r *Reader) atEOF(line []byte) ([]byte, error) {
	if len(line) > 0 {
		r.take(line)
	}
	switch {
	case len(r.frame) == 0 && len(line) == 0:
		return nil, io.EOF
	case len(r.frame) > 0 && json.Valid(r.frame):
		return r.frame, nil
	}
	return nil, io.ErrUnexpectedEOF
}

// readLine returns a line without its end, valid until the next call. With io.EOF it returns what stood there without one.
func (r *Reader) readLine() ([]byte, error) {
	r.line = r.line[:0]
	for {
		part, err := r.br.ReadSlice('\n')
		if err == nil && len(r.line) == 0 {
			return bytes.TrimSuffix(part[:len(part)-1], []byte("\r")), nil
		}
		if len(r.line)+len(part) > MaxFrame {
			return nil, ErrFrameTooLarge
		}
		r.line = append(r.line, part...)
		switch err {
		case nil:
			return bytes.TrimSuffix(r.line[:len(r.line)-1], []byte("\r")), nil
		case bufio.ErrBufferFull:
		case io.EOF:
			return bytes.TrimSuffix(r.line, []byte("\r")), io.EOF
		default:
			return nil, err
		}
	}
}

func startsJSON(line []byte) bool {
	line = bytes.TrimLeft(line, " \t")
	return len(line) > 0 && (line[0] == '{' || line[0] == '[')
}

// bareJSON finds the end of a JSON text that may run over several lines.
type bareJSON struct {
	open     bool
	depth    int
	inString bool
	escaped  bool
}

// feed takes a line and reports whether the text is complete.
func (b *bareJSON) feed(line []byte) bool {
	b.open = true
	for _, c := range line {
		switch {
		case b.escaped:
			b.escaped = false
		case b.inString && c == '\\':
			b.escaped = true
		case c == '"':
			b.inString = !b.inString
		case b.inString:
		case c == '{' || c == '[':
			b.depth++
		case c == '}' || c == ']':
			b.depth--
		}
	}
	return b.depth <= 0 && !b.inString
}
