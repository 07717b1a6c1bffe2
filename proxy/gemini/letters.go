package gemini

import "strings"

// Letters makes strings, many of them in one piece of memory, which stays as long as one of them does. The zero value is ready.
type Letters struct{ room strings.Builder }

// Of returns b as a string. New pieces have piece bytes; what takes more than half of one gets memory of its own.
func (l *Letters) Of(b []byte, piece int) string {
	if len(b) > piece/2 {
		return string(b)
	}
	from := l.room.Len()
	if from+len(b) > l.room.Cap() {
		l.room, from = strings.Builder{}, 0
		l.room.Grow(piece)
	}
	l.room.Write(b) // never fails
	return l.room.String()[from:]
}
