// Package store remembers what must outlive a request, and with a file what must outlive the process: the states of keys, the
// thought signatures of tool calls, and what was used.
//
// A state of a key is on disk when KeepKeys returns. Signatures and counters are written behind: a power cut or kill -9
// takes at most the last second of them. Two processes may have one file open, as during a handover.
package store

import (
	"errors"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
)

// Store keeps everything. Implementations are safe for concurrent use and pass storetest.Run.
type Store interface {
	Signatures
	// KeepKeys keeps records in the place of earlier ones with the same Owner, Model and Name. After an error they are still
	// known to this process, and written as soon as that is possible.
	keys.Keeper
	// KeysSince returns the last state of every record that was written after seq, which is 0 or an earlier next, by others:
	// by processes before this one, and by those beside it. Records with Gone are among them.
	KeysSince(seq int64) (records []keys.Record, next int64, err error)
	// AddUsage adds to the rows of the same Day, Token, Key and Model.
	AddUsage(rows []Usage) error
	// Usage returns the rows of the days from fromDay to toDay, both included, ordered by Day, Token, Key and Model. What was
	// added by this process is in it at once, what others added within a second.
	Usage(fromDay, toDay string) ([]Usage, error)
	// Revision grows within a second after another process wrote.
	Revision() int64
	// Close writes what is left and lets go of the file. Afterwards KeepKeys and AddUsage fail with ErrClosed. The error says
	// what could not be written.
	Close() error
}

// Signatures keeps the records of tool calls.
type Signatures interface {
	// Put keeps r under its ClientID, in place of what was there. It may be called again with the same record.
	Put(r front.Record) error
	// Get returns the record of a client's id. Records that are old or were pushed out by newer ones are gone: that is no
	// error.
	Get(clientID string) (r front.Record, ok bool, err error)
}

// ErrClosed is the error of a store that was closed.
var ErrClosed = errors.New("the state is closed: the adapter is stopping")

// Limits bound what is remembered. Of signatures, what was not used for longest goes first; of usage, the oldest days.
type Limits struct {
	Entries int           // records of tool calls, >= 1
	Bytes   int           // text of all of them together
	Age     time.Duration // since Put
	Days    int           // of usage, this one included, >= 1
	Rows    int           // of usage, >= 1
}

// DefaultLimits suit a long day of coding sessions, and a year of figures. A file of that size fits into a backup.
func DefaultLimits() Limits {
	return Limits{Entries: 100_000, Bytes: 64 << 20, Age: 7 * 24 * time.Hour, Days: 400, Rows: 250_000}
}
