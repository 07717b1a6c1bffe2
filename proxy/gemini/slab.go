package gemini

// Slab hands out slices that lie one behind the other in larger ones, for the many small ones that a long history is made of. What
// it gave stays valid; appending to it makes a copy. The zero value is ready.
type Slab[T any] struct{ free []T }

// slabSize is how many are made at once, at least.
const slabSize = 32

// Make returns n zero values.
func (s *Slab[T]) Make(n int) []T {
	if n > len(s.free) {
		if n > slabSize/2 {
			return make([]T, n)
		}
		s.free = make([]T, slabSize)
	}
	out := s.free[:n:n]
	s.free = s.free[n:]
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
