package clients

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"

	"github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

//go:embed testdata/stream.mjs
var streamScript string

// readBySDK is what stream.mjs tells.
type readBySDK struct {
	Stream  []byte
	Message anthropic.Message
	Cuts    int
}

// readCut asks once, with fields beside the model, through Anthropic's TypeScript SDK.
func (r *rig) readCut(fields string) (got readBySDK) {
	r.t.Helper()
	r.put(r.path("stream.mjs"), streamScript)
	params := fmt.Sprintf(`{"model":%q,"max_tokens":4000,%s}`, model, fields)
	out := r.run([]string{"SDK=" + install(r.t, typeScriptPackage), "PARAMS=" + params, "ANTHROPIC_BASE_URL=" + r.url, "ANTHROPIC_API_KEY=" + clientToken},
		node(r.t), r.path("stream.mjs"))
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		r.t.Fatalf("%v in %s", err, out)
	}
	return got
}

// goReads is the stream as Anthropic's Go SDK reads it.
func goReads(t *testing.T, stream []byte) *anthropic.Message {
	t.Helper()
	m := &anthropic.Message{}
	for line := range strings.Lines(string(stream)) {
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok {
			continue
		}
		var ev anthropic.MessageStreamEventUnion
		if err := json.Unmarshal([]byte(data), &ev); err != nil {
			t.Fatalf("%v in %s", err, data)
		}
		if err := m.Accumulate(ev); err != nil {
			t.Fatalf("%v at %s", err, data)
		}
	}
	return m
}

// wholeOf is what a client keeps of a message.
func wholeOf(t *testing.T, m *anthropic.Message) string {
	t.Helper()
	said, err := json.Marshal(m.ToParam())
	if err != nil {
		t.Fatal(err)
	}
	u := m.Usage
	return fmt.Sprintf("%s %s %s %q %s in %d cached %d out %d thinking %d", m.ID, m.Model, m.StopReason, m.StopSequence, said,
		u.InputTokens, u.CacheReadInputTokens, u.OutputTokens, u.OutputTokensDetails.ThinkingTokens)
}

// TestClient_AnthropicTypeScript: Anthropic's SDK for TypeScript reads a stream however it is cut, and as their Go SDK does.
func TestClient_AnthropicTypeScript(t *testing.T) {
	t.Logf("@anthropic-ai/sdk %s", typeScriptPackage.version)
	const tools = `"tools":[{"name":"read","input_schema":{"type":"object","properties":{"path":{"type":"string"}}}}]`
	asks := func(rest string) string { return `"messages":[{"role":"user","content":"Go on."}],` + rest }
	f := func(name, fields string, answer fakegemini.Answer, kinds ...string) {
		t.Run(name, func(t *testing.T) {
			r := start(t)
			r.fake.Respond(func(fakegemini.Recorded) (fakegemini.Answer, bool) { return answer, true })
			got := r.readCut(fields)
			if ts, golang := wholeOf(t, &got.Message), wholeOf(t, goReads(t, got.Stream)); ts != golang {
				t.Errorf("TypeScript:\n%s\nGo:\n%s", ts, golang)
			}
			var have []string
			for _, b := range got.Message.Content {
				have = append(have, b.Type)
			}
			if strings.Join(have, " ") != strings.Join(kinds, " ") || got.Cuts != len(got.Stream) {
				t.Errorf("%v after %d cuts of %d bytes: %s", have, got.Cuts, len(got.Stream), got.Stream)
			}
			r.check()
		})
	}
	f("text", asks(`"metadata":{"user_id":"x"}`), fakegemini.Say("Hel", "lo 世界 ", "🙂\r\n\u2028"), "text")
	f("thoughts and calls", asks(tools+`,"thinking":{"type":"enabled","budget_tokens":1024}`),
		fakegemini.Reply(fakegemini.Thought("**Plan** ü"), fakegemini.Text("Both: "), fakegemini.Calls(call("read", "path", `/a "ü" <&>`), fakegemini.Call("read", ""))),
		"thinking", "text", "thinking", "tool_use", "tool_use")
	f("search", asks(`"tools":[{"type":"web_search_20250305","name":"web_search"}]`),
		fakegemini.Reply(fakegemini.Text("快.").Grounded(fakegemini.Grounding{Queries: []string{"q"}, Sources: []fakegemini.GroundingSource{fakegemini.Web("go.dev", "https://go.dev/")}})),
		"text", "server_tool_use", "web_search_tool_result")
}
