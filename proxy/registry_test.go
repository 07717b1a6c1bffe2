package proxy

import (
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

func TestTheRegistryIsSound(t *testing.T) {
	r, err := parseRegistry(registryFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range r.Models {
		if family := gemini.FamilyOf(m.ID); m.Published && !m.Embeds && family.OutputLimit != m.Output {
			t.Errorf("%s: %d tokens in an answer, its family has %d", m.ID, m.Output, family.OutputLimit)
		}
		if m.Published && r.hides(m.ID) {
			t.Errorf("%s is published and hidden", m.ID)
		}
	}
	for _, rule := range r.Retired {
		if target := r.target(rule); matches(rule.Pattern, target) {
			t.Errorf("%s leads to %s, which is retired itself", rule.Pattern, target)
		}
	}
}

func TestARegistryThatIsNotSound(t *testing.T) {
	f := func(old, broken, want string) {
		t.Helper()
		text := strings.Replace(string(registryFile), old, broken, 1)
		if text == string(registryFile) {
			t.Fatalf("%q is not in the file", old)
		}
		if _, err := parseRegistry([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s in place of %s: %v", broken, old, err)
		}
	}
	f(`"tiers"`, `"teirs"`, "unknown field")
	f(`"lite": "gemini-3.5-flash-lite"`, `"lite": "gemini-3.5-pro-lite"`, "tier lite")
	f(`"lite": "gemini-3.5-flash-lite"`, `"lite": "gemini-4-neon"`, "every key can use")
	f(`"claude-*", "tier": "flash"`, `"claude-*", "tier": "flush"`, "claude-* leads to no model")
	f(`"claude-*", "tier": "flash"`, `"claude-*", "tier": "flash", "target": "gemini-4-neon"`, "claude-* leads to no model")
	f(`"gemini-pro", "target": "gemini-3.8-flash"`, `"gemini-pro", "target": "gemini-1.5-pro"`, "gemini-pro leads to no model")
	f(`"fallbacks": ["gemini-3.6-flash"`, `"fallbacks": ["gemini-embedding-2"`, "falls back")
	f(`"id": "gemini-3.7-flash"`, `"id": "gemini-3.8-flash"`, "twice")
	f(`"id": "gemini-3.7-flash"`, `"id": "gemini 3.7"`, "missing")
	f(`"2026-09-02"`, `"2026-9-2"`, "the day")
	f(`"tier": "pro", "published"`, `"tier": "best", "published"`, "no tier")
}
