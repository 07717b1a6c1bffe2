package proxy

import (
	"container/list"
	"crypto/sha256"
	"sync"
)

// maxOwners bounds how many names are remembered; the one that was used longest ago goes first.
const maxOwners = 16384

// owner is who made what only one key can use.
type owner struct {
	key   string // the id of the key
	token string // the name of the client's token
}

// owners remembers which key made which file, cache, upload or continuation: Google shows them to the project of that key
// alone. Names come from Google and from clients, so only their hashes are kept.
type owners struct {
	mu     sync.Mutex
	byName map[[16]byte]*list.Element
	order  *list.List // of entry, the one used last in front
}

type entry struct {
	name [16]byte
	owner
}

func newOwners() *owners {
	return &owners{byName: map[[16]byte]*list.Element{}, order: list.New()}
}

func nameHash(name string) [16]byte {
	sum := sha256.Sum256([]byte(name))
	return [16]byte(sum[:16])
}

func (o *owners) put(name string, who owner) {
	o.mu.Lock()
	defer o.mu.Unlock()
	hash := nameHash(name)
	if known, ok := o.byName[hash]; ok {
		known.Value = entry{hash, who}
		o.order.MoveToFront(known)
		return
	}
	o.byName[hash] = o.order.PushFront(entry{hash, who})
	if o.order.Len() > maxOwners {
		if oldest, ok := o.order.Remove(o.order.Back()).(entry); ok {
			delete(o.byName, oldest.name)
		}
	}
}

// find returns the owner of the first of the names that has one.
func (o *owners) find(names ...string) (owner, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, name := range names {
		known, ok := o.byName[nameHash(name)]
		if !ok {
			continue
		}
		o.order.MoveToFront(known)
		e, ok := known.Value.(entry)
		return e.owner, ok
	}
	return owner{}, false
}
