package store

import (
	"container/list"
	"sync"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/front"
)

// Limits bound what is remembered; what was not used for longest goes first.
type Limits struct {
	Entries int           // records, >= 1
	Bytes   int           // text of all records together
	Age     time.Duration // since Put
}

// DefaultLimits suit a long day of coding sessions.
func DefaultLimits() Limits {
	return Limits{Entries: 100_000, Bytes: 256 << 20, Age: 7 * 24 * time.Hour}
}

// Memory is a Signatures that a restart empties.
type Memory struct {
	limits Limits

	mu    sync.Mutex
	byID  map[string]*list.Element // of *entry
	order *list.List               // the last used first
	bytes int
}

type entry struct {
	record front.Record
	put    time.Time
}

func (e *entry) size() int {
	r := &e.record
	return len(r.ClientID) + len(r.Name) + len(r.UpstreamID) + len(r.Signature) + len(r.Model) + len(r.Before) + len(r.After)
}

// NewMemory makes an empty one.
func NewMemory(limits Limits) *Memory {
	return &Memory{limits: limits, byID: map[string]*list.Element{}, order: list.New()}
}

// Put never fails.
func (m *Memory) Put(r front.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if old, ok := m.byID[r.ClientID]; ok {
		m.remove(old)
	}
	e := &entry{record: r, put: time.Now()}
	m.byID[r.ClientID] = m.order.PushFront(e)
	m.bytes += e.size()
	for m.order.Len() > m.limits.Entries || m.bytes > m.limits.Bytes {
		m.remove(m.order.Back())
	}
	return nil
}

// Get never fails.
func (m *Memory) Get(clientID string) (front.Record, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	el, ok := m.byID[clientID]
	if !ok {
		return front.Record{}, false, nil
	}
	e := el.Value.(*entry)
	if time.Since(e.put) >= m.limits.Age {
		m.remove(el)
		return front.Record{}, false, nil
	}
	m.order.MoveToFront(el)
	return e.record, true, nil
}

func (m *Memory) remove(el *list.Element) {
	e := m.order.Remove(el).(*entry)
	delete(m.byID, e.record.ClientID)
	m.bytes -= e.size()
}
