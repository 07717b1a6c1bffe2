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

// A project whose billing is off is no matter of the request: another key serves it, and the log says once what became of the key.
func TestAProjectWithoutBillingIsReplayed(t *testing.T) {
	r := start(t, "a b", nil)
	off := fg.Err(403, "This API method requires billing to be enabled: key "+keyNamed("a")+".")
	off.Details = []fg.Detail{{Type: "type.googleapis.com/google.rpc.ErrorInfo", Reason: "BILLING_DISABLED"}}
	r.fake.Key(keyNamed("a"), always(off))
	for range 3 {
		if got := r.do("POST", messages, ask(messages, false)); got.status != 200 {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
	if a := r.state("a"); a.State != keys.Disabled || a.Reason != keys.NoBilling {
		t.Errorf("%+v", a)
	}
	var warned []string
	for line := range strings.Lines(r.log.String()) {
		if strings.Contains(line, `"level":"WARN"`) {
			warned = append(warned, line)
		}
	}
	if len(warned) != 1 {
		t.Fatalf("%q", warned)
	}
	has(t, warned[0], "Google refused a key", r.state("a").ID, `"reason":"no_billing"`, "requires billing to be enabled: key ***.")
}

// A 403 that nobody has a name for is tried with another key, and counted against one that alone is refused.
func TestAnUnknownRefusalIsTriedWithAnotherKey(t *testing.T) {
	const file = `{"contents":[{"parts":[{"fileData":{"fileUri":"https://generativelanguage.googleapis.com/v1beta/files/x"}}]}]}`
	f := func(path, body, refused string, status, asked int, state keys.State) {
		t.Helper()
		r := start(t, "a b", nil)
		for _, name := range strings.Fields(refused) {
			r.fake.Key(keyNamed(name), always(fg.Err(403, "Something is denied.")))
		}
		for i := range 16 {
			before := len(r.fake.Requests())
			got := r.do("POST", path, strings.Replace(body, "@", strings.Repeat("y", i+1), 1)) // each a conversation of its own
			if n := len(r.fake.Requests()) - before; got.status != status || n > asked {
				t.Errorf("%s, %s refused: %d %s after %d calls", path, refused, got.status, got.body, n)
			}
		}
		if a := r.state("a"); a.State != state || state == keys.Resting && a.Reason != keys.Failing {
			t.Errorf("%s, %s refused: %+v", path, refused, a)
		}
		if b := r.state("b"); b.State != keys.Healthy {
			t.Errorf("%s, %s refused: %+v", path, refused, b)
		}
	}
	const plain = `{"contents":[{"parts":[{"text":"@"}]}]}`
	f(messages, ask(messages, false), "a", 200, 2, keys.Resting)
	f(completions, ask(completions, true), "a", 200, 2, keys.Resting)
	f(generatePath, plain, "a", 200, 2, keys.Resting)
	f(messages, ask(messages, false), "a b", 403, 2, keys.Healthy) // the request's own, as it seems
	f(generatePath, plain, "a b", 403, 2, keys.Healthy)
	f(generatePath, file, "a b", 403, 2, keys.Healthy)
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
