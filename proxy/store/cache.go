package store

import (
	"container/list"
	"sync"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/front"
)

// cache holds the records of tool calls that were used last.
type cache struct {
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

func newCache(limits Limits) *cache {
	return &cache{limits: limits, byID: map[string]*list.Element{}, order: list.New()}
}

func sizeOf(r *front.Record) int {
	return len(r.ClientID) + len(r.Name) + len(r.UpstreamID) + len(r.Signature) + len(r.Model) + len(r.Before) + len(r.After)
}

// put keeps r, which is known since at.
func (c *cache) put(r front.Record, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old, ok := c.byID[r.ClientID]; ok {
		c.remove(old)
	}
	c.byID[r.ClientID] = c.order.PushFront(&entry{r, at})
	c.bytes += sizeOf(&r)
	for c.order.Len() > c.limits.Entries || c.bytes > c.limits.Bytes {
		c.remove(c.order.Back())
	}
}

func (c *cache) get(clientID string) (front.Record, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	el, ok := c.byID[clientID]
	if !ok {
		return front.Record{}, false
	}
	e := el.Value.(*entry)
	if time.Since(e.put) >= c.limits.Age {
		c.remove(el)
		return front.Record{}, false
	}
	c.order.MoveToFront(el)
	return e.record, true
}

func (c *cache) remove(el *list.Element) {
	e := c.order.Remove(el).(*entry)
	delete(c.byID, e.record.ClientID)
	c.bytes -= sizeOf(&e.record)
}
