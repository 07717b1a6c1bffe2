package proxy

import (
	"strings"
	"testing"

	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
)

// No client can take keys away from the others by words that Google quotes back.
func TestQuotedWordsDisableNoKey(t *testing.T) {
	r := start(t, "a b", nil)
	f := func(path, body, want string, status int) {
		t.Helper()
		got := r.do("POST", path, body)
		if got.status != status || r.state("a").State != keys.Healthy || r.state("b").State != keys.Healthy {
			t.Errorf("%s: %d %s; %v %v", body, got.status, got.body, r.state("a"), r.state("b"))
		}
		has(t, got.body, want)
	}
	for _, words := range []string{"API key not valid", "api key expired", "API key not found"} {
		f(generatePath, `{"contents":[{"parts":[{"text":"x"}]}],"`+words+`":1}`, words, 400)
		f(completions, `{"model":"gemini-3.8-flash","messages":[{"role":"user","content":"hi"}],"google":{"thinking_config":{"thinking_level":"`+words+`"}}}`, "chat.completion", 200)
	}
	last, _ := r.fake.Last()
	hasNot(t, strings.ToLower(string(last.Body)), "api key")
}

// A call of Google's own API that takes no API keys is refused for what it is, and costs no key its place.
func TestOAuthCallsRetireNoKey(t *testing.T) {
	r := start(t, "a b", nil)
	missing := fg.Err(401, "API keys are not supported by this API. Expected OAuth2 access token or other authentication credentials that assert a principal.")
	f := func(path string, refusal *fg.APIError, want int, tried int) {
		t.Helper()
		before := len(r.fake.Requests())
		for _, name := range []string{"a", "b"} {
			r.fake.HealKey(keyNamed(name))
			r.fake.Key(keyNamed(name), fg.KeyRule{Error: refusal})
		}
		got := r.do("POST", path, `{"contents":[{"parts":[{"text":"x"}]}]}`)
		if got.status != want || len(r.fake.Requests())-before != tried {
			t.Errorf("%s: %d %s after %d tries, want %d after %d", path, got.status, got.body, len(r.fake.Requests())-before, want, tried)
		}
		if want == 401 {
			has(t, got.body, refusal.Message)
		}
	}
	reasoned := fg.Err(401, missing.Message)
	reasoned.Details = []fg.Detail{{Type: "type.googleapis.com/google.rpc.ErrorInfo", Reason: "CREDENTIALS_MISSING"}}
	f("/v1beta/cachedContents", missing, 401, 1)
	f("/v1beta/cachedContents", fg.ErrUnauthenticated(), 401, 1)
	f(generatePath, reasoned, 401, 1)
	if a, b := r.state("a"), r.state("b"); a.State != keys.Healthy || b.State != keys.Healthy {
		t.Errorf("%v %v", a, b)
	}
	f(generatePath, fg.ErrUnauthenticated(), 503, 2) // this one is about the keys
}
