package gemini

import "reflect"

// Slab hands out slices that lie one behind the other in larger ones, for the many small ones that a long history is made of. What
// it gave stays valid until Reset; appending to it makes a copy. The zero value is ready.
type Slab[T any] struct {
	chunk []T
	used  int // of chunk; what is behind is zero
}

const (
	slabSize = 8         // how many are made at once, at least
	slabMost = 256 << 10 // how many bytes, unless one slice has more
)

// Make returns n zero values.
func (s *Slab[T]) Make(n int) []T {
	if n > len(s.chunk)-s.used {
		s.chunk, s.used = make([]T, max(n, min(2*len(s.chunk), slabMost/sizeOf[T]()), slabSize)), 0
	}
	out := s.chunk[s.used : s.used+n : s.used+n]
	s.used += n
	return out
}

// Keep returns a copy of items.
func (s *Slab[T]) Keep(items ...T) []T {
	out := s.Make(len(items))
	copy(out, items)
	return out
}

// New returns a copy of item.
func (s *Slab[T]) New(item T) *T {
	p := &s.Make(1)[0]
	*p = item
	return p
}

// Reset takes back all that was given, which nobody may look at any more, and returns how many bytes the slab goes on with.
func (s *Slab[T]) Reset() (size int) {
	clear(s.chunk[:s.used])
	s.used = 0
	return len(s.chunk) * sizeOf[T]()
}

// sizeOf is how many bytes a T takes.
func sizeOf[T any]() int { return int(reflect.TypeFor[T]().Size()) }

// Recycle empties a slice that further requests are to append to, and returns how many bytes it has.
func Recycle[T any](s *[]T) (size int) {
	all := (*s)[:cap(*s)]
	clear(all)
	*s = all[:0]
	return len(all) * sizeOf[T]()
}
