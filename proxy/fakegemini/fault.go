package fakegemini

import (
	"compress/gzip"
	"errors"
	"time"
)

// Fault is how the bytes of an answer go wrong on their way. The zero value is a clean answer.
type Fault struct {
	CutAt int      `json:"cutAt,omitempty"` // the connection is closed hard after so many bytes of the body
	Drip  int      `json:"drip,omitempty"`  // the body comes in pieces of so many bytes, whatever they hold
	Every Duration `json:"every,omitempty"` // the pause between such pieces
	Gzip  bool     `json:"gzip,omitempty"`  // Content-Encoding: gzip, asked for or not
	LF    bool     `json:"lf,omitempty"`    // frames end in LF LF instead of CRLF CRLF
}

// CutAfter returns the answer cut after n bytes of its body.
func (a Answer) CutAfter(n int) Answer { a.Fault.CutAt = n; return a }

// Dripped returns the answer in pieces of n bytes with a pause between them: 1 byte splits every character and line end.
func (a Answer) Dripped(n int, pause time.Duration) Answer {
	a.Fault.Drip, a.Fault.Every = n, Duration(pause)
	return a
}

// Gzipped returns the answer compressed.
func (a Answer) Gzipped() Answer { a.Fault.Gzip = true; return a }

// LineFeeds returns the answer with frames that end in LF LF.
func (a Answer) LineFeeds() Answer { a.Fault.LF = true; return a }

var errCut = errors.New("cut as scripted")

// wire writes the body of an answer, faults and all. It is an io.Writer, so that gzip can go through it.
type wire struct {
	x    *exchange
	sent int
	zip  *gzip.Writer
}

// Write sends data in the pieces that the fault asks for.
func (w *wire) Write(data []byte) (int, error) {
	f := w.x.fault
	for done := 0; done < len(data); {
		piece := data[done:]
		if f.Drip > 0 {
			piece = piece[:min(f.Drip, len(piece))]
		}
		if f.CutAt > 0 {
			piece = piece[:min(len(piece), f.CutAt-w.sent)]
		}
		if !w.x.send(piece) {
			return done, errCut
		}
		done += len(piece)
		w.sent += len(piece)
		if f.CutAt > 0 && w.sent >= f.CutAt {
			w.x.state = Severed
			return done, errCut
		}
		if f.Drip > 0 && !w.x.sleep(f.Every.std()) {
			return done, errCut
		}
	}
	return len(data), nil
}

// put writes and flushes through the faults; false when the answer is over.
func (x *exchange) put(data []byte) bool {
	if x.out == nil {
		x.out = &wire{x: x}
		if x.fault.Gzip {
			x.out.zip = gzip.NewWriter(x.out)
		}
	}
	if x.out.zip == nil {
		_, err := x.out.Write(data)
		return err == nil
	}
	_, err := x.out.zip.Write(data)
	return errors.Join(err, x.out.zip.Flush()) == nil
}

// finish writes what compression holds back.
func (x *exchange) finish() {
	if x.out != nil && x.out.zip != nil && x.state == Running && x.out.zip.Close() != nil && x.state == Running {
		x.state = Cancelled
	}
}

// BareError is a chunk with an error as a line of its own, without the frame that SSE asks for.
func BareError(e *APIError) Chunk { return RawChunk(string(rawJSON(e.envelope())) + "\n") }

// ArrayError is a chunk with an error in a list, without a frame.
func ArrayError(e *APIError) Chunk { return RawChunk(string(rawJSON([]envelope{e.envelope()})) + "\n") }

// Comment is a chunk that SSE readers skip.
func Comment(text string) Chunk { return RawChunk(": " + text + "\r\n\r\n") }
