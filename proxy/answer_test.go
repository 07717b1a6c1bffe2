package proxy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

func TestBothProtocolsStreamedAndNot(t *testing.T) {
	r := start(t, "a b", nil)
	f := func(path string, stream bool, contentType string, wants ...string) {
		t.Helper()
		r.fake.Enqueue(fakegemini.Say("Hello ", "there ", "世界\n\"quoted\""))
		got := r.do("POST", path, ask(path, stream))
		if got.status != 200 || got.header.Get("Content-Type") != contentType || got.header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: %d, %v", path, got.status, got.header)
		}
		if id := got.header.Get("request-id"); len(id) != 28 || id != got.header.Get("x-request-id") {
			t.Errorf("%s: request ids %v", path, got.header)
		}
		has(t, got.body, wants...)
	}
	const sse = "text/event-stream; charset=utf-8"
	f(messages, false, "application/json", `"text":"Hello there 世界\n\"quoted\""`, `"stop_reason":"end_turn"`, `"model":"claude-opus-5-5"`)
	f(messages, true, sse, "event: message_start\n", `"text":"Hello "`, `"text":"there "`, "event: message_stop\n")
	f(completions, false, "application/json", `"content":"Hello there 世界\n\"quoted\""`, `"finish_reason":"stop"`, `"model":"gpt-5"`)
	f(completions, true, sse, `"content":"Hello "`, `"finish_reason":"stop"`, "data: [DONE]\n\n")
	if got := r.keysAsked(); got != "a b a b" {
		t.Errorf("keys %s", got)
	}
	for _, q := range r.fake.Requests() {
		if q.Path != "/v1beta/models/gemini-3.8-flash:streamGenerateContent" || q.Query.Get("alt") != "sse" || len(q.Query) != 1 || q.Header.Get("Authorization") != "" {
			t.Errorf("asked %s?%v with %v", q.Path, q.Query, q.Header)
		}
	}
}

// An answer that Google does not count is estimated, in every protocol, and the log says so.
func TestUsageThatGoogleDoesNotTell(t *testing.T) {
	r := start(t, "a", nil)
	prompt := strings.Repeat("word ", 400) // 500 tokens by estimate
	frame := func(part, more string) string {
		return `data: {"candidates":[{"content":{"parts":[{"text":"` + part + `"}]}` + more + "}]}\r\n\r\n"
	}
	silent := frame(strings.Repeat("w", 80), "") + frame(strings.Repeat("w", 80), `,"finishReason":"STOP"`)
	f := func(path, body string, stream bool, wants ...string) {
		t.Helper()
		r.fake.Enqueue(fakegemini.RawAnswer(200, "text/event-stream", silent))
		got := r.do("POST", path, strings.Replace(body, "PROMPT", prompt, 1))
		if got.status != 200 {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
		if stream {
			got.body = got.body[strings.LastIndex(got.body, `"usage":{`):]
		}
		has(t, got.body, wants...)
	}
	for _, stream := range []bool{false, true} {
		set := fmt.Sprintf(`,"stream":%v`, stream)
		f(messages, `{"model":"claude-opus-5-5","max_tokens":9000,"messages":[{"role":"user","content":"PROMPT"}]`+set+`}`, stream, `"input_tokens":500`, `"output_tokens":40`)
		if stream {
			set += `,"stream_options":{"include_usage":true}`
		}
		f(completions, `{"model":"gpt-5","messages":[{"role":"user","content":"PROMPT"}]`+set+`}`, stream, `"prompt_tokens":500`, `"completion_tokens":40`)
		f(replies, `{"model":"gpt-5","input":"PROMPT"`+fmt.Sprintf(`,"stream":%v`, stream)+`}`, stream, `"input_tokens":500`, `"output_tokens":40`)
	}
	if n := strings.Count(r.log.String(), `"tokens_in":500,"tokens_out":40,"tokens_estimated":true`); n != 6 {
		t.Errorf("%d of 6 lines:\n%s", n, r.log.String())
	}
}

// A client that gives its conversations no name stays with one key for each all the same: the prompt cache is the key's own.
func TestConversationsWithoutAName(t *testing.T) {
	const turn = `{"role":"user","content":"say %d"}`
	const history = turn + `,{"role":"assistant","content":"one"},{"role":"user","content":"more"}`
	for path, body := range map[string]string{
		messages:    `{"model":"g","max_tokens":9,"tools":[{"name":"f","input_schema":{"type":"object"}}],"messages":[%s]}`,
		completions: `{"model":"g","tools":[{"type":"function","function":{"name":"f"}}],"messages":[%s]}`,
		replies:     `{"model":"g","tools":[{"type":"function","name":"f"}],"input":[%s]}`,
	} {
		body = strings.Replace(body, `"g"`, `"gemini-3.8-flash"`, 1)
		r := start(t, "a b c d", nil)
		used := map[string]bool{}
		for i := range 12 {
			r.do("POST", path, fmt.Sprintf(body, fmt.Sprintf(turn, i)))
			r.do("POST", path, fmt.Sprintf(body, fmt.Sprintf(history, i)))
			asked := strings.Fields(r.keysAsked())
			if last := asked[len(asked)-2:]; len(asked) != 2*i+2 || last[0] != last[1] {
				t.Errorf("%s: conversation %d over the keys %s", path, i, asked)
			}
			used[asked[len(asked)-1]] = true
		}
		if len(used) < 2 {
			t.Errorf("%s: all conversations with one key", path)
		}
	}
}
