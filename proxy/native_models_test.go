package proxy

import (
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/config"
)

// Names mean on Google's own API what they mean everywhere: what is retired has its successor, and MODEL_MAP has the last word.
// Only the name in the path changes.
func TestNativeModelNames(t *testing.T) {
	r := start(t, "a", func(cfg *config.Config, _ *Server) {
		cfg.ModelMap = []config.ModelRule{{Pattern: "gemini-3.6-flash", Target: "gemini-3.5-flash-lite"}, {Pattern: "fast", Target: "gemini-3.8-flash"}}
	})
	f := func(named, served string) {
		t.Helper()
		got := r.do("POST", "/v1beta/models/"+named+":generateContent?x=%20y", nativeAsk)
		q, _ := r.fake.Last()
		if got.status != 200 || q.Path != "/v1beta/models/"+served+":generateContent" || string(q.Body) != nativeAsk || q.Query.Get("x") != " y" {
			t.Errorf("%s: %d at %s: %s", named, got.status, q.Path, got.body)
		}
	}
	f("gemini-1.5-pro", "gemini-3.8-flash")
	f("gemini-2.0-flash-lite-001", "gemini-3.5-flash-lite")
	f("gemini-3.6-flash", "gemini-3.5-flash-lite")
	f("fast", "gemini-3.8-flash")
	f("claude-gemini-3.8-flash", "gemini-3.8-flash")
	f("gemini-3.5-flash", "gemini-3.5-flash")
	got := r.do("GET", "/v1beta/models/gemini-1.5-flash", "")
	has(t, got.body, `"models/gemini-3.8-flash"`)
}
