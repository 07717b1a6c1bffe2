package chat

import (
	"encoding/json"
	"strings"
	"testing"

	sdk "github.com/openai/openai-go/v3"

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
	}
}

func TestEncodeGolden(t *testing.T) { fronttest.GoldenEncode(t, Codec{}, requests()) }

// accumulate reads a stream the way OpenAI's Go SDK does; an error object ends it.
func accumulate(t *testing.T, stream []byte) (acc sdk.ChatCompletionAccumulator, failed bool) {
	t.Helper()
	done := false
	for _, frame := range strings.Split(strings.TrimSuffix(string(stream), "\n\n"), "\n\n") {
		data, ok := strings.CutPrefix(frame, "data: ")
		if !ok || done || strings.Contains(data, "\n") {
			t.Fatalf("not a frame, or one after the end: %q", frame)
		}
		if done = data == "[DONE]"; done {
			continue
		}
		if strings.HasPrefix(data, `{"error":`) {
			done, failed = true, true
			continue
		}
		var chunk sdk.ChatCompletionChunk
		if err := json.Unmarshal([]byte(data), &chunk); err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		if !acc.AddChunk(chunk) {
			t.Fatalf("the SDK refuses %q", data)
		}
	}
	if !done {
		t.Fatalf("no end: %q", stream)
	}
	return acc, failed
}

// TestTheSDKReadsStreamAndBodyAlike holds the stream and the whole body to the official reading of both.
func TestTheSDKReadsStreamAndBodyAlike(t *testing.T) {
	for _, script := range fronttest.Scripts() {
		for name, request := range requests() {
			call := fronttest.Decode(t, Codec{}, fronttest.Target, request)
			events := script.Events(t, "call_")
			acc, failed := accumulate(t, fronttest.Encode(Codec{}, call, true, events))
			body := fronttest.Encode(Codec{}, call, false, events)
			if failed {
				if !strings.HasPrefix(string(body), `{"error":`) {
					t.Errorf("%s, %s: the stream failed, the body did not: %s", script.Name, name, body)
				}
				continue
			}
			var whole sdk.ChatCompletion
			if err := json.Unmarshal(body, &whole); err != nil {
				t.Fatalf("%s: %v\n%s", script.Name, err, body)
			}
			if got, want := summary(t, &acc.ChatCompletion, true), summary(t, &whole, call.IncludeUsage); got != want {
				t.Errorf("%s, %s: the stream is\n%s\nthe body is\n%s", script.Name, name, got, want)
			}
		}
	}
}

// summary is everything of a completion that a client looks at.
func summary(t *testing.T, c *sdk.ChatCompletion, usage bool) string {
	t.Helper()
	type call struct{ ID, Type, Name, Arguments string }
	s := struct {
		ID, Model, Role, Content, Refusal, Finish string
		Created                                   int64
		Usage                                     [5]int64
		Calls                                     []call
	}{ID: c.ID, Model: c.Model, Created: c.Created}
	if len(c.Choices) != 1 {
		t.Fatalf("%d choices", len(c.Choices))
	}
	m := c.Choices[0].Message
	s.Role, s.Content, s.Refusal, s.Finish = string(m.Role), m.Content, m.Refusal, string(c.Choices[0].FinishReason)
	if usage {
		u := c.Usage
		s.Usage = [5]int64{u.PromptTokens, u.CompletionTokens, u.TotalTokens, u.PromptTokensDetails.CachedTokens,
			u.CompletionTokensDetails.ReasoningTokens}
	}
	for _, tc := range m.ToolCalls {
		s.Calls = append(s.Calls, call{tc.ID, string(tc.Type), tc.Function.Name, tc.Function.Arguments})
	}
	out, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
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
