package proxy

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/ssestream"
	"github.com/openai/openai-go/v3/shared"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

// What OpenAI's Go SDK can ask of Chat Completions, beside the tool loop.

func greeting() openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{Model: "gpt-5", Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("hi")}}
}

func TestOpenAIsSDKWithJSONSchema(t *testing.T) {
	r := start(t, "a", nil)
	params := greeting()
	params.ResponseFormat.OfJSONSchema = &shared.ResponseFormatJSONSchemaParam{JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{
		Name: "city", Strict: openai.Bool(true), Schema: json.RawMessage(`{"type":"object","properties":{"city":{"type":"string"}},"required":["city"],"additionalProperties":false}`),
	}}
	for _, stream := range []bool{false, true} {
		r.fake.Enqueue(fg.Say(`{"ci`, `ty":"Zürich"}`))
		completion := openaiStep(t.Context(), t, r, stream, params)
		var answer struct{ City string }
		if err := json.Unmarshal([]byte(completion.Choices[0].Message.Content), &answer); err != nil || answer.City != "Zürich" {
			t.Errorf("stream %v: %v, %q", stream, err, completion.Choices[0].Message.Content)
		}
		has(t, string(lastBody(r)), `"responseMimeType":"application/json"`, `"responseJsonSchema":{"type":"object"`)
	}
}

func TestOpenAIsSDKWithMedia(t *testing.T) {
	r := start(t, "a", nil)
	params := greeting()
	params.Messages = []openai.ChatCompletionMessageParamUnion{
		openai.DeveloperMessage("be brief"),
		openai.UserMessage([]openai.ChatCompletionContentPartUnionParam{
			openai.TextContentPart("what are these?"),
			openai.ImageContentPart(openai.ChatCompletionContentPartImageImageURLParam{URL: "data:image/png;base64,iVBORw==", Detail: "high"}),
			openai.InputAudioContentPart(openai.ChatCompletionContentPartInputAudioInputAudioParam{Data: "SUQz", Format: "mp3"}),
			openai.FileContentPart(openai.ChatCompletionContentPartFileFileParam{
				FileData: openai.String("data:application/pdf;base64,JVBERg=="), Filename: openai.String("a.pdf"),
			}),
		}),
	}
	r.fake.Enqueue(fg.Reply(fg.Text("See "), fg.Image("image/png", "iVBORw==")))
	completion := openaiStep(t.Context(), t, r, false, params)
	same(t, completion.Choices[0].Message.Content, "See ![image](data:image/png;base64,iVBORw==)")
	same(t, history(r.asked().Contents), "u[what are these? *image/png *audio/mp3 *application/pdf]")
}

func TestOpenAIsSDKWithACustomTool(t *testing.T) {
	r := start(t, "a", nil)
	r.fake.Enqueue(fg.Reply(fg.Calls(fg.Call("patch", `{"input":"*** Begin\n\"ä\""}`))), fg.Say("done"))
	params := greeting()
	params.Tools = []openai.ChatCompletionToolUnionParam{openai.ChatCompletionCustomTool(openai.ChatCompletionCustomToolCustomParam{Name: "patch"})}
	choice := openaiStep(t.Context(), t, r, false, params).Choices[0]
	if len(choice.Message.ToolCalls) != 1 || choice.FinishReason != "tool_calls" {
		t.Fatalf("%+v", choice)
	}
	call := choice.Message.ToolCalls[0]
	same(t, call.Type+" "+call.Custom.Name+" "+call.Custom.Input, "custom patch *** Begin\n\"ä\"")

	params.Messages = append(params.Messages, choice.Message.ToParam(), openai.ToolMessage("patched", call.ID))
	same(t, openaiStep(t.Context(), t, r, false, params).Choices[0].Message.Content, "done")
	same(t, history(r.asked().Contents), `u[hi] m[patch({"input":"*** Begin\n\"ä\""})<real>] u[patch={"output":"patched"}]`)
}

func TestOpenAIsSDKWithSearch(t *testing.T) {
	r := start(t, "a", nil)
	r.grounded(fg.Grounding{
		Sources:  []fg.GroundingSource{fg.Web("go.dev", "https://g.example/1")},
		Supports: []fg.Support{fg.Supports("日本 go", "go", 0)},
	}, "日本 go")
	params := greeting()
	params.WebSearchOptions.SearchContextSize = "low"
	message := openaiStep(t.Context(), t, r, false, params).Choices[0].Message
	if len(message.Annotations) != 1 {
		t.Fatalf("%+v", message)
	}
	cited := message.Annotations[0].URLCitation
	same(t, cited.Title+" "+cited.URL+" "+string([]rune(message.Content)[cited.StartIndex:cited.EndIndex]), "go.dev https://g.example/1 go")
	same(t, openaiStep(t.Context(), t, r, true, params).Choices[0].Message.Content, "日本 go")
}

// TestOpenAIsSDKSeesErrors checks each failure as the SDK's own error, before an answer begins.
func TestOpenAIsSDKSeesErrors(t *testing.T) {
	f := func(change func(*openai.ChatCompletionNewParams), answer *fg.APIError, status int, want string) *openai.Error {
		t.Helper()
		r := start(t, "a", func(cfg *config.Config, _ *Server) { cfg.QueueTimeout, cfg.MaxRetries = 0, 0 })
		if answer != nil {
			r.fake.Key(keyNamed("a"), always(answer))
		}
		params := greeting()
		if change != nil {
			change(&params)
		}
		client := r.openai()
		_, err := client.Chat.Completions.New(t.Context(), params)
		stream := client.Chat.Completions.NewStreaming(t.Context(), params)
		for stream.Next() {
			t.Errorf("the stream says %s", stream.Current().RawJSON())
		}
		for _, err := range []error{err, stream.Err()} {
			var e *openai.Error
			if !errors.As(err, &e) {
				t.Errorf("%T %v", err, err)
				continue
			}
			if got := strings.Join([]string{e.Type, e.Code, e.Param}, "|"); got != want || e.StatusCode != status || e.Message == "" {
				t.Errorf("%d %s %q, want %d %s", e.StatusCode, got, e.Message, status, want)
			}
			if e.Response.Header.Get("x-request-id") == "" {
				t.Error("no request id")
			}
		}
		var e *openai.Error
		if !errors.As(err, &e) {
			t.FailNow()
		}
		return e
	}
	f(func(p *openai.ChatCompletionNewParams) { p.N = openai.Int(2) }, nil, 400, "invalid_request_error|unsupported_value|n")
	f(func(p *openai.ChatCompletionNewParams) { p.Messages = nil }, nil, 400, "invalid_request_error|invalid_value|messages")
	e := f(nil, fg.ErrTooManyTokens(1196265, 1048575), 400, "invalid_request_error|context_length_exceeded|")
	same(t, e.Message, "This model's maximum context length is 1048575 tokens. However, your messages resulted in 1196265 tokens.")
	e = f(func(p *openai.ChatCompletionNewParams) { p.Model = "gemini-9-none" }, nil, 404, "invalid_request_error|model_not_found|model")
	same(t, e.Message, "The model `gemini-9-none` does not exist or you do not have access to it.")
	f(nil, fg.ErrLocation(), 403, "permission_error|unsupported_country_region_territory|")
	e = f(nil, minute("40s"), 429, "rate_limit_error|rate_limit_exceeded|")
	has(t, e.Message, "try again in ")
	e = f(nil, daily(), 429, "insufficient_quota|insufficient_quota|")
	same(t, e.Response.Header.Get("x-should-retry"), "false")
	e = f(nil, fg.ErrInvalidKey(), 503, "server_error||") // never the client's own key
	same(t, e.Response.Header.Get("x-should-retry"), "false")
	f(nil, fg.ErrOverloaded(), 503, "service_unavailable_error|server_is_overloaded|")
	f(nil, fg.ErrInternal(), 500, "server_error||")
}

func TestOpenAIsSDKSeesAWrongToken(t *testing.T) {
	r := start(t, "a", nil)
	client := r.openai()
	_, err := client.Chat.Completions.New(t.Context(), greeting(), option.WithAPIKey("wrong"))
	var e *openai.Error
	if !errors.As(err, &e) || e.StatusCode != 401 || e.Code != "invalid_api_key" || e.Type != "invalid_request_error" {
		t.Errorf("%v", err)
	}
	if n := len(r.fake.Requests()); n != 0 {
		t.Errorf("Gemini was asked %d times", n)
	}
}

func TestOpenAIsSDKSeesAFailureInTheMiddle(t *testing.T) {
	r := start(t, "a", nil)
	r.fake.Enqueue(fg.Reply(fg.Text("half"), fg.StreamError(fg.ErrOverloaded())))
	client := r.openai()
	stream := client.Chat.Completions.NewStreaming(t.Context(), greeting())
	var whole openai.ChatCompletionAccumulator
	for stream.Next() {
		whole.AddChunk(stream.Current())
	}
	var e *ssestream.StreamError
	if !errors.As(stream.Err(), &e) || whole.Choices[0].Message.Content != "half" || whole.Choices[0].FinishReason != "" {
		t.Errorf("%v after %+v", stream.Err(), whole.Choices)
	}
	has(t, e.Error(), `"code":"server_is_overloaded"`)
}

// TestOpenAIsSDKTriesAgain is the SDK's own answer to an error of the minute: it waits as it is told and asks again.
func TestOpenAIsSDKTriesAgain(t *testing.T) {
	r := start(t, "a", func(cfg *config.Config, _ *Server) { cfg.QueueTimeout, cfg.MaxRetries = 0, 0 })
	r.fake.Key(keyNamed("a"), fg.KeyRule{Error: minute("0.3s"), Times: 1})
	client := r.openai()
	completion, err := client.Chat.Completions.New(t.Context(), greeting(), option.WithMaxRetries(2))
	if err != nil || completion.Choices[0].Message.Content == "" {
		t.Errorf("%v", err)
	}
	if n := len(r.fake.Requests()); n != 2 {
		t.Errorf("Gemini was asked %d times", n)
	}
}
