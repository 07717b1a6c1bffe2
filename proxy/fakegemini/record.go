package fakegemini

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

const (
	maxRecords     = 1000
	maxRecordBytes = 256 << 20
)

// End is how a request ended, seen from the fake.
type End string

// The ends.
const (
	Running   End = ""          // not yet
	Completed End = "completed" // the whole answer was written
	Cancelled End = "cancelled" // the client went away first
	Severed   End = "severed"   // the fake cut the connection, as scripted or because a lock-step stream waited too long
)

// Recorded is one request as it came. The body, header and query are shared, not to be changed.
type Recorded struct {
	Seq     int                     `json:"seq"` // arrival order, from 1
	At      time.Time               `json:"at"`
	Method  string                  `json:"method"`
	Path    string                  `json:"path"`
	Query   url.Values              `json:"query,omitempty"`
	Header  http.Header             `json:"header,omitempty"`
	Key     string                  `json:"key,omitempty"`
	Model   string                  `json:"model,omitempty"` // as asked
	Verb    string                  `json:"verb,omitempty"`  // generateContent, streamGenerateContent, countTokens, embedContent, batchEmbedContents, list, get, cachedContents.create, files.upload …
	Body    []byte                  `json:"body,omitempty"`  // base64 over the admin path
	Request *GenerateContentRequest `json:"request,omitempty"`
	Embed   []EmbedContentRequest   `json:"embed,omitempty"`   // of embedContent and batchEmbedContents
	Refused RuleName                `json:"refused,omitempty"` // the rule that refused it
	Reason  string                  `json:"reason,omitempty"`  // what the refusal said
	Status  int                     `json:"status,omitempty"`  // of the answer; 0 until it began
	End     End                     `json:"end,omitempty"`
}

type records struct {
	mu      sync.Mutex
	list    []*Recorded
	bytes   int
	seq     int
	changed chan struct{}
}

// open adds a record and drops the oldest ones beyond the bounds.
func (r *records) open(rec *Recorded) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seq++
	rec.Seq, rec.At = r.seq, time.Now()
	r.list = append(r.list, rec)
	r.trim()
}

func (r *records) trim() {
	for len(r.list) > maxRecords || r.bytes > maxRecordBytes && len(r.list) > 1 {
		r.bytes -= len(r.list[0].Body)
		r.list = slices.Delete(r.list, 0, 1)
	}
}

// update changes a record under the lock and wakes those who wait.
func (r *records) update(rec *Recorded, change func(*Recorded)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := len(rec.Body)
	change(rec)
	if slices.Contains(r.list, rec) {
		r.bytes += len(rec.Body) - before
		r.trim()
	}
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

func (r *records) copyOf(rec *Recorded) Recorded {
	r.mu.Lock()
	defer r.mu.Unlock()
	return *rec
}

// Requests returns what came in so far, the oldest first: at most the last 1000.
func (s *Server) Requests() []Recorded {
	s.records.mu.Lock()
	defer s.records.mu.Unlock()
	out := make([]Recorded, len(s.records.list))
	for i, r := range s.records.list {
		out[i] = *r
	}
	return out
}

// Last returns the newest request; ok is false when none came.
func (s *Server) Last() (r Recorded, ok bool) {
	all := s.Requests()
	if len(all) == 0 {
		return Recorded{}, false
	}
	return all[len(all)-1], true
}

// Refusals returns the requests that broke a rule: a test of a good client wants none. An unknown key or model is no
// fault of the request and isn't counted.
func (s *Server) Refusals() []Recorded {
	return slices.DeleteFunc(s.Requests(), func(r Recorded) bool {
		return r.Refused == "" || r.Refused == RuleBadKey || r.Refused == RuleModel
	})
}

// WaitFor waits until cond holds for one of the recorded requests, and returns that one.
func (s *Server) WaitFor(ctx context.Context, cond func(Recorded) bool) (Recorded, error) {
	for {
		s.records.mu.Lock()
		for _, r := range s.records.list {
			if cond(*r) {
				out := *r
				s.records.mu.Unlock()
				return out, nil
			}
		}
		if s.records.changed == nil {
			s.records.changed = make(chan struct{})
		}
		changed := s.records.changed
		s.records.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return Recorded{}, fmt.Errorf("waiting for a request: %w", context.Cause(ctx))
		}
	}
}

// WaitEnd waits until request seq has ended, and tells how.
func (s *Server) WaitEnd(ctx context.Context, seq int) (End, error) {
	r, err := s.WaitFor(ctx, func(r Recorded) bool { return r.Seq == seq && r.End != Running })
	return r.End, err
}

func (r *records) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list, r.bytes = nil, 0
}
