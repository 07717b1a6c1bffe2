package chat

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/front/fronttest"
)

// The names of the golden files carry the numbers of the conformance list.
func TestDecodeGolden(t *testing.T) { fronttest.GoldenDecode(t, Codec{}) }

func TestDecodeAgain(t *testing.T) { fronttest.DecodeAgain(t, Codec{}, New()) }

// refuses checks that a body is refused in words that begin with want, and with the field that is named.
func refuses(t *testing.T, body, want string) {
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

func with(fields string) string { return `{"model":"g",` + fields + `}` }

func TestDecodeRefusesMessagesInWords(t *testing.T) {
	f := func(body, want string) { t.Helper(); refuses(t, body, want) }
	messages := func(list string) string { return with(`"messages":[` + list + `]`) }
	parts := func(list string) string { return messages(`{"role":"user","content":[` + list + `]}`) }
	assistant := func(call string) string { return messages(`{"role":"assistant","tool_calls":[` + call + `]}`) }

	f(messages(``), "messages: expected an array with at least one message")
	f(messages(`7`), "messages.0: expected a message object")
	f(messages(`{"content":"x"}`), "messages.0.role: expected system, developer, user, assistant, tool or function")
	f(messages(`{"role":"king","content":"x"}`), "messages.0.role: expected system, developer, user, assistant, tool or function")
	f(messages(`{"role":"function","content":"x"}`), "messages.0.name: expected the name of the function")
	f(messages(`{"role":"user","content":null}`), "messages.0.content: expected a string or an array of parts")
	f(messages(`{"role":"user","content":"x","name":7}`), "messages.0.name: expected a string")
	f(messages(`{"role":"user"}`), "messages.0.content: expected a string or an array of parts")
	f(messages(`{"role":"user","content":7}`), "messages.0.content: expected a string or an array of parts")
	f(messages(`{"role":"user","content":""}`), "messages: expected at least one message with content")
	f(messages(`{"role":"system","content":""}`), "messages: expected at least one message with content")
	f(messages(`{"role":"tool","content":"x"}`), "messages.0.tool_call_id: expected the id of the tool call")
	f(messages(`{"role":"assistant","function_call":{"arguments":"{}"}}`), "messages.0.function_call.name: expected the name of the function")
	f(messages(`{"role":"assistant","function_call":"f"}`), "messages.0.function_call: expected an object")
	f(messages(`{"role":"assistant","tool_calls":{}}`), "messages.0.tool_calls: expected an array of tool calls")
	f(parts(`7`), "messages.0.content.0: expected a content part")
	f(parts(`{"text":"x"}`), "messages.0.content.0.type: expected the type of the part")
	f(parts(`{"type":"text"}`), "messages.0.content.0.text: expected a string")
	f(parts(`{"type":"text","text":7}`), "messages.0.content.0.text: expected a string")
	f(parts(`{"type":"refusal"}`), "messages.0.content.0.refusal: expected a string")
	f(parts(`{"type":"image_url"}`), "messages.0.content.0.image_url.url: expected a data URL or an address")
	f(parts(`{"type":"image_url","image_url":7}`), "messages.0.content.0.image_url: expected an object")
	f(parts(`{"type":"image_url","image_url":{"url":"file:///etc/passwd"}}`), "messages.0.content.0.image_url.url: expected a data URL, or an address that begins with http or https")
	f(parts(`{"type":"image_url","image_url":{"url":""}}`), "messages.0.content.0.image_url.url: expected a data URL, or an address that begins with http or https")
	f(parts(`{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":1}}`), "messages.0.content.0.image_url.detail: expected a string")
	f(parts(`{"type":"image_url","image_url":{"url":"data:image/png;base64,%"}}`), "messages.0.content.0.image_url.url: expected base64")
	f(parts(`{"type":"image_url","image_url":{"url":"data:text/plain,x"}}`), "messages.0.content.0.image_url.url: expected a data URL with base64")
	f(parts(`{"type":"input_audio","input_audio":{"data":"AAAA"}}`), "messages.0.content.0.input_audio.format: expected wav or mp3")
	f(parts(`{"type":"input_audio","input_audio":{"data":"AAAA","format":"pcm16"}}`), "messages.0.content.0.input_audio.format: expected wav or mp3; aiff, aac, ogg and flac")
	f(parts(`{"type":"input_audio","input_audio":{"format":"wav"}}`), "messages.0.content.0.input_audio.data: expected base64")
	f(parts(`{"type":"input_audio","input_audio":{"data":"-%","format":"wav"}}`), "messages.0.content.0.input_audio.data: expected base64")
	f(parts(`{"type":"file","file":{"file_data":"data:application/zip;base64,AAAA"}}`), "messages.0.content.0.file.file_data: files of this type are not supported")
	f(parts(`{"type":"file","file":{"file_data":"AAAA"}}`), "messages.0.content.0.file.file_data: the media type is missing")
	f(parts(`{"type":"file","file":{"file_data":"ftp://a.example"}}`), "messages.0.content.0.file.file_data: expected a data URL, or an address")
	f(parts(`{"type":"file","file":{"file_id":"f"}}`), "messages.0.content.0.file: file references are not supported")
	f(assistant(`7`), "messages.0.tool_calls.0: expected a tool call")
	f(assistant(`{"id":"1","type":"custom","custom":{}}`), "messages.0.tool_calls.0.custom.name: expected the name of the tool")
	f(assistant(`{"id":"1","type":"mcp"}`), "messages.0.tool_calls.0.type: expected function or custom")
	f(assistant(`{"id":"1","type":"custom","custom":{"name":"x","input":{}}}`), "messages.0.tool_calls.0.custom.input: expected a string")
	f(assistant(`{"id":"1","function":{"arguments":"{}"}}`), "messages.0.tool_calls.0.function.name: expected the name of the tool")
	f(assistant(`{"id":"1","function":{"name":"f","arguments":[1]}}`), "messages.0.tool_calls.0.function.arguments: expected a string")
}

func TestDecodeRefusesFieldsInWords(t *testing.T) {
	f := func(body, want string) { t.Helper(); refuses(t, body, want) }
	const ok = `"messages":[{"role":"user","content":"q"}]`

	f(``, "the request body is not usable: ")
	f(`{"model`, "the request body is not usable: ")
	f(`7`, "the request body is not usable: expected an object")
	f(`{`+ok+`}`, "model: expected the name of a model")
	f(`{"model":{},`+ok+`}`, "model: expected a string")
	f(`{"model":"g"}`, "messages: expected an array with at least one message")
	f(with(`"messages":"hi"`), "messages: expected an array of messages")
	f(with(`"tools":[{"type":"custom","custom":{"description":"x"}}],`+ok), "tools.0.custom.name: expected the name of the tool")
	f(with(`"tools":[7],`+ok), "tools.0: expected a tool object")
	f(with(`"tools":{},`+ok), "tools: expected an array of tools")
	f(with(`"tools":[{"type":"function"}],`+ok), "tools.0.function.name: expected the name of the function")
	f(with(`"tools":[{"type":"function","function":{"name":"f","parameters":7}}],`+ok), "tools.0.function.parameters: expected a JSON Schema object")
	f(with(`"tool_choice":"must",`+ok), "tool_choice: expected none, auto, required or an object")
	f(with(`"tool_choice":{"type":"custom"},`+ok), "tool_choice: expected the name of a tool")
	f(with(`"tool_choice":{"type":"every"},`+ok), "tool_choice.type: expected function, custom or allowed_tools")
	f(with(`"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"any"}},`+ok), "tool_choice.allowed_tools.mode: expected auto or required")
	f(with(`"tool_choice":{"type":"function"},`+ok), "tool_choice: expected the name of a tool")
	f(with(`"tool_choice":{"type":"function","function":{"name":"g"}},`+ok), `tool_choice: no tool named "g" is declared`)
	f(with(`"n":2,`+ok), "n: expected 1")
	f(with(`"functions":[{}],`+ok), "functions.0.name: expected the name of the function")
	f(with(`"functions":{},`+ok), "functions: expected an array of functions")
	f(with(`"function_call":"required",`+ok), "function_call: expected none, auto or an object with a name")
	f(with(`"function_call":{},`+ok), "function_call: expected the name of a function")
	f(with(`"function_call":{"name":"f"},`+ok), `function_call: no tool named "f" is declared`)
	f(with(`"seed":1.5,`+ok), "seed: expected a whole number")
	f(with(`"seed":1e99,`+ok), "seed: expected a whole number of at most 64 bits")
	f(with(`"reasoning_effort":5,`+ok), "reasoning_effort: expected a string")
	f(with(`"web_search_options":true,`+ok), "web_search_options: expected an object")
	f(with(`"extra_body":{"google":{"cached_content":"cachedContents/x"}},`+ok), "extra_body.google.cached_content: cached content is not supported")
	f(with(`"google":{"thinking_config":{"thinking_budget":"x"}},`+ok), "google.thinking_config.thinking_budget: expected a whole number")
	f(with(`"tools":[{"function":{"name":"f"}}],`+ok), "tools.0.type: expected function, or the type of another tool")
	f(with(`"tools":[{"name":"f","parameters":{}}],`+ok), "tools.0.type: expected function, or the type of another tool")
	f(with(`"response_format":{"type":"json_schema","json_schema":{"schema":{}}},`+ok), "response_format.json_schema.name: expected the name of the schema")
	f(with(`"stop":["a",7],`+ok), "stop.1: expected a string")
	f(with(`"user":7,`+ok), "user: expected a string")
	f(with(`"max_tokens":0,`+ok), "max_tokens: expected 1 or more")
	f(with(`"max_completion_tokens":-5,`+ok), "max_completion_tokens: expected 1 or more")
	f(with(`"max_tokens":"x",`+ok), "max_tokens: expected a whole number")
	f(with(`"temperature":3,`+ok), "temperature: expected 0 to 2")
	f(with(`"stop":["x"`+strings.Repeat(`,"x"`, 1000)+`],`+ok), "stop: expected 1000 stop sequences at most")
	f(with(`"top_p":2,`+ok), "top_p: expected 0 to 1")
	f(with(`"stop":7,`+ok), "stop: expected a string or an array of strings")
	f(with(`"stream":1,`+ok), "stream: expected true or false")
	f(with(`"stream_options":true,`+ok), "stream_options: expected an object")
	f(with(`"response_format":{"type":"xml"},`+ok), "response_format.type: expected text, json_object or json_schema")
	f(with(`"response_format":{"type":"json_schema"},`+ok), "response_format.json_schema: expected an object with a name and a schema")
	f(with(`"tools":[{"type":"function","parameters":{}}],`+ok), "tools.0.function.name: expected the name of the function")
	f(with(`"tools":[{"type":"function","name":"f","parameters":7}],`+ok), "tools.0.parameters: expected a JSON Schema object")
	f(with(`"response_format":{"type":"json_schema","json_schema":{"schema":7}},`+ok), "response_format.json_schema.schema: expected a JSON Schema object")
}

func TestDecodeKeepsWhatTheAnswerNeeds(t *testing.T) {
	f := func(fields string, want string) {
		t.Helper()
		call, err := Codec{}.Decode([]byte(`{"model":"g","messages":[{"role":"user","content":"q"}]` + fields + `}`))
		if err != nil {
			t.Fatal(err)
		}
		own, _ := call.Own.(asked)
		var got []string
		for name, on := range map[string]bool{
			"stream": call.Stream, "usage": call.IncludeUsage, "single": call.SingleCall, "shown": call.ShowThoughts,
			"legacy": own.legacy, "search": call.BuiltIn.Search, "fetch": call.BuiltIn.Fetch, "code": call.BuiltIn.Code,
			"strict": call.StrictTools, "custom": call.Tools.Custom("x"), "of " + call.Conversation: call.Conversation != "",
			fmt.Sprintf("max %d", call.MaxTokens): call.MaxTokens > 0,
		} {
			if on {
				got = append(got, name)
			}
		}
		slices.Sort(got)
		if s := strings.Join(got, ", "); s != want {
			t.Errorf("%s: %s, want %s", fields, s, want)
		}
	}
	f(``, "")
	f(`,"stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false}`, "stream, usage")
	f(`,"stream":null,"stream_options":null,"n":1,"logprobs":true,"logit_bias":{"1":2},"metadata":{"a":"b"},"store":true`, "")
	f(`,"parallel_tool_calls":false,"max_tokens":9`, "max 9, single")
	f(`,"parallel_tool_calls":true`, "")
	f(`,"max_tokens":9,"max_completion_tokens":8,"user":"u"`, "max 8, of u")
	f(`,"user":"u","prompt_cache_key":"k"`, "of k")
	f(`,"reasoning_effort":"low"`, "shown")
	f(`,"reasoning_effort":"from the future"`, "shown")
	f(`,"reasoning_effort":"none"`, "")
	f(`,"reasoning_effort":null`, "")
	f(`,"extra_body":{"google":{"thinking_config":{"include_thoughts":true},"cached_content":null}}`, "shown")
	f(`,"web_search_options":{}`, "search")
	f(`,"web_search_options":null`, "")
	f(`,"tools":[{"type":"web_search_preview"},{"type":"url_context"},{"type":"code_interpreter","container":{}}],"tool_choice":{"type":"web_search"}`, "code, fetch, search")
	f(`,"tools":[{"type":"file_search"},{"type":"mcp"}],"tool_choice":"auto"`, "")
	f(`,"tools":[{"type":"custom","custom":{"name":"x"}},{"type":"function","function":{"name":"y","strict":true}}]`, "custom, strict")
	f(`,"tools":[{"type":"custom","name":"x","format":{"type":"text"}}],"tool_choice":{"type":"auto"}`, "custom")
	f(`,"tools":[{"type":"function","name":"x"}],"tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"x"}]}`, "")
	f(`,"functions":[{"name":"x"}]`, "legacy, single")
	f(`,"functions":[],"function_call":null`, "")
	f(`,"functions":[{"name":"x"}],"tools":[{"type":"function","function":{"name":"y"}}]`, "")
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"model":"g","messages":[{"role":"system","content":"s"},{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw=="}}]},{"role":"assistant","tool_calls":[{"id":"1","function":{"name":"f","arguments":"{\"a"},"extra_content":{"google":{"thought_signature":"S"}}}]},{"role":"tool","tool_call_id":"1","content":"x"}],"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"required","stop":["a"],"reasoning_effort":"low"}`))
	for _, fields := range []string{
		`"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://a.example/x.png","detail":"high"}},{"type":"input_audio","input_audio":{"data":"AAAA","format":"mp3"}},{"type":"file","file":{"file_data":"data:application/octet-stream;base64,AAAA","filename":"a.txt"}},{"type":"refusal","refusal":"no"}]}]`,
		`"tools":[{"type":"custom","custom":{"name":"patch","format":{"type":"grammar","grammar":{"syntax":"lark","definition":"x"}}}},{"type":"web_search"}],"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"custom","custom":{"name":"patch"}}]}},"messages":[{"role":"user","content":"q"},{"role":"assistant","content":null,"refusal":"r","extra_content":{"google":{"thought_signature":"S"}},"tool_calls":[{"id":"1","type":"custom","custom":{"name":"patch","input":"x"}}]}]`,
		`"functions":[{"name":"f","parameters":{}}],"function_call":{"name":"f"},"messages":[{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{"}},{"role":"function","name":"f","content":"x"},{"role":"developer","content":["s"]}]`,
		`"n":1,"seed":-9007199254740993,"stop":null,"response_format":{"type":"json_schema","json_schema":{"schema":{"type":"object"}}},"web_search_options":{},"google":{"thinking_config":{"thinking_level":"low"}},"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"q"}]`,
	} {
		f.Add([]byte(`{"model":"g",` + fields + `}`))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		call, err := Codec{}.Decode(bytes.Clone(body))
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
	codec, schemas := New(), front.NewSchemas()
	for b.Loop() {
		call, err := codec.Decode(body)
		if err == nil {
			call.Schemas = schemas
			err = front.Prepare(call, fronttest.Target, nil)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
