package gemini

import "bytes"

// Block is a value that was read before, so that it need not be read again where it comes again: some parts of requests are the
// same in each of a client's.
type Block struct {
	raw      []byte
	units    bool
	elements int
}

// NewBlock is what w, which walked through raw and nothing else without an error, has read.
func NewBlock(raw []byte, w *Walker) Block {
	return Block{raw: raw, units: w.scan.units, elements: w.elements}
}

// Size is its length in bytes.
func (b *Block) Size() int { return len(b.raw) }

// Is reports whether it is the value in raw, byte for byte.
func (b *Block) Is(raw []byte) bool { return bytes.Equal(b.raw, raw) }

// Pass moves on over the next value if it is the block's, byte for byte.
func (w *Walker) Pass(b *Block) bool {
	w.scan.space()
	if w.err != nil || w.elements+b.elements > maxElements || !bytes.HasPrefix(w.scan.data[w.scan.pos:], b.raw) {
		return false
	}
	w.scan.pos += len(b.raw)
	w.scan.units = w.scan.units || b.units
	w.elements += b.elements
	return true
}
