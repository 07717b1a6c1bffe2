package proxy

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

func TestE078_CountTokens(t *testing.T) {
	r := start(t, "a", nil)
	got := r.do("POST", countPath, prompt(hello))
	var exact tokenCount
	if err := json.Unmarshal([]byte(got.body), &exact); err != nil || got.status != 200 || exact.InputTokens < 1 {
		t.Errorf("%d %s", got.status, got.body)
	}
	if q := r.fake.Requests()[0]; q.Verb != "countTokens" || q.Status != 200 {
		t.Errorf("%+v", q)
	}
	r.fake.Key(keyNamed("a"), fg.KeyRule{Error: fg.ErrOverloaded(), Verb: "countTokens"})
	if n := r.counted(prompt(hello)); n < 1 || n > 20 {
		t.Errorf("estimated %d", n)
	}
}

func TestE079_Models(t *testing.T) {
	r := start(t, "a", nil)
	began := time.Now()
	for _, header := range [][]string{{"x-api-key", testToken, "anthropic-version", "2023-06-01"}, {"Authorization", "Bearer " + testToken}} {
		got := r.do("GET", "/v1/models?limit=1000", "", header...)
		var list modelList
		if err := json.Unmarshal([]byte(got.body), &list); err != nil || got.status != 200 || got.header.Get("Location") != "" {
			t.Fatalf("%d %s", got.status, got.body)
		}
		if !slices.ContainsFunc(list.Data, func(m modelInfo) bool { return strings.HasPrefix(m.ID, "claude") }) {
			t.Errorf("no name of Claude's in %s", got.body)
		}
	}
	if took := time.Since(began); took > 3*time.Second || len(r.fake.Requests()) > 0 {
		t.Errorf("took %v, and Gemini was asked %d times", took, len(r.fake.Requests()))
	}
}
