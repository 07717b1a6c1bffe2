package responses

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/front/fronttest"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

const readAndNow = `"tools":[{"type":"function","name":"Read","parameters":{"type":"object","properties":{}}},{"type":"function","name":"Now"}]`

const head = `{"model":"gpt-x","input":"hi",` + readAndNow

const asCodex = `,"store":false,"reasoning":{"effort":"high","summary":"auto"},"include":["reasoning.encrypted_content"]}`

func requests() map[string]string {
	return map[string]string{
		"codex":  head + asCodex,
		"plain":  head + `}`,
		"search": `{"model":"gpt-x","input":"hi","tools":[{"type":"web_search"}],"include":["reasoning.encrypted_content"]}`,
	}
}

func TestEncodeGolden(t *testing.T) { fronttest.GoldenEncode(t, Codec{}, requests()) }

// TestStreamsAreOpenAIs holds streams to the order of OpenAI's events, and answers in one piece to what streams end with.
func TestStreamsAreOpenAIs(t *testing.T) {
	for _, script := range fronttest.Scripts() {
		for name, request := range requests() {
			t.Run(script.Name+"/"+name, func(t *testing.T) {
				call := fronttest.Decode(t, Codec{}, fronttest.Target, request)
				events := script.Events(t, "call_")
				stream := fronttest.Encode(Codec{}, call, true, events)
				if strings.Contains(string(stream), "event: response.failed") {
					return // within an item, perhaps
				}
				last := checkStream(t, stream)
				body := checkBody(t, fronttest.Encode(Codec{}, call, false, events))
				if last.OutputText() != body.OutputText() || last.JSON.Output.Raw() != body.JSON.Output.Raw() ||
					last.JSON.Usage.Raw() != body.JSON.Usage.Raw() || last.Status != body.Status {
					t.Errorf("the stream ends with\n%s\nthe body is\n%s", last.RawJSON(), body.RawJSON())
				}
			})
		}
	}
}

// call is an event of a call as the exchange hands it on.
func callEvent(name, args, signature string) gemini.Event {
	return gemini.Event{Kind: gemini.EventCall, Signature: signature,
		Call: &gemini.FunctionCall{Name: name, Args: json.RawMessage(args), ClientID: "call_1"}}
}

// answer is the stream of an answer with those events, and its end.
func answer(t *testing.T, request string, events ...gemini.Event) []byte {
	t.Helper()
	call := fronttest.Decode(t, Codec{}, fronttest.Target, request)
	call.Stream = true
	e := Codec{}.Encoder(call, fronttest.Meta())
	var out []byte
	for i := range events {
		out = e.Event(out, &events[i])
	}
	return e.End(e.Event(out, &gemini.Event{Kind: gemini.EventFinish, Finish: gemini.FinishStop}))
}

// TestToolsOfOpenAIsOwn checks that a call comes back as the item that its tool was declared for.
func TestToolsOfOpenAIsOwn(t *testing.T) {
	f := func(tool, name, args, want string) {
		t.Helper()
		last := checkStream(t, answer(t, `{"model":"m","input":"hi","tools":[`+tool+`]}`, callEvent(name, args, "")))
		if len(last.Output) != 1 {
			t.Fatalf("%d items", len(last.Output))
		}
		got := last.Output[0].RawJSON()
		_, got, _ = strings.Cut(got, `"call_id":"call_1",`)
		if got = last.Output[0].Type + " " + strings.TrimSuffix(got, `,"status":"completed"}`); got != want {
			t.Errorf("%s with %s gives\n%s, want\n%s", name, args, got, want)
		}
	}
	local, shell, patch := `{"type":"local_shell"}`, `{"type":"shell","environment":{"type":"local"}}`, `{"type":"apply_patch"}`
	f(local, "local_shell", `{"command":["ls","-l"],"working_directory":"/a","timeout_ms":5,"env":{"B":"1"}}`,
		`local_shell_call "action":{"type":"exec","command":["ls","-l"],"env":{"B":"1"},"timeout_ms":5,"working_directory":"/a"}`)
	f(local, "local_shell", `{"command":"ls","timeout_ms":"soon","type":"x"}`,
		`local_shell_call "action":{"type":"exec","command":["ls"],"env":{}}`)
	f(local, "local_shell", ``,
		`local_shell_call "action":{"type":"exec","command":[],"env":{}}`)
	f(local, "local_shell", `{"command":null,"env":null,"timeout_ms":-1,"user":null,"working_directory":null}`,
		`local_shell_call "action":{"type":"exec","command":[],"env":{}}`)
	f(shell, "shell", `{"commands":null,"timeout_ms":0}`, `shell_call "action":{"commands":[]},"environment":{"type":"local"}`)
	f(shell, "shell", `{"commands":["a","b"],"max_output_length":9}`,
		`shell_call "action":{"commands":["a","b"],"max_output_length":9},"environment":{"type":"local"}`)
	f(patch, "apply_patch", `{"type":"create_file","path":"a.go","diff":"+x\n"}`,
		`apply_patch_call "operation":{"type":"create_file","path":"a.go","diff":"+x\n"}`)
	f(patch, "apply_patch", `{"type":"delete_file","path":"a.go","diff":"-x"}`,
		`apply_patch_call "operation":{"type":"delete_file","path":"a.go"}`)
	f(patch, "apply_patch", `{"path":"a.go"}`,
		`apply_patch_call "operation":{"type":"update_file","path":"a.go","diff":""}`)
	f(`{"type":"custom","name":"apply_patch"}`, "apply_patch", `{"input":"*** Begin\n+\t\"ä\""}`,
		`custom_tool_call "name":"apply_patch","input":"*** Begin\n+\t\"ä\""`)
	f(`{"type":"custom","name":"run"}`, "run", `{"input":""}`, `custom_tool_call "name":"run","input":""`)
	space := `{"type":"namespace","name":"mcp__fs__","tools":[{"type":"function","name":"read"},{"type":"custom","name":"sh"}]}`
	f(space, "mcp__fs__read", `{"a":1}`, `function_call "name":"read","namespace":"mcp__fs__","arguments":"{\"a\":1}"`)
	f(space, "mcp__fs__sh", `{"input":"x"}`, `custom_tool_call "name":"sh","namespace":"mcp__fs__","input":"x"`)
	f(`{"type":"namespace","name":"crm","tools":[{"type":"function","name":"get"}]}`, "crm__get", `{}`,
		`function_call "name":"get","namespace":"crm","arguments":"{}"`)
	f(`{"type":"tool_search","execution":"client"}`, "tool_search", `{"query":"q"}`, `tool_search_call "arguments":{"query":"q"},"execution":"client"`)
	f(local, "unheard_of", `{}`, `function_call "name":"unheard_of","arguments":"{}"`)
}

// TestSignaturesTravelInReasoningItems sends an answer's output back as it is, to a server that remembers nothing.
func TestSignaturesTravelInReasoningItems(t *testing.T) {
	for _, summary := range []string{`"auto"`, `null`} {
		request := head + `,"reasoning":{"summary":` + summary + `},"include":["reasoning.encrypted_content"]`
		for _, script := range fronttest.Scripts() {
			if script.Name != "parallel_calls" && script.Name != "text_and_call" {
				continue
			}
			call := fronttest.Decode(t, Codec{}, fronttest.Target, request+"}")
			body := checkBody(t, fronttest.Encode(Codec{}, call, false, script.Events(t, "call_")))
			items := strings.TrimPrefix(body.JSON.Output.Raw(), "[")
			next := strings.Replace(request, `"input":"hi"`, `"input":[{"role":"user","content":"hi"},`+items, 1)
			out := string(fronttest.Decode(t, Codec{}, fronttest.Target, next+"}").Request.AppendJSON(nil))
			if strings.Count(out, `"thoughtSignature":`) != 1 || !strings.Contains(out, `"thoughtSignature":"Sig`) {
				t.Errorf("%s: %s", script.Name, out)
			}
		}
	}
}

func TestArgumentsComeInPieces(t *testing.T) {
	long := `{"input":"` + strings.Repeat("0123456789ä\\n日本🙂", 900) + `"}`
	stream := answer(t, `{"model":"m","input":"hi","tools":[{"type":"custom","name":"patch"}]}`, callEvent("patch", long, ""))
	checkStream(t, stream)
	if n := strings.Count(string(stream), "event: response.custom_tool_call_input.delta"); n < 5 {
		t.Errorf("%d pieces", n)
	}
}

func TestPingIsProgressOnceMore(t *testing.T) {
	call := fronttest.Decode(t, Codec{}, fronttest.Target, requests()["codex"])
	call.Stream = true
	e := Codec{}.Encoder(call, fronttest.Meta())
	out := e.Ping(e.Ping(nil))
	if n := strings.Count(string(out), "event: response.in_progress"); n != 2 {
		t.Errorf("%d times in progress: %s", n, out)
	}
	out = e.Event(out, &gemini.Event{Kind: gemini.EventText, Text: gemini.Quote("a")})
	out = e.Event(e.Ping(out), &gemini.Event{Kind: gemini.EventText, Text: gemini.Quote("b")})
	if last := checkStream(t, e.End(out)); last.OutputText() != "ab" {
		t.Errorf("says %q", last.OutputText())
	}
}

func TestFailureCodes(t *testing.T) {
	call := fronttest.Decode(t, Codec{}, fronttest.Target, requests()["codex"])
	call.Stream = true
	f := func(failure front.Error, code, message string) {
		t.Helper()
		last := checkStream(t, Codec{}.Encoder(call, fronttest.Meta()).Fail(nil, &failure))
		if string(last.Error.Code) != code || last.Error.Message != message {
			t.Errorf("%+v is told as %s: %s", failure, last.Error.Code, last.Error.Message)
		}
	}
	f(front.Error{Kind: front.RateLimited, Message: "busy", RetryAfter: 1500 * time.Millisecond}, "rate_limit_exceeded", "busy; try again in 2s")
	f(front.Error{Kind: front.RateLimited, Message: "x; try again in 7s", RetryAfter: 7 * time.Second}, "rate_limit_exceeded", "x; try again in 7s")
	f(front.Error{Kind: front.RateLimited, Message: "spent", NoRetry: true}, "insufficient_quota", "spent")
	f(front.Error{Kind: front.Overflow, Message: "long", Limit: 10, Tokens: 12}, "context_length_exceeded",
		"This model's maximum context length is 10 tokens. However, your messages resulted in 12 tokens.")
	f(front.Error{Kind: front.Overloaded, Message: "m"}, "server_is_overloaded", "m")
	f(front.Error{Kind: front.Invalid, Message: "m"}, "invalid_prompt", "m")
	f(front.Error{Kind: front.Unreachable, Message: "m"}, "server_error", "m")
}

func BenchmarkEncodeTextChunk(b *testing.B) {
	call := fronttest.Decode(b, Codec{}, fronttest.Target, requests()["plain"])
	call.Stream = true
	ev := gemini.Event{Kind: gemini.EventText, Text: gemini.Quote(strings.Repeat("word ", 20))}
	e := Codec{}.Encoder(call, fronttest.Meta())
	buf := e.Event(nil, &ev)
	b.ReportAllocs()
	for b.Loop() {
		buf = e.Event(buf[:0], &ev)
	}
}
