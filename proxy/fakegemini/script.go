package fakegemini

import (
	"fmt"
	"sync"
	"time"
)

// Responder answers a request in code; ok=false leaves it to the queue and the model. Of an answer to countTokens,
// embedContent and batchEmbedContents only Delay, Error and Raw count.
type Responder func(r Recorded) (a Answer, ok bool)

// KeyRule is how the fake treats one API key.
type KeyRule struct {
	Error   *APIError `json:"error,omitempty"`   // answered instead of everything else
	Times   int       `json:"times,omitempty"`   // how often; 0 is always
	Model   string    `json:"model,omitempty"`   // only for this model; empty is all
	Verb    string    `json:"verb,omitempty"`    // only for this verb, as in Recorded.Verb; empty is all
	Latency Duration  `json:"latency,omitempty"` // added before the first byte
}

// script is what the tests want: rules by key, a responder, and a queue of answers.
type script struct {
	mu      sync.Mutex
	queue   []Answer
	respond Responder
	keys    map[string][]*KeyRule
}

// Enqueue adds answers, to be used in order by legal requests of generateContent and streamGenerateContent. A malformed answer panics: it is a fault of the test.
func (s *Server) Enqueue(answers ...Answer) {
	if err := s.script.add(answers); err != nil {
		panic("BUG: " + err.Error())
	}
}

func (sc *script) add(answers []Answer) error {
	for i, a := range answers {
		if err := a.check(); err != nil {
			return fmt.Errorf("answer %d: %w", i, err)
		}
	}
	sc.mu.Lock()
	defer sc.mu.Unlock()
	sc.queue = append(sc.queue, answers...)
	return nil
}

// Pending is the number of answers that no request has taken yet.
func (s *Server) Pending() int {
	s.script.mu.Lock()
	defer s.script.mu.Unlock()
	return len(s.script.queue)
}

// Respond sets a function that answers before the queue does; nil takes it away. It may be called from many goroutines.
func (s *Server) Respond(f Responder) {
	s.script.mu.Lock()
	defer s.script.mu.Unlock()
	s.script.respond = f
}

// Key adds a rule for an API key. Rules of one key apply in the order they were added, the first that fits; a rule with
// Times wears out. With no rule left the key works.
func (s *Server) Key(key string, rule KeyRule) {
	s.script.mu.Lock()
	defer s.script.mu.Unlock()
	if s.script.keys == nil {
		s.script.keys = map[string][]*KeyRule{}
	}
	s.script.keys[key] = append(s.script.keys[key], &rule)
}

// HealKey takes every rule of a key away.
func (s *Server) HealKey(key string) {
	s.script.mu.Lock()
	defer s.script.mu.Unlock()
	delete(s.script.keys, key)
}

// keyVerdict uses up the rules of a key for one request.
func (sc *script) keyVerdict(rec *Recorded) (*APIError, time.Duration) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	var latency time.Duration
	key := rec.Key
	for i, r := range sc.keys[key] {
		if r.Model != "" && r.Model != rec.Model || r.Verb != "" && r.Verb != rec.Verb {
			continue
		}
		latency = max(latency, time.Duration(r.Latency))
		if r.Error == nil {
			continue
		}
		if r.Times > 0 {
			if r.Times--; r.Times == 0 {
				sc.keys[key] = append(sc.keys[key][:i:i], sc.keys[key][i+1:]...)
			}
		}
		return r.Error, latency
	}
	return nil, latency
}

// take picks the scripted answer for a request, if there is one.
func (sc *script) take(r Recorded) (Answer, bool) {
	sc.mu.Lock()
	respond := sc.respond
	sc.mu.Unlock()
	if respond != nil {
		if a, ok := respond(r); ok {
			return a, true
		}
	}
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if len(sc.queue) == 0 || !speaks(r.Verb) {
		return Answer{}, false
	}
	a := sc.queue[0]
	sc.queue = sc.queue[1:]
	return a, true
}

func (sc *script) reset() {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	sc.queue, sc.respond, sc.keys = nil, nil, nil
}
