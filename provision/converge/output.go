package converge

import (
	"io"
	"strings"
	"sync"
)

const (
	keptLines   = 12  // of a command's output, for its error
	keptLineLen = 400 // bytes of each
)

// lineWriter splits output into lines, tells each, and keeps the last ones.
type lineWriter struct {
	tell func(string) // may be nil

	mu   sync.Mutex
	part []byte
	last []string
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range p {
		switch {
		case c == '\n' || c == '\r':
			w.end()
		case len(w.part) < keptLineLen:
			w.part = append(w.part, c)
		}
	}
	return len(p), nil
}

func (w *lineWriter) end() {
	line := strings.TrimRight(strings.ToValidUTF8(string(w.part), "?"), " \t")
	w.part = w.part[:0]
	if line == "" {
		return
	}
	w.last = append(w.last, line)
	if len(w.last) > keptLines {
		w.last = w.last[1:]
	}
	if w.tell != nil {
		w.tell(line)
	}
}

func (w *lineWriter) lastLines() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.end()
	return w.last
}

// limitedWriter keeps the first bytes and drops the rest.
type limitedWriter struct {
	to   io.Writer
	left int
}

func (w *limitedWriter) Write(p []byte) (int, error) {
	n := min(len(p), w.left)
	w.left -= n
	if _, err := w.to.Write(p[:n]); err != nil {
		return 0, err
	}
	return len(p), nil
}
