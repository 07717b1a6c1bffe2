package front

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"hash/maphash"
	"sync"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

const (
	cleanBytes = 16 << 20 // of schemas and what they became
	strictSize = 4 << 20
	maxRefused = 1 << 10 // tools blocks
)

// Schemas remembers what became of the schemas of tools, since clients send the same ones every time, and which of them
// Google refused. Its memory is bounded. A nil *Schemas remembers nothing. Safe for concurrent use.
type Schemas struct {
	seed maphash.Seed

	mu      sync.Mutex
	clean   recent
	strict  recent
	refused [2]map[uint64]bool // the newer half, and the older one
}

// NewSchemas makes an empty memory.
func NewSchemas() *Schemas {
	return &Schemas{seed: maphash.MakeSeed(), clean: recent{limit: cleanBytes}, strict: recent{limit: strictSize}}
}

// cleaned is CleanSchema from memory.
func (s *Schemas) cleaned(raw json.RawMessage) json.RawMessage {
	if s == nil {
		return CleanSchema(raw)
	}
	return s.made(&s.clean, raw, CleanSchema)
}

// strictly is StrictSchema from memory.
func (s *Schemas) strictly(raw json.RawMessage) json.RawMessage {
	if s == nil {
		return StrictSchema(raw)
	}
	return s.made(&s.strict, raw, StrictSchema)
}

func (s *Schemas) made(r *recent, raw json.RawMessage, make func(json.RawMessage) json.RawMessage) json.RawMessage {
	s.mu.Lock()
	out, known := r.get(raw)
	s.mu.Unlock()
	if known {
		return out
	}
	out = make(raw)
	s.mu.Lock()
	defer s.mu.Unlock()
	r.put(string(raw), bytes.Clone(out)) // raw's memory, which may be in it, is the request's
	return out
}

// block names a model with the functions declared to it.
func (s *Schemas) block(target string, decls []gemini.FunctionDeclaration) uint64 {
	var h maphash.Hash
	h.SetSeed(s.seed)
	add := func(b []byte) {
		_, _ = h.Write(binary.AppendUvarint(nil, uint64(len(b)))) // a Hash never fails
		_, _ = h.Write(b)
	}
	add([]byte(target))
	for _, d := range decls {
		add([]byte(d.Name))
		add(d.ParametersJSONSchema)
	}
	return h.Sum64()
}

// refuses reports whether Google is known to refuse the functions as JSON Schema.
func (s *Schemas) refuses(target string, decls []gemini.FunctionDeclaration) bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.refused[0])+len(s.refused[1]) == 0 {
		return false
	}
	block := s.block(target, decls)
	return s.refused[0][block] || s.refused[1][block]
}

func (s *Schemas) refuse(block uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refused[0] == nil || len(s.refused[0]) >= maxRefused/2 {
		s.refused[1], s.refused[0] = s.refused[0], map[uint64]bool{}
	}
	s.refused[0][block] = true
}

// recent keeps what was asked for of late: two generations, of which the older one goes when the newer one is full.
type recent struct {
	limit    int // bytes of both
	now, old map[string]json.RawMessage
	size     int // bytes of the newer one
}

func (r *recent) get(key []byte) (json.RawMessage, bool) {
	if out, ok := r.now[string(key)]; ok {
		return out, true
	}
	out, ok := r.old[string(key)]
	if ok {
		r.put(string(key), out)
	}
	return out, ok
}

func (r *recent) put(key string, value json.RawMessage) {
	const overhead = 64
	n := len(key) + len(value) + overhead
	if n > r.limit/2 {
		return
	}
	if r.now == nil || r.size+n > r.limit/2 {
		r.old, r.now, r.size = r.now, map[string]json.RawMessage{}, 0
	}
	r.now[key] = value
	r.size += n
}
