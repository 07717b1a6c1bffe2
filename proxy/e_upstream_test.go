package proxy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
)

const (
	chunkHello = `{"candidates":[{"content":{"role":"model","parts":[{"text":"Hé\n"}]},"index":0}]}`
	chunkEnd   = `{"candidates":[{"content":{"parts":[{"text":"llo"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":2}}`
)

// frames makes a stream of chunks whose frames end in end.
func frames(end string, chunks ...string) string {
	return "data: " + strings.Join(chunks, end+"data: ") + end
}

// streamed answers with these bytes, each of pieces written by itself.
func streamed(pieces ...string) fg.Answer {
	var chunks []fg.Chunk
	for _, p := range pieces {
		chunks = append(chunks, fg.RawChunk(p))
	}
	return fg.Reply(chunks...)
}

// reads asks with a stream through each front and checks the text that arrives.
func (r *rig) reads(want string, answers ...fg.Answer) {
	r.t.Helper()
	for _, path := range []string{messages, completions, replies} {
		r.fake.Enqueue(answers...)
		got := r.do("POST", path, ask(path, true))
		if text := said(r.t, path, true, got.body); got.status != 200 || text != want {
			r.t.Errorf("%s: %d, text %q, want %q in:\n%s", path, got.status, text, want, got.body)
		}
	}
}

func TestE001_OneCredential(t *testing.T) {
	r := start(t, "a", nil)
	f := func(path, body string) {
		t.Helper()
		for _, header := range [][]string{{"x-api-key", testToken}, {"Authorization", "Bearer " + testToken}, {"x-goog-api-key", testToken, "x-api-key", "none", "Authorization", "Bearer none"}} {
			if got := r.do("POST", path, body, header...); got.status != 200 {
				t.Errorf("%s, %v: %d %s", path, header, got.status, got.body)
			}
		}
	}
	for _, path := range []string{messages, completions, replies} {
		f(path, ask(path, true))
		f(path, ask(path, false))
	}
	f(countPath, prompt(hello))
	f(embeddingsPath, `{"model":"text-embedding-3-small","input":"x"}`)
	f(generatePath+"?key="+testToken, nativeAsk)
	f(streamPath+"?alt=sse&key="+testToken, nativeAsk)
	for _, q := range r.fake.Requests() {
		if got := q.Header.Values("x-goog-api-key"); len(got) != 1 || got[0] != keyNamed("a") {
			t.Errorf("x-goog-api-key %q", got)
		}
		wantQuery := ""
		if q.Verb == "streamGenerateContent" {
			wantQuery = "alt=sse"
		}
		if q.Header.Get("Authorization") != "" || q.Header.Get("x-api-key") != "" || q.Query.Encode() != wantQuery {
			t.Errorf("%s: %v, query %v", q.Path, q.Header, q.Query)
		}
	}
	if len(r.fake.Requests()) != 30 {
		t.Errorf("%d requests", len(r.fake.Requests()))
	}
}

func TestE002_KeysOfAnyForm(t *testing.T) {
	env := map[string]string{"GEMINI_API_KEYS": "AQ.abc-PLANTED,AIza-PLANTED", "HOST": "127.0.0.1"}
	loaded, err := config.Load(config.Source{Env: func(name string) (string, bool) { v, ok := env[name]; return v, ok }})
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, "", func(cfg *config.Config, _ *Server) { cfg.Keys = loaded.Keys })
	for range 2 {
		if got := r.do("POST", messages, ask(messages, true)); got.status != 200 {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
	asked := map[string]bool{}
	for _, q := range r.fake.Requests() {
		asked[q.Key] = true
	}
	if len(loaded.Keys) != 2 || !asked["AQ.abc-PLANTED"] || !asked["AIza-PLANTED"] {
		t.Errorf("%d keys, asked with %v", len(loaded.Keys), asked)
	}
}

func TestE003_FramesCutAnywhere(t *testing.T) {
	r := start(t, "a", nil)
	for _, end := range []string{"\r\n\r\n", "\n\n"} {
		wire := frames(end, chunkHello, chunkEnd)
		r.reads("Hé\nllo", streamed(wire))
		for cut := 1; cut < len(wire); cut++ {
			r.fake.Enqueue(streamed(wire[:cut], wire[cut:]))
			if text := said(t, messages, true, r.do("POST", messages, ask(messages, true)).body); text != "Hé\nllo" {
				t.Fatalf("cut at %d: %q", cut, text)
			}
		}
		r.fake.Enqueue(fg.RawAnswer(200, "text/event-stream", wire).Dripped(1, 20*time.Microsecond))
		if text := said(t, messages, true, r.do("POST", messages, ask(messages, true)).body); text != "Hé\nllo" {
			t.Errorf("byte by byte: %q", text)
		}
	}
}

func TestE004_ALineOf8MB(t *testing.T) {
	r := start(t, "a", nil)
	long := strings.Repeat("x", 8<<20)
	r.reads(long+"llo", streamed(frames("\r\n\r\n", strings.Replace(chunkHello, `Hé\n`, long, 1), chunkEnd)))
}

func TestE005_CommentsAndBlankLines(t *testing.T) {
	r := start(t, "a", nil)
	r.reads("Hé\nllo", streamed(": hello\r\n\r\n\r\n\r\n", frames("\r\n\r\n", chunkHello), ": keep-alive\n\n\n: more\n", frames("\n\n\n\n", chunkEnd), ":\n\n"))
}

// inStream are the forms in which an error stands in a stream that began with 200.
func inStream(object string) []string {
	return []string{"data: " + object + "\r\n\r\n", object + "\r\n", "[" + object + "\n]\n"}
}

func TestE006_AnErrorFrameIsAnError(t *testing.T) {
	const daily = `{"error":{"code":429,"message":"You exceeded your current quota","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure",` +
		`"violations":[{"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier","quotaValue":"20"}]}]}}`
	r := start(t, "a b", nil)
	r.fake.Enqueue(streamed(inStream(daily)[0]), fg.Say("fine"))
	got := r.do("POST", messages, ask(messages, true))
	has(t, got.body, "fine", "message_stop")
	first := strings.Fields(r.keysAsked())[0]
	if s := r.state(first); got.status != 200 || s.State != keys.Limited || s.Reason != keys.DayQuota {
		t.Errorf("%d, %+v", got.status, s)
	}
}

func TestE007_BareErrorsAndArrays(t *testing.T) {
	for _, form := range inStream(`{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}`) {
		r := start(t, "a b", nil)
		r.reads("fine", streamed(form), fg.Say("fine"))
		if n := r.fake.Pending(); n != 0 {
			t.Errorf("%q: %d answers are left", form, n)
		}
		// an answer that merely ended too early would be another error
		r.fake.Enqueue(streamed(frames("\r\n\r\n", chunkHello), form))
		got := r.do("POST", messages, ask(messages, true))
		has(t, got.body, `Hé\n`, "event: error\n", "overloaded_error", "busy")
		hasNot(t, got.body, "message_delta")
		r.stop()
	}
	for _, form := range inStream(`{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID"}]}}`) {
		r := start(t, "a b", nil)
		r.fake.Enqueue(streamed(form), fg.Say("fine"))
		has(t, r.do("POST", messages, ask(messages, true)).body, "fine", "message_stop")
		if s := r.state("a"); s.State != keys.Disabled || s.Reason != keys.Invalid {
			t.Errorf("%q: %+v", form, s)
		}
		r.stop()
	}
}

func TestE008_ErrorsWithoutACode(t *testing.T) {
	r := start(t, "a b", nil)
	const busy = `{"error":{"message":"The model is overloaded.","status":"UNAVAILABLE"}}`
	for _, answer := range []fg.Answer{streamed(inStream(busy)[0]), fg.RawAnswer(503, "application/json", busy), fg.RawAnswer(500, "application/json", busy)} {
		r.fake.Enqueue(answer, answer, answer)
		if got := r.do("POST", messages, ask(messages, true)); got.status != 529 || r.fake.Pending() != 0 {
			t.Errorf("%+v: %d %s", answer, got.status, got.body)
		}
		if got := r.do("POST", messages, ask(messages, true)); got.status != 200 {
			t.Errorf("the keys suffered: %d %s", got.status, got.body)
		}
	}
	for _, form := range inStream(busy) {
		r.fake.Enqueue(streamed(frames("\r\n\r\n", chunkHello), form))
		has(t, r.do("POST", messages, ask(messages, true)).body, "event: error\n", "overloaded_error", "The model is overloaded.")
	}
}

func TestE009_APageInPlaceOfAnAnswer(t *testing.T) {
	r := start(t, "a", nil)
	for _, status := range []int{502, 500, 503} {
		page := fg.RawAnswer(status, "text/html", "<!DOCTYPE html><title>Error "+fmt.Sprint(status)+"</title><p>{\"error\"")
		r.fake.Enqueue(page)
		if got := r.do("POST", messages, ask(messages, true)); got.status != 200 || r.fake.Pending() != 0 {
			t.Errorf("%d: %d %s", status, got.status, got.body)
		}
		r.fake.Enqueue(page, page, page)
		got := r.do("POST", messages, ask(messages, false))
		hasNot(t, got.body, "DOCTYPE")
		if got.status < 500 {
			t.Errorf("%d: %d %s", status, got.status, got.body)
		}
	}
}

func TestE010_ChunksWithoutContent(t *testing.T) {
	r := start(t, "a", nil)
	for _, odd := range []string{
		`{}`, `{"candidates":[]}`, `{"candidates":null}`, `{"candidates":[{}]}`, `{"candidates":[{"content":{}}]}`, `{"candidates":[{"content":{"role":"model"}}]}`,
		`{"candidates":[{"content":{"parts":null}}],"usageMetadata":null}`, `{"usageMetadata":{"promptTokenCount":1}}`, `{"candidates":[{"index":"x","content":{"parts":[{}]}}]}`,
	} {
		wire := streamed(frames("\r\n\r\n", odd, chunkHello, odd, chunkEnd))
		r.reads("Hé\nllo", wire)
		r.fake.Enqueue(wire)
		same(t, kinds(message(t, r.do("POST", messages, ask(messages, true)).body)), "text")
	}
}

func TestE011_TheLastUsageCounts(t *testing.T) {
	r := start(t, "a", nil)
	wire := frames("\r\n\r\n",
		`{"candidates":[{"content":{"parts":[{"text":"x"}]}}],"usageMetadata":{"promptTokenCount":900,"candidatesTokenCount":70,"thoughtsTokenCount":50,"cachedContentTokenCount":600}}`,
		`{"usageMetadata":{"promptTokenCount":100,"candidatesTokenCount":7}}`, `{"candidates":[{"finishReason":"STOP"}]}`)
	r.fake.Enqueue(streamed(wire), streamed(wire))
	has(t, r.do("POST", messages, ask(messages, false)).body, `"input_tokens":100,`, `"cache_read_input_tokens":0,`, `"output_tokens":7,`, `"thinking_tokens":0`)
	has(t, r.do("POST", completions, ask(completions, false)).body, `"prompt_tokens":100,"completion_tokens":7,"total_tokens":107,`, `"cached_tokens":0`, `"reasoning_tokens":0`)
}

func TestE012_AnAnswerWithoutAnEnd(t *testing.T) {
	r := start(t, "a b", nil)
	r.fake.Enqueue(streamed(frames("\r\n\r\n", `{"candidates":[{"content":{"parts":[{"text":""}]}}]}`)), fg.Say("the good one"))
	got := r.do("POST", messages, ask(messages, true))
	has(t, got.body, "the good one", "message_stop")
	if got.status != 200 || r.fake.Pending() != 0 {
		t.Error(got.status)
	}
	r.fake.Enqueue(streamed(frames("\r\n\r\n", chunkHello)))
	got = r.do("POST", messages, ask(messages, true))
	has(t, got.body, `Hé\n`, "event: error\n", "api_error")
	hasNot(t, got.body, "message_delta", "message_stop")
	r.fake.Enqueue(streamed(frames("\r\n\r\n", chunkHello)))
	got = r.do("POST", completions, ask(completions, true))
	has(t, got.body, `Hé\n`, `data: {"error":`)
	hasNot(t, got.body, "[DONE]", `"finish_reason":"`)
	r.fake.Enqueue(streamed(frames("\r\n\r\n", chunkHello)), fg.Say("the good one"))
	got = r.do("POST", messages, ask(messages, false)) // of which nothing was sent yet
	same(t, said(t, messages, false, got.body), "the good one")
}

func TestE013_AnUnknownReason(t *testing.T) {
	r := start(t, "a", nil)
	for _, reason := range []string{"FOO", "OTHER", "TOO_MANY_TOOL_CALLS"} {
		answer := fg.Reply(fg.Text("x"), fg.Finish(reason))
		r.fake.Enqueue(answer, answer)
		has(t, r.do("POST", messages, ask(messages, true)).body, `"stop_reason":"end_turn"`, "message_stop")
		has(t, r.do("POST", completions, ask(completions, true)).body, `"finish_reason":"stop"`, "[DONE]")
		r.fake.Enqueue(fg.Reply(fg.Calls(fg.Call("Read", "{}")), fg.Finish(reason)))
		has(t, r.do("POST", messages, ask(messages, true)).body, `"stop_reason":"tool_use"`)
		r.fake.Enqueue(fg.Reply(fg.Finish(reason)), fg.Say("the good one"))
		has(t, r.do("POST", messages, ask(messages, true)).body, "the good one")
	}
}

func TestE014_ACallWithoutArguments(t *testing.T) {
	r := start(t, "a", nil)
	answer := fg.Reply(fg.Calls(fg.Call("Now", "")))
	r.fake.Enqueue(answer, answer)
	has(t, r.do("POST", messages, ask(messages, false)).body, `"name":"Now","input":{}`, `"stop_reason":"tool_use"`)
	has(t, r.do("POST", completions, ask(completions, false)).body, `"name":"Now","arguments":"{}"`, `"finish_reason":"tool_calls"`)
}

func TestE015_UnknownParts(t *testing.T) {
	r := start(t, "a", nil)
	r.reads("Hé\nllo", streamed(frames("\r\n\r\n",
		`{"candidates":[{"content":{"parts":[{"videoMetadata":{"fps":1}},{"future":[1,{"a":2}],"thoughtSignature":"S"}]}}],"future":{"x":[]}}`, chunkHello, chunkEnd)))
}

// An answer that a proxy on the way has packed, asked for or not, is read all the same.
func TestPackedAnswers(t *testing.T) {
	r := start(t, "a", nil)
	for _, stream := range []bool{false, true} {
		r.fake.Enqueue(fg.Say("Zürich, ", "packed").Gzipped())
		got := r.do("POST", messages, ask(messages, stream))
		if text := said(t, messages, stream, got.body); text != "Zürich, packed" || got.status != 200 {
			t.Errorf("%d %q", got.status, got.body)
		}
	}
	if n := len(r.fake.Requests()); n != 2 {
		t.Errorf("Gemini was asked %d times", n)
	}
}
