package proxy

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

// Cases 116 to 140 as far as they are about Anthropic's protocol: what was measured of Claude Code and of the SDKs.

const (
	attributed = `"system":[{"type":"text","text":"x-anthropic-billing-header: cc_version=2.1.330.%s; cc_entrypoint=cli;"},{"type":"text","text":"S"%s}],`
	cached     = `,"cache_control":{"type":"ephemeral"}`
)

// body is what Gemini was asked last, byte for byte.
func (r *rig) body() []byte {
	r.t.Helper()
	last, ok := r.fake.Last()
	if !ok {
		r.t.Fatal("Gemini was not asked")
	}
	return last.Body
}

func TestE116_SystemAsSecondMessage(t *testing.T) {
	r := start(t, "a", nil)
	first := `"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]},{"role":"system","content":[{"type":"text","text":"env"` + cached + `}]}]`
	same(t, r.sent(opus, first), "u[hi <system-message>\nenv\n</system-message>]")
	contents, _, found := bytes.Cut(r.body(), []byte(`]}]`)) // the end of the last parts
	same(t, r.sent(opus, `"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]},{"role":"system","content":"env"},{"role":"assistant","content":"a"},{"role":"user","content":[{"type":"text","text":"b"`+cached+`}]}]`),
		"u[hi <system-message>\nenv\n</system-message>] m[a] u[b]")
	if !found || !bytes.HasPrefix(r.body(), contents) {
		t.Errorf("turn 1 is no prefix of turn 2:\n%s\n%s", contents, r.body())
	}
}

func TestE117_HashAndCacheControl(t *testing.T) {
	r := start(t, "a", nil)
	message := `"messages":[{"role":"user","content":[{"type":"text","text":"hi"%s}]}],"tools":[{"name":"a"%s}]`
	r.alike(fmt.Sprintf(attributed, "aaa", cached)+fmt.Sprintf(message, "", ""),
		fmt.Sprintf(attributed, "bbb", "")+fmt.Sprintf(message, cached, cached))
}

func TestE119_ToolReferences(t *testing.T) {
	r := start(t, "a", nil)
	fields := `"tools":[{"name":"ToolSearch"},{"name":"WebFetch","defer_loading":true},{"name":"Read"},{"name":"WebSearch","defer_loading":true}],"messages":[{"role":"user","content":"q"},
		{"role":"assistant","content":[{"type":"tool_use","id":"1","name":"ToolSearch","input":{"query":"select:WebFetch,WebSearch","max_results":5}}]},
		{"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":[{"type":"tool_reference","tool_name":"WebFetch"},{"type":"tool_reference","tool_name":"WebSearch"}]},{"type":"text","text":"Tool loaded."}]}]`
	same(t, r.sent(opus, fields), `u[q] m[ToolSearch({"query":"select:WebFetch,WebSearch","max_results":5})] u[ToolSearch={"output":"Loaded tool: WebFetch\nLoaded tool: WebSearch"}] u[Tool loaded.]`)
	if n := len(r.asked().Tools[0].FunctionDeclarations); n != 4 || len(r.fake.Refusals()) != 0 {
		t.Errorf("%d tools, refused: %+v", n, r.fake.Refusals())
	}
}

func TestE120_ResultsInAnyOrder(t *testing.T) {
	r := start(t, "a", nil)
	call := func(id string) string {
		return `{"type":"tool_use","id":"` + id + `","name":"a","input":{"n":` + id + `}}`
	}
	same(t, r.sent(opus, twoTools+`,"messages":[{"role":"user","content":"q"},{"role":"assistant","content":[`+call("0")+","+call("1")+","+call("2")+`]},
		{"role":"user","content":[{"tool_use_id":"2","content":"two","type":"tool_result"},{"is_error":true,"type":"tool_result","content":[{"text":"one","type":"text"}],"tool_use_id":"1"},{"type":"tool_result","content":"zero","tool_use_id":"0","cache_control":{"type":"ephemeral"}}]}]`),
		`u[q] m[a({"n":0})<dummy> a({"n":1}) a({"n":2})] u[a={"output":"zero"} a={"error":"one"} a={"output":"two"}]`)
}

func TestE121_RebuiltInput(t *testing.T) {
	for _, thinking := range []string{thinks, ""} {
		r := start(t, "a", nil)
		r.fake.Enqueue(fg.Reply(fg.Calls(fg.Call("a", `{"file":"x","old":"y"}`))))
		m := message(t, r.claude(opus, twoTools+`,`+thinking+oneUser).body)
		sent := strings.Replace(sentBack(t, m), `{"file":"x","old":"y"}`, `{"replace_all":false,"old":"y","file":"x"}`, 1)
		has(t, r.sent(opus, twoTools+`,"messages":[{"role":"user","content":"q"},`+sent+`]`), `m[a({"replace_all":false,"old":"y","file":"x"})<real>]`)
	}
}

func TestE125_Title(t *testing.T) {
	r := start(t, "a", nil)
	got := r.claude(opus, streams+`"tools":[],"system":[{"type":"text","text":"Title"}],"output_config":{"effort":"low","format":{"type":"json_schema","schema":{"type":"object","properties":{"title":{"type":"string"}},"required":["title"],"additionalProperties":false}}},`+oneUser)
	req := r.asked()
	if req.GenerationConfig.ResponseMimeType != "application/json" || len(req.GenerationConfig.ResponseJSONSchema) == 0 || req.Tools != nil || req.ToolConfig != nil {
		t.Errorf("%s", r.body())
	}
	if m := message(t, got.body); kinds(m) != "text" || !strings.HasPrefix(m.Content[0].Text, `{"title":`) {
		t.Errorf("%s", got.body)
	}
}

func TestE126_WebSearchOfItsOwn(t *testing.T) {
	r := start(t, "a", nil)
	const text = "Go 1.26 is 快."
	grounded := fg.Reply(fg.Text(text).Grounded(fg.Grounding{Queries: []string{"go", "go 1.26"},
		Sources: []fg.GroundingSource{fg.Web("go.dev", "https://go.dev/"), fg.Web("", "https://blog.example/x")}, Supports: []fg.Support{fg.Supports(text, "快", 1)}}))
	_, streamed, whole := r.answers(`"tools":[{"type":"web_search_20250305","name":"web_search","max_uses":8}],"tool_choice":{"type":"auto"},`+oneUser, grounded)
	for _, q := range r.fake.Requests() {
		if q.Request.ToolConfig != nil || len(q.Request.Tools) != 1 || q.Request.Tools[0].GoogleSearch == nil {
			t.Errorf("%s", q.Body)
		}
	}
	same(t, kinds(streamed), "text server_tool_use web_search_tool_result server_tool_use web_search_tool_result")
	same(t, kinds(whole), "server_tool_use web_search_tool_result server_tool_use web_search_tool_result text text text")
	for _, m := range []*anthropicMessage{streamed, whole} {
		var found, inputs []string
		for i, b := range m.Content {
			if b.Type == "server_tool_use" {
				inputs = append(inputs, string(b.Input))
				if !strings.HasPrefix(b.ID, "srvtoolu_") || m.Content[i+1].ToolUseID != b.ID {
					t.Errorf("%s is answered under %s", b.ID, m.Content[i+1].ToolUseID)
				}
			}
			for _, item := range b.Content.OfWebSearchResultBlockArray {
				found = append(found, item.Title+" "+item.URL)
			}
			if raw := b.Content.RawJSON(); b.Type == "web_search_tool_result" && !strings.HasPrefix(raw, "[") {
				t.Errorf("content %s", raw)
			}
		}
		same(t, strings.Join(inputs, " "), `{"query":"go"} {"query":"go 1.26"}`)
		same(t, strings.Join(found, ", "), "go.dev https://go.dev/, blog.example https://blog.example/x")
		if n := m.Usage.ServerToolUse.WebSearchRequests; n != 2 || m.StopReason != "end_turn" {
			t.Errorf("%d searches, %s", n, m.StopReason)
		}
	}
	for _, m := range []*anthropicMessage{whole, streamed} {
		cited := m.Content[0]
		if m == whole {
			cited = m.Content[5]
		}
		if !strings.Contains(cited.Text, "快") || len(cited.Citations) != 1 || cited.Citations[0].URL != "https://blog.example/x" || cited.Citations[0].CitedText != "快" {
			t.Errorf("%s", cited.RawJSON())
		}
	}
}

func TestE129_ThinkingUpdates(t *testing.T) {
	r := start(t, "a", nil)
	r.fake.Respond(func(fg.Recorded) (fg.Answer, bool) { return fg.Reply(fg.Thought("hm"), fg.Text("Yes")), true })
	for _, display := range []string{`,"display":"updates"`, `,"display":"summarized"`, ``} {
		m := message(t, r.claude(opus, streams+`"thinking":{"type":"adaptive"`+display+`},`+oneUser).body)
		if kinds(m) != "thinking text" || m.Content[0].Thinking != "hm" {
			t.Errorf("%s: %s", display, m.RawJSON())
		}
	}
}

func TestE130_Safeguards(t *testing.T) {
	r := start(t, "a", nil)
	r.alike(oneUser, oneUser+`,"safeguards":[{"type":"dangerous_tool_use","classifier_context":{"cwd":"/"}}]`)
	for _, stream := range []string{streams, ""} {
		got := r.claude(opus, stream+oneUser+`,"safeguards":[{"type":"dangerous_tool_use"}]`)
		hasNot(t, got.body, "safeguard")
	}
}

func TestE131_Threads(t *testing.T) {
	r := start(t, "a", nil)
	for _, thread := range []string{`{"type":"create"}`, `{"type":"continue","previous_message_id":"msg_1"}`} {
		got := r.do("POST", messages, `{"model":"claude-x","max_tokens":9,"thread":`+thread+`,`+oneUser+`}`)
		if got.status != 400 {
			t.Errorf("%d", got.status)
		}
		has(t, got.body, `"type":"invalid_request_error"`, `"details":{"error_code":"thread_unsupported_request","unsupported":["thread"]}`)
	}
	if len(r.fake.Requests()) != 0 {
		t.Error("Gemini was asked")
	}
}

func TestE140_ClearAtAndInlineTools(t *testing.T) {
	r := start(t, "a", nil)
	turn := `{"role":"user","content":"q"},{"role":"system","content":"for now","clear_at":"next_user_message"},{"role":"system","content":[{"type":"text","text":"for good"},{"type":"tool_addition","tool":{"type":"tool_definition","definition":{"name":"late","input_schema":{"type":"object"}}}}],"clear_at":"never"}`
	same(t, r.sent(opus, `"messages":[`+turn+`]`), "u[q <system-message>\nfor now\n</system-message> <system-message>\nfor good\n</system-message>]")
	if tools := r.asked().Tools; len(tools) != 1 || tools[0].FunctionDeclarations[0].Name != "late" {
		t.Errorf("%+v", tools)
	}
	same(t, r.sent(opus, `"messages":[`+turn+`,{"role":"assistant","content":"a"},{"role":"user","content":"r"}]`), "u[q <system-message>\nfor good\n</system-message>] m[a] u[r]")
}
