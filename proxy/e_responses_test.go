package proxy

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"
	openaioption "github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/param"
	"github.com/openai/openai-go/v3/responses"
	"github.com/openai/openai-go/v3/shared"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

// Cases 103 to 109 and 139: OpenAI's Responses API, as Codex speaks it.

// events are the data of a stream by the types of its events, in order; the numbers of the sequence are checked.
func events(t testing.TB, stream string) (all []responses.ResponseStreamEventUnion, types string) {
	t.Helper()
	for _, frame := range strings.Split(strings.TrimSuffix(stream, "\n\n"), "\n\n") {
		name, data, _ := strings.Cut(strings.TrimPrefix(frame, "event: "), "\ndata: ")
		var ev responses.ResponseStreamEventUnion
		if err := json.Unmarshal([]byte(data), &ev); err != nil || ev.Type != name || ev.SequenceNumber != int64(len(all)) {
			t.Fatalf("event %d is %q: %v", len(all), frame, err)
		}
		all = append(all, ev)
		types += strings.TrimPrefix(name, "response.") + " "
	}
	return all, strings.TrimSpace(types)
}

// codex posts input with more fields and returns the body of the streamed answer.
func (r *rig) codex(input, fields string) string {
	r.t.Helper()
	got := r.do("POST", replies, `{"model":"gpt-5-codex","store":false,"stream":true,"include":["reasoning.encrypted_content"],"input":`+input+fields+`}`)
	if got.status != 200 || !strings.HasPrefix(got.header.Get("Content-Type"), "text/event-stream") {
		r.t.Fatalf("%d %s", got.status, got.body)
	}
	return got.body
}

func TestE103_ResponsesText(t *testing.T) {
	r := start(t, "a", nil)
	r.fake.Enqueue(fg.Say("Hel", "lo 日本\n"))
	all, types := events(t, r.codex(`"hi"`, ""))
	want := "created in_progress output_item.added content_part.added output_text.delta output_text.delta output_text.done " +
		"content_part.done output_item.done completed"
	if types != want {
		t.Errorf("the events are\n%s, want\n%s", types, want)
	}
	last := all[len(all)-1].Response
	if last.OutputText() != "Hello 日本\n" || last.Usage.OutputTokens == 0 || last.ID == "" || last.ID != all[0].Response.ID {
		t.Errorf("ends with %s", last.RawJSON())
	}
	if item := all[8].Item; item.Type != "message" || item.Content[0].Text != "Hello 日本\n" || item.Status != "completed" {
		t.Errorf("the item is %s", item.RawJSON())
	}
}

func TestE104_ResponsesFunctionCall(t *testing.T) {
	r := start(t, "a", nil)
	r.fake.Enqueue(fg.Reply(fg.Thought("hm"), fg.Calls(fg.Call("read", `{"path":"/a \"b\"","n":1.0}`))))
	all, types := events(t, r.codex(`"hi"`, `,"tools":[{"type":"function","name":"read"}]`))
	has(t, types, "output_item.added function_call_arguments.delta function_call_arguments.done output_item.done completed")
	const args = `{"path":"/a \"b\"","n":1.0}`
	n := len(all)
	item := all[n-2].Item.AsFunctionCall()
	if all[n-4].Delta != args || all[n-3].Arguments != args || item.Arguments != args || item.Name != "read" ||
		!strings.HasPrefix(item.CallID, "call_") || !strings.HasPrefix(item.ID, "fc_") {
		t.Errorf("the call is %s", item.RawJSON())
	}
}

// forgetful begins anew with each step, so that only what the client carries comes back.
func forgetful(t *testing.T) (fake *fg.Server, next func() *rig) {
	fake, base := fg.Start(t, fg.Options{})
	return fake, func() *rig { return startAt(t, fake, base, "a b", nil) }
}

func TestE105_ResponsesReasoningCarriesSignatures(t *testing.T) {
	for _, summary := range []string{"", `,"reasoning":{"effort":"high","summary":"auto"}`} {
		fake, next := forgetful(t)
		fake.Enqueue(fg.Reply(fg.Thought("hm"), fg.Calls(fg.Call("read", `{}`), fg.Call("read", `{"n":2}`))), fg.Say("done"))
		fields := `,"tools":[{"type":"function","name":"read"}]` + summary
		all, _ := events(t, next().codex(`"hi"`, fields))
		input, results := `[{"role":"user","content":"hi"}`, ""
		for _, it := range all[len(all)-1].Response.Output {
			input += "," + it.RawJSON()
			if it.Type == "function_call" {
				results += `,{"type":"function_call_output","call_id":"` + it.CallID + `","output":"ok"}`
			}
		}
		has(t, next().codex(input+results+"]", fields), "response.completed", "done")
		last, _ := fake.Last()
		if n := strings.Count(string(last.Body), `"thoughtSignature":`); n != 1 || len(fake.Refusals()) != 0 {
			t.Errorf("%d signatures, refused %+v", n, fake.Refusals())
		}
		hasNot(t, string(last.Body), dummySignature)
	}
}

const (
	patchTool = `,"tools":[{"type":"custom","name":"apply_patch","description":"Edits.","format":{"type":"grammar","syntax":"lark","definition":"start: x"}}]`
	patch     = "*** Begin Patch\n*** Update File: a.go\n+\t\"ä\\n\" <b>&\u2028\r\n*** End Patch\n"
)

func patchCall(t *testing.T) fg.Answer {
	t.Helper()
	input, err := json.Marshal(struct {
		Input string `json:"input"`
	}{patch})
	if err != nil {
		t.Fatal(err)
	}
	return fg.Reply(fg.Calls(fg.Call("apply_patch", string(input))))
}

func TestE106_ResponsesCustomToolRoundTrip(t *testing.T) {
	r := start(t, "a", nil)
	r.fake.Enqueue(patchCall(t), fg.Say("done"))
	all, _ := events(t, r.codex(`"hi"`, patchTool))
	output := all[len(all)-1].Response.Output
	item := output[len(output)-1].AsCustomToolCall()
	if item.Input != patch || item.Name != "apply_patch" {
		t.Errorf("the input is %q", item.Input)
	}
	r.codex(`[{"role":"user","content":"hi"},`+item.RawJSON()+`,{"type":"custom_tool_call_output","call_id":"`+item.CallID+`","output":"Done"}]`, patchTool)
	last, _ := r.fake.Last()
	var sent struct {
		Contents []struct {
			Parts []struct {
				FunctionCall struct{ Args struct{ Input string } }
			}
		}
	}
	if err := json.Unmarshal(last.Body, &sent); err != nil || sent.Contents[1].Parts[0].FunctionCall.Args.Input != patch {
		t.Errorf("%v, sent back is %s", err, last.Body)
	}
}

func TestE107_PreviousResponse(t *testing.T) {
	r := start(t, "a", nil)
	client := r.openai()
	_, err := client.Responses.New(t.Context(), responses.ResponseNewParams{
		Model: "gpt-5", PreviousResponseID: openai.String("resp_1"),
		Input: responses.ResponseNewParamsInputUnion{OfString: openai.String("hi")},
	})
	var e *openai.Error
	if !errors.As(err, &e) || e.StatusCode != 400 || e.Code != "previous_response_not_found" || e.Param != "previous_response_id" {
		t.Errorf("%v", err)
	}
	if len(r.fake.Requests()) != 0 {
		t.Error("Gemini was asked")
	}
}

func TestE108_ResponsesRateLimit(t *testing.T) {
	r := start(t, "a", func(cfg *config.Config, s *Server) {
		if cfg.QueueTimeout = 0; s != nil {
			s.pace.hold = 10 * time.Millisecond
		}
	})
	r.fake.Enqueue(fg.Fail(minute("30s")).After(100 * time.Millisecond))
	all, types := events(t, r.codex(`"hi"`, ""))
	last := all[len(all)-1].Response
	if types != "created in_progress failed" || last.Error.Code != "rate_limit_exceeded" || last.Status != "failed" {
		t.Errorf("%s: %s", types, last.RawJSON())
	}
	has(t, last.Error.Message, "try again in ")
	got := r.do("POST", replies, ask(replies, true))
	if got.status != 429 || got.header.Get("Retry-After") == "" {
		t.Errorf("%d %v", got.status, got.header)
	}
	has(t, got.body, `"code":"rate_limit_exceeded"`, "try again in ")
}

func TestE109_ResponsesMaxTokens(t *testing.T) {
	r := start(t, "a", nil)
	r.fake.Enqueue(fg.Reply(fg.Text("half").Ends("MAX_TOKENS")))
	all, types := events(t, r.codex(`"hi"`, `,"max_output_tokens":4000`))
	last := all[len(all)-1]
	if last.Response.Status != "incomplete" || last.Response.IncompleteDetails.Reason != "max_output_tokens" ||
		last.Response.Output[0].Status != "incomplete" || !strings.HasSuffix(types, "output_item.done incomplete") {
		t.Errorf("%s: %s", types, last.RawJSON())
	}
}

func TestE139_CustomToolStreamsItsInput(t *testing.T) {
	r := start(t, "a", nil)
	r.fake.Enqueue(patchCall(t))
	all, types := events(t, r.codex(`"hi"`, patchTool))
	has(t, types, "output_item.added custom_tool_call_input.delta custom_tool_call_input.done output_item.done completed")
	n := len(all)
	if all[n-4].Delta != patch || all[n-3].Input != patch {
		t.Errorf("the input streams as %s, %s", all[n-4].RawJSON(), all[n-3].RawJSON())
	}
}

func (r *rig) openai() openai.Client {
	return openai.NewClient(openaioption.WithBaseURL(r.url+"/v1"), openaioption.WithAPIKey(testToken),
		openaioption.WithMaxRetries(0), openaioption.WithHTTPClient(r.client))
}

// responsesStep is one step by OpenAI's SDK.
func responsesStep(t *testing.T, r *rig, stream bool, params responses.ResponseNewParams) responses.Response {
	t.Helper()
	client := r.openai()
	if !stream {
		response, err := client.Responses.New(t.Context(), params)
		if err != nil {
			t.Fatal(err)
		}
		return *response
	}
	events := client.Responses.NewStreaming(t.Context(), params)
	var last responses.ResponseStreamEventUnion
	for events.Next() {
		last = events.Current()
	}
	if err := events.Err(); err != nil || last.Type != "response.completed" {
		t.Fatalf("ends with %s, %v", last.Type, err)
	}
	return last.Response
}

func TestToolLoopWithOpenAIsResponses(t *testing.T) {
	for _, stream := range []bool{false, true} {
		for _, carried := range []bool{false, true} {
			t.Run(fmt.Sprintf("stream=%v,carried=%v", stream, carried), func(t *testing.T) {
				fake, next := forgetful(t)
				fake.Enqueue(told()...)
				r := next()
				calls, last := responsesLoop(t, stream, carried, func() *rig { return r })
				checkTold(t, fake, calls, last)
			})
		}
	}
}

// The signatures of calls are in the conversation itself: a server that knows nothing of it can go on.
func TestResponsesOverARestart(t *testing.T) {
	fake, next := forgetful(t)
	fake.Enqueue(told()...)
	_, last := responsesLoop(t, true, true, next)
	if last != "All read." || len(fake.Refusals()) != 0 {
		t.Errorf("ends with %q, refused: %+v", last, fake.Refusals())
	}
	for _, q := range fake.Requests() {
		hasNot(t, string(q.Body), dummySignature)
	}
}

func responsesLoop(t *testing.T, stream, carried bool, where func() *rig) (calls []string, last string) {
	t.Helper()
	var schema shared.FunctionParameters
	if err := json.Unmarshal([]byte(readSchema), &schema); err != nil {
		t.Fatal(err)
	}
	params := responses.ResponseNewParams{
		Model: "gpt-5", Store: openai.Bool(false),
		Tools: []responses.ToolUnionParam{
			responses.ToolParamOfFunction("read", schema, false),
			responses.ToolParamOfFunction("list", shared.FunctionParameters{}, false),
		},
	}
	if carried {
		params.Include = []responses.ResponseIncludable{responses.ResponseIncludableReasoningEncryptedContent}
		params.Reasoning = shared.ReasoningParam{Summary: shared.ReasoningSummaryAuto}
	}
	history := responses.ResponseInputParam{responses.ResponseInputItemParamOfMessage("read all", responses.EasyInputMessageRoleUser)}
	for range 10 {
		params.Input = responses.ResponseNewParamsInputUnion{OfInputItemList: history}
		response := responsesStep(t, where(), stream, params)
		done := true
		for _, item := range response.Output {
			history = append(history, param.Override[responses.ResponseInputItemUnionParam](json.RawMessage(item.RawJSON())))
			if item.Type == "function_call" {
				done = false
				calls = append(calls, item.Name+path(t, item.Arguments.OfString))
			}
		}
		for _, item := range response.Output {
			if item.Type == "function_call" {
				result := responses.ResponseInputItemParamOfFunctionCallOutput("result of " + item.CallID)
				result.OfFunctionCallOutput.CallID = openai.String(item.CallID)
				history = append(history, result)
			}
		}
		if response.Usage.OutputTokens == 0 {
			t.Errorf("no usage: %s", response.RawJSON())
		}
		if done {
			return calls, response.OutputText()
		}
	}
	t.Fatal("the conversation does not end")
	return nil, ""
}

func TestResponsesErrorsAreTheSDKsOwn(t *testing.T) {
	r := start(t, "a", nil)
	client := r.openai()
	ask := responses.ResponseNewParams{Model: "gpt-5", Input: responses.ResponseNewParamsInputUnion{OfString: openai.String("hi")}}
	f := func(err error, status int, code string) {
		t.Helper()
		var e *openai.Error
		if !errors.As(err, &e) || e.StatusCode != status || e.Code != code || e.Message == "" {
			t.Errorf("want %d %s: %v", status, code, err)
		}
	}
	_, err := client.Responses.Get(t.Context(), "resp_1", responses.ResponseGetParams{})
	f(err, 404, "")
	ask.Model = "gemini-9-none"
	_, err = client.Responses.New(t.Context(), ask)
	f(err, 404, "model_not_found")
	ask.Model = "gpt-5"
	r.fake.Key(keyNamed("a"), always(daily()))
	_, err = client.Responses.New(t.Context(), ask)
	f(err, 429, "insufficient_quota")
}

func TestWebSocketsAreDeclined(t *testing.T) {
	r := start(t, "a", nil)
	got := r.do("GET", replies, "", "Upgrade", "websocket", "Connection", "Upgrade", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==")
	if got.status != 426 {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := r.do("GET", replies, ""); got.status != 405 {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := r.do("POST", replies, ask(replies, false)); got.status != 200 {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// The calls of one answer stay one turn when a client puts each output behind its call.
func TestInterleavedOutputs(t *testing.T) {
	r := start(t, "a", nil)
	r.fake.Enqueue(fg.Reply(fg.Calls(fg.Call("read", `{"path":"a"}`), fg.Call("read", `{"path":"b"}`))), fg.Say("done"))
	const tools = `{"model":"gpt-5","tools":[{"type":"function","name":"read","parameters":` + readSchema + `}],"input":[{"role":"user","content":"read both"}`
	got := r.do("POST", replies, tools+`]}`)
	var answer struct{ Output []json.RawMessage }
	if err := json.Unmarshal([]byte(got.body), &answer); err != nil || len(answer.Output) != 2 {
		t.Fatalf("%v in %s", err, got.body)
	}
	body := tools
	for i, call := range answer.Output {
		var id struct {
			CallID string `json:"call_id"`
		}
		if err := json.Unmarshal(call, &id); err != nil {
			t.Fatal(err)
		}
		body += fmt.Sprintf(`,%s,{"type":"function_call_output","call_id":%q,"output":"%d"}`, call, id.CallID, i)
	}
	if got := r.do("POST", replies, body+`]}`); got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	contents := r.asked().Contents
	if len(contents) != 3 || len(contents[1].Parts) != 2 || contents[1].Parts[0].ThoughtSignature == "" || contents[1].Parts[1].ThoughtSignature != "" {
		t.Errorf("Gemini got %s", history(contents))
	}
}
