package proxy

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	sdk "github.com/anthropics/anthropic-sdk-go"

	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

// What the tests of Anthropic's protocol share.

type anthropicMessage = sdk.Message

// claude asks for a step of a conversation with a model, fields being the rest of the body, and wants a 200.
func (r *rig) claude(model, fields string) result {
	r.t.Helper()
	got := r.do("POST", messages, `{"model":"`+model+`","max_tokens":4000,`+fields+`}`)
	if got.status != 200 {
		r.t.Fatalf("%s: %d %s", fields, got.status, got.body)
	}
	return got
}

// asked is what Gemini was asked last.
func (r *rig) asked() *fg.GenerateContentRequest {
	r.t.Helper()
	last, ok := r.fake.Last()
	if !ok || last.Request == nil {
		r.t.Fatal("Gemini was not asked")
	}
	return last.Request
}

// sent asks and tells what Gemini got: its history, as a line.
func (r *rig) sent(model, fields string) string {
	r.t.Helper()
	r.claude(model, fields)
	return history(r.asked().Contents)
}

// history writes contents as u[part part] m[part]; a signature follows its part in <>, which real ones begin with.
func history(contents []fg.Content) string {
	var turns []string
	for _, c := range contents {
		var parts []string
		for _, p := range c.Parts {
			parts = append(parts, historyPart(p))
		}
		turns = append(turns, c.Role[:1]+"["+strings.Join(parts, " ")+"]")
	}
	return strings.Join(turns, " ")
}

func historyPart(p fg.Part) string {
	out := ""
	switch {
	case p.Text != nil:
		out = *p.Text
	case p.InlineData != nil:
		out = "*" + p.InlineData.MimeType
	case p.FunctionCall != nil:
		out = p.FunctionCall.Name + "(" + string(p.FunctionCall.Args) + ")"
	case p.FunctionResponse != nil:
		out = p.FunctionResponse.Name + "=" + string(p.FunctionResponse.Response)
		for _, m := range p.FunctionResponse.Parts {
			out += "*" + m.InlineData.MimeType
		}
	case p.ToolCall != nil:
		out = "toolCall:" + p.ToolCall.ID
	case p.ToolResponse != nil:
		out = "toolResponse:" + p.ToolResponse.ID
	}
	switch p.ThoughtSignature {
	case "":
	case dummySignature:
		out += "<dummy>"
	default:
		out += "<real>"
	}
	return out
}

func same(t testing.TB, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// message reads an answer in one piece, or a stream as Anthropic's SDK does.
func message(t testing.TB, body string) *sdk.Message {
	t.Helper()
	var m sdk.Message
	if strings.HasPrefix(body, "{") {
		if err := json.Unmarshal([]byte(body), &m); err != nil {
			t.Fatalf("%v in %s", err, body)
		}
		return &m
	}
	for _, data := range dataLines(body) {
		var ev sdk.MessageStreamEventUnion
		if err := json.Unmarshal([]byte(data), &ev); err != nil {
			t.Fatalf("%v in %s", err, data)
		}
		if err := m.Accumulate(ev); err != nil {
			t.Fatalf("%v at %s", err, data)
		}
	}
	return &m
}

func dataLines(stream string) (lines []string) {
	for line := range strings.Lines(stream) {
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			lines = append(lines, strings.TrimSuffix(data, "\n"))
		}
	}
	return lines
}

// sentBack is an answer as the message that a client puts into its next request.
func sentBack(t testing.TB, m *sdk.Message) string {
	t.Helper()
	raw, err := json.Marshal(m.ToParam())
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// kinds are the types of an answer's blocks.
func kinds(m *sdk.Message) string {
	var out []string
	for _, b := range m.Content {
		out = append(out, b.Type)
	}
	return strings.Join(out, " ")
}

// eventNames are the names of a stream's frames, a run of equal ones once.
func eventNames(stream string) string {
	var names []string
	for line := range strings.Lines(stream) {
		if name, ok := strings.CutPrefix(line, "event: "); ok {
			names = append(names, strings.TrimSuffix(name, "\n"))
		}
	}
	return strings.Join(slices.Compact(names), " ")
}

const (
	opus    = "claude-opus-5-5" // served by flash38
	flash38 = "gemini-3.8-flash"
	flash25 = "gemini-2.5-flash"
	oneUser = `"messages":[{"role":"user","content":"q"}]`
)

// callID is the id of an answer's first call.
func callID(t testing.TB, m *anthropicMessage) string {
	t.Helper()
	i := slices.IndexFunc(m.Content, func(b sdk.ContentBlockUnion) bool { return b.Type == "tool_use" })
	if i < 0 {
		t.Fatalf("no call in %s", m.RawJSON())
	}
	return m.Content[i].ID
}
