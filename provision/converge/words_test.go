package converge

import (
	"strings"
	"testing"
)

func TestWordsOf(t *testing.T) {
	f := func(path, before, after, want string) {
		t.Helper()
		if got := wordsOf(fileStep{path: path, content: []byte(after)}, PathState{Content: []byte(before)}); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f(keysFile, "", "one\n\n# two\n", " (1 key)")
	f(keysFile, "", "one\ntwo label=x\n", " (2 keys)")
	f(tokensFile, "", "a\nb\n", " (2 tokens)")
	f(settingsFile, "PORT=1\nHOST=x\nOLD=1\n", "HOST=x # same\nPORT=2\nGEMINI_API_KEYS=AIza\n", " (GEMINI_API_KEYS, OLD, PORT)")
	f(settingsFile, "PORT=1\n", "PORT=1\n", "")
	f(nginxSite, "", "server {}", "")
}

// Every step belongs to a group; texts are shown of files without secrets alone, and never in the short list.
func TestPlan_Whole(t *testing.T) {
	p, err := Diff(freshFacts(), testWant(t), readTestSettings)
	if err != nil {
		t.Fatal(err)
	}
	groups, texts := map[Group]bool{}, 0
	for i, s := range p.Whole() {
		groups[s.Group] = true
		if s.Group == "" {
			t.Errorf("%s has no group", s.ID)
		}
		if short := p.Steps()[i]; short.Before != nil || short.After != nil {
			t.Errorf("%s has texts in the short list", s.ID)
		}
		if s.After == nil {
			continue
		}
		texts++
		if *s.Before != "" || *s.After == "" || strings.Contains(*s.After, "AIzaSy") || strings.HasPrefix(s.ID, "file:"+configDir) {
			t.Errorf("%s: from %q to %q", s.ID, *s.Before, *s.After)
		}
	}
	if len(groups) < 5 || texts < 4 {
		t.Errorf("%d groups, %d texts", len(groups), texts)
	}
}
