package proxy

import (
	"slices"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

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
	f("claude-fable-5", "gemini-3.8-flash")
	f("claude-opus-4-1-20250805[1m]", "gemini-3.8-flash")
	f("gpt-5-nano", "gemini-3.5-flash-lite")
	f("gpt-5.5-codex", "gemini-3.8-flash")
	f("codex-mini-latest", "gemini-3.8-flash")
	f("gemini-1.5-pro", "gemini-3.8-flash")
	f("models/gemini-1.5-flash-002", "gemini-3.8-flash")
	f("gemini-1.5-flash-8b", "gemini-3.5-flash-lite")
	f("gemini-pro", "gemini-3.8-flash")
	f("gemini-2.0-flash", "gemini-3.8-flash")
	f("gemini-2.0-flash-lite-001", "gemini-3.5-flash-lite")
	f("claude-gemini-1.5-pro", "gemini-3.8-flash")
	f("text-embedding-3-small", "gemini-embedding-001")
	f("text-embedding-004", "gemini-embedding-001")
	f("gemini-embedding-2", "gemini-embedding-2")
	f("Claude-Sonnet-5", "gemini-4-neon")
	f("CLAUDE-OPUS-5-5", "gemini-3.8-flash")
	f("Gemini-2.5-Pro", "gemini-2.5-pro")
	f("anthropic/claude-sonnet-4", "gemini-4-neon")
	f("openai/gpt-4o", "gemini-3.8-flash")
	f("google/gemini-2.5-pro", "gemini-2.5-pro")
	f("models/Claude-Gemini-2.5-Pro", "gemini-4-argon")
	for _, name := range []string{"", "*", "llama-3", "models/", "gemini-", "xz", "x-z-y", "gemini-x/../../y", "gemini-a b", "gemini-?key=1", "gemini-" + strings.Repeat("x", 100)} {
		if got, ok := m.resolve(name); ok && name != "gemini-" {
			t.Errorf("%q is served by %q", name, got)
		}
	}
}

func TestModelMapWinsOverRetiredNames(t *testing.T) {
	m := newModels([]config.ModelRule{{Pattern: "gemini-1.5-pro", Target: "gemini-4-neon"}})
	if got, _ := m.resolve("gemini-1.5-pro"); got != "gemini-4-neon" {
		t.Errorf("served by %s", got)
	}
}

func TestFallbacks(t *testing.T) {
	m := newModels([]config.ModelRule{{Pattern: "claude-*sonnet*", Target: "gemini-3.8-flash"}})
	f := func(name, want string) {
		t.Helper()
		if got := strings.Join(m.fallbacks(name), " "); got != want {
			t.Errorf("%s falls back to %q, want %q", name, got, want)
		}
	}
	f("claude-opus-5-5", "gemini-3.6-flash gemini-3.5-flash-lite")
	f("gemini-1.5-pro", "gemini-3.6-flash gemini-3.5-flash-lite")
	f("gpt-5-nano", "gemini-3.1-flash-lite")
	f("claude-sonnet-5", "")
	f("gemini-3.8-flash", "")
	f("claude-gemini-3.8-flash", "")
	f("models/gemini-3.8-flash", "")
	f("text-embedding-3-small", "")
	f("llama-3", "")
}

// A claude-* name is served as long as there is any model that the keys see.
func TestAModelThatNoKeySeesIsReplaced(t *testing.T) {
	for _, stream := range []bool{false, true} {
		r := start(t, "a b c", nil)
		for _, k := range []string{"a", "b", "c"} {
			for _, model := range []string{"gemini-3.8-flash", "gemini-3.6-flash"} {
				r.fake.Key(keyNamed(k), fg.KeyRule{Error: fg.ErrUnknownModel(model, "generateContent"), Model: model})
			}
		}
		for range 3 {
			if got := r.do("POST", messages, ask(messages, stream)); got.status != 200 {
				t.Errorf("%d %s", got.status, got.body)
			}
		}
		var asked []string
		for _, q := range r.fake.Requests() {
			asked = append(asked, strings.TrimPrefix(q.Model, "gemini-"))
		}
		lite := "3.5-flash-lite"
		if want := []string{"3.8-flash", "3.8-flash", "3.6-flash", "3.6-flash", lite, "3.8-flash", "3.6-flash", lite, lite}; !slices.Equal(asked, want) {
			t.Errorf("asked for %v", asked)
		}
		has(t, r.log.String(), `"target":"gemini-3.5-flash-lite"`)
		r.stop()
	}
}

func TestAModelOfVectorsGivesNoAnswers(t *testing.T) {
	r := start(t, "a", nil)
	for _, name := range []string{"text-embedding-3-small", "gemini-embedding-001", "gemini-embedding-9"} {
		if got := r.do("POST", completions, strings.Replace(ask(completions, false), "gpt-5", name, 1)); got.status != 404 {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	if n := len(r.fake.Requests()); n != 0 {
		t.Errorf("Gemini was asked %d times", n)
	}
}

func TestMatches(t *testing.T) {
	f := func(pattern, name string, want bool) {
		t.Helper()
		if matches(pattern, name) != want {
			t.Errorf("%s and %q: %v", pattern, name, !want)
		}
	}
	f("gpt-5", "gpt-5", true)
	f("gpt-5", "gpt-50", false)
	f("", "", true)
	f("*", "", true)
	f("*", "anything", true)
	f("claude-*", "claude-opus", true)
	f("claude-*", "a-claude-opus", false)
	f("*-flash", "gemini-3.8-flash", true)
	f("*-flash", "gemini-3.8-flash-lite", false)
	f("*haiku*", "claude-haiku-4", true)
	f("*haiku*", "claude-opus-4", false)
	f("a*b*c", "a-b-b-c", true)
	f("a*b*c", "acb", false)
	f("ab*ba", "aba", false) // the middle is nobody's twice
	f("a**z", "az", true)
}
