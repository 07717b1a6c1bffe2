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

	head := `{"model":"claude-sonnet-4-5","max_tokens":9,`
	image := `{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}}`
	paper := `{"type":"document","source":{"type":"text","media_type":"text/plain","data":"x"},"citations":{"enabled":true}}`
	f(messages, head+`"system":[{"type":"text","text":"be"},`+image+`],"messages":[{"role":"user","content":"hi"}]}`, "system.image")
	f(messages, head+`"messages":[{"role":"user","content":[`+paper+`,{"type":"container_upload","file_id":"f"}]}]}`, "citations, container_upload")
	f(messages, head+`"messages":[{"role":"user","content":[{"type":"text","text":"x","citations":[]},`+strings.Replace(paper, "true", "false", 1)+`]}]}`, "")
	f(messages, head+`"messages":[{"role":"user","content":"q"},{"role":"assistant","content":[{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{"query":"x"}},`+
		`{"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[{"type":"web_search_result","url":"https://a","title":"A","encrypted_content":"e"}]},`+
		`{"type":"text","text":"a","citations":[{"type":"web_search_result_location","url":"u","title":"t","encrypted_index":"i","cited_text":"c"}]}]},{"role":"user","content":"hi"}]}`, "")
	film := `{"type":"video_url","video_url":{"url":"https://example.com/a.mp4"}}`
	f(completions, `{"model":"gpt-5","messages":[{"role":"user","content":[{"type":"text","text":"x"},`+film+`]}]}`, "video_url")
	f(replies, `{"model":"gpt-5","input":[{"role":"user","content":[{"type":"input_text","text":"x"},`+strings.Replace(film, "video_url", "input_video", 1)+`]}]}`, "input_video")

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
