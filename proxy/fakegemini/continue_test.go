package fakegemini

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// goesOn is a body with a continuation token.
func goesOn(token, members string) string {
	return with1(`"continuationToken":"` + token + `"` + members)
}

func continuationPairs(f pair) {
	answered := func(t *testing.T, s *Server) {
		t.Helper()
		s.Enqueue(Reply(Text("one").Continues("tok")))
		req := httptest.NewRequest(http.MethodPost, "/v1beta/models/"+m4+":streamGenerateContent?alt=sse", strings.NewReader(with1(`"store":false`)))
		req.Header.Set("x-goog-api-key", "good")
		w := httptest.NewRecorder()
		if s.Handler().ServeHTTP(w, req); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"finishReason":"CONTINUATION","index":0,"continuationToken":"tok"`) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	f(RuleContinuation, gen(m4, goesOn("tok", `,"store":false`)), 400, "Invalid continuation token.", gen(m4, goesOn("tok", `,"store":false`)).onceAsked(answered))
	f(RuleContinuation, gen(m4, goesOn("tok", `,"store":true`)).onceAsked(answered), 400, "does not belong to this request", gen(m4, goesOn("tok", `, "store" : false`)).onceAsked(answered))
	f(RuleContinuation, gen("gemini-4-neon", goesOn("tok", `,"store":false`)).onceAsked(answered), 400, "does not belong", gen(m4, with1(`"continuation_token":"tok","store":false`)).onceAsked(answered))
}

// TestContinuation resumes a stream that is cut behind a checkpoint, and goes on once more after a whole segment.
func TestContinuation(t *testing.T) {
	c := start(t, Options{})
	c.s.Enqueue(
		Reply(Thought("hm"), Text("one ").Checkpoint("t1"), Text("lost"), Hangup()),
		Reply(Text("two "), Calls(Call("Read", "{}")), Text("").Continues("t2")),
		Reply(Calls(Call("Read", "{}"))))
	ask := func(token string) (string, error) {
		body := talk(hi)
		if token != "" {
			body = strings.TrimSuffix(body, "}") + `,"continuationToken":"` + token + `"}`
		}
		status, text, err := c.post(m4, "streamGenerateContent?alt=sse", "k", body)
		if status != http.StatusOK {
			t.Fatalf("%d %s", status, text)
		}
		return text, err
	}
	first, err := ask("")
	if err == nil {
		t.Error("the stream wasn't cut")
	}
	second, err2 := ask("t1")
	third, err3 := ask("t2")
	if err2 != nil || err3 != nil {
		t.Fatal(err2, err3)
	}
	one, two, three := c.frames(first), c.frames(second), c.frames(third)
	if tok := one[1].Candidates[0].ContinuationToken; tok != "t1" || one[1].Candidates[0].FinishReason != "" {
		t.Errorf("checkpoint: %q", tok)
	}
	f := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: got %s, want %s", what, got, want)
		}
	}
	f("second segment's end", sketch(two[2]), "text ;CONTINUATION")
	f("first call", sketch(two[1]), "call Read{} signed;")
	f("a call behind a signed one of an earlier segment", sketch(three[0]), "call Read{};")
	spent := one[1].UsageMetadata.Candidates + one[1].UsageMetadata.Thoughts
	if got, want := two[0].UsageMetadata.Prompt, one[0].UsageMetadata.Prompt+spent; got != want {
		t.Errorf("the second prompt has %d tokens, want %d", got, want)
	}
}

func TestContinuationOfAWholeAnswer(t *testing.T) {
	c := start(t, Options{})
	c.s.Enqueue(Reply(Text("one").Continues("t")), Say("two"))
	if r := c.response(c.ok(m4, "generateContent", talk(hi))); r.Candidates[0].ContinuationToken != "t" || r.Candidates[0].FinishReason != finishContinuation {
		t.Errorf("%+v", r.Candidates[0])
	}
	c.s.Reset()
	if status, text, err := c.post(m4, "generateContent", "k", goesOn("t", "")); status != 400 || err != nil {
		t.Errorf("a token from before a reset: %d %v %s", status, err, text)
	}
}

func TestContinuationsAreBounded(t *testing.T) {
	var c continuations
	for range maxContinuations + 1 {
		c.give("t"+responseID(len(c.byToken)), continuation{})
	}
	if n := len(c.byToken); n != 1 {
		t.Errorf("%d tokens are remembered", n)
	}
}
