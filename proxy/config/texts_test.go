package config

import (
	"fmt"
	"strings"
	"testing"
)

func TestTexts_Parse(t *testing.T) {
	f := func(texts Texts, keys, tokens int) {
		t.Helper()
		cfg, err := texts.Parse()
		if err != nil {
			t.Fatal(err)
		}
		if len(cfg.Keys) != keys || len(cfg.Tokens) != tokens {
			t.Errorf("%d keys and %d tokens, want %d and %d", len(cfg.Keys), len(cfg.Tokens), keys, tokens)
		}
	}
	line := fmt.Sprintf("sha256:%x name=laptop\n", HashToken("tok"))
	f(Texts{}, 0, 0)
	f(Texts{Env: "CLIENT_TOKENS=,\nGEMINI_API_KEYS= , \n"}, 0, 0)
	f(Texts{Keys: "# none\n\n", Tokens: "# none\n"}, 0, 0)
	f(Texts{Env: "GEMINI_API_KEYS=a,b\nCLIENT_TOKENS=x\n", Keys: "b label=two\nc\n", Tokens: line}, 3, 2)
}

func TestTexts_errors(t *testing.T) {
	f := func(texts Texts, words ...string) {
		t.Helper()
		_, err := texts.Parse()
		for _, word := range words {
			if err == nil || !strings.Contains(err.Error(), word) {
				t.Errorf("got %v, want %q in it", err, word)
			}
		}
		if err != nil && strings.Contains(err.Error(), "hidden") {
			t.Errorf("a secret is in %v", err)
		}
	}
	f(Texts{Env: "A=1\nport=1\n"}, "adapter.env: line 2: expected NAME=value")
	f(Texts{Env: "PORT=1\nPORT=2\n"}, "adapter.env: line 2: PORT is set a second time")
	f(Texts{Env: "HOST=\"x\n"}, "adapter.env: line 1: HOST", "not closed")
	f(Texts{Env: "PORT=many\n"}, `adapter.env: line 1: PORT="many"`)
	f(Texts{Keys: "AIza hidden", Tokens: "\nhidden"}, "keys: line 1:", "tokens: line 2: expected sha256:")
	f(Texts{Tokens: "sha256:00 name=x\n"}, "tokens: line 1:")
}
