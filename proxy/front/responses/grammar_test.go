package responses

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/openai/openai-go/v3/packages/ssestream"
	sdk "github.com/openai/openai-go/v3/responses"
)

// readStream reads a stream the way OpenAI's Go SDK does, its bytes coming in as r gives them.
func readStream(t *testing.T, r io.Reader) []sdk.ResponseStreamEventUnion {
	t.Helper()
	response := &http.Response{Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: io.NopCloser(r)}
	stream := ssestream.NewStream[sdk.ResponseStreamEventUnion](ssestream.NewDecoder(response), nil)
	var events []sdk.ResponseStreamEventUnion
	for stream.Next() {
		events = append(events, stream.Current())
	}
	if err := stream.Err(); err != nil {
		t.Fatalf("the SDK does not read it: %v", err)
	}
	return events
}

// grammar holds a stream to the order in which OpenAI's own events come, and each event to those before it.
type grammar struct {
	t      *testing.T
	events []sdk.ResponseStreamEventUnion
	at     int
	done   []string // finished items
	last   sdk.Response
}

// checkStream checks a whole stream and returns the response object that it ends with.
func checkStream(t *testing.T, stream []byte) sdk.Response {
	t.Helper()
	for _, frame := range strings.SplitAfter(strings.TrimSuffix(string(stream), "\n\n"), "\n\n") {
		name, data, ok := strings.Cut(strings.TrimSuffix(frame, "\n\n"), "\ndata: ")
		name, isEvent := strings.CutPrefix(name, "event: ")
		if !ok || !isEvent || strings.Contains(data, "\n") || !strings.HasPrefix(data, `{"type":"`+name+`"`) {
			t.Fatalf("not a frame: %q", frame)
		}
	}
	g := &grammar{t: t, events: readStream(t, bytes.NewReader(stream))}
	for i, ev := range g.events {
		if ev.SequenceNumber != int64(i) {
			t.Fatalf("event %d has sequence_number %d", i, ev.SequenceNumber)
		}
	}
	g.want("response.created")
	g.want("response.in_progress")
	for g.peek() == "response.output_item.added" {
		g.item()
	}
	g.end()
	return g.last
}

// skip passes heartbeats.
func (g *grammar) skip() {
	for g.at >= 2 && g.at < len(g.events) && g.events[g.at].Type == "response.in_progress" {
		g.at++
	}
}

func (g *grammar) peek() string {
	g.skip()
	if g.at == len(g.events) {
		return ""
	}
	return g.events[g.at].Type
}

func (g *grammar) want(kind string) *sdk.ResponseStreamEventUnion {
	g.t.Helper()
	if g.peek() != kind {
		g.t.Fatalf("event %d is %q, want %s", g.at, g.peek(), kind)
	}
	g.at++
	return &g.events[g.at-1]
}

// of is an event of the item that is open.
func (g *grammar) of(kind, id string) *sdk.ResponseStreamEventUnion {
	g.t.Helper()
	ev := g.want(kind)
	if ev.ItemID != id || ev.OutputIndex != int64(len(g.done)) {
		g.t.Fatalf("%s is of item %s at %d, open is %s at %d", kind, ev.ItemID, ev.OutputIndex, id, len(g.done))
	}
	return ev
}

// deltas reads pieces and checks them against the whole; at least says how many there must be.
func (g *grammar) deltas(kind, id string, atLeast int) string {
	g.t.Helper()
	var all strings.Builder
	for n := 0; g.peek() == kind || n < atLeast; n++ {
		delta := g.of(kind, id).Delta
		if delta == "" || len(delta) > 4<<10 && !strings.HasPrefix(kind, "response.output_text") && !strings.HasPrefix(kind, "response.reasoning") {
			g.t.Fatalf("%s with %d bytes", kind, len(delta))
		}
		all.WriteString(delta)
	}
	return all.String()
}

func (g *grammar) same(what, got, want string) {
	g.t.Helper()
	if got != want {
		g.t.Fatalf("%s is %q, want %q", what, got, want)
	}
}

func (g *grammar) item() {
	added := g.want("response.output_item.added")
	id, kind := added.Item.ID, added.Item.Type
	if id == "" || added.OutputIndex != int64(len(g.done)) {
		g.t.Fatalf("item %q begins at %d, want %d", id, added.OutputIndex, len(g.done))
	}
	check := func(sdk.ResponseOutputItemUnion) {}
	switch kind {
	case "message":
		text := g.message(id)
		check = func(it sdk.ResponseOutputItemUnion) { g.same("the message", it.Content[0].Text, text) }
	case "reasoning":
		check = g.reasoning(id)
	case "function_call":
		args := g.deltas("response.function_call_arguments.delta", id, 1)
		g.same("arguments.done", g.of("response.function_call_arguments.done", id).Arguments, args)
		check = func(it sdk.ResponseOutputItemUnion) { g.same("arguments", it.Arguments.OfString, args) }
	case "custom_tool_call":
		input := g.deltas("response.custom_tool_call_input.delta", id, 0)
		g.same("input.done", g.of("response.custom_tool_call_input.done", id).Input, input)
		check = func(it sdk.ResponseOutputItemUnion) { g.same("input", it.Input, input) }
	case "web_search_call":
		for _, step := range []string{"in_progress", "searching", "completed"} {
			g.of("response.web_search_call."+step, id)
		}
	case "local_shell_call", "shell_call", "apply_patch_call", "tool_search_call":
	default:
		g.t.Fatalf("an item of type %q", kind)
	}
	done := g.want("response.output_item.done")
	if done.Item.ID != id || done.Item.Type != kind || done.OutputIndex != int64(len(g.done)) || done.Item.CallID != added.Item.CallID {
		g.t.Fatalf("%s ends what began as %s", done.Item.RawJSON(), added.Item.RawJSON())
	}
	check(done.Item)
	g.done = append(g.done, done.Item.RawJSON())
}

func (g *grammar) message(id string) string {
	g.same("the first part", g.of("response.content_part.added", id).Part.Text, "")
	text := g.deltas("response.output_text.delta", id, 1)
	for n := 0; g.peek() == "response.output_text.annotation.added"; n++ {
		if ev := g.of("response.output_text.annotation.added", id); ev.AnnotationIndex != int64(n) {
			g.t.Fatalf("annotation %d has index %d", n, ev.AnnotationIndex)
		}
	}
	g.same("text.done", g.of("response.output_text.done", id).Text, text)
	g.same("part.done", g.of("response.content_part.done", id).Part.Text, text)
	return text
}

func (g *grammar) reasoning(id string) func(sdk.ResponseOutputItemUnion) {
	if g.peek() != "response.reasoning_summary_part.added" {
		return func(it sdk.ResponseOutputItemUnion) {
			if len(it.Summary) != 0 || it.EncryptedContent == "" {
				g.t.Fatalf("a reasoning item without use: %s", it.RawJSON())
			}
		}
	}
	g.of("response.reasoning_summary_part.added", id)
	text := g.deltas("response.reasoning_summary_text.delta", id, 1)
	g.same("summary.done", g.of("response.reasoning_summary_text.done", id).Text, text)
	g.same("summary part", g.of("response.reasoning_summary_part.done", id).Part.Text, text)
	return func(it sdk.ResponseOutputItemUnion) { g.same("the summary", it.Summary[0].Text, text) }
}

// end reads the last event. An answer that failed may break off within an item.
func (g *grammar) end() {
	kind := g.peek()
	switch kind {
	case "response.completed", "response.incomplete", "response.failed":
	default:
		g.t.Fatalf("the stream ends with %q", kind)
	}
	g.last = g.want(kind).Response
	if g.at != len(g.events) {
		g.t.Fatalf("%d events follow the end", len(g.events)-g.at)
	}
	g.same("the status", "response."+string(g.last.Status), kind)
	var output []string
	for _, it := range g.last.Output {
		output = append(output, it.RawJSON())
	}
	g.same("the output", strings.Join(output, "\n"), strings.Join(g.done, "\n"))
	if kind == "response.completed" && !g.last.JSON.Usage.Valid() {
		g.t.Fatal("no usage")
	}
}

// checkBody checks an answer in one piece and returns it.
func checkBody(t *testing.T, body []byte) sdk.Response {
	t.Helper()
	var response sdk.Response
	if err := json.Unmarshal(body, &response); err != nil {
		t.Fatalf("%v\n%s", err, body)
	}
	return response
}

// bySplit gives a stream in pieces of n bytes.
func bySplit(stream []byte, n int) io.Reader {
	if n == 1 {
		return iotest.OneByteReader(bytes.NewReader(stream))
	}
	var readers []io.Reader
	for rest := stream; len(rest) > 0; {
		piece := rest[:min(n, len(rest))]
		readers, rest = append(readers, bytes.NewReader(piece)), rest[len(piece):]
	}
	return io.MultiReader(readers...)
}
