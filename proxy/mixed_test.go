package proxy

import (
	"strings"
	"testing"

	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

// Cursor's agent: a request of the Responses API on the path of chats, answered as a chat; the calls come back as items.
func TestResponsesRequestsAsChats(t *testing.T) {
	r := start(t, "a", nil)
	const fields = `"model":"gpt-5.5","stream":true,"stream_options":{"include_usage":true},"include":["reasoning.encrypted_content"],` +
		`"reasoning":{"effort":"medium","summary":"auto"},"text":{"verbosity":"low"},` +
		`"tools":[{"type":"function","name":"read","parameters":` + readSchema + `},{"type":"custom","name":"ApplyPatch","format":{"type":"grammar","syntax":"lark","definition":"start: x"}}]`
	const opening = `{"role":"system","content":"be brief"},{"role":"user","content":[{"type":"input_text","text":"patch it"}]}`
	r.fake.Enqueue(fg.Reply(fg.Thought("hm"), fg.Calls(fg.Call("read", `{"path":"a"}`), fg.Call("ApplyPatch", `{"input":"*** a\n"}`))), fg.Say("done"))
	got := r.do("POST", completions, `{`+fields+`,"input":[`+opening+`]}`)
	lines := deltas(t, got.body)
	has(t, lines, `{"reasoning_content":"hm"}`, `"type":"function","function":{"name":"read","arguments":""}`, `{"arguments":"{\"path\":\"a\"}"}`,
		`"type":"custom","custom":{"name":"ApplyPatch","input":""}`, `{"input":"*** a\n"}`, `{}tool_calls`, `"choices":[],"usage":{`, "[DONE]")
	var ids []string
	for _, rest := range strings.Split(got.body, `"id":"call_`)[1:] {
		id, _, _ := strings.Cut(rest, `"`)
		ids = append(ids, "call_"+id)
	}
	if len(ids) != 2 {
		t.Fatalf("the calls %q in %s", ids, got.body)
	}
	got = r.do("POST", completions, `{`+fields+`,"input":[`+opening+
		`,{"type":"function_call","call_id":"`+ids[0]+`","name":"read","arguments":"{\"path\":\"a\"}"},{"type":"custom_tool_call","call_id":"`+ids[1]+`","name":"ApplyPatch","input":"*** a\n"}`+
		`,{"type":"function_call_output","call_id":"`+ids[0]+`","output":"A"},{"type":"custom_tool_call_output","call_id":"`+ids[1]+`","output":"ok"}]}`)
	has(t, deltas(t, got.body), `{"content":"done"}`, `{}stop`)
	if n := len(r.fake.Refusals()); n != 0 {
		t.Errorf("%d refusals: %+v", n, r.fake.Refusals())
	}
	f := func(body, want string) {
		t.Helper()
		if got := r.do("POST", completions, body); got.status != 400 || !strings.Contains(got.body, `"param":"`+want+`"`) {
			t.Errorf("%s: %d %s", body, got.status, got.body)
		}
	}
	f(`{"model":"g","input":[{"role":"user"}]}`, "input.0.content")
	f(`{"model":"g","input":[],"messages":[]}`, "input")
	f(`{"model":"g","input":"x","messages":[{"role":"user"}]}`, "messages.0.content")
	f(`{"model":"g","input":null}`, "messages")
	f(`{"model":"g","input":"x","messages":[{"role":"user","content":"x"}],"n":2}`, "n")
}
