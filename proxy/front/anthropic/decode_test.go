package anthropic

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/front/fronttest"
)

// The names of the golden files carry the numbers of the conformance list.
func TestDecodeGolden(t *testing.T) { fronttest.GoldenDecode(t, Codec{}) }

func TestDecodeAgain(t *testing.T) { fronttest.DecodeAgain(t, Codec{}, New()) }

func TestDecodeRefusesInWordsThatNameTheField(t *testing.T) {
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
	with := func(fields string) string { return `{"model":"c","max_tokens":9,` + fields + `}` }
	messages := func(list string) string { return with(`"messages":[` + list + `]`) }
	blocks := func(list string) string { return messages(`{"role":"user","content":[` + list + `]}`) }
	ok := `"messages":[{"role":"user","content":"q"}]`

	f(``, "the request body is not usable: ")
	f(`{"model":`, "the request body is not usable: ")
	f(`{"model":"c"} x`, "the request body is not usable: ")
	f("{\"model\":\"\xff\"}", "the request body is not usable: the text is not valid UTF-8")
	f(`[]`, "the request body is not usable: expected an object")
	f(`{"max_tokens":9,`+ok+`}`, "model: expected the name of a model")
	f(`{"model":7,"max_tokens":9,`+ok+`}`, "model: expected a string")
	f(`{"model":"c",`+ok+`}`, "max_tokens: expected a whole number")
	f(`{"model":"c","max_tokens":"9",`+ok+`}`, "max_tokens: expected a whole number")
	f(`{"model":"c","max_tokens":1.5,`+ok+`}`, "max_tokens: expected a whole number")
	f(`{"model":"c","max_tokens":-1,`+ok+`}`, "max_tokens: expected 0 or more")
	f(with(`"a":1`), "messages: expected an array with at least one message")
	f(messages(``), "messages: expected an array with at least one message")
	f(with(`"messages":{}`), "messages: expected an array of messages")
	f(messages(`"hi"`), "messages.0: expected a message object")
	f(messages(`null`), "messages.0: expected a message object")
	f(messages(`{"content":"x"}`), "messages.0.role: expected user, assistant or system")
	f(messages(`{"role":"tool","content":"x"}`), "messages.0.role: expected user, assistant or system")
	f(messages(`{"role":"user"}`), "messages.0.content: expected a string or an array of blocks")
	f(messages(`{"role":"user","content":5}`), "messages.0.content: expected a string or an array of blocks")
	f(messages(`{"role":"user","content":"x"},{"role":"user","content":{}}`), "messages.1.content: expected a string or an array of blocks")
	f(messages(`{"role":"user","content":""}`), "messages: expected at least one message with content")
	f(messages(`{"role":"user","content":[]}`), "messages: expected at least one message with content")
	f(messages(`{"role":"system","content":"only"}`), "messages: expected at least one message with content")
	f(blocks(`5`), "messages.0.content.0: expected a content block")
	f(blocks(`{"text":"x"}`), "messages.0.content.0.type: expected the type of the block")
	f(blocks(`{"type":"text"}`), "messages.0.content.0.text: expected a string")
	f(blocks(`{"type":"text","text":["x"]}`), "messages.0.content.0.text: expected a string")
	f(blocks(`{"type":"text","text":"a"},{"type":"image"}`), "messages.0.content.1.source: expected an object")
	f(blocks(`{"type":"image","source":{"type":"base64","media_type":"image/png"}}`), "messages.0.content.0.source.data: expected base64")
	f(blocks(`{"type":"image","source":{"type":"base64","media_type":"image/png","data":"%%"}}`), "messages.0.content.0.source.data: expected base64")
	f(blocks(`{"type":"image","source":{"type":"url","url":"file:///etc/passwd"}}`), "messages.0.content.0.source.url: expected an http or https address")
	f(blocks(`{"type":"document","source":{"type":"url"}}`), "messages.0.content.0.source.url: expected an http or https address")
	f(blocks(`{"type":"image","source":{"type":"url","url":7}}`), "messages.0.content.0.source.url: expected a string")
	f(blocks(`{"type":"tool_result","tool_use_id":"a","content":[{"type":"image","source":{"type":"file","file_id":"f"}}]}`), "messages.0.content.0.content.0.source.file_id: file references are not supported")
	f(blocks(`{"type":"document","source":{"type":"file","file_id":"f"}}`), "messages.0.content.0.source.file_id: file references are not supported")
	f(blocks(`{"type":"document","source":{"type":"content"}}`), "messages.0.content.0.source.content: expected a string or an array of blocks")
	f(blocks(`{"type":"document","source":{}}`), "messages.0.content.0.source.type: expected base64, text, content or url")
	f(blocks(`{"type":"tool_result","content":"x"}`), "messages.0.content.0.tool_use_id: expected the id of the tool call")
	f(blocks(`{"type":"tool_result","tool_use_id":"a","content":{}}`), "messages.0.content.0.content: expected a string or an array of blocks")
	f(blocks(`{"type":"tool_result","tool_use_id":"a","content":[{"type":"text"}]}`), "messages.0.content.0.content.0.text: expected a string")
	f(blocks(`{"type":"tool_use","name":"f","input":{}}`), "messages.0.content.0.id: expected the id of the tool call")
	f(blocks(`{"type":"tool_use","id":"a","input":{}}`), "messages.0.content.0.name: expected the name of the tool")
	f(blocks(`{"type":"tool_use","id":"a","name":"f","input":"x"}`), "messages.0.content.0.input: expected an object")
	f(blocks(`{"type":"document","title":5,"source":{"type":"text","data":"x"}}`), "messages.0.content.0.title: expected a string")
	f(blocks(`{"type":"tool_result","tool_use_id":"a","content":[{"type":"text","text":5}]}`), "messages.0.content.0.content.0.text: expected a string")
	f(blocks(`{"type":"tool_addition","tool":{"definition":{}}}`), "messages.0.content.0.tool.definition.name: expected the name of the tool")
	f(blocks(`{"type":7}`), "messages.0.content.0.type: expected a string")
	f(blocks(`{"type":"news","content":[{"text":1}}`), "the request body is not usable: ")
	f(with(`"system":5,`+ok), "system: expected a string or an array of text blocks")
	f(with(`"stream":"yes",`+ok), "stream: expected true or false")
	f(with(`"stop_sequences":"x",`+ok), "stop_sequences: expected an array of strings")
	f(with(`"stop_sequences":[1],`+ok), "stop_sequences.0: expected a string")
	f(with(`"stop_sequences":["x"`+strings.Repeat(`,"x"`, 1000)+`],`+ok), "stop_sequences: expected 1000 stop sequences at most")
	f(with(`"stop_sequences":["`+strings.Repeat("x", 65537)+`"],`+ok), "stop_sequences: expected 1000 stop sequences at most")
	f(with(`"temperature":"hot",`+ok), "temperature: expected a number")
	f(with(`"temperature":2.5,`+ok), "temperature: expected 0 to 1")
	f(with(`"top_p":-1,`+ok), "top_p: expected 0 to 1")
	f(with(`"top_k":-1,`+ok), "top_k: expected 0 or more")
	f(with(`"tools":{},`+ok), "tools: expected an array of tools")
	f(with(`"tools":[{"input_schema":{}}],`+ok), "tools.0.name: expected the name of the tool")
	f(with(`"tools":[{"name":"f","input_schema":[]}],`+ok), "tools.0.input_schema: expected a JSON Schema object")
	f(with(`"tools":[{"name":"f"}],"tool_choice":{"type":"tool","name":"g"},`+ok), `tool_choice.name: no tool named "g" is declared`)
	f(with(`"tool_choice":{"type":"tool"},`+ok), "tool_choice.name: expected the name of a tool")
	f(with(`"tool_choice":{"type":"must"},`+ok), "tool_choice.type: expected auto, any, none or tool")
	f(with(`"tools":[{"type":"web_search_20250305","name":"web_search","allowed_domains":"x"}],`+ok), "tools.0.allowed_domains: expected an array of strings")
	f(with(`"tools":[{"type":"mcp_toolset","name":"m"}],"tool_choice":{"type":"tool","name":"g"},`+ok), `tool_choice.name: no tool named "g" is declared`)
	f(with(`"output_config":"high",`+ok), "output_config: expected an object")
	f(with(`"output_config":{"effort":1},`+ok), "output_config.effort: expected a string")
	f(messages(`{"role":"system","content":"x","clear_at":1}`), "messages.0.clear_at: expected a string")
	f(with(`"thinking":"on",`+ok), "thinking: expected an object")
	f(with(`"thinking":{"type":"enabled"},`+ok), "thinking.budget_tokens: expected a whole number")
	f(with(`"thinking":{"type":"enabled","budget_tokens":1023},`+ok), "thinking.budget_tokens: expected 1024 or more")
	f(with(`"thinking":{"type":"enabled","budget_tokens":4000},`+ok), "thinking.budget_tokens: expected less than max_tokens")
	f(with(`"stop_sequences":["a"," \n"],`+ok), "stop_sequences.1: each stop sequence must contain non-whitespace")
	f(blocks(`{"type":"image","source":{"type":"base64","media_type":"image/tiff","data":"AAAA"}}`), "messages.0.content.0.source.media_type: expected an image of type png,")
	f(with(`"output_config":{"format":{"schema":1}},`+ok), "output_config.format.schema: expected a JSON Schema object")
	f(with(`"output_config":{"format":{"type":"json_schema"}},`+ok), "output_config.format.schema: expected a JSON Schema object")
	f(with(`"output_config":{"format":{"type":"xml","schema":{}}},`+ok), "output_config.format.type: expected json_schema")
	f(with(`"output_format":{"schema":{}},`+ok), "output_format.type: expected json_schema")
}

func TestThreadIsRefusedInTheWordsThatClientsKnow(t *testing.T) {
	_, err := Codec{}.Decode([]byte(`{"model":"c","max_tokens":9,"thread":{"type":"create"},"messages":[{"role":"user","content":"q"}]}`))
	status, body := Codec{}.Error(front.AsError(err), "req_1")
	want := `"details":{"error_code":"thread_unsupported_request","unsupported":["thread"]}},"request_id":"req_1"}`
	if status != 400 || !strings.HasSuffix(string(body), want) {
		t.Errorf("%d %s", status, body)
	}
	if _, err := (Codec{}).Decode([]byte(`{"model":"c","max_tokens":9,"thread":null,"messages":[{"role":"user","content":"q"}]}`)); err != nil {
		t.Errorf("thread null: %v", err)
	}
}

// TestE117: what only Claude Code's caching changes must not change what Google gets.
func TestTurnsShareTheirPrefix(t *testing.T) {
	wire := func(system, messages string) []byte {
		body := `{"model":"c","max_tokens":4000,"system":` + system + `,"messages":[` + messages + `]}`
		return fronttest.Decode(t, Codec{}, fronttest.Target, body).Request.AppendJSON(nil)
	}
	const system = `[{"type":"text","text":"x-anthropic-billing-header: hash=1;"},{"type":"text","text":"S"}]`
	const other = `[{"type":"text","text":"x-anthropic-billing-header: hash=2;"},{"cache_control":{"type":"ephemeral"},"type":"text","text":"S"}]`
	const first = `{"role":"user","content":[{"type":"text","text":"hi"}]},{"role":"system","content":[{"type":"text","text":"env","cache_control":{"type":"ephemeral"}}]}`
	const second = `{"role":"user","content":[{"type":"text","text":"hi","cache_control":{"type":"ephemeral"}}]},{"role":"system","content":"env"}`
	const more = `,{"role":"assistant","content":"a"},{"role":"user","content":"b"}`

	turn1 := wire(system, first)
	if turn := wire(other, second); !bytes.Equal(turn, turn1) {
		t.Errorf("the same turn in another dress:\n%s\n%s", turn1, turn)
	}
	contents := turn1[:bytes.Index(turn1, []byte(`],"systemInstruction"`))]
	if turn2 := wire(other, second+more); !bytes.HasPrefix(turn2, contents) {
		t.Errorf("turn 1 is no prefix of turn 2:\n%s\n%s", contents, turn2)
	}
}

func TestDecodeKeepsWhatTheAnswerNeeds(t *testing.T) {
	f := func(fields string, want string) {
		t.Helper()
		call, err := Codec{}.Decode([]byte(`{"model":"c","messages":[{"role":"user","content":"q"}],` + fields + `}`))
		if err != nil {
			t.Fatal(err)
		}
		got := fmt.Sprintf("stream=%v single=%v shown=%v max=%d prewarm=%v", call.Stream, call.SingleCall,
			call.ShowThoughts, call.MaxTokens, call.Prewarm)
		if got != want {
			t.Errorf("%s: %s, want %s", fields, got, want)
		}
	}
	f(`"max_tokens":9`, "stream=false single=false shown=false max=9 prewarm=false")
	f(`"max_tokens":0`, "stream=false single=false shown=false max=0 prewarm=true")
	f(`"max_tokens":9,"stream":true,"metadata":{"user_id":"u"}`, "stream=true single=false shown=false max=9 prewarm=false")
	f(`"max_tokens":9,"tool_choice":{"type":"auto","disable_parallel_tool_use":true}`, "stream=false single=true shown=false max=9 prewarm=false")
	for thinking, shown := range map[string]bool{
		`{"type":"adaptive"}`: true, `{"type":"adaptive","display":"updates"}`: true, `{"type":"between_tools"}`: true,
		`{"type":"enabled","budget_tokens":2000,"display":"summarized"}`: true, `{"type":"disabled"}`: false,
		`{"type":"adaptive","display":"omitted"}`: false, `{"type":"from_the_future"}`: false,
	} {
		f(`"max_tokens":4000,"thinking":`+thinking, fmt.Sprintf("stream=false single=false shown=%v max=4000 prewarm=false", shown))
	}
}

func TestErrorEnvelope(t *testing.T) {
	f := func(e *front.Error, wantStatus int, want string) {
		t.Helper()
		status, body := Codec{}.Error(e, "req_9")
		if want := `{"type":"error","error":{` + want + `},"request_id":"req_9"}`; status != wantStatus || string(body) != want {
			t.Errorf("%+v: %d %s, want %d %s", e, status, body, wantStatus, want)
		}
	}
	of := func(kind front.Kind) *front.Error { return &front.Error{Kind: kind, Message: "a \"b\"", Param: "p"} }
	line := func(kind string) string { return `"type":"` + kind + `","message":"a \"b\""` }
	f(of(front.Internal), 500, line("api_error"))
	f(of(front.Invalid), 400, line("invalid_request_error"))
	f(of(front.Overflow), 400, line("invalid_request_error"))
	f(of(front.Unauthorized), 401, line("authentication_error"))
	f(of(front.Forbidden), 403, line("permission_error"))
	f(of(front.Region), 403, line("permission_error"))
	f(of(front.NotFound), 404, line("not_found_error"))
	f(of(front.TooLarge), 413, line("request_too_large"))
	f(of(front.RateLimited), 429, line("rate_limit_error"))
	f(of(front.NoKeys), 503, line("api_error"))
	f(of(front.Overloaded), 529, line("overloaded_error"))
	f(of(front.UpstreamFault), 500, line("api_error"))
	f(of(front.Unreachable), 502, line("api_error"))
	f(of(front.Timeout), 504, line("timeout_error"))
	// E72
	f(&front.Error{Kind: front.Overflow, Tokens: 213462, Limit: 200000}, 400,
		`"type":"invalid_request_error","message":"prompt is too long: 213462 tokens > 200000 maximum"`)
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"model":"c","max_tokens":9,"system":[{"type":"text","text":"s"}],"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":[{"type":"image","source":{"type":"base64","data":"iVBORw=="}}]}]},{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{}}]}],"tools":[{"name":"f","input_schema":{"$schema":1}}],"tool_choice":{"type":"tool","name":"f"}}`))
	f.Add([]byte(`{"model":"c","max_tokens":0,"messages":[{"role":"system","content":"\ud83d"},{"role":"user","content":"x"}],"thinking":{"type":"enabled","budget_tokens":1024}}`))
	paths, err := filepath.Glob("testdata/decode/*.txtar")
	if err != nil || len(paths) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(archive.Files[0].Data)
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
	text := strings.Repeat("All work and no play makes a dull \\\"test\\\".\\n", 20)
	fmt.Fprintf(&b, `{"model":"claude-x","max_tokens":32000,"stream":true,"thinking":{"type":"adaptive"},"system":[{"type":"text","text":"%s"}],"tools":[`, strings.Repeat(text, 14))
	for i := range 20 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"name":"tool_%d","description":"%s","input_schema":{"$schema":"x","type":"object","properties":{"path":{"type":"string","description":"%s"}},"required":["path"]}}`, i, text, text)
	}
	b.WriteString(`],"messages":[{"role":"user","content":"go"}`)
	for i := range 20 {
		fmt.Fprintf(&b, `,{"role":"assistant","content":[{"type":"text","text":"ok"},{"type":"tool_use","id":"toolu_%d","name":"tool_1","input":{"path":"%s"}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_%d","content":"%s"}]}`, i, text, i, text+text)
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
