package proxy

import (
	"strings"
	"testing"

	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

// Cases 31 to 59: what a request to Anthropic's API asks of Gemini.

// alike asks with each of the fields and wants Gemini to be asked the same.
func (r *rig) alike(fields ...string) {
	r.t.Helper()
	var first string
	for _, f := range fields {
		r.claude(opus, f)
		last, _ := r.fake.Last()
		if first == "" {
			first = string(last.Body)
		}
		same(r.t, string(last.Body), first)
	}
}

const twoTools = `"tools":[{"name":"a"},{"name":"b"}]`

func TestE031_StringAndBlocks(t *testing.T) {
	start(t, "a", nil).alike(`"messages":[{"role":"user","content":"hi \u00fc"}]`,
		`"messages":[{"role":"user","content":[{"type":"text","text":"hi \u00fc"}]}]`)
}

func TestE032_AttributionIsStripped(t *testing.T) {
	r := start(t, "a", nil)
	r.claude(opus, oneUser+`,"system":[{"type":"text","text":"x-anthropic-billing-header: cc_version=2; hash=1;"},{"type":"text","text":"one"},{"type":"text","text":"two","cache_control":{"type":"ephemeral"}}]`)
	same(t, history([]fg.Content{{Role: "system", Parts: r.asked().SystemInstruction.Parts}}), "s[one two]")
}

func TestE033_SystemMessageStaysInPlace(t *testing.T) {
	r := start(t, "a", nil)
	same(t, r.sent(opus, `"system":"S","messages":[{"role":"user","content":"q"},{"role":"system","content":"env"},{"role":"assistant","content":"a"},{"role":"user","content":"r"}]`),
		"u[q <system-message>\nenv\n</system-message>] m[a] u[r]")
}

func TestE034_UserMessagesInARow(t *testing.T) {
	r := start(t, "a", nil)
	same(t, r.sent(opus, `"messages":[{"role":"user","content":"q"},{"role":"user","content":"r"}]`), "u[q r]")
}

func TestE035_ResultsAndText(t *testing.T) {
	r := start(t, "a", nil)
	same(t, r.sent(opus, twoTools+`,"messages":[{"role":"user","content":"q"},{"role":"assistant","content":[{"type":"tool_use","id":"1","name":"a","input":{}},{"type":"tool_use","id":"2","name":"b","input":{"z":1,"a":2}}]},
		{"role":"user","content":[{"type":"tool_result","tool_use_id":"2","content":"B"},{"type":"tool_result","tool_use_id":"1","content":"A"},{"type":"text","text":"more"}]}]`),
		`u[q] m[a({}) b({"z":1,"a":2})] u[a={"output":"A"} b={"output":"B"}] u[more]`)
}

func TestE036_CallWithoutResult(t *testing.T) {
	r := start(t, "a", nil)
	same(t, r.sent(opus, twoTools+`,"messages":[{"role":"user","content":"q"},{"role":"assistant","content":[{"type":"tool_use","id":"1","name":"a","input":{}}]},{"role":"user","content":"stop"}]`),
		`u[q] m[a({})] u[a={"error":"Tool call was interrupted; no result."}] u[stop]`)
}

func TestE037_ResultWithoutCall(t *testing.T) {
	r := start(t, "a", nil)
	same(t, r.sent(opus, `"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"zz","content":"R"},{"type":"text","text":"q"}]}]`), "u[[tool result zz] R q]")
	// a second result of one call is kept as text too
	same(t, r.sent(opus, twoTools+`,"messages":[{"role":"user","content":"q"},{"role":"assistant","content":[{"type":"tool_use","id":"1","name":"a","input":{}}]},
		{"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":"A"},{"type":"tool_result","tool_use_id":"1","content":"B"}]}]`),
		`u[q] m[a({})] u[a={"output":"A"}] u[[tool result 1] B]`)
}

// resultOf is a conversation whose last message is the result of the call 1.
func resultOf(fields string) string {
	return twoTools + `,"messages":[{"role":"user","content":"q"},{"role":"assistant","content":[{"type":"tool_use","id":"1","name":"a","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"1"` + fields + `}]}]`
}

func TestE038_Errors(t *testing.T) {
	r := start(t, "a", nil)
	same(t, r.sent(opus, resultOf(`,"is_error":true,"content":"Exit code 3"`)), `u[q] m[a({})<dummy>] u[a={"error":"Exit code 3"}]`)
	same(t, r.sent(opus, resultOf(`,"is_error":false,"content":"{\"json\":1}"`)), `u[q] m[a({})<dummy>] u[a={"output":"{\"json\":1}"}]`)
}

func TestE039_ImageInAResult(t *testing.T) {
	r := start(t, "a", nil)
	fields := resultOf(`,"content":[{"type":"text","text":"a picture"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw=="}}]`)
	same(t, r.sent(opus, fields), `u[q] m[a({})<dummy>] u[a={"output":"a picture"}*image/png]`)
	same(t, r.sent(flash25, fields), `u[q] m[a({})] u[a={"output":"a picture"}] u[[image from tool a] *image/png]`)
}

func TestE040_EmptyResults(t *testing.T) {
	r := start(t, "a", nil)
	for _, content := range []string{``, `,"content":""`, `,"content":[]`, `,"content":null`} {
		same(t, r.sent(opus, resultOf(content)), `u[q] m[a({})<dummy>] u[a={"output":""}]`)
	}
}

func TestE043_ForeignThinkingIsDropped(t *testing.T) {
	r := start(t, "a", nil)
	same(t, r.sent(opus, `"messages":[{"role":"user","content":"q"},{"role":"assistant","content":[{"type":"thinking","thinking":"secret","signature":"EqQBCkYIBxgCKkD"},{"type":"text","text":"a"}]},{"role":"user","content":"r"}]`), "u[q] m[a] u[r]")
}

func TestE044_EnvelopeGivesTheSignature(t *testing.T) {
	r := start(t, "a", nil)
	r.fake.Enqueue(fg.Reply(fg.Thought("hm"), fg.Calls(fg.Call("a", `{}`), fg.Call("b", `{}`))))
	answer := message(t, r.claude(opus, twoTools+`,"thinking":{"type":"adaptive"},`+oneUser).body)
	same(t, kinds(answer), "thinking tool_use tool_use")
	other := startAt(t, r.fake, r.cfg.BaseURL.String(), "a", nil) // which remembers nothing
	same(t, other.sent(opus, twoTools+`,"messages":[{"role":"user","content":"q"},`+sentBack(t, answer)+`]`),
		`u[q] m[a({})<real> b({})] u[a={"error":"Tool call was interrupted; no result."} b={"error":"Tool call was interrupted; no result."}]`)
}

func TestE045_RedactedAndUnknownBlocks(t *testing.T) {
	r := start(t, "a", nil)
	same(t, r.sent(opus, `"messages":[{"role":"user","content":[{"type":"container_upload","file_id":"f"},{"type":"from_the_future","text":"seen"},{"type":"text","text":"q"}]},{"role":"assistant","content":[{"type":"redacted_thinking","data":"xx"},{"type":"mcp_tool_listing","x":[1]},{"type":"compaction","content":"short"},{"type":"text","text":"a"}]},{"role":"user","content":"r"}]`),
		"u[seen q] m[short a] u[r]")
	same(t, r.sent(opus, `"messages":[{"role":"user","content":[{"type":"news","id":7,"name":{},"text":["x"],"source":{"type":1,"url":[]},"title":0,"is_error":"no","content":[5,{"a":1},{"type":"text"},{"type":"text","text":"seen"}]},{"type":"text","text":"q"}]}]`),
		"u[seen q]")
}

func TestE046_WhatHasNoCounterpart(t *testing.T) {
	r := start(t, "a", nil)
	r.alike(`"system":"S","tools":[{"name":"a"}],`+oneUser,
		`"system":[{"type":"text","text":"S","cache_control":{"type":"ephemeral","ttl":"1h"}}],"tools":[{"type":"custom","name":"a","cache_control":{"type":"ephemeral"},"eager_input_streaming":true,"allowed_callers":["direct"],"input_examples":[{}]}],
		"messages":[{"role":"user","content":[{"type":"text","text":"q","cache_control":{"type":"ephemeral"},"citations":null}]}],"context_management":{"edits":[{"type":"clear_thinking_20251015","keep":"all"}]},
		"metadata":{"user_id":"{\"device_id\":\"d\"}"},"service_tier":"auto","speed":"fast","container":null,"inference_geo":"eu","cache_control":{"type":"ephemeral"},"diagnostics":{"previous_message_id":"m"},
		"mcp_servers":[{"name":"x"}],"fallbacks":["m"],"output_config":{"task_budget":{"x":1},"effort":"from_the_future"},"unknown":{"deep":[1]}`,
		`"system":"S","tools":[{"name":"a"}],"metadata":"odd","fallback_credit_token":1,"compaction":true,`+oneUser)
	got := r.do("POST", messages, ask(messages, false), "x-api-key", testToken, "anthropic-beta", "a-2026-01-01,b-2031-12-31", "anthropic-version", "9999-01-01")
	if got.status != 200 {
		t.Errorf("unknown betas: %d %s", got.status, got.body)
	}
}

func TestE049_ToolChoice(t *testing.T) {
	r := start(t, "a", nil)
	f := func(fields, want string) {
		t.Helper()
		r.claude(opus, fields+oneUser)
		config := "none at all"
		if c := r.asked().ToolConfig; c != nil {
			config = string(c.FunctionCallingConfig.Mode) + strings.Join(c.FunctionCallingConfig.AllowedFunctionNames, ",")
		}
		same(t, config, want)
	}
	f(twoTools+`,"tool_choice":{"type":"any"},`, "ANY")
	f(twoTools+`,"tool_choice":{"type":"tool","name":"b"},`, "ANYb")
	f(twoTools+`,"tool_choice":{"type":"none"},`, "NONE")
	f(twoTools+`,"tool_choice":{"type":"auto"},`, "AUTO")
	f(twoTools+`,`, "none at all")
	f(`"tools":[],"tool_choice":{"type":"any"},`, "none at all")
	f(`"tool_choice":{"type":"auto"},`, "none at all")
}

func TestE050_ClientTools(t *testing.T) {
	r := start(t, "a", nil)
	r.claude(opus, `"tools":[{"type":"bash_20250124","name":"bash"},{"type":"text_editor_20250728","name":"str_replace_based_edit_tool","max_characters":10},{"type":"memory_20250818","name":"memory"},
		{"type":"computer_20251124","name":"computer","display_width_px":1024,"display_height_px":768},{"type":"advisor_20260301","name":"advisor"},{"type":"mcp_toolset","mcp_server_name":"x"}],`+oneUser)
	tools := r.asked().Tools
	if len(tools) != 1 {
		t.Fatalf("%+v", tools)
	}
	var names []string
	for _, d := range tools[0].FunctionDeclarations {
		names = append(names, d.Name)
	}
	same(t, strings.Join(names, " "), "bash str_replace_based_edit_tool memory computer")
	schemas := string(r.fake.Requests()[0].Body)
	has(t, schemas, `"restart"`, `"insert_text"`, `"old_path"`, `"zoom"`, "1024 × 768")
	hasNot(t, schemas, "undo_edit", "advisor")
}

func TestE051_WebSearch(t *testing.T) {
	r := start(t, "a", nil)
	search := `{"type":"web_search_20250305","name":"web_search","max_uses":8}`
	f := func(model, tools string, google, functions, flag bool) {
		t.Helper()
		r.claude(model, `"tools":[`+tools+`],`+oneUser)
		got := [3]bool{}
		for _, tool := range r.asked().Tools {
			got[0] = got[0] || tool.GoogleSearch != nil
			got[1] = got[1] || len(tool.FunctionDeclarations) > 0
		}
		c := r.asked().ToolConfig
		if got[2] = c != nil && c.IncludeServerSideToolInvocations; got != [3]bool{google, functions, flag} {
			t.Errorf("%s, %s: search, functions, flag are %v", model, tools, got)
		}
	}
	f(opus, search, true, false, false)
	f(flash25, search, true, false, false)
	f(opus, search+`,{"name":"a"}`, true, true, true)
	f(flash25, search+`,{"name":"a"}`, false, true, false)
}

func TestE057_Prefill(t *testing.T) {
	r := start(t, "a", nil)
	const fields = `"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"{\"a\":"}]`
	same(t, r.sent(opus, fields), `u[q] m[{"a":] u[Continue exactly from where the previous message ended, without repeating it.]`)
	same(t, r.sent(flash25, fields), `u[q] m[{"a":]`)
}

func TestE058_WhatIsMissing(t *testing.T) {
	r := start(t, "a", nil)
	f := func(body, want string) {
		t.Helper()
		got := r.do("POST", messages, body)
		if got.status != 400 || !strings.HasPrefix(got.body, `{"type":"error","error":{"type":"invalid_request_error","message":"`+want) {
			t.Errorf("%s: %d %s", body, got.status, got.body)
		}
		has(t, got.body, `"request_id":"`+got.header.Get("request-id")+`"`)
	}
	f(`{"model":"claude-x",`+oneUser+`}`, "max_tokens: ")
	f(`{"model":"claude-x","max_tokens":9,"messages":[]}`, "messages: ")
	f(`{"model":"claude-x","max_tokens":9}`, "messages: ")
	f(`{"max_tokens":9,`+oneUser+`}`, "model: ")
	f(`{"model":"claude-x","max_tokens":"9",`+oneUser+`}`, "max_tokens: expected a whole number")
	f(`{"model":"claude-x","max_tokens":9,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"file","file_id":"f"}}]}]}`, "messages.0.content.0.source.file_id: ")
	if len(r.fake.Requests()) != 0 {
		t.Error("Gemini was asked")
	}
}

func TestE059_ToolsOfTheHistoryAlone(t *testing.T) {
	r := start(t, "a", nil)
	fields := strings.Replace(resultOf(`,"content":"A"`), twoTools+",", "", 1)
	same(t, r.sent(opus, fields), `u[q] m[a({})<dummy>] u[a={"output":"A"}]`)
	req := r.asked()
	if len(req.Tools) != 1 || req.Tools[0].FunctionDeclarations[0].Name != "a" || req.ToolConfig.FunctionCallingConfig.Mode != "NONE" {
		t.Errorf("%+v, %+v", req.Tools, req.ToolConfig)
	}
}

// A budget may exceed an answer's limit where the model may think between calls, which clients say in a header.
func TestBudgetsOverManyCalls(t *testing.T) {
	r := start(t, "a", nil)
	body := `{"model":"` + opus + `","max_tokens":2000,"thinking":{"type":"enabled","budget_tokens":2000},` + oneUser + `}`
	f := func(status int, header ...string) {
		t.Helper()
		got := r.do("POST", messages, body, append(header, "x-api-key", testToken)...)
		if got.status != status {
			t.Errorf("%v: %d %s", header, got.status, got.body)
		}
	}
	f(400)
	f(400, "anthropic-beta", "claude-code-20250219")
	f(200, "anthropic-beta", "claude-code-20250219,interleaved-thinking-2025-05-14")
}
