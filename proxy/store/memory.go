package store

import (
	"sync"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
)

// Memory is a Store that ends with the process. The states of keys need none: the pool knows them.
type Memory struct {
	limits     Limits
	signatures *cache

	mu     sync.Mutex
	usage  usageTable
	closed bool
}

// NewMemory makes an empty one.
func NewMemory(limits Limits) *Memory {
	return &Memory{limits: limits, signatures: newCache(limits), usage: usageTable{}}
}

// Put never fails.
func (m *Memory) Put(r front.Record) error {
	m.signatures.put(r, time.Now())
	return nil
}

// Get never fails.
func (m *Memory) Get(clientID string) (front.Record, bool, error) {
	r, ok := m.signatures.get(clientID)
	return r, ok, nil
}

// KeepKeys keeps nothing: nobody else could read it.
func (m *Memory) KeepKeys([]keys.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	return nil
}

// KeysSince has none, since nobody else writes here.
func (m *Memory) KeysSince(seq int64) ([]keys.Record, int64, error) { return nil, seq, nil }

// Revision never grows.
func (m *Memory) Revision() int64 { return 0 }

// AddUsage fails only after Close.
func (m *Memory) AddUsage(rows []Usage) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	before := len(m.usage)
	m.usage.add(rows)
	if len(m.usage) > before {
		m.usage.prune(oldestDay(m.limits, time.Now()), m.limits.Rows)
	}
	return nil
}

// Usage never fails.
func (m *Memory) Usage(fromDay, toDay string) ([]Usage, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.usage.days(fromDay, toDay), nil
}

// Close never fails.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}
