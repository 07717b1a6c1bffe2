package store

import (
	"log/slog"
	"net/url"
)

// Open opens the store that STATE_URL names: a file, or memory alone for nil.
func Open(state *url.URL, limits Limits, log *slog.Logger) Store {
	if state == nil {
		return NewMemory(limits)
	}
	return OpenSQLite(state.Path, limits, log)
}
