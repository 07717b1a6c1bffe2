package proxy

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

// Cases 60 to 79: what a client of Anthropic's API gets.

const (
	thinks  = `"thinking":{"type":"adaptive"},`
	streams = `"stream":true,`
)

// answers asks once, streamed and not, for the same scripted answer and gives both as the SDK reads them.
func (r *rig) answers(fields string, a fg.Answer) (stream result, streamed, whole *anthropicMessage) {
	r.t.Helper()
	r.fake.Enqueue(a, a)
	stream = r.claude(opus, streams+fields)
	return stream, message(r.t, stream.body), message(r.t, r.claude(opus, fields).body)
}

func TestE060_TextStream(t *testing.T) {
	r := start(t, "a", nil)
	stream, streamed, whole := r.answers(oneUser, fg.Say("Hel", "lo ", "世界"))
	same(t, eventNames(stream.body), "message_start content_block_start content_block_delta content_block_stop message_delta message_stop")
	for _, m := range []*anthropicMessage{streamed, whole} {
		if kinds(m) != "text" || m.Content[0].Text != "Hello 世界" || m.StopReason != "end_turn" || m.Role != "assistant" || !strings.HasPrefix(m.ID, "msg_") {
			t.Errorf("%s", m.RawJSON())
		}
	}
}

func TestE061_ThoughtsBeforeText(t *testing.T) {
	r := start(t, "a", nil)
	stream, streamed, whole := r.answers(thinks+oneUser, fg.Reply(fg.Thought("**Plan** "), fg.Thought("it"), fg.Text("Yes")))
	for _, m := range []*anthropicMessage{streamed, whole} {
		if kinds(m) != "thinking text" || m.Content[0].Thinking != "**Plan** it" || m.Content[0].Signature == "" || m.Content[1].Text != "Yes" {
			t.Errorf("%s", m.RawJSON())
		}
	}
	before, _, found := strings.Cut(stream.body, `"index":0,"delta":{"type":"signature_delta"`)
	if !found || strings.Count(stream.body, "signature_delta") != 1 || strings.Count(before, "thinking_delta") != 2 {
		t.Errorf("the signature is not the block's last delta:\n%s", stream.body)
	}
}

func TestE062_HiddenThoughts(t *testing.T) {
	r := start(t, "a", nil)
	for _, fields := range []string{`"thinking":{"type":"disabled"},`, ``} {
		_, streamed, whole := r.answers(fields+oneUser, fg.Reply(fg.Thought("a long thought"), fg.Text("Yes")))
		for _, m := range []*anthropicMessage{streamed, whole} {
			if kinds(m) != "text" || m.Usage.OutputTokensDetails.ThinkingTokens == 0 || m.Usage.OutputTokens <= m.Usage.OutputTokensDetails.ThinkingTokens {
				t.Errorf("%s", m.RawJSON())
			}
		}
	}
}

func TestE063_ParallelCalls(t *testing.T) {
	r := start(t, "a", nil)
	_, streamed, whole := r.answers(twoTools+","+oneUser, fg.Reply(fg.Calls(fg.Call("a", `{"n":1}`), fg.Call("b", `{}`))))
	for _, m := range []*anthropicMessage{streamed, whole} {
		if kinds(m) != "tool_use tool_use" || m.StopReason != "tool_use" || m.Content[0].ID == m.Content[1].ID || !strings.HasPrefix(m.Content[0].ID, "toolu_") {
			t.Errorf("%s", m.RawJSON())
		}
	}
}

func TestE064_SignedEmptyText(t *testing.T) {
	r := start(t, "a", nil)
	const end = `{"candidates":[{"content":{"parts":[{"text":"","thoughtSignature":"U2lnbmVk"}]},"finishReason":"STOP"}]}`
	f := func(want string, chunks ...fg.Chunk) {
		t.Helper()
		stream, streamed, whole := r.answers(thinks+twoTools+`,`+oneUser, fg.Reply(append(chunks, fg.RawChunk(frames("\r\n\r\n", end)))...))
		same(t, kinds(streamed)+", "+kinds(whole), want+", "+want)
		hasNot(t, stream.body, `"text_delta","text":""`, "U2lnbmVk")
	}
	f("text", fg.Text("Yes"))
	f("thinking text", fg.Thought("hm"), fg.Text("Yes"))
	f("text thinking tool_use", fg.Text("Yes"), fg.Calls(fg.Call("a", `{}`)))
	f("text thinking", fg.Text("Yes"), fg.Thought("hm"))
}

func TestE065_EmptyThinkingCarries(t *testing.T) {
	r := start(t, "a", nil)
	for _, thinking := range []string{thinks, `"thinking":{"type":"enabled","budget_tokens":2000,"display":"omitted"},`} {
		_, streamed, whole := r.answers(thinking+twoTools+","+oneUser, fg.Reply(fg.Calls(fg.Call("a", `{}`))))
		for _, m := range []*anthropicMessage{streamed, whole} {
			if kinds(m) != "thinking tool_use" || m.Content[0].Thinking != "" || len(m.Content[0].Signature) < 100 {
				t.Errorf("%s", m.RawJSON())
			}
		}
	}
}

func TestE066_Arguments(t *testing.T) {
	r := start(t, "a", nil)
	args := `{"z":"q\"uo\\te <&> ü 世界 \ud83d\ude00","a":1.0,"long":"` + strings.Repeat(`\n\u00e9é`, 3000) + `"}`
	stream, _, whole := r.answers(twoTools+","+oneUser, fg.Reply(fg.Calls(fg.Call("a", args))))
	var got strings.Builder
	for _, data := range dataLines(stream.body) {
		var ev struct {
			Delta struct {
				PartialJSON string `json:"partial_json"`
			}
		}
		if err := json.Unmarshal([]byte(data), &ev); err != nil {
			t.Fatal(err)
		}
		if len(ev.Delta.PartialJSON) > 4<<10 {
			t.Errorf("a piece of %d bytes", len(ev.Delta.PartialJSON))
		}
		got.WriteString(ev.Delta.PartialJSON)
	}
	want := argsOf(t, args)
	for _, text := range []string{got.String(), string(whole.Content[0].Input)} {
		if argsOf(t, text) != want || !strings.HasPrefix(text, `{"z":`) || !strings.Contains(text, `"a":1.0`) {
			t.Errorf("the arguments changed: %.200s", text)
		}
	}
}

type someArgs struct {
	Z, Long string
	A       float64
}

func argsOf(t *testing.T, text string) (a someArgs) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		t.Fatalf("%v in %.100s", err, text)
	}
	return a
}

func TestE067_BudgetSpentOnThoughts(t *testing.T) {
	r := start(t, "a", nil)
	stream, streamed, whole := r.answers(oneUser, fg.Reply(fg.Finish("MAX_TOKENS")))
	same(t, eventNames(stream.body), "message_start message_delta message_stop")
	for _, m := range []*anthropicMessage{streamed, whole} {
		if len(m.Content) != 0 || m.StopReason != "max_tokens" {
			t.Errorf("%s", m.RawJSON())
		}
	}
}

func TestE068_Refusals(t *testing.T) {
	r := start(t, "a", nil)
	f := func(a fg.Answer, text, explanation string) {
		t.Helper()
		_, streamed, whole := r.answers(oneUser, a)
		for _, m := range []*anthropicMessage{streamed, whole} {
			got := ""
			if len(m.Content) > 0 {
				got = m.Content[0].Text
			}
			if m.StopReason != "refusal" || m.StopDetails.Explanation != explanation || got != text {
				t.Errorf("%s", m.RawJSON())
			}
		}
	}
	f(fg.Reply(fg.RawChunk("data: {\"candidates\":[{\"content\":{},\"finishReason\":\"SAFETY\"}]}\r\n\r\n")), "", "Blocked by Gemini: SAFETY")
	f(fg.Reply(fg.Text("Well"), fg.Finish("RECITATION")), "Well", "Blocked by Gemini: RECITATION")
	for _, stream := range []bool{false, true} {
		r.fake.Enqueue(fg.Reply(fg.Thought("hm"), fg.Finish("SAFETY")))
		got := r.do("POST", replies, ask(replies, stream))
		if text := said(t, replies, stream, got.body); text != "Answer blocked by Gemini (SAFETY)." {
			t.Errorf("responses: %q", text)
		}
		has(t, got.body, `"incomplete_details":{"reason":"content_filter"}`)
	}
	f(fg.Reply(fg.Block("PROHIBITED_CONTENT")), "Request blocked by Gemini (PROHIBITED_CONTENT).", "Blocked by Gemini: PROHIBITED_CONTENT")
}

func TestE069_MalformedThenGood(t *testing.T) {
	for _, stream := range []string{streams, ""} {
		r := start(t, "a", nil)
		r.fake.Enqueue(fg.Reply(fg.Thought("hm"), fg.Finish("MALFORMED_FUNCTION_CALL")), fg.Say("good"))
		got := r.claude(opus, stream+twoTools+","+oneUser)
		if m := message(t, got.body); kinds(m) != "text" || m.Content[0].Text != "good" || len(r.fake.Requests()) != 2 {
			t.Errorf("%s after %d requests", got.body, len(r.fake.Requests()))
		}
		hasNot(t, got.body, "MALFORMED")
	}
}

func TestE070_Usage(t *testing.T) {
	r := start(t, "a", nil)
	_, streamed, whole := r.answers(oneUser, fg.Reply(fg.Text("x").With(fg.Usage{Prompt: 999, Total: 999}),
		fg.Text("y").Ends("STOP").With(fg.Usage{Prompt: 1000, Cached: 600, Candidates: 50, Thoughts: 30, ToolUse: 10, Total: 1090})))
	for _, m := range []*anthropicMessage{streamed, whole} {
		u := m.Usage
		if u.InputTokens != 410 || u.CacheReadInputTokens != 600 || u.CacheCreationInputTokens != 0 || u.OutputTokens != 80 || u.OutputTokensDetails.ThinkingTokens != 30 {
			t.Errorf("%s", u.RawJSON())
		}
	}
}

func TestE072_Overflow(t *testing.T) {
	r := start(t, "a", nil)
	f := func(e *fg.APIError, want string) {
		t.Helper()
		r.fake.Enqueue(fg.Fail(e))
		got := r.do("POST", messages, ask(messages, true))
		if got.status != 400 {
			t.Errorf("%d", got.status)
		}
		has(t, got.body, `{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: `+want)
	}
	f(fg.ErrTooManyTokens(1196265, 1048575), `1196265 tokens > 1048575 maximum"}`)
	f(fg.ErrTooManyTokens(5, 1048576), `1048577 tokens > 1048576 maximum"}`)
}

func TestE073_RequestIDs(t *testing.T) {
	r := start(t, "a", func(cfg *config.Config, _ *Server) { cfg.MaxRetries, cfg.MaxBody = 0, 1<<20 })
	f := func(got result, status int, kind string) {
		t.Helper()
		if got.status != status || !strings.HasPrefix(got.header.Get("request-id"), "req_") {
			t.Errorf("%d, %q", got.status, got.header.Get("request-id"))
		}
		has(t, got.body, `{"type":"error","error":{"type":"`+kind+`","message":"`, `,"request_id":"`+got.header.Get("request-id")+`"}`)
	}
	post := func(a ...fg.Answer) result {
		r.fake.Enqueue(a...)
		return r.do("POST", messages, ask(messages, false))
	}
	f(r.do("POST", messages, "{"), 400, "invalid_request_error")
	f(r.do("POST", messages, ask(messages, false), "x-api-key", "wrong"), 401, "authentication_error")
	f(r.do("POST", messages, strings.Replace(ask(messages, false), opus, "llama", 1)), 404, "not_found_error")
	f(r.do("GET", "/v1/messages/batches", ""), 404, "not_found_error")
	f(r.do("GET", messages, ""), 405, "invalid_request_error")
	f(r.do("POST", messages, strings.Repeat("x", 2<<20)), 413, "request_too_large")
	f(r.do("POST", countPath, "{}"), 400, "invalid_request_error")
	r.fake.Enqueue(fg.Fail(fg.Err(400, "Something else.")))
	f(r.do("POST", messages, askModel(messages, false, "gemini-2.5-pro")), 400, "invalid_request_error")
	f(post(fg.Fail(fg.ErrOverloaded())), 529, "overloaded_error")
	f(post(fg.Fail(fg.ErrInternal())), 500, "api_error")
	f(post(fg.Reply(fg.Finish("STOP")), fg.Reply(fg.Finish("STOP")), fg.Reply(fg.Finish("STOP"))), 529, "overloaded_error")
	f(post(fg.Fail(minute("40s"))), 429, "rate_limit_error")
	here := start(t, "a", nil)
	here.fake.Enqueue(fg.Reply(fg.Text("half"), fg.Hangup()))
	broken := here.do("POST", messages, ask(messages, true))
	has(t, broken.body, "event: error\n", `"},"request_id":"`+broken.header.Get("request-id")+`"}`)
	here.fake.Enqueue(fg.Fail(fg.ErrLocation()))
	f(here.do("POST", messages, ask(messages, false)), 403, "permission_error")
}

func TestE074_StreamAndBodyAlike(t *testing.T) {
	r := start(t, "a", nil)
	for i, a := range told() {
		_, streamed, whole := r.answers(thinks+`"tools":[{"name":"read"},{"name":"list"}],`+oneUser, a)
		// ids and what is sealed with them are new in each
		random := regexp.MustCompile(`gca1\.[\w-]+|toolu_\w+`)
		same(t, random.ReplaceAllString(sentBack(t, streamed), ""), random.ReplaceAllString(sentBack(t, whole), ""))
		if streamed.StopReason != whole.StopReason || streamed.Usage.OutputTokens != whole.Usage.OutputTokens || streamed.Model != whole.Model {
			t.Errorf("answer %d: %s\n%s", i, streamed.RawJSON(), whole.RawJSON())
		}
	}
}

func TestE075_TheModelAsAsked(t *testing.T) {
	r := start(t, "a", nil)
	for _, model := range []string{opus, "claude-3-5-haiku-latest", flash25, "claude-gemini-3.8-flash"} {
		for _, stream := range []string{streams, ""} {
			if m := message(t, r.claude(model, stream+oneUser).body); string(m.Model) != model {
				t.Errorf("asked %s, answered %s", model, m.Model)
			}
		}
	}
}

func TestE077_Paths(t *testing.T) {
	r := start(t, "a", nil)
	if got := r.do("HEAD", "/", "", "x-none", ""); got.status != 200 {
		t.Errorf("HEAD /: %d", got.status)
	}
	if got := r.do("POST", "/v1/messages?beta=true", ask(messages, false)); got.status != 200 {
		t.Errorf("beta: %d %s", got.status, got.body)
	}
	got := r.do("GET", "/v1/unknown", "", "x-api-key", testToken, "anthropic-version", "2023-06-01")
	if got.status != 404 || !strings.HasPrefix(got.body, `{"type":"error","error":{"type":"not_found_error"`) {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// A text that is cut by a stop sequence of the client's own says which.
func TestStopSequenceIsTold(t *testing.T) {
	r := start(t, "a", nil)
	for _, stops := range []string{`"1","2","3","4","5","</six>"`, `"</six>"`} {
		_, streamed, whole := r.answers(`"stop_sequences":[`+stops+`],`+oneUser, fg.Say("so <", "/six", "> and more"))
		for _, m := range []*anthropicMessage{streamed, whole} {
			if m.StopReason != "stop_sequence" || m.StopSequence != "</six>" || m.Content[0].Text != "so " {
				t.Errorf("%s", m.RawJSON())
			}
		}
	}
}

func TestE078_CountTokens(t *testing.T) {
	r := start(t, "a", nil)
	got := r.do("POST", countPath, prompt(hello))
	var exact tokenCount
	if err := json.Unmarshal([]byte(got.body), &exact); err != nil || got.status != 200 || exact.InputTokens < 1 {
		t.Errorf("%d %s", got.status, got.body)
	}
	if q := r.fake.Requests()[0]; q.Verb != "countTokens" || q.Status != 200 {
		t.Errorf("%+v", q)
	}
	r.fake.Key(keyNamed("a"), fg.KeyRule{Error: fg.ErrOverloaded(), Verb: "countTokens"})
	if n := r.counted(prompt(hello)); n < 1 || n > 20 {
		t.Errorf("estimated %d", n)
	}
}

func TestE079_Models(t *testing.T) {
	r := start(t, "a", nil)
	began := time.Now()
	for _, header := range [][]string{{"x-api-key", testToken, "anthropic-version", "2023-06-01"}, {"Authorization", "Bearer " + testToken}} {
		got := r.do("GET", "/v1/models?limit=1000", "", header...)
		var list modelList
		if err := json.Unmarshal([]byte(got.body), &list); err != nil || got.status != 200 {
			t.Fatalf("%d %s", got.status, got.body)
		}
		if !slices.ContainsFunc(list.Data, func(m modelInfo) bool { return strings.HasPrefix(m.ID, "claude") }) {
			t.Errorf("no name of Claude's in %s", got.body)
		}
	}
	if took := time.Since(began); took > 3*time.Second || len(r.fake.Requests()) > 0 {
		t.Errorf("took %v, and Gemini was asked %d times", took, len(r.fake.Requests()))
	}
}
