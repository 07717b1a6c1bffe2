package store_test

import (
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/store"
	"github.com/gemini-claude-adapter/gca/proxy/store/storetest"
)

func open(t testing.TB, path string, limits store.Limits) *store.SQLite {
	t.Helper()
	s := store.OpenSQLite(path, limits, slog.New(slog.NewTextHandler(t.Output(), nil)))
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestSQLite(t *testing.T) {
	paths := map[store.Store]string{}
	storetest.Run(t, storetest.Kind{
		Open: func(t testing.TB) store.Store {
			path := filepath.Join(t.TempDir(), "state ? #%25.db")
			s := open(t, path, store.DefaultLimits())
			paths[s] = path
			return s
		},
		Again: func(t testing.TB, s store.Store) store.Store { return open(t, paths[s], store.DefaultLimits()) },
	})
}
