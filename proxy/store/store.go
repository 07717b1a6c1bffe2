// Package store remembers what must outlive a request: the thought signatures of tool calls, by the ids under which
// clients know the calls.
package store

import "github.com/gemini-claude-adapter/gca/proxy/front"

// Signatures keeps the records of tool calls. Implementations are safe for concurrent use and pass storetest.Run.
type Signatures interface {
	// Put keeps r under its ClientID, in place of what was there. It may be called again with the same record.
	Put(r front.Record) error
	// Get returns the record of a client's id. Records that are old or were pushed out by newer ones are gone: that is no
	// error.
	Get(clientID string) (r front.Record, ok bool, err error)
}
