package proxy

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

func TestHealth(t *testing.T) {
	r := start(t, "a b", nil)
	f := func(status int, want string) {
		t.Helper()
		got := r.do("GET", "/health", "", "x-none", "")
		if got.status != status || got.body != want {
			t.Errorf("%d %s, want %d %s", got.status, got.body, status, want)
		}
	}
	f(200, `{"status":"healthy","active_keys":2,"total_keys":2,"version":"1.2.3"}`)
	r.fake.Key(keyNamed("a"), always(fg.ErrInvalidKey()))
	r.do("POST", messages, ask(messages, false))
	f(200, `{"status":"degraded","active_keys":1,"total_keys":2,"version":"1.2.3"}`)
	r.fake.Key(keyNamed("b"), always(fg.ErrInvalidKey()))
	r.do("POST", messages, ask(messages, false))
	f(503, `{"status":"unhealthy","active_keys":0,"total_keys":2,"version":"1.2.3"}`)
}

// E79.
func TestModels(t *testing.T) {
	r := start(t, "a", func(cfg *config.Config, _ *Server) {
		cfg.ModelMap = []config.ModelRule{{Pattern: "my-model", Target: "gemini-2.5-pro"}, {Pattern: "team-*", Target: "gemini-2.5-pro"}}
	})
	got := r.do("GET", "/v1/models?limit=1000", "")
	var list modelList
	if err := json.Unmarshal([]byte(got.body), &list); err != nil || got.status != 200 || list.Object != "list" {
		t.Fatalf("%d %v %s", got.status, err, got.body)
	}
	ids := map[string]modelInfo{}
	for _, m := range list.Data {
		ids[m.ID] = m
		if m.Object != "model" || m.Type != "model" || m.CreatedAt == "" || m.MaxTokens == 0 {
			t.Errorf("%+v", m)
		}
	}
	for _, id := range []string{"my-model", "claude-gemini-3.8-flash", "gemini-3.8-flash", "gemini-4-hydrogen"} {
		if _, ok := ids[id]; !ok {
			t.Errorf("%s is not in the list", id)
		}
	}
	if slices.Contains([]string{list.FirstID, list.LastID}, "") || list.HasMore || len(ids) != len(list.Data) {
		t.Errorf("first %s, last %s, more %v, %d of %d are distinct", list.FirstID, list.LastID, list.HasMore, len(ids), len(list.Data))
	}
	f := func(id string, status int, want string) {
		t.Helper()
		got := r.do("GET", "/v1/models/"+id, "")
		if got.status != status {
			t.Errorf("%s: %d", id, got.status)
		}
		has(t, got.body, want)
	}
	f("claude-gemini-3.8-flash", 200, `"id":"claude-gemini-3.8-flash"`)
	f("claude-opus-5-5", 200, `"display_name":"Gemini 3.8 Flash (claude-opus-5-5)"`)
	f("gemini-4-hydrogen", 200, `"created":0,"created_at":"1970-01-01T00:00:00Z"`)
	f("gemini-99-unheard", 200, `"created":0,"created_at":"1970-01-01T00:00:00Z"`)
	f("gemini-4-neon", 200, `"created_at":"2026-11-18T00:00:00Z"`)
	f("llama-3", 404, "llama-3")
}

func TestResolve(t *testing.T) {
	m := newModels([]config.ModelRule{
		{Pattern: "claude-*sonnet*", Target: "gemini-4-neon"}, {Pattern: "claude-gemini-2.5-pro", Target: "models/gemini-4-argon"}, {Pattern: "x*y*z", Target: "gemini-2.5-flash"},
	})
	f := func(name, want string) {
		t.Helper()
		if got, _ := m.resolve(name); got != want {
			t.Errorf("%s is served by %q, want %q", name, got, want)
		}
	}
	f("claude-sonnet-5-5", "gemini-4-neon")
	f("claude-3-5-sonnet-latest", "gemini-4-neon")
	f("claude-haiku-5-5", "gemini-3.5-flash-lite")
	f("claude-opus-5-5", "gemini-3.8-flash")
	f("gpt-5", "gemini-3.8-flash")
	f("o3-mini", "gemini-3.8-flash")
	f("gemini-2.5-pro", "gemini-2.5-pro")
	f("models/gemini-2.5-pro", "gemini-2.5-pro")
	f("gemini-99-unheard", "gemini-99-unheard")
	f("claude-gemini-2.5-flash", "gemini-2.5-flash")
	f("claude-gemini-2.5-pro", "gemini-4-argon")
	f("x-y-z", "gemini-2.5-flash")
	f("xyz", "gemini-2.5-flash")
	for _, name := range []string{"", "*", "llama-3", "models/", "gemini-", "xz", "x-z-y", "gemini-x/../../y", "gemini-a b", "gemini-?key=1", "gemini-" + strings.Repeat("x", 100)} {
		if got, ok := m.resolve(name); ok && name != "gemini-" {
			t.Errorf("%q is served by %q", name, got)
		}
	}
}
