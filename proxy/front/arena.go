package front

import (
	"sync"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// largestKept is the largest arena that serves further requests, in bytes: the pool lends any to anybody, and a small request must
// not hold what a large one left for as long as its answer takes.
const largestKept = 512 << 10

// Arena is the memory that one request is translated in: what many of its parts are made of lies here, one behind the other, and
// serves the next request when this one is over (Call.Release). Nothing that outlives a request may be in it. The zero value is ready.
type Arena struct {
	Walker    gemini.Walker // through the request's body
	Parts     gemini.Slab[gemini.Part]
	Contents  gemini.Slab[gemini.Content]
	Calls     gemini.Slab[gemini.FunctionCall]
	Responses gemini.Slab[gemini.FunctionResponse]
	Bytes     gemini.Slab[byte]
	Own       Own // what the codec has beside, nil in the beginning

	pairs   matches
	carried []Record          // Call.Carried
	known   map[string]int    // of these, by the client's id
	ids     map[string]string // Google's, likewise
	sealed  gemini.Walker     // through what they came in
	letters gemini.Letters    // of theirs
	home    *Arenas
}

// Own is what a codec keeps in an arena.
type Own interface {
	// Reset takes back all that is in it, and returns how many bytes it goes on with.
	Reset() (size int)
}

// Arenas lends arenas. A nil *Arenas makes a new one each time. Safe for concurrent use.
type Arenas struct{ pool sync.Pool }

// Get lends an arena until Release.
func (a *Arenas) Get() *Arena {
	if a == nil {
		return &Arena{}
	}
	arena, ok := a.pool.Get().(*Arena)
	if !ok {
		arena = &Arena{home: a}
	}
	return arena
}

// Decode makes a call: read reads its body in an arena and returns what fills the call from there. Where either fails the arena is
// given back, and the error is for the client.
func (a *Arenas) Decode(read func(*Arena) (fill func(*Call) error, err error)) (*Call, error) {
	arena := a.Get()
	var call *Call
	fill, err := read(arena)
	if err == nil {
		call = newCall(arena)
		err = fill(call)
	}
	if err != nil {
		arena.Release()
		return nil, AsError(err)
	}
	return call, nil
}

// OwnOf returns what a codec keeps in an arena, made at the first time.
func OwnOf[M any, P interface {
	*M
	Own
}](a *Arena) P {
	m, ok := a.Own.(P)
	if !ok {
		m = new(M)
		a.Own = m
	}
	return m
}

// Release gives an arena back. Nobody may look at what is in it any more.
func (a *Arena) Release() {
	size := a.Walker.Release() + a.Parts.Reset() + a.Contents.Reset() + a.Calls.Reset() + a.Responses.Reset() + a.Bytes.Reset() + a.pairs.reset() +
		a.sealed.Release() + gemini.Recycle(&a.carried)
	a.known, a.ids, a.letters = fresh(a.known), fresh(a.ids), gemini.Letters{}
	if a.Own != nil {
		size += a.Own.Reset()
	}
	if a.home != nil && size <= largestKept {
		a.home.pool.Put(a)
	}
}

// keptIDs is how many ids a map has at most that serves further requests: it keeps the room that it had.
const keptIDs = 4096

// fresh empties a map by ids for the next use.
func fresh[V any](m map[string]V) map[string]V {
	if m == nil || len(m) > keptIDs {
		return map[string]V{}
	}
	clear(m)
	return m
}
