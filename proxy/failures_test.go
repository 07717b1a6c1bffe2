package proxy

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

// failureFronts ask the same of every protocol.
var failureFronts = []struct{ name, path, body string }{
	{"anthropic", "/v1/messages", `{"model":"gemini-3.8-flash","max_tokens":100,"messages":[{"role":"user","content":"hi"}]}`},
	{"chat", "/v1/chat/completions", `{"model":"gemini-3.8-flash","messages":[{"role":"user","content":"hi"}]}`},
	{"responses", "/v1/responses", `{"model":"gemini-3.8-flash","input":"hi"}`},
	{"native", "/v1beta/models/gemini-3.8-flash:generateContent", `{"contents":[{"parts":[{"text":"hi"}]}]}`},
}

// failureBody is what the error bodies of all protocols have in common.
type failureBody struct {
	Error struct {
		Message string `json:"message"`
		Type    string `json:"type"`
	} `json:"error"`
}

// TestEveryFailureOfGoogle puts every failure that is known of Gemini behind every protocol: each client gets an error of
// its own kind, and the native one what Google said.
func TestEveryFailureOfGoogle(t *testing.T) {
	known := map[string]bool{}
	f := func(anthropic int, kind string, openAI, native int, names ...string) {
		for _, name := range names {
			known[name] = true
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				for _, front := range failureFronts {
					want := map[string]int{"anthropic": anthropic, "native": native}[front.name]
					if want == 0 {
						want = openAI
					}
					failsAs(t, name, front.name, front.path, front.body, want, kind)
				}
			})
		}
	}
	f(503, "api_error", 503, 503, "key invalid", "key expired", "key type refused", "key leaked", "key service blocked", "key referrer blocked", "key address blocked",
		"service disabled", "consumer suspended", "project denied", "no free tier here")
	f(500, "api_error", 500, 403, "no key")
	f(403, "permission_error", 403, 403, "foreign file", "foreign cache")
	f(403, "permission_error", 403, 400, "location")
	f(400, "invalid_request_error", 400, 400, "too many tokens", "too many tokens, unsaid", "signature corrupted", "signature invalid", "signature not valid", "signature missing",
		"invalid argument", "out of range", "unknown name", "schema", "schema states")
	f(404, "not_found_error", 404, 404, "unknown model")
	f(500, "api_error", 500, 409, "conflict")
	f(400, "invalid_request_error", 400, 409, "already exists")
	f(429, "rate_limit_error", 429, 429, "quota a minute", "quota a day", "quota of input a minute", "quota of input a day", "quota zero", "quota zero, in words", "quota a day, in words", "quota, paid", "quota as recorded", "exhausted",
		"capacity", "credits depleted", "spend cap", "quota of the project")
	f(500, "api_error", 500, 499, "cancelled")
	f(500, "api_error", 500, 500, "internal", "unknown", "data loss", "in a list")
	f(502, "api_error", 502, 501, "unimplemented")
	f(502, "api_error", 502, 502, "html 502")
	f(504, "timeout_error", 504, 504, "deadline", "html 504")
	f(529, "overloaded_error", 503, 503, "overloaded", "high demand", "no numeric code", "empty body")
	for _, failure := range fakegemini.Failures("gemini-3.8-flash") {
		if !known[failure.Name] {
			t.Errorf("no line tells what clients get of %q", failure.Name)
		}
	}
}

func failsAs(t *testing.T, name, front, path, body string, status int, kind string) {
	t.Helper()
	r := start(t, "a", nil)
	r.fake.Respond(func(fakegemini.Recorded) (fakegemini.Answer, bool) {
		return fakegemini.Fails(name, "gemini-3.8-flash"), true
	})
	got := r.do("POST", path, body, "Authorization", "Bearer "+testToken)
	var b failureBody
	isJSON := json.Unmarshal([]byte(got.body), &b) == nil && b.Error.Message != ""
	if got.status != status || !isJSON && front != "native" || strings.Contains(got.body, "PLANTED") || front == "anthropic" && b.Error.Type != kind {
		t.Errorf("%s: %d %s, want %d %s", front, got.status, got.body, status, kind)
	}
	if got.status == 429 && got.header.Get("retry-after") == "" {
		t.Errorf("%s: a 429 without retry-after", front)
	}
}
