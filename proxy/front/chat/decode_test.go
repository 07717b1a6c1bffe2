package chat

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/front/fronttest"
)

// The names of the golden files carry the numbers of the conformance list.
func TestDecodeGolden(t *testing.T) { fronttest.GoldenDecode(t, Codec{}) }

func TestE136_DecodeRefusesInWordsThatNameTheField(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		_, err := Codec{}.Decode([]byte(body))
		var e *front.Error
		if !errors.As(err, &e) || e.Kind != front.Invalid || !strings.HasPrefix(e.Message, want) {
			t.Errorf("%s: %v, want %s", body, err, want)
		}
		if e != nil && e.Param != "" && !strings.HasPrefix(e.Message, e.Param+": ") {
			t.Errorf("%s: %q does not begin with %q", body, e.Message, e.Param)
		}
	}
	with := func(fields string) string { return `{"model":"g",` + fields + `}` }
	messages := func(list string) string { return with(`"messages":[` + list + `]`) }
	parts := func(list string) string { return messages(`{"role":"user","content":[` + list + `]}`) }
	assistant := func(call string) string { return messages(`{"role":"assistant","tool_calls":[` + call + `]}`) }
	ok := `"messages":[{"role":"user","content":"q"}]`

	f(``, "the request body is not usable: ")
	f(`{"model`, "the request body is not usable: ")
	f(`7`, "the request body is not usable: expected an object")
	f(`{`+ok+`}`, "model: expected the name of a model")
	f(`{"model":{},`+ok+`}`, "model: expected a string")
	f(`{"model":"g"}`, "messages: expected an array with at least one message")
	f(messages(``), "messages: expected an array with at least one message")
	f(with(`"messages":"hi"`), "messages: expected an array of messages")
	f(messages(`7`), "messages.0: expected a message object")
	f(messages(`{"content":"x"}`), "messages.0.role: expected system, developer, user, assistant or tool")
	f(messages(`{"role":"king","content":"x"}`), "messages.0.role: expected system, developer, user, assistant or tool")
	f(messages(`{"role":"function","name":"f","content":"x"}`), "messages.0.role: messages of role function are not supported")
	f(messages(`{"role":"user"}`), "messages.0.content: expected a string or an array of parts")
	f(messages(`{"role":"user","content":7}`), "messages.0.content: expected a string or an array of parts")
	f(messages(`{"role":"user","content":""}`), "messages: expected at least one message with content")
	f(messages(`{"role":"system","content":"x"}`), "messages: expected at least one message with content")
	f(messages(`{"role":"tool","content":"x"}`), "messages.0.tool_call_id: expected the id of the tool call")
	f(messages(`{"role":"assistant","function_call":{"name":"f"}}`), "messages.0.function_call: the deprecated function interface is not supported")
	f(parts(`7`), "messages.0.content.0: expected a content part")
	f(parts(`{"text":"x"}`), "messages.0.content.0.type: expected the type of the part")
	f(parts(`{"type":"text"}`), "messages.0.content.0.text: expected a string")
	f(parts(`{"type":"text","text":7}`), "messages.0.content.0.text: expected a string")
	f(parts(`{"type":"image_url"}`), "messages.0.content.0.image_url.url: expected a data URL")
	f(parts(`{"type":"image_url","image_url":{"url":"http://169.254.169.254/"}}`), "messages.0.content.0.image_url.url: addresses are not fetched")
	f(parts(`{"type":"image_url","image_url":{"url":"data:image/png;base64,%"}}`), "messages.0.content.0.image_url.url: expected base64")
	f(parts(`{"type":"image_url","image_url":{"url":"data:text/plain,x"}}`), "messages.0.content.0.image_url.url: expected a data URL with base64")
	f(parts(`{"type":"input_audio","input_audio":{"data":"AAAA"}}`), "messages.0.content.0.input_audio: expected data and format")
	f(parts(`{"type":"file","file":{"file_id":"f"}}`), "messages.0.content.0.file: file references are not supported")
	f(assistant(`7`), "messages.0.tool_calls.0: expected a tool call")
	f(assistant(`{"id":"1","type":"custom","custom":{}}`), "messages.0.tool_calls.0.type: expected function")
	f(assistant(`{"id":"1","function":{"arguments":"{}"}}`), "messages.0.tool_calls.0.function.name: expected the name of the function")
	f(assistant(`{"id":"1","function":{"name":"f","arguments":[1]}}`), "messages.0.tool_calls.0.function.arguments: expected a string")
	f(with(`"tools":[{"type":"custom","custom":{"name":"x"}}],`+ok), "tools.0.type: expected function")
	f(with(`"tools":[{"type":"function"}],`+ok), "tools.0.function.name: expected the name of the function")
	f(with(`"tools":[{"type":"function","function":{"name":"f","parameters":7}}],`+ok), "tools.0.function.parameters: expected a JSON Schema object")
	f(with(`"tool_choice":"must",`+ok), "tool_choice: expected none, auto, required or an object")
	f(with(`"tool_choice":{"type":"custom"},`+ok), "tool_choice.type: expected function or allowed_tools")
	f(with(`"tool_choice":{"type":"function"},`+ok), "tool_choice: expected the name of a function")
	f(with(`"tool_choice":{"type":"function","function":{"name":"g"}},`+ok), `tool_choice: no tool named "g" is declared`)
	f(with(`"n":2,`+ok), "n: expected 1")
	f(with(`"functions":[],`+ok), "functions: the deprecated function interface is not supported")
	f(with(`"function_call":"auto",`+ok), "function_call: the deprecated function interface is not supported")
	f(with(`"max_tokens":0,`+ok), "max_tokens: expected 1 or more")
	f(with(`"max_completion_tokens":-5,`+ok), "max_completion_tokens: expected 1 or more")
	f(with(`"max_tokens":"x",`+ok), "max_tokens: expected a whole number")
	f(with(`"temperature":3,`+ok), "temperature: expected 0 to 2")
	f(with(`"top_p":2,`+ok), "top_p: expected 0 to 1")
	f(with(`"stop":7,`+ok), "stop: expected a string or an array of strings")
	f(with(`"stream":1,`+ok), "stream: expected true or false")
	f(with(`"stream_options":true,`+ok), "stream_options: expected an object")
	f(with(`"response_format":{"type":"xml"},`+ok), "response_format.type: expected text, json_object or json_schema")
	f(with(`"response_format":{"type":"json_schema","json_schema":{"schema":7}},`+ok), "response_format.json_schema.schema: expected a JSON Schema object")
}

func TestDecodeKeepsWhatTheAnswerNeeds(t *testing.T) {
	f := func(fields string, want string) {
		t.Helper()
		call, err := Codec{}.Decode([]byte(`{"model":"g","messages":[{"role":"user","content":"q"}]` + fields + `}`))
		if err != nil {
			t.Fatal(err)
		}
		got := fmt.Sprintf("stream=%v usage=%v single=%v shown=%v max=%d", call.Stream, call.IncludeUsage,
			call.SingleCall, call.ShowThoughts, call.MaxTokens)
		if got != want {
			t.Errorf("%s: %s, want %s", fields, got, want)
		}
	}
	f(``, "stream=false usage=false single=false shown=false max=0")
	f(`,"stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false}`, "stream=true usage=true single=false shown=false max=0")
	f(`,"parallel_tool_calls":false,"max_tokens":9`, "stream=false usage=false single=true shown=false max=9")
	f(`,"parallel_tool_calls":true,"n":1`, "stream=false usage=false single=false shown=false max=0")
	f(`,"max_tokens":9,"max_completion_tokens":8,"user":"u"`, "stream=false usage=false single=false shown=false max=8")
	f(`,"user":"u","prompt_cache_key":"k"`, "stream=false usage=false single=false shown=false max=0")
	f(`,"reasoning_effort":"low"`, "stream=false usage=false single=false shown=true max=0")
	f(`,"reasoning_effort":"none"`, "stream=false usage=false single=false shown=false max=0")
	f(`,"extra_body":{"google":{"thinking_config":{"include_thoughts":true}}}`, "stream=false usage=false single=false shown=true max=0")
}

func TestErrorEnvelope(t *testing.T) {
	f := func(e *front.Error, wantStatus int, want string) {
		t.Helper()
		status, body := Codec{}.Error(e, "req_9")
		if want := `{"error":{` + want + `}}`; status != wantStatus || string(body) != want {
			t.Errorf("%+v: %d %s, want %d %s", e, status, body, wantStatus, want)
		}
	}
	of := func(kind front.Kind) *front.Error { return &front.Error{Kind: kind, Message: "a \"b\"", Param: "p"} }
	line := func(kind, code string) string {
		return `"message":"a \"b\"","type":"` + kind + `","param":"p","code":` + code
	}
	f(of(front.Internal), 500, line("server_error", "null"))
	f(of(front.Invalid), 400, line("invalid_request_error", `"invalid_value"`))
	f(of(front.Overflow), 400, line("invalid_request_error", `"context_length_exceeded"`))
	f(of(front.Unauthorized), 401, line("invalid_request_error", `"invalid_api_key"`))
	f(of(front.Forbidden), 403, line("permission_error", "null"))
	f(of(front.Region), 403, line("permission_error", `"unsupported_country_region_territory"`))
	f(of(front.NotFound), 404, line("invalid_request_error", "null"))
	f(of(front.TooLarge), 413, line("invalid_request_error", "null"))
	f(of(front.RateLimited), 429, line("rate_limit_error", `"rate_limit_exceeded"`))
	f(of(front.NoKeys), 503, line("server_error", "null"))
	f(of(front.Overloaded), 503, line("service_unavailable_error", `"server_is_overloaded"`))
	f(of(front.UpstreamFault), 500, line("server_error", "null"))
	f(of(front.Unreachable), 502, line("server_error", "null"))
	f(of(front.Timeout), 504, line("server_error", "null"))
	f(&front.Error{Kind: front.RateLimited, Message: "m", NoRetry: true}, 429,
		`"message":"m","type":"insufficient_quota","param":null,"code":"insufficient_quota"`)
	// E98
	f(&front.Error{Kind: front.NotFound, Message: "m", Param: "model"}, 404,
		`"message":"m","type":"invalid_request_error","param":"model","code":"model_not_found"`)
	f(&front.Error{Kind: front.Overflow, Tokens: 9, Limit: 8}, 400,
		`"message":"This model's maximum context length is 8 tokens. However, your messages resulted in 9 tokens.","type":"invalid_request_error","param":null,"code":"context_length_exceeded"`)
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"model":"g","messages":[{"role":"system","content":"s"},{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw=="}}]},{"role":"assistant","tool_calls":[{"id":"1","function":{"name":"f","arguments":"{\"a"},"extra_content":{"google":{"thought_signature":"S"}}}]},{"role":"tool","tool_call_id":"1","content":"x"}],"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"required","stop":["a"],"reasoning_effort":"low"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		call, err := Codec{}.Decode(body)
		if !bytes.Equal(before, body) {
			t.Fatal("Decode changed the body")
		}
		var e *front.Error
		if err != nil {
			if !errors.As(err, &e) || e.Message == "" {
				t.Errorf("%q: %T %v", body, err, err)
			}
			return
		}
		for _, target := range []string{"gemini-3.8-flash", "gemini-2.5-pro"} {
			if err := front.Prepare(call, target, nil); err != nil {
				t.Fatalf("%q: %v", body, err)
			}
			if out := call.Request.AppendJSON(nil); !json.Valid(out) {
				t.Errorf("%q became %q", body, out)
			}
		}
	})
}

// bigRequest is about 100 KB: a long system prompt, 20 tools, 40 messages with calls and results.
func bigRequest() []byte {
	var b bytes.Buffer
	text := strings.Repeat("All work and no play makes a dull test.\\n", 20)
	fmt.Fprintf(&b, `{"model":"gpt-x","stream":true,"tools":[`)
	for i := range 20 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"type":"function","function":{"name":"tool_%d","description":"%s","parameters":{"type":"object","properties":{"path":{"type":"string","description":"%s"}},"required":["path"]}}}`, i, text, text)
	}
	fmt.Fprintf(&b, `],"messages":[{"role":"system","content":"%s"},{"role":"user","content":"go"}`, strings.Repeat(text, 14))
	for i := range 20 {
		fmt.Fprintf(&b, `,{"role":"assistant","content":"ok","tool_calls":[{"id":"call_%d","type":"function","function":{"name":"tool_1","arguments":"{\"path\":\"%s\"}"}}]},{"role":"tool","tool_call_id":"call_%d","content":"%s"}`, i, text[:400], i, text+text)
	}
	b.WriteString(`]}`)
	return b.Bytes()
}

func BenchmarkDecode(b *testing.B) {
	body := bigRequest()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		call, err := Codec{}.Decode(body)
		if err == nil {
			err = front.Prepare(call, fronttest.Target, nil)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
