package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	anthropicoption "github.com/anthropics/anthropic-sdk-go/option"
	"github.com/openai/openai-go/v3"
	openaioption "github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/shared"

	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

// The same conversation through the vendors' own clients: six steps with tools, parallel and alone, with and without ids of
// the model's, against a Gemini that refuses a call whose signature did not come back.

// told is what the model says, step by step.
func told() []fg.Answer {
	withID := func(c fg.FunctionCall, id string) fg.FunctionCall { c.ID = id; return c }
	return []fg.Answer{
		fg.Reply(fg.Thought("**Plan** look first"), fg.Calls(fg.Call("read", `{"path":"/a \"quoted\" <ä>"}`), fg.Call("read", `{"path":"/b"}`))),
		fg.Reply(fg.Calls(withID(fg.Call("list", ""), "up-1"))),
		fg.Reply(fg.Text("Now both."), fg.Calls(withID(fg.Call("read", `{"path":"/c"}`), "up-2"), withID(fg.Call("list", `{}`), "up-3"))),
		fg.Reply(fg.Thought("one more"), fg.Calls(fg.Call("read", `{"path":"/d"}`)), fg.Calls(fg.Call("read", `{"path":"/e"}`))),
		fg.Reply(fg.Calls(fg.Call("read", `{"path":"/f"}`))),
		fg.Reply(fg.Thought("done"), fg.Text("All "), fg.Text("read.")),
	}
}

const (
	wantCalls  = `read(/a "quoted" <ä>) read(/b) list() read(/c) list() read(/d) read(/e) read(/f)`
	readSchema = `{"type":"object","properties":{"path":{"type":"string"}},"required":["path"]}`
)

// dummySignature is what stands in for a signature that got lost.
const dummySignature = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="

// checkTold checks what Gemini saw of a conversation of told.
func checkTold(t *testing.T, fake *fg.Server, calls []string, last string) {
	t.Helper()
	if got := strings.Join(calls, " "); got != wantCalls {
		t.Errorf("calls\n%s, want\n%s", got, wantCalls)
	}
	if last != "All read." {
		t.Errorf("ends with %q", last)
	}
	requests := fake.Requests()
	if len(requests) != 6 || len(fake.Refusals()) != 0 {
		t.Errorf("%d requests, refused: %+v", len(requests), fake.Refusals())
	}
	for i, q := range requests {
		hasNot(t, string(q.Body), dummySignature)
		if n := strings.Count(string(q.Body), `"thoughtSignature":`); n < min(i, 5) {
			t.Errorf("request %d has %d signatures", i+1, n)
		}
	}
	if body := string(requests[5].Body); strings.Count(body, `"up-1"`) != 2 || strings.Count(body, `"up-3"`) != 2 {
		t.Errorf("the model's own ids did not come back:\n%s", body)
	}
}

// path is the argument of a call, in parentheses.
func path(t *testing.T, raw string) string {
	t.Helper()
	var args struct{ Path string }
	if err := json.Unmarshal([]byte(raw), &args); err != nil {
		t.Errorf("%q: %v", raw, err)
	}
	return "(" + args.Path + ")"
}

// loop is a way to run the conversation.
type loop struct {
	stream, thinking bool
	forgets          bool // the client does not send thinking blocks back
	where            func(step int) *rig
}

// anthropicLoop runs the conversation.
func anthropicLoop(t *testing.T, l loop) (calls []string, last string) {
	t.Helper()
	stream, thinking, where := l.stream, l.thinking, l.where
	var schema anthropic.ToolInputSchemaParam
	if err := json.Unmarshal([]byte(readSchema), &schema); err != nil {
		t.Fatal(err)
	}
	params := anthropic.MessageNewParams{
		Model: "claude-opus-5-5", MaxTokens: 4000,
		Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("read all"))},
		Tools: []anthropic.ToolUnionParam{
			anthropic.ToolUnionParamOfTool(schema, "read"),
			anthropic.ToolUnionParamOfTool(anthropic.ToolInputSchemaParam{}, "list"),
		},
	}
	if thinking {
		params.Thinking = anthropic.ThinkingConfigParamOfEnabled(2000)
	}
	for step := range 10 {
		message := anthropicStep(t, where(step), stream, params)
		reply := message.ToParam()
		if l.forgets {
			reply.Content = slices.DeleteFunc(reply.Content, func(b anthropic.ContentBlockParamUnion) bool { return b.OfThinking != nil })
		}
		params.Messages = append(params.Messages, reply)
		var results []anthropic.ContentBlockParamUnion
		for _, block := range message.Content {
			switch b := block.AsAny().(type) {
			case anthropic.ToolUseBlock:
				calls = append(calls, b.Name+path(t, string(b.Input)))
				// clients answer in the order in which the tools end
				results = append([]anthropic.ContentBlockParamUnion{anthropic.NewToolResultBlock(b.ID, "result of "+b.ID, false)}, results...)
			case anthropic.TextBlock:
				last = b.Text
			case anthropic.ThinkingBlock:
				if !thinking {
					t.Errorf("a thinking block that nobody asked for")
				}
			}
		}
		want := anthropic.StopReasonEndTurn
		if len(results) > 0 {
			want = anthropic.StopReasonToolUse
		}
		if message.StopReason != want || message.Usage.OutputTokens == 0 {
			t.Errorf("step %d: %s, %+v", step, message.StopReason, message.Usage)
		}
		if len(results) == 0 {
			return calls, last
		}
		params.Messages = append(params.Messages, anthropic.NewUserMessage(results...))
	}
	t.Fatal("the conversation does not end")
	return nil, ""
}

func anthropicStep(t *testing.T, r *rig, stream bool, params anthropic.MessageNewParams) *anthropic.Message {
	t.Helper()
	client := anthropic.NewClient(anthropicoption.WithBaseURL(r.url), anthropicoption.WithAPIKey(testToken),
		anthropicoption.WithMaxRetries(0), anthropicoption.WithHTTPClient(r.client))
	if !stream {
		message, err := client.Messages.New(t.Context(), params)
		if err != nil {
			t.Fatal(err)
		}
		return message
	}
	events := client.Messages.NewStreaming(t.Context(), params)
	var message anthropic.Message
	for events.Next() {
		if err := message.Accumulate(events.Current()); err != nil {
			t.Fatal(err)
		}
	}
	if err := events.Err(); err != nil {
		t.Fatal(err)
	}
	return &message
}

// The errors of the adapter are the SDK's own type, streamed and not.
func TestErrorsWithAnthropicsSDK(t *testing.T) {
	r := start(t, "a", nil)
	client := anthropic.NewClient(anthropicoption.WithBaseURL(r.url), anthropicoption.WithAPIKey(testToken),
		anthropicoption.WithMaxRetries(0), anthropicoption.WithHTTPClient(r.client))
	params := anthropic.MessageNewParams{Model: opus, MaxTokens: 100, Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("q"))}}
	f := func(err error, status int, words string) {
		t.Helper()
		var e *anthropic.Error
		if !errors.As(err, &e) || e.StatusCode != status || !strings.HasPrefix(e.RequestID, "req_") || !strings.Contains(e.RawJSON(), words) {
			t.Errorf("%T %v, want %d %s", err, err, status, words)
		}
	}
	f2 := func(a fg.Answer, status int, words string) {
		t.Helper()
		r.fake.Enqueue(a, a)
		_, err := client.Messages.New(t.Context(), params)
		f(err, status, words)
		events := client.Messages.NewStreaming(t.Context(), params)
		for events.Next() {
			t.Errorf("an event: %s", events.Current().RawJSON())
		}
		f(events.Err(), status, words)
	}
	f2(fg.Fail(fg.ErrTooManyTokens(2000000, 1048576)), 400, "prompt is too long: 2000000 tokens > 1048576 maximum")

	r.fake.Enqueue(fg.Reply(fg.Text("half"), fg.Hangup()))
	events := client.Messages.NewStreaming(t.Context(), params)
	for events.Next() {
		if kind := events.Current().Type; kind == "message_delta" || kind == "message_stop" {
			t.Errorf("%s after a cut", kind)
		}
	}
	if err := events.Err(); err == nil || !strings.Contains(err.Error(), "api_error") {
		t.Errorf("a cut: %v", err)
	}
	f2(fg.Fail(fg.Err(400, "No.")), 400, `"invalid_request_error"`) // the second time from memory
	params.Messages = []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("another"))}
	r.fake.Reset()
	f2(fg.Fail(fg.ErrLocation()), 403, `"permission_error"`) // likewise, since the way out is known
}

func openaiStep(ctx context.Context, t *testing.T, r *rig, stream bool, params openai.ChatCompletionNewParams) openai.ChatCompletion {
	t.Helper()
	client := openai.NewClient(openaioption.WithBaseURL(r.url+"/v1"), openaioption.WithAPIKey(testToken),
		openaioption.WithMaxRetries(0), openaioption.WithHTTPClient(r.client))
	if !stream {
		completion, err := client.Chat.Completions.New(ctx, params)
		if err != nil {
			t.Fatal(err)
		}
		return *completion
	}
	params.StreamOptions.IncludeUsage = openai.Bool(true)
	chunks := client.Chat.Completions.NewStreaming(ctx, params)
	var whole openai.ChatCompletionAccumulator
	for chunks.Next() {
		if !whole.AddChunk(chunks.Current()) {
			t.Fatalf("the SDK cannot take %s", chunks.Current().RawJSON())
		}
	}
	if err := chunks.Err(); err != nil {
		t.Fatal(err)
	}
	return whole.ChatCompletion
}

func TestToolLoopWithOpenAIsSDK(t *testing.T) {
	for _, stream := range []bool{false, true} {
		t.Run(fmt.Sprintf("stream=%v", stream), func(t *testing.T) {
			r := start(t, "a b", nil)
			r.fake.Enqueue(told()...)
			calls, last := openaiLoop(t, r, stream)
			checkTold(t, r.fake, calls, last)
		})
	}
}

func openaiLoop(t *testing.T, r *rig, stream bool) (calls []string, last string) {
	t.Helper()
	var schema shared.FunctionParameters
	if err := json.Unmarshal([]byte(readSchema), &schema); err != nil {
		t.Fatal(err)
	}
	params := openai.ChatCompletionNewParams{
		Model:    "gpt-5",
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("read all")},
		Tools: []openai.ChatCompletionToolUnionParam{
			openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{Name: "read", Parameters: schema}),
			openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{Name: "list"}),
		},
	}
	for step := range 10 {
		completion := openaiStep(t.Context(), t, r, stream, params)
		choice := completion.Choices[0]
		params.Messages = append(params.Messages, choice.Message.ToParam())
		for _, call := range choice.Message.ToolCalls {
			calls = append(calls, call.Function.Name+path(t, call.Function.Arguments))
			params.Messages = append(params.Messages, openai.ToolMessage("result of "+call.ID, call.ID))
		}
		want := "stop"
		if len(choice.Message.ToolCalls) > 0 {
			want = "tool_calls"
		}
		if choice.FinishReason != want || completion.Usage.CompletionTokens == 0 {
			t.Errorf("step %d: %s, %+v", step, choice.FinishReason, completion.Usage)
		}
		if len(choice.Message.ToolCalls) == 0 {
			return calls, choice.Message.Content
		}
	}
	t.Fatal("the conversation does not end")
	return nil, ""
}

func TestModelsWithBothSDKs(t *testing.T) {
	r := start(t, "a", nil)
	a := anthropic.NewClient(anthropicoption.WithBaseURL(r.url), anthropicoption.WithAPIKey(testToken), anthropicoption.WithHTTPClient(r.client))
	pages := a.Models.ListAutoPaging(t.Context(), anthropic.ModelListParams{})
	found := 0
	for pages.Next() {
		m := pages.Current()
		if m.ID == "claude-gemini-3.8-flash" && m.DisplayName != "" && !m.CreatedAt.IsZero() {
			found++
		}
	}
	if err := pages.Err(); err != nil || found != 1 {
		t.Errorf("found %d times, %v", found, err)
	}
	o := openai.NewClient(openaioption.WithBaseURL(r.url+"/v1"), openaioption.WithAPIKey(testToken), openaioption.WithHTTPClient(r.client))
	m, err := o.Models.Get(t.Context(), "gemini-3.8-flash")
	if err != nil || m.ID != "gemini-3.8-flash" || m.OwnedBy != "google" || m.Created == 0 {
		t.Errorf("%+v, %v", m, err)
	}
}
