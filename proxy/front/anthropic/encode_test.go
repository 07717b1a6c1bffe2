package anthropic

import (
	"encoding/json"
	"strings"
	"testing"

	sdk "github.com/anthropics/anthropic-sdk-go"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/front/fronttest"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

const toolsJSON = `"tools":[{"name":"Read","input_schema":{"type":"object","properties":{}}},{"name":"Now"}]`

func requests() map[string]string {
	const head = `{"model":"claude-x","max_tokens":32000,"messages":[{"role":"user","content":"hi"}],` + toolsJSON
	return map[string]string{
		"shown":  head + `,"thinking":{"type":"adaptive","display":"updates"}}`,
		"hidden": head + `}`,
		"server": `{"model":"claude-x","max_tokens":32000,"messages":[{"role":"user","content":"hi"}],"thinking":{"type":"enabled","budget_tokens":2000,"display":"omitted"},"tools":[` +
			`{"name":"Read"},{"name":"Now"},{"type":"web_search_20250305","name":"web_search"},{"type":"web_fetch_20250910","name":"web_fetch"},{"type":"code_execution_20250825","name":"code_execution"}]}`,
		"single": head + `,"tool_choice":{"type":"auto","disable_parallel_tool_use":true}}`,
	}
}

// E60 to E68, E70, E74 to E76, E13, E129, E132, E134 stand in these files too.
func TestEncodeGolden(t *testing.T) { fronttest.GoldenEncode(t, Codec{}, requests()) }

// accumulate reads a stream the way Anthropic's Go SDK does; an error event ends it.
func accumulate(t *testing.T, stream []byte) (msg sdk.Message, failed bool) {
	t.Helper()
	stopped := false
	for _, frame := range strings.Split(strings.TrimSuffix(string(stream), "\n\n"), "\n\n") {
		name, data, ok := strings.Cut(frame, "\n")
		kind, isEvent := strings.CutPrefix(name, "event: ")
		data, isData := strings.CutPrefix(data, "data: ")
		if !ok || !isEvent || !isData || strings.Contains(data, "\n") {
			t.Fatalf("not a frame: %q", frame)
		}
		if stopped {
			t.Fatalf("a frame after the end: %q", frame)
		}
		stopped = kind == "message_stop" || kind == "error"
		if kind == "error" {
			failed = true
			continue
		}
		var ev sdk.MessageStreamEventUnion
		if err := json.Unmarshal([]byte(data), &ev); err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		if ev.Type != kind {
			t.Fatalf("event %q carries type %q", kind, ev.Type)
		}
		if err := msg.Accumulate(ev); err != nil {
			t.Fatalf("%q: %v", data, err)
		}
	}
	if !stopped {
		t.Fatalf("no end: %q", stream)
	}
	return msg, failed
}

// TestTheSDKReadsStreamAndBodyAlike holds the stream and the whole body to the official reading of both.
func TestTheSDKReadsStreamAndBodyAlike(t *testing.T) {
	for _, script := range fronttest.Scripts() {
		for name, request := range requests() {
			call := fronttest.Decode(t, Codec{}, fronttest.Target, request)
			events := script.Events(t, "toolu_")
			streamed, failed := accumulate(t, fronttest.Encode(Codec{}, call, true, events))
			body := fronttest.Encode(Codec{}, call, false, events)
			var whole sdk.Message
			if err := json.Unmarshal(body, &whole); err != nil {
				t.Fatalf("%s: %v\n%s", script.Name, err, body)
			}
			if failed {
				if whole.Type != "error" {
					t.Errorf("%s, %s: the stream failed, the body did not: %s", script.Name, name, body)
				}
				continue
			}
			if got, want := summary(t, &streamed), summary(t, &whole); got != want {
				t.Errorf("%s, %s: the stream is\n%s\nthe body is\n%s", script.Name, name, got, want)
			}
		}
	}
}

// summary is everything of a message that a client looks at. Where the blocks of Google's own tools stand, and how text is
// split for its citations, is not the same in both.
func summary(t *testing.T, m *sdk.Message) string {
	t.Helper()
	type block struct{ Type, Text, Thinking, Signature, ID, Name, Input, Cited string }
	s := struct {
		ID, Model, Role, Stop, Explanation string
		Usage                              [5]int64
		Blocks                             []block
	}{
		ID: m.ID, Model: string(m.Model), Role: string(m.Role), Stop: string(m.StopReason),
		Explanation: m.StopDetails.Explanation,
		Usage: [5]int64{m.Usage.InputTokens, m.Usage.OutputTokens, m.Usage.CacheReadInputTokens,
			m.Usage.CacheCreationInputTokens, m.Usage.OutputTokensDetails.ThinkingTokens},
	}
	var served []block
	for _, b := range m.Content {
		got := block{b.Type, b.Text, b.Thinking, b.Signature, b.ID, b.Name, string(b.Input), ""}
		for _, c := range b.Citations {
			got.Cited += c.CitedText + " " + c.URL + "\n"
		}
		n := len(s.Blocks)
		switch {
		case b.ToolUseID != "":
			served = append(served, block{Type: b.Type, ID: b.ToolUseID, Text: b.Content.RawJSON()})
		case b.Type == "server_tool_use":
			served = append(served, got)
		case b.Type == "text" && n > 0 && s.Blocks[n-1].Type == "text":
			s.Blocks[n-1].Text += b.Text
			s.Blocks[n-1].Cited += got.Cited
		default:
			s.Blocks = append(s.Blocks, got)
		}
	}
	s.Blocks = append(s.Blocks, served...)
	out, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// TestTheSignatureComesBackWithTheHistory sends an answer's thinking blocks back and finds each signature on its call.
func TestTheSignatureComesBackWithTheHistory(t *testing.T) {
	call := fronttest.Decode(t, Codec{}, fronttest.Target, requests()["shown"])
	for _, script := range fronttest.Scripts() {
		if script.Name != "parallel_calls" && script.Name != "text_and_call" {
			continue
		}
		events := script.Events(t, "toolu_")
		var answer struct{ Content json.RawMessage }
		if err := json.Unmarshal(fronttest.Encode(Codec{}, call, false, events), &answer); err != nil {
			t.Fatal(err)
		}
		next := `{"model":"claude-x","max_tokens":32000,"messages":[{"role":"user","content":"hi"},
			{"role":"assistant","content":` + string(answer.Content) + `}],` + toolsJSON + `}`
		again := fronttest.Decode(t, Codec{}, fronttest.Target, next)
		var got []*gemini.Part
		for i := range again.Request.Contents {
			for j := range again.Request.Contents[i].Parts {
				if p := &again.Request.Contents[i].Parts[j]; p.FunctionCall != nil {
					got = append(got, p)
				}
			}
		}
		for i, ev := range calls(events) {
			if got[i].ThoughtSignature != ev.Signature {
				t.Errorf("%s: call %d has signature %q, want %q", script.Name, i, got[i].ThoughtSignature, ev.Signature)
			}
			if ev.Signature != "" && got[i].FunctionCall.ID != ev.Call.ID {
				t.Errorf("%s: call %d has id %q, want %q", script.Name, i, got[i].FunctionCall.ID, ev.Call.ID)
			}
		}
		if strings.Contains(string(again.Request.AppendJSON(nil)), "musing") {
			t.Errorf("%s: the thought went back to Google", script.Name)
		}
	}
}

func calls(events []gemini.Event) (out []gemini.Event) {
	for _, ev := range events {
		if ev.Kind == gemini.EventCall {
			out = append(out, ev)
		}
	}
	return out
}

func TestPingOpensTheAnswerAndShowsLifeInAnOpenBlock(t *testing.T) {
	call := fronttest.Decode(t, Codec{}, fronttest.Target, requests()["hidden"])
	call.Stream = true
	e := Codec{}.Encoder(call, fronttest.Meta())
	out := string(e.Ping(nil))
	if !strings.HasPrefix(out, "event: message_start\n") || !strings.HasSuffix(out, "event: ping\ndata: {\"type\":\"ping\"}\n\n") {
		t.Errorf("the first ping is %q", out)
	}
	e.Event(nil, &gemini.Event{Kind: gemini.EventText, Text: gemini.Quote("x")})
	deltas := 0
	for range 2 * pingsPerDelta {
		out := string(e.Ping(nil))
		if strings.Contains(out, "message_start") {
			t.Errorf("a second message_start: %q", out)
		}
		deltas += strings.Count(out, `"delta":{"type":"text_delta","text":""}}`)
	}
	if deltas != 2 {
		t.Errorf("%d empty deltas, want 2", deltas)
	}
}

func TestFailIsAnErrorEvent(t *testing.T) {
	call := fronttest.Decode(t, Codec{}, fronttest.Target, requests()["hidden"])
	call.Stream = true
	out := Codec{}.Encoder(call, fronttest.Meta()).Fail(nil, &front.Error{Kind: front.Overloaded, Message: "busy"})
	want := "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"busy\"},\"request_id\":\"req_test\"}\n\n"
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
