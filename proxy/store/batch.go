package store

import (
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
)

// maxWaiting bounds the signatures that wait for a file which cannot be written, in bytes.
const maxWaiting = 8 << 20

// batch is what is written in one transaction.
type batch struct {
	keys       map[keyID]keys.Record
	signatures map[string]signature
	usage      usageTable
	bytes      int // of signatures

	done chan struct{} // closed when it was tried
	err  error         // then: why it was not written, nil if it was
}

// keyID is the identity of a keys.Record.
type keyID struct{ owner, model, name string }

type signature struct {
	record front.Record
	put    time.Time
}

func newBatch() *batch {
	return &batch{keys: map[keyID]keys.Record{}, signatures: map[string]signature{}, usage: usageTable{}, done: make(chan struct{})}
}

func (b *batch) empty() bool { return len(b.keys)+len(b.signatures)+len(b.usage) == 0 }

func (b *batch) addKeys(records []keys.Record) {
	for _, r := range records {
		b.keys[keyID{r.Owner, r.Model, r.Name}] = r
	}
}

// addSignature keeps no more than there is room for: those who need it find it in memory.
func (b *batch) addSignature(g signature) {
	n := sizeOf(&g.record)
	if old, ok := b.signatures[g.record.ClientID]; ok {
		b.bytes -= sizeOf(&old.record)
		delete(b.signatures, g.record.ClientID)
	}
	if b.bytes+n > maxWaiting {
		return
	}
	b.signatures[g.record.ClientID] = g
	b.bytes += n
}

// absorb takes up what an earlier batch could not write.
func (b *batch) absorb(earlier *batch) {
	for id, r := range earlier.keys {
		if _, newer := b.keys[id]; !newer {
			b.keys[id] = r
		}
	}
	for id, g := range earlier.signatures {
		if _, newer := b.signatures[id]; !newer {
			b.addSignature(g)
		}
	}
	b.usage.merge(earlier.usage)
}
