package chat

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	sdk "github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/packages/ssestream"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/front/fronttest"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

const toolsJSON = `"tools":[{"type":"function","function":{"name":"Read","parameters":{"type":"object","properties":{}}}},{"type":"function","function":{"name":"Now"}}]`

func requests() map[string]string {
	const head = `{"model":"gpt-x","messages":[{"role":"user","content":"hi"}],` + toolsJSON
	return map[string]string{
		"shown":  head + `,"reasoning_effort":"high","stream_options":{"include_usage":true}}`,
		"hidden": head + `}`,
		"single": head + `,"parallel_tool_calls":false}`,
		"legacy": `{"model":"gpt-x","messages":[{"role":"user","content":"hi"}],"functions":[{"name":"Read"},{"name":"Now"}]}`,
		"custom": `{"model":"gpt-x","messages":[{"role":"user","content":"hi"}],"web_search_options":{},"tools":[{"type":"custom","custom":{"name":"Read"}}]}`,
	}
}

func TestEncodeGolden(t *testing.T) { fronttest.GoldenEncode(t, Codec{}, requests()) }

// pieces gives a stream in reads of n bytes.
type pieces struct {
	data []byte
	n    int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.data) == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), p.n)], p.data)
	p.data = p.data[n:]
	return n, nil
}

func (p *pieces) Close() error { return nil }

// accumulate reads a stream with OpenAI's Go SDK, in reads of n bytes; an error object ends it.
func accumulate(t *testing.T, stream []byte, n int) (acc sdk.ChatCompletionAccumulator, failed bool) {
	t.Helper()
	response := &http.Response{Body: &pieces{stream, n}, Header: http.Header{"Content-Type": {"text/event-stream; charset=utf-8"}}}
	chunks := ssestream.NewStream[sdk.ChatCompletionChunk](ssestream.NewDecoder(response), nil)
	for chunks.Next() {
		if !acc.AddChunk(chunks.Current()) {
			t.Fatalf("the SDK refuses %s", chunks.Current().RawJSON())
		}
	}
	failed = chunks.Err() != nil
	if failed && !strings.Contains(chunks.Err().Error(), "no usable answer") {
		t.Fatalf("%v in %q", chunks.Err(), stream)
	}
	if ends := strings.Count(string(stream), "data: [DONE]\n\n"); failed == (ends == 1) || ends > 1 {
		t.Fatalf("failed: %v, and the stream ends %d times: %q", failed, ends, stream)
	}
	return acc, failed
}

// TestTheSDKReadsStreamAndBodyAlike holds the stream and the whole body to the official reading of both.
func TestTheSDKReadsStreamAndBodyAlike(t *testing.T) {
	for _, script := range fronttest.Scripts() {
		for name, request := range requests() {
			t.Run(script.Name+"/"+name, func(t *testing.T) {
				call := fronttest.Decode(t, Codec{}, fronttest.Target, request)
				readAlike(t, call, script.Events(t, "call_"), 1+len(script.Name)%7)
			})
		}
	}
}

// readAlike checks that events say the same to the SDK streamed, in reads of n bytes, and whole.
func readAlike(t *testing.T, call *front.Call, events []gemini.Event, n int) {
	t.Helper()
	stream := fronttest.Encode(Codec{}, call, true, events)
	body := fronttest.Encode(Codec{}, call, false, events)
	acc, failed := accumulate(t, stream, n)
	if failed {
		if !strings.HasPrefix(string(body), `{"error":`) {
			t.Errorf("the stream failed, the body did not: %s", body)
		}
		return
	}
	var whole sdk.ChatCompletion
	if err := json.Unmarshal(body, &whole); err != nil {
		t.Fatalf("%v\n%s", err, body)
	}
	fromStream := summary(t, &acc.ChatCompletion, true)
	fromStream.Extra = beyondTheSDK(t, stream)
	fromBody := summary(t, &whole, call.IncludeUsage)
	fromBody.Extra = beyondTheSDK(t, body)
	if got, want := fmt.Sprintf("%+v", fromStream), fmt.Sprintf("%+v", fromBody); got != want {
		t.Errorf("the stream is\n%s\nthe body is\n%s", got, want)
	}
}

// told is everything of a completion that a client looks at.
type told struct {
	ID, Model, Role, Content, Refusal, Finish string
	Created                                   int64
	Usage                                     [5]int64
	Calls                                     []string
	Function                                  string
	Extra                                     string
}

func summary(t *testing.T, c *sdk.ChatCompletion, usage bool) told {
	t.Helper()
	if len(c.Choices) != 1 {
		t.Fatalf("%d choices", len(c.Choices))
	}
	m := c.Choices[0].Message
	s := told{ID: c.ID, Model: c.Model, Created: c.Created, Role: string(m.Role), Content: m.Content, Refusal: m.Refusal,
		Finish: string(c.Choices[0].FinishReason)}
	if usage {
		u := c.Usage
		s.Usage = [5]int64{u.PromptTokens, u.CompletionTokens, u.TotalTokens, u.PromptTokensDetails.CachedTokens,
			u.CompletionTokensDetails.ReasoningTokens}
	}
	for _, tc := range m.ToolCalls {
		s.Calls = append(s.Calls, tc.ID+" "+tc.Type+" "+tc.Function.Name+tc.Function.Arguments)
	}
	return s
}

// beyondTheSDK is what the SDK's accumulator does not keep: reasoning, the inputs of custom tools, functions in the
// deprecated shape, citations and signatures.
func beyondTheSDK(t *testing.T, answer []byte) string {
	t.Helper()
	type message struct {
		ReasoningContent string                           `json:"reasoning_content"`
		FunctionCall     struct{ Name, Arguments string } `json:"function_call"`
		ToolCalls        []struct {
			Index        int
			Custom       struct{ Name, Input string }
			ExtraContent json.RawMessage `json:"extra_content"`
		} `json:"tool_calls"`
		Annotations []json.RawMessage
	}
	var all message
	inputs, signatures := map[int]string{}, ""
	for _, line := range strings.Split(string(answer), "\n") {
		data := strings.TrimPrefix(line, "data: ")
		if !strings.HasPrefix(data, "{") {
			continue
		}
		var chunk struct {
			Choices []struct{ Delta, Message message }
		}
		if err := json.Unmarshal([]byte(data), &chunk); err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		for _, choice := range chunk.Choices {
			for _, m := range []message{choice.Delta, choice.Message} {
				all.ReasoningContent += m.ReasoningContent
				all.FunctionCall.Name += m.FunctionCall.Name
				all.FunctionCall.Arguments += m.FunctionCall.Arguments
				all.Annotations = append(all.Annotations, m.Annotations...)
				for i, c := range m.ToolCalls {
					inputs[max(c.Index, i)] += c.Custom.Name + c.Custom.Input
					signatures += string(c.ExtraContent)
				}
			}
		}
	}
	return fmt.Sprintf("%s %+v %s %v %s", all.ReasoningContent, all.FunctionCall, all.Annotations, inputs, signatures)
}

// TestTheSignatureComesBackWithTheCall sends an answer's message back as it is.
func TestTheSignatureComesBackWithTheCall(t *testing.T) {
	call := fronttest.Decode(t, Codec{}, fronttest.Target, requests()["hidden"])
	for _, script := range fronttest.Scripts() {
		if script.Name != "parallel_calls" {
			continue
		}
		body := fronttest.Encode(Codec{}, call, false, script.Events(t, "call_"))
		var answer struct {
			Choices []struct{ Message json.RawMessage }
		}
		if err := json.Unmarshal(body, &answer); err != nil {
			t.Fatal(err)
		}
		next := `{"model":"gpt-x","messages":[{"role":"user","content":"hi"},` + string(answer.Choices[0].Message) + `]}`
		out := string(fronttest.Decode(t, Codec{}, fronttest.Target, next).Request.AppendJSON(nil))
		if n := strings.Count(out, `"thoughtSignature"`); n != 1 || !strings.Contains(out, `"thoughtSignature":"Sig1+/="`) {
			t.Errorf("%d signatures: %s", n, out)
		}
	}
}

func TestPingOpensTheAnswer(t *testing.T) {
	call := fronttest.Decode(t, Codec{}, fronttest.Target, requests()["hidden"])
	call.Stream = true
	e := Codec{}.Encoder(call, fronttest.Meta())
	first, second := string(e.Ping(nil)), string(e.Ping(nil))
	if !strings.Contains(first, `"delta":{"role":"assistant","content":"","refusal":null}`) ||
		!strings.HasSuffix(first, ": keep-alive\n\n") || second != ": keep-alive\n\n" {
		t.Errorf("pings are %q and %q", first, second)
	}
}

func TestFailIsAnErrorObjectWithoutDone(t *testing.T) {
	call := fronttest.Decode(t, Codec{}, fronttest.Target, requests()["hidden"])
	call.Stream = true
	out := Codec{}.Encoder(call, fronttest.Meta()).Fail(nil, &front.Error{Kind: front.Overloaded, Message: "busy"})
	want := `data: {"error":{"message":"busy","type":"service_unavailable_error","param":null,"code":"server_is_overloaded"}}` + "\n\n"
	if string(out) != want {
		t.Errorf("Fail = %q, want %q", out, want)
	}
}

// TestLongArgumentsComeInPieces looks at each piece: it is short, and a string of its own.
func TestLongArgumentsComeInPieces(t *testing.T) {
	long := strings.Repeat(`日本\n\"\\ `, 2000)
	for name, args := range map[string]string{
		"hidden": `{"path":"` + long + `"}`, "legacy": `{"path":"` + long + `"}`, "custom": `{"input":"` + long + `"}`,
	} {
		call := fronttest.Decode(t, Codec{}, fronttest.Target, requests()[name])
		events := []gemini.Event{
			{Kind: gemini.EventCall, Call: &gemini.FunctionCall{Name: "Read", ClientID: "call_1", Args: json.RawMessage(args)}},
			{Kind: gemini.EventFinish, Finish: gemini.FinishStop},
		}
		readAlike(t, call, events, 1000)
		stream := string(fronttest.Encode(Codec{}, call, true, events))
		frames := strings.Split(stream, "\n\n")
		if len(frames) < len(args)/front.SliceSize {
			t.Errorf("%s: %d frames", name, len(frames))
		}
		for _, frame := range frames {
			if len(frame) > 3*front.SliceSize {
				t.Errorf("%s: a frame of %d bytes", name, len(frame))
			}
		}
	}
}

func TestCitations(t *testing.T) {
	ground := &gemini.Grounding{
		Sources: []gemini.Source{{URI: "https://a.example/\"x\"", Title: "A"}, {URI: "https://b.example/"}},
		Supports: []gemini.Support{
			{Start: 9, End: 15, Text: "晴天", Sources: []int{0, 1}}, {Start: 3, End: 6, Text: "no", Sources: []int{0}},
		},
	}
	const cited = `"annotations":[{"type":"url_citation","url_citation":{"start_index":3,"end_index":5,"url":"https://a.example/\"x\"","title":"A"}},` +
		`{"type":"url_citation","url_citation":{"start_index":3,"end_index":5,"url":"https://b.example/","title":"b.example"}}]`
	events := []gemini.Event{
		{Kind: gemini.EventText, Text: gemini.Quote("今日は")}, {Kind: gemini.EventGrounding, Grounding: ground},
		{Kind: gemini.EventText, Text: gemini.Quote("晴天")}, {Kind: gemini.EventFinish, Finish: gemini.FinishStop},
	}
	call := fronttest.Decode(t, Codec{}, fronttest.Target, requests()["custom"])
	readAlike(t, call, events, 3)
	if body := string(fronttest.Encode(Codec{}, call, false, events)); !strings.Contains(body, cited) {
		t.Errorf("the body lacks the citations: %s", body)
	}
	frames := strings.Split(strings.TrimSuffix(string(fronttest.Encode(Codec{}, call, true, events)), "\n\n"), "\n\n")
	if n := len(frames); !strings.Contains(frames[n-3], `"delta":{`+cited+`}`) || !strings.Contains(frames[n-2], `"finish_reason":"stop"`) {
		t.Errorf("the stream ends %q", frames[n-3:])
	}
}

func TestFinishReasons(t *testing.T) {
	f := func(request string, finish gemini.Event, calls int, want string) {
		t.Helper()
		call := fronttest.Decode(t, Codec{}, "gemini-4-neon", requests()[request])
		events := []gemini.Event{{Kind: gemini.EventText, Text: gemini.Quote("x")}}
		for range calls {
			events = append(events, gemini.Event{Kind: gemini.EventCall, Call: &gemini.FunctionCall{Name: "Now", ClientID: "call_1"}})
		}
		finish.Kind = gemini.EventFinish
		events = append(events, gemini.Event{Kind: gemini.EventUsage, Usage: gemini.Usage{Prompt: 1 << 20}}, finish)
		for _, stream := range []bool{true, false} {
			out := string(fronttest.Encode(Codec{}, call, stream, events))
			if !strings.Contains(out, `"finish_reason":"`+want+`"`) {
				t.Errorf("%s, %+v: want %s in %s", request, finish, want, out)
			}
		}
	}
	f("hidden", gemini.Event{Finish: "STOP"}, 0, "stop")
	f("hidden", gemini.Event{Finish: "STOP"}, 2, "tool_calls")
	f("legacy", gemini.Event{Finish: "STOP"}, 2, "function_call")
	f("legacy", gemini.Event{Finish: "STOP"}, 0, "stop")
	f("hidden", gemini.Event{Finish: "MAX_TOKENS"}, 1, "length")
	f("hidden", gemini.Event{Finish: "STOP", StopSequence: "END"}, 0, "stop")
	f("hidden", gemini.Event{Finish: "SAFETY"}, 0, "content_filter")
	f("hidden", gemini.Event{Finish: "TOO_MANY_TOOL_CALLS"}, 0, "stop")
}

// FuzzEncode makes any legal sequence of events and checks that the SDK reads it streamed, however it is cut, as it reads it
// whole; a stream that fails in the middle ends in the SDK's own error.
func FuzzEncode(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, "ä \"q\" 日本 🙂\n\u2028\x00", uint8(1), uint8(0))
	f.Add([]byte{2, 2, 0, 2, 9, 9}, strings.Repeat(`\"`, 5000), uint8(7), uint8(1))
	f.Add([]byte{6, 0, 6}, "今日は晴天", uint8(3), uint8(4))
	f.Add([]byte{1}, "", uint8(255), uint8(9))
	names := []string{"shown", "hidden", "single", "legacy", "custom"}
	f.Fuzz(func(t *testing.T, script []byte, text string, n, end uint8) {
		call := fronttest.Decode(t, Codec{}, fronttest.Target, requests()[names[int(end/16)%len(names)]])
		var events []gemini.Event
		for i, kind := range script {
			events = append(events, made(int(kind), i, text))
		}
		finishes := []gemini.FinishReason{"STOP", "MAX_TOKENS", "SAFETY", "OTHER", "MALFORMED_FUNCTION_CALL", ""}
		finish := finishes[int(end)%len(finishes)]
		events = append(events, gemini.Event{Kind: gemini.EventFinish, Finish: finish, PromptBlocked: len(script) == 0 && finish == "SAFETY"})
		readAlike(t, call, events, int(n)+1)
	})
}

// made is an event of a kind, made of text.
func made(kind, i int, text string) gemini.Event {
	quoted := gemini.Quote(text)
	switch kind % 10 {
	case 0:
		return gemini.Event{Kind: gemini.EventText, Text: quoted, Signature: text}
	case 1:
		return gemini.Event{Kind: gemini.EventThought, Text: quoted}
	case 2:
		args := json.RawMessage(`{"input":` + string(quoted) + `}`)
		return gemini.Event{Kind: gemini.EventCall, Signature: text, Call: &gemini.FunctionCall{
			Name: []string{"Read", "Now", text}[i%3], Args: args, ClientID: fmt.Sprintf("call_%d", i),
		}}
	case 3:
		return gemini.Event{Kind: gemini.EventImage, Blob: &gemini.Blob{MimeType: "image/png", Data: "iVBORw=="}}
	case 4:
		return gemini.Event{Kind: gemini.EventCode, Code: &gemini.ExecutableCode{Language: "PYTHON", Code: quoted}}
	case 5:
		return gemini.Event{Kind: gemini.EventCodeResult, CodeResult: &gemini.CodeResult{Outcome: "OUTCOME_OK", Output: quoted}}
	case 6:
		return gemini.Event{Kind: gemini.EventGrounding, Grounding: &gemini.Grounding{
			Sources: []gemini.Source{{URI: text, Title: text}}, Supports: []gemini.Support{{Start: i, End: i + 9, Sources: []int{0, i}}},
		}}
	case 7:
		return gemini.Event{Kind: gemini.EventServerCall, Server: json.RawMessage(`{"id":"1"}`), Signature: text}
	case 8:
		return gemini.Event{Kind: gemini.EventServerResult, Server: json.RawMessage(`{"id":"1"}`)}
	}
	return gemini.Event{Kind: gemini.EventUsage, Usage: gemini.Usage{Prompt: 7 * i, Cached: i, Candidates: 2, Thoughts: 1, Total: 7*i + 3}}
}

func BenchmarkEncodeTextChunk(b *testing.B) {
	call := fronttest.Decode(b, Codec{}, fronttest.Target, requests()["hidden"])
	call.Stream = true
	e := Codec{}.Encoder(call, fronttest.Meta())
	ev := gemini.Event{Kind: gemini.EventText, Text: gemini.Quote(strings.Repeat("word ", 20))}
	buf := e.Event(nil, &ev)
	b.ReportAllocs()
	for b.Loop() {
		buf = e.Event(buf[:0], &ev)
	}
}
