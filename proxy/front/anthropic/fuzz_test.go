package anthropic

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	sdk "github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/packages/ssestream"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/front/fronttest"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// grammar checks that a stream's events come in the order that the protocol allows, frame by frame.
type grammar struct {
	started, delta, stopped bool
	blocks                  int
	open                    string // type of the open block
	signed                  bool
}

func (g *grammar) next(name, data string) error {
	var ev struct {
		Type         string
		Index        int
		ContentBlock struct {
			Type string
			Text string
		} `json:"content_block"`
		Delta struct {
			Type       string
			StopReason string `json:"stop_reason"`
			Signature  string
		}
	}
	if err := json.Unmarshal([]byte(data), &ev); err != nil {
		return err
	}
	fine := ev.Type == name && !g.stopped
	switch name {
	case "ping":
		fine = fine && g.started
	case "message_start":
		fine = fine && !g.started
		g.started = true
	case "content_block_start":
		fine = fine && g.started && g.open == "" && ev.Index == g.blocks && !g.delta && ev.ContentBlock.Type != "" && ev.ContentBlock.Text == ""
		g.open, g.signed = ev.ContentBlock.Type, false
		g.blocks++
	case "content_block_delta":
		want := map[string]string{"text_delta": "text", "citations_delta": "text", "thinking_delta": "thinking", "signature_delta": "thinking", "input_json_delta": "tool_use server_tool_use"}[ev.Delta.Type]
		fine = fine && g.open != "" && strings.Contains(want, g.open) && ev.Index == g.blocks-1 && !g.signed
		if g.signed = ev.Delta.Type == "signature_delta"; g.signed {
			fine = fine && ev.Delta.Signature != ""
		}
	case "content_block_stop":
		fine = fine && g.open != "" && ev.Index == g.blocks-1 && g.signed == (g.open == "thinking")
		g.open, g.signed = "", false
	case "message_delta":
		fine = fine && g.started && g.open == "" && !g.delta && ev.Delta.StopReason != ""
		g.delta = true
	case "message_stop":
		fine = fine && g.delta
		g.stopped = true
	case "error":
		g.stopped = true
	default:
		fine = false
	}
	if !fine {
		return fmt.Errorf("%s does not belong here: %s", name, data)
	}
	return nil
}

// checkGrammar holds a whole stream to the grammar.
func checkGrammar(t *testing.T, stream []byte) {
	t.Helper()
	var g grammar
	for frame := range strings.SplitSeq(strings.TrimSuffix(string(stream), "\n\n"), "\n\n") {
		name, data, ok := strings.Cut(strings.TrimPrefix(frame, "event: "), "\ndata: ")
		if !ok || strings.Contains(data, "\n") {
			t.Fatalf("not a frame: %q", frame)
		}
		if err := g.next(name, data); err != nil {
			t.Fatal(err)
		}
	}
	if !g.stopped {
		t.Fatalf("no end: %q", stream)
	}
}

// inPieces reads bytes n at a time.
type inPieces struct {
	r io.Reader
	n int
}

func (p inPieces) Read(b []byte) (int, error) { return p.r.Read(b[:min(len(b), p.n)]) }

// bySDK reads a stream with the SDK, from the bytes on.
func bySDK(t *testing.T, stream []byte, pieces int) (m sdk.Message, err error) {
	t.Helper()
	resp := &http.Response{Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: io.NopCloser(inPieces{strings.NewReader(string(stream)), pieces})}
	events := ssestream.NewStream[sdk.MessageStreamEventUnion](ssestream.NewDecoder(resp), nil)
	for events.Next() {
		if err := m.Accumulate(events.Current()); err != nil {
			t.Fatalf("the SDK refuses %s: %v", events.Current().RawJSON(), err)
		}
	}
	return m, events.Err()
}

// eventOf makes one of the events that an answer may hold, n being what varies.
func eventOf(kind byte, n int) gemini.Event {
	text := gemini.Quote(strings.Repeat("é\"\\\n<世>", n%5))
	signature := strings.Repeat("S+/=", n%2)
	server := func(name string) gemini.Event {
		return gemini.Event{Server: json.RawMessage(`{"id":"w","toolType":"` + name + `","args":{"queries":["q","\u00e9"]}}`), Signature: signature}
	}
	var ev gemini.Event
	switch kind % 11 {
	case 0, 1:
		ev = gemini.Event{Kind: gemini.EventText, Text: text, Signature: signature}
	case 2:
		ev = gemini.Event{Kind: gemini.EventThought, Text: text}
	case 3:
		args := json.RawMessage(`{"a":"` + strings.Repeat(`\"\u00e9\ud83d\ude00é`, n*40) + `"}`)
		ev = gemini.Event{Kind: gemini.EventCall, Signature: signature, Call: &gemini.FunctionCall{Name: "Read", Args: args, ClientID: fmt.Sprintf("toolu_%d", n)}}
	case 4:
		ev = gemini.Event{Kind: gemini.EventImage, Blob: &gemini.Blob{MimeType: "image/png", Data: "AA=="}}
	case 5:
		ev = gemini.Event{Kind: gemini.EventUsage, Usage: gemini.Usage{Prompt: n, Cached: n * 2, Candidates: n}}
	case 6:
		ev = gemini.Event{Kind: gemini.EventCode, Code: &gemini.ExecutableCode{Language: "PYTHON", Code: text}}
	case 7:
		ev = gemini.Event{Kind: gemini.EventCodeResult, CodeResult: &gemini.CodeResult{Outcome: []string{"OUTCOME_OK", "OUTCOME_FAILED", "OUTCOME_DEADLINE_EXCEEDED"}[n%3], Output: text}}
	case 8:
		ev = server([]string{"GOOGLE_SEARCH_WEB", "URL_CONTEXT"}[n%2])
		ev.Kind = gemini.EventServerCall
	case 9:
		ev = server("GOOGLE_SEARCH_WEB")
		ev.Kind = gemini.EventServerResult
	default:
		ev = gemini.Event{Kind: gemini.EventGrounding, Grounding: &gemini.Grounding{Queries: []string{"q", "é"}[:n%3%2+n%2], Sources: []gemini.Source{{URI: "https://a/"}, {}},
			Supports: []gemini.Support{{Start: n % 7, End: n, Sources: []int{0, n}}, {Start: 0, End: 99, Sources: []int{0}}}, URLs: []gemini.RetrievedURL{{URL: "https://b", Status: "URL_RETRIEVAL_STATUS_ERROR"}}}}
	}
	return ev
}

// FuzzEncode: any answer becomes a stream that the protocol allows and the SDK reads, however its bytes are split, and a
// body that is JSON.
func FuzzEncode(f *testing.F) {
	f.Add([]byte{2, 2, 0, 3, 3, 0}, uint8(0), uint8(1))
	f.Add([]byte{0, 6, 7, 6, 0, 8, 9, 3, 8, 9, 10, 5}, uint8(3), uint8(7))
	f.Add([]byte{8, 9, 0, 10, 10}, uint8(19), uint8(64))
	names := []string{"hidden", "server", "shown", "single"}
	f.Fuzz(func(t *testing.T, script []byte, how, pieces uint8) {
		call := fronttest.Decode(t, Codec{}, fronttest.Target, requests()[names[how%4]])
		var events []gemini.Event
		for i, kind := range script[:min(len(script), 200)] {
			events = append(events, eventOf(kind, i))
		}
		finish := []gemini.FinishReason{"STOP", "MAX_TOKENS", "SAFETY", "MALFORMED_FUNCTION_CALL"}[how/4%4]
		events = append(events, gemini.Event{Kind: gemini.EventFinish, Finish: finish, PromptBlocked: how/16%8 == 1})
		stream := fronttest.Encode(Codec{}, call, true, events)
		checkGrammar(t, stream)
		if _, err := bySDK(t, stream, int(pieces)+1); err != nil && !strings.Contains(string(stream), "event: error\n") {
			t.Fatal(err)
		}
		if body := fronttest.Encode(Codec{}, call, false, events); !json.Valid(body) {
			t.Fatalf("not JSON: %s", body)
		}
	})
}

// Heartbeats may come anywhere, and a failure at any time.
func TestPingsAndFailuresFitAnywhere(t *testing.T) {
	call := fronttest.Decode(t, Codec{}, fronttest.Target, requests()["server"])
	call.Stream = true
	for _, script := range fronttest.Scripts() {
		events := script.Events(t, "toolu_")
		for cut := range len(events) + 1 {
			e := Codec{}.Encoder(call, fronttest.Meta())
			out := e.Ping(nil)
			for i := range events[:cut] {
				out = e.Event(out, &events[i])
				for range pingsPerDelta {
					out = e.Ping(out)
				}
			}
			checkGrammar(t, e.Fail(out, &front.Error{Kind: front.Overloaded, Message: "busy"}))
		}
	}
}
