package proxy

import (
	"strings"
	"testing"
)

// What an answer is without is named in a header and in the log.
func TestLeftOut(t *testing.T) {
	r := start(t, "a", nil)
	f := func(path, body, want string) {
		t.Helper()
		got := r.do("POST", path, body)
		if header := got.header.Get("x-gca-left-out"); got.status != 200 || header != want {
			t.Errorf("%s %s: %d, left out %q", path, body, got.status, header)
		}
		if want != "" {
			has(t, r.log.String(), `"left_out":"`+want+`"`)
		}
	}
	anthropic := func(fields, want string) {
		t.Helper()
		f(messages, `{"model":"claude-sonnet-4-5","max_tokens":9,"messages":[{"role":"user","content":"hi"}],`+fields+`}`, want)
	}
	anthropic(`"mcp_servers":[{"type":"url","url":"https://example.com","name":"x"}],"container":"c1","tools":[{"type":"mcp_toolset","mcp_server_name":"x"}]`,
		"mcp_servers, container, mcp_toolset")
	anthropic(`"mcp_servers":[],"container":null,"context_management":{"edits":[]}`, "")
	anthropic(`"tools":[{"type":"bad\r\nx-evil: 1`+strings.Repeat("y", 100)+`","name":"x"}]`, "badx-evil1"+strings.Repeat("y", 50))
	anthropic(`"stream":true,"tools":[{"type":"advisor_20260301","name":"advisor"}]`, "advisor_20260301")

	chat := func(fields, want string) {
		t.Helper()
		f(completions, `{"model":"gpt-5","messages":[{"role":"user","content":"hi"}],`+fields+`}`, want)
	}
	chat(`"logprobs":true,"top_logprobs":2,"logit_bias":{"1":5},"presence_penalty":0.5,"store":false`, "logprobs, top_logprobs, logit_bias, presence_penalty")
	chat(`"logprobs":false,"top_logprobs":null,"logit_bias":{},"presence_penalty":0,"frequency_penalty":0,"store":false`, "")
	f(completions, `{"model":"gemini-2.5-flash","messages":[{"role":"user","content":"hi"}],"web_search_options":{},"tools":[{"type":"function","function":{"name":"f"}}]}`, "web_search")

	chat(`"prediction":{"type":"content","content":"x"},"modalities":["text","audio"]`, "prediction, modalities.audio")
	chat(`"prediction":null,"modalities":["text"],"verbosity":"low"`, "")
	chat(`"google":{"thinking_config":{"thinking_level":"gigantic"}}`, "thinking_level")
	f(replies, `{"model":"gpt-5","input":"hi","max_tool_calls":3,"truncation":"auto"}`, "max_tool_calls, truncation")
	f(replies, `{"model":"gpt-5","input":"hi","max_tool_calls":null,"truncation":"disabled","text":{"verbosity":"low"}}`, "")
	has(t, r.do("POST", replies, `{"model":"gpt-5","input":"hi","truncation":"auto"}`).body, `"truncation":"auto"`)
	has(t, r.do("POST", replies, `{"model":"gpt-5","input":"hi","truncation":null}`).body, `"truncation":"disabled"`)
	f(replies, `{"model":"gpt-5","input":"hi","store":true,"tools":[{"type":"file_search","vector_store_ids":["v"]},{"type":"mcp","server_label":"s"},{"type":"web_search"}]}`,
		"store, file_search, mcp")
}
