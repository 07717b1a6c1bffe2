package proxy

import (
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

// breaks checks what a client sees of a stream that fails after its first content, through each front.
func breaks(t *testing.T, answer fg.Answer, kinds map[string]string) {
	t.Helper()
	f := func(path string, want, unwanted []string) {
		t.Helper()
		r := start(t, "a b", nil)
		r.fake.Enqueue(answer, fg.Say("another answer"))
		got := r.do("POST", path, ask(path, true))
		if got.status != 200 || len(r.fake.Requests()) != 1 {
			t.Errorf("%s: %d after %d requests", path, got.status, len(r.fake.Requests()))
		}
		has(t, got.body, append(want, kinds[path])...)
		hasNot(t, got.body, append(unwanted, "another answer")...)
		r.stop()
	}
	f(messages, []string{"event: error\n"}, []string{"message_delta", "message_stop"})
	f(completions, []string{`data: {"error":`}, []string{"[DONE]", `"finish_reason":"`})
	f(replies, []string{"event: response.failed\n"}, []string{"response.completed", "response.incomplete"})
}

func TestE026_AFailureAfterContent(t *testing.T) {
	breaks(t, fg.Reply(fg.Text("so far"), fg.StreamError(fg.ErrOverloaded())),
		map[string]string{messages: "overloaded_error", completions: "so far", replies: "server_is_overloaded"})
	r := start(t, "a b", nil)
	r.fake.Enqueue(fg.Reply(fg.Text("so far"), fg.StreamError(fg.ErrOverloaded())), fg.Say("another answer"))
	got := r.do("POST", messages, ask(messages, false)) // in one piece nothing was sent yet
	has(t, got.body, "another answer")
	hasNot(t, got.body, "so far")
}

func TestE132_ACutIsAnError(t *testing.T) {
	kinds := map[string]string{messages: "api_error", completions: "error", replies: "server_error"}
	call := fg.Calls(fg.Call("Read", `{"x":1}`))
	breaks(t, fg.Reply(fg.Text("so far"), fg.Hangup()), kinds)
	breaks(t, fg.Reply(fg.Text("so far")).Unfinished(), kinds)
	breaks(t, fg.Reply(call, fg.Hangup()), kinds)
	breaks(t, fg.Reply(call).Unfinished(), kinds)
	breaks(t, fg.Reply(fg.Thought("hm"), fg.Text("so far"), fg.RawChunk("data: {\"candidates\": [{\"cont\r\n\r\n")), kinds)
	breaks(t, fg.Reply(fg.Text("so far"), fg.RawChunk("data: {\"candidates\": [{\"cont")), kinds)
}

func TestE133_EmptyAnswersAreTriedAgain(t *testing.T) {
	f2 := func(empty fg.Answer, path string, stream bool, status int, kind string) {
		t.Helper()
		r := start(t, "a b", nil)
		r.fake.Enqueue(empty, empty, fg.Say("the good one"))
		got := r.do("POST", path, ask(path, stream))
		same(t, said(t, path, stream, got.body), "the good one")
		if n := strings.Count(got.body, "event: message_start\n"); path == messages && stream && n != 1 {
			t.Errorf("%+v: message_start stands %d times in %s", empty, n, got.body)
		}
		r.fake.Enqueue(empty, empty, empty)
		got = r.do("POST", path, ask(path, stream))
		has(t, got.body, kind)
		if got.status != status || r.fake.Pending() != 0 {
			t.Errorf("%+v: %d with %d answers left", empty, got.status, r.fake.Pending())
		}
		r.fake.Enqueue(empty)
		got = r.do("POST", path, ask(path, stream), "x-api-key", testToken, "x-stainless-retry-count", "1")
		if got.status != status || r.fake.Pending() != 0 || len(r.fake.Requests()) != 7 {
			t.Errorf("%+v: %d after a client's own retry, %d requests", empty, got.status, len(r.fake.Requests()))
		}
		r.stop()
	}
	f := func(empty fg.Answer) {
		t.Helper()
		for _, stream := range []bool{false, true} {
			f2(empty, messages, stream, 529, `"overloaded_error"`)
			f2(empty, completions, stream, 503, `"server_is_overloaded"`)
			f2(empty, replies, stream, 503, `"server_is_overloaded"`)
		}
	}
	f(fg.Reply(fg.Finish("STOP")))
	f(fg.Reply(fg.Text(" \n"), fg.Finish("STOP")))
	f(fg.Reply(fg.Finish("MALFORMED_FUNCTION_CALL")))
	f(fg.Reply(fg.Finish("UNEXPECTED_TOOL_CALL")))
	f(fg.Reply(fg.Text("")).Unfinished())
	f(streamed(frames("\n\n", `{"candidates":[{"content":{"parts":[{"functionCall":{"args":{}}}]},"finishReason":"STOP"}]}`)))
	f(streamed(frames("\n\n", `{"candidates":[{"content":{"parts":[{"toolCall":{"toolType":"GOOGLE_SEARCH_WEB","id":"x"}}]},"finishReason":"STOP","groundingMetadata":{"webSearchQueries":["q"]}}]}`)))
}

// The silence after the status is no different: a ping, then an error event.
func TestEmptyAnswersAfterTheStatus(t *testing.T) {
	const hold = 10 * time.Millisecond
	r := start(t, "a", func(_ *config.Config, s *Server) {
		if s != nil {
			s.pace.hold, s.pace.ping = hold, hold
		}
	})
	empty := fg.Reply(fg.Finish("STOP"))
	r.fake.Enqueue(empty, empty, empty.After(10*hold))
	got := r.do("POST", messages, ask(messages, true))
	has(t, got.body, "event: ping\n", "event: error\n", "overloaded_error")
	hasNot(t, got.body, "end_turn", "message_stop")
}

// What gave nothing twice is asked otherwise the third time.
func TestTheLastTryDiffers(t *testing.T) {
	r := start(t, "a", nil)
	empty := fg.Reply(fg.Finish("STOP"))
	r.fake.Enqueue(empty, empty, fg.Say("good"))
	r.do("POST", messages, askModel(messages, true, "gemini-2.5-pro"))
	bodies := r.bodiesAsked()
	if len(bodies) != 3 || bodies[0] != bodies[1] {
		t.Fatalf("%q", bodies)
	}
	has(t, bodies[2], `"temperature":1.1`)
	hasNot(t, bodies[1], "temperature")
}

func TestE134_AMalformedCallAfterContent(t *testing.T) {
	kinds := map[string]string{messages: "overloaded_error", completions: "so far", replies: "server_is_overloaded"}
	for _, reason := range []string{"MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "MALFORMED_RESPONSE"} {
		breaks(t, fg.Reply(fg.Text("so far"), fg.Finish(reason)), kinds)
		r := start(t, "a", nil)
		whole := fg.Reply(fg.Text("x"), fg.Calls(fg.Call("Read", `{"x":1}`)), fg.Finish(reason))
		r.fake.Enqueue(whole, whole, whole)
		has(t, r.do("POST", messages, ask(messages, true)).body, `"stop_reason":"tool_use"`, "message_stop")
		has(t, r.do("POST", completions, ask(completions, true)).body, `"finish_reason":"tool_calls"`, "[DONE]")
		has(t, r.do("POST", replies, ask(replies, true)).body, "event: response.completed\n")
		r.stop()
	}
}

func TestE137_TheLastUsageIsWhole(t *testing.T) {
	r := start(t, "a", nil)
	answer := fg.Reply(
		fg.Text("one").With(fg.Usage{Prompt: 70, Candidates: 5, Total: 75}),
		fg.Text("two").With(fg.Usage{Prompt: 90, Candidates: 24, Thoughts: 31, Total: 145}),
		fg.Finish("STOP").With(fg.Usage{Prompt: 91, Thoughts: 31, Total: 122}))
	for _, stream := range []bool{false, true} {
		r.fake.Enqueue(answer, answer, answer)
		has(t, lastUsage(r.do("POST", messages, ask(messages, stream)).body), `"input_tokens":91,`, `"output_tokens":31,`)
		body := strings.TrimSuffix(ask(completions, stream), "}")
		if stream {
			body += `,"stream_options":{"include_usage":true}`
		}
		has(t, lastUsage(r.do("POST", completions, body+"}").body), `"prompt_tokens":91,"completion_tokens":31,"total_tokens":122`)
		has(t, lastUsage(r.do("POST", replies, ask(replies, stream)).body), `"input_tokens":91,`, `"output_tokens":31,`)
	}
}

// lastUsage is the last usage object of an answer and what follows it.
func lastUsage(body string) string { return body[max(strings.LastIndex(body, `"usage":{`), 0):] }
