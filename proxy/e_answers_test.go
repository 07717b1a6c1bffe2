package proxy

import (
	"encoding/json"
	"testing"

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
