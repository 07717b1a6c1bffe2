package proxy

import (
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
)

func always(e *fg.APIError) fg.KeyRule { return fg.KeyRule{Error: e} }

// daily is Google's 429 for a used-up day, with the short delay that comes along.
func daily() *fg.APIError {
	e := fg.Err(429, "You exceeded your current quota, please check your plan and billing details.")
	e.Details = []fg.Detail{
		{Type: "type.googleapis.com/google.rpc.QuotaFailure", Violations: []fg.QuotaViolation{{QuotaID: "GenerateRequestsPerDayPerProjectPerModel-FreeTier", QuotaValue: "20"}}},
		{Type: "type.googleapis.com/google.rpc.RetryInfo", RetryDelay: "12s"},
	}
	return e
}

func minute(delay string) *fg.APIError {
	e := fg.Err(429, "You exceeded your current quota.")
	e.Details = []fg.Detail{
		{Type: "type.googleapis.com/google.rpc.QuotaFailure", Violations: []fg.QuotaViolation{{QuotaID: "GenerateRequestsPerMinutePerProjectPerModel-FreeTier", QuotaValue: "10"}}},
		{Type: "type.googleapis.com/google.rpc.RetryInfo", RetryDelay: delay},
	}
	return e
}

func TestManyDeadKeysAreNoRetries(t *testing.T) {
	r := start(t, "a b c d e f", func(cfg *config.Config, _ *Server) { cfg.MaxRetries = 0 })
	for _, k := range strings.Fields("a b c d e") {
		r.fake.Key(keyNamed(k), always(fg.ErrInvalidKey()))
	}
	if got := r.do("POST", messages, ask(messages, true)); got.status != 200 || r.keysAsked() != "a b c d e f" {
		t.Errorf("%d with keys %s", got.status, r.keysAsked())
	}
}

func TestEveryKeyDead(t *testing.T) {
	f := func(path string, stream bool, kind string) {
		t.Helper()
		r := start(t, "a b c d", nil)
		for _, k := range []string{"a", "b", "c"} {
			r.fake.Key(keyNamed(k), always(fg.ErrInvalidKey()))
		}
		r.fake.Key(keyNamed("d"), always(daily()))
		for range 2 {
			got := r.do("POST", path, ask(path, stream))
			if got.status != 503 || got.header.Get("x-should-retry") != "false" || got.header.Get("Content-Type") != "application/json" {
				t.Errorf("%d %v", got.status, got.header)
			}
			has(t, got.body, `no usable Gemini API key: 3 invalid, 1 out of quota\nhint: gca keys list HOST`, kind)
		}
		if n := len(r.fake.Requests()); n != 4 {
			t.Errorf("Gemini was asked %d times", n)
		}
	}
	f(messages, false, `"type":"api_error"`)
	f(messages, true, `"type":"api_error"`)
	f(completions, false, `"error":{`)
	f(completions, true, `"error":{`)
}

func TestNoKeyAtAll(t *testing.T) {
	r := start(t, "", nil)
	got := r.do("POST", messages, ask(messages, false))
	has(t, got.body, "no usable Gemini API key: none is configured")
	if got.status != 503 {
		t.Error(got.status)
	}
}

// The answers that no other key would better.
func TestWhatIsNotTriedAgain(t *testing.T) {
	f := func(e *fg.APIError, path string, status int, wants ...string) {
		t.Helper()
		r := start(t, "a b", nil)
		r.fake.Enqueue(fg.Fail(e))
		got := r.do("POST", path, ask(path, true))
		if got.status != status || len(r.fake.Requests()) != 1 {
			t.Errorf("%v: %d after %d requests", e, got.status, len(r.fake.Requests()))
		}
		has(t, got.body, wants...)
		if a := r.state("a"); a.State != keys.Healthy {
			t.Errorf("%v: %+v", e, a)
		}
	}
	f(fg.ErrTooManyTokens(1196265, 1048575), messages, 400, `"prompt is too long: 1196265 tokens > 1048575 maximum"`)
	f(fg.Err(400, "Invalid JSON payload received."), messages, 400, "invalid_request_error", "Invalid JSON payload")
	f(fg.ErrForeignFile("abc"), messages, 403, "permission_error")
	f(fg.Err(404, "Requested entity was not found."), messages, 400, "invalid_request_error", "Requested entity was not found.")
}

// A 404 that is not about the model, or about other things that are done with it, keeps no key from answering.
func TestWhatIsNotFoundIsNotTheModel(t *testing.T) {
	f := func(e *fg.APIError, path, body, then, thenBody string) {
		t.Helper()
		r := start(t, "a", nil)
		r.fake.Key(keyNamed("a"), fg.KeyRule{Error: e, Times: 1})
		if got := r.do("POST", path, body); got.status != 400 && got.status != e.Code {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
		if got := r.do("POST", then, thenBody); got.status != 200 {
			t.Errorf("%v from %s, then %s: %d %s", e, path, then, got.status, got.body)
		}
	}
	const (
		model     = "/v1beta/models/gemini-3.8-flash"
		embedding = "/v1beta/models/gemini-embedding-001"
		texts     = `{"model":"text-embedding-3-small","input":["x","y"]}`
	)
	gone := fg.Err(404, "Requested entity was not found.")
	f(gone, messages, ask(messages, false), messages, strings.Replace(ask(messages, true), "hello", "hullo", 1))
	f(gone, model+":generateContent", nativeAsk, messages, ask(messages, true))
	f(fg.ErrUnknownModel("gemini-3.8-flash", "countTokens"), model+":countTokens", nativeAsk, messages, ask(messages, true))
	f(minute("40s"), model+":countTokens", nativeAsk, messages, ask(messages, true))
	f(daily(), model+":embedContent", `{"content":{"parts":[{"text":"x"}]}}`, messages, ask(messages, true))
	f(fg.ErrUnknownModel("gemini-embedding-001", "generateContent"), embedding+":generateContent", nativeAsk, embeddingsPath, texts)
	f(fg.ErrUnknownModel("gemini-embedding-001", "batchEmbedContents"), embedding+":batchEmbedContents", `{}`, embeddingsPath, texts)
}

func TestAnUnknownModelCostsTwoKeys(t *testing.T) {
	r := start(t, "a b c", nil)
	body := strings.Replace(ask(messages, false), "claude-opus-5-5", "gemini-9-none", 1)
	for range 2 {
		got := r.do("POST", messages, body)
		has(t, got.body, "not_found_error", "model: gemini-9-none")
		if got.status != 404 {
			t.Error(got.status)
		}
	}
	if got := r.keysAsked(); got != "a b c" {
		t.Errorf("keys %s", got)
	}
	for i := range 2 {
		if got := r.do("POST", messages, body); got.status != 404 {
			t.Errorf("%d: %d", i, got.status)
		}
	}
	if got := r.keysAsked(); got != "a b c" {
		t.Errorf("keys %s", got)
	}
	has(t, r.do("GET", "/health", "").body, `"status":"healthy","active_keys":3`)
}

func TestE025_FaultsOfTheService(t *testing.T) {
	f := func(e fg.Answer, path string, times, status int) {
		t.Helper()
		r := start(t, "a b", nil)
		for range times {
			r.fake.Enqueue(e)
		}
		r.fake.Enqueue(fg.Say("fine"))
		got := r.do("POST", path, ask(path, true))
		if got.status != status || len(r.fake.Requests()) != min(times+1, 3) {
			t.Errorf("%+v: %d %s after %d requests", e, got.status, got.body, len(r.fake.Requests()))
		}
		if status == 200 {
			has(t, got.body, "fine")
		}
		for _, k := range []string{"a", "b"} {
			if s := r.state(k); s.State != keys.Healthy {
				t.Errorf("%+v: %+v", e, s)
			}
		}
	}
	html := fg.RawAnswer(502, "text/html", "<html>502 Bad Gateway</html>")
	f(fg.Fail(fg.ErrOverloaded()), messages, 2, 200)
	f(fg.Fail(fg.ErrOverloaded()), messages, 3, 529)
	f(fg.Fail(fg.ErrOverloaded()), completions, 3, 503)
	f(fg.Fail(fg.ErrInternal()), messages, 3, 500)
	f(fg.Fail(fg.ErrDeadline()), messages, 3, 504)
	f(html, messages, 2, 200)
	f(html, messages, 3, 502)
	f(fg.Reply(fg.Hangup()), messages, 2, 200)
	f(fg.Reply(fg.Hangup()), messages, 3, 502)
	f(fg.Reply(fg.StreamError(fg.ErrOverloaded())), messages, 2, 200)
	f(fg.Reply(fg.StreamError(&fg.APIError{Message: "busy", Status: "UNAVAILABLE"})), messages, 3, 529)
	f(fg.Reply(fg.RawChunk("{\"error\":{\"code\":503,\"message\":\"busy\",\"status\":\"UNAVAILABLE\"}}\n")), messages, 2, 200)
}

// E67, E68: ends without content that are answers all the same.
func TestWhatIsNoEmptyAnswer(t *testing.T) {
	f := func(a fg.Answer, want string) {
		t.Helper()
		r := start(t, "a", nil)
		for _, stream := range []bool{false, true} {
			r.fake.Enqueue(a)
			got := r.do("POST", messages, ask(messages, stream))
			if got.status != 200 {
				t.Errorf("%d", got.status)
			}
			has(t, got.body, want)
		}
	}
	f(fg.Reply(fg.Finish("MAX_TOKENS")), `"stop_reason":"max_tokens"`)
	f(fg.Reply(fg.Finish("SAFETY")), `"stop_reason":"refusal"`)
	f(fg.Reply(fg.Block("PROHIBITED_CONTENT")), `"stop_reason":"refusal"`)
}

func TestUpstreamOutOfReach(t *testing.T) {
	r := start(t, "a", func(cfg *config.Config, _ *Server) { cfg.BaseURL.Host = "127.0.0.1:1" })
	got := r.do("POST", messages, ask(messages, true))
	if got.status != 502 {
		t.Errorf("%d %s", got.status, got.body)
	}
	if s := r.state("a"); s.State != keys.Healthy || s.Requests != 3 {
		t.Errorf("%+v", s)
	}
}

func TestNoFirstByte(t *testing.T) {
	r := start(t, "a", func(cfg *config.Config, _ *Server) { cfg.RequestTimeout = 50 * time.Millisecond })
	slow := fg.Say("late").After(time.Minute)
	r.fake.Enqueue(slow, slow, slow)
	if got := r.do("POST", messages, ask(messages, true)); got.status != 504 || len(r.fake.Requests()) != 3 {
		t.Errorf("%d %s after %d requests", got.status, got.body, len(r.fake.Requests()))
	}
}

func TestASilentStreamEnds(t *testing.T) {
	r := start(t, "a", func(cfg *config.Config, _ *Server) { cfg.StreamIdleTimeout = 80 * time.Millisecond })
	r.fake.Enqueue(fg.Reply(fg.Text("so far"), fg.Text("late").Wait(time.Minute)))
	got := r.do("POST", messages, ask(messages, true))
	has(t, got.body, "so far", "event: error\n", "timeout_error")
}
