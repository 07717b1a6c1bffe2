package proxy

import (
	"io"
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/config"
)

// There are as many connections as MAX_CONCURRENT needs and some to spare, and a higher one holds at once.
func TestConnectionsAreBounded(t *testing.T) {
	r := start(t, "a", func(cfg *config.Config, s *Server) {
		cfg.MaxConcurrent = 1
		if s != nil {
			s.pace.spare = 1
		}
	})
	status := func(w *wire) int {
		t.Helper()
		resp := w.ask("/health")
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Error(err)
		}
		return resp.StatusCode
	}
	var open []*wire
	f := func(want int) {
		t.Helper()
		w := dial(t, r)
		if got := status(w); got != want {
			t.Errorf("connection %d: %d, want %d", len(open)+1, got, want)
		}
		open = append(open, w)
	}
	for range 3 {
		f(200)
	}
	f(503)
	r.reload(r.texts("a", "MAX_CONCURRENT=2"))
	f(200)
	f(200)
	f(503)
	for _, w := range open[:3] {
		if got := status(w); got != 200 {
			t.Errorf("one that is open: %d", got)
		}
	}
}
