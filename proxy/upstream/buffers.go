package upstream

import "github.com/valyala/bytebufferpool"

// largestKept is the most memory that serves further bodies, in bytes: the pool lends any buffer to anybody, and a small request
// must not hold what a large one left for as long as its answer takes.
const largestKept = 512 << 10

// Buffers is memory of bodies that serves further ones. The zero value is ready.
type Buffers struct{ pool bytebufferpool.Pool }

// Get is an empty buffer, until Put.
func (b *Buffers) Get() *bytebufferpool.ByteBuffer { return b.pool.Get() }

// Put gives a buffer back, which nobody may look at any more.
func (b *Buffers) Put(buffer *bytebufferpool.ByteBuffer) {
	if cap(buffer.B) <= largestKept {
		b.pool.Put(buffer)
	}
}
