package responses

import (
	"bytes"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/front/fronttest"
)

func TestDecodeGolden(t *testing.T) { fronttest.GoldenDecode(t, Codec{}) }

func TestDecodeAgain(t *testing.T) { fronttest.DecodeAgain(t, Codec{}, New()) }

// prepared is the request that goes to Google.
func prepared(t *testing.T, body string) string {
	t.Helper()
	return string(fronttest.Decode(t, Codec{}, fronttest.Target, body).Request.AppendJSON(nil))
}

// refused checks that a body is refused with the field at fault and words on what was expected.
func refused(t *testing.T, body, param, problem string) {
	t.Helper()
	_, err := Codec{}.Decode([]byte(body))
	if err == nil {
		t.Errorf("%s is taken", body)
		return
	}
	e := front.AsError(err)
	if status, _ := (Codec{}).Error(e, "req"); status != 400 || e.Param != param || !strings.Contains(e.Message, problem) {
		t.Errorf("%s is refused with %d %q: %s", body, status, e.Param, e.Message)
	}
}

func TestBadInput(t *testing.T) {
	f := func(body, param, problem string) { t.Helper(); refused(t, body, param, problem) }
	in := func(item string) string { return `{"model":"m","input":[` + item + `]}` }
	content := func(part string) string { return in(`{"role":"user","content":[` + part + `]}`) }

	f(``, "", "empty")
	f(`[]`, "", "expected an object")
	f(`{"input":"hi"}`, "model", "expected the name of a model")
	f(`{"model":7,"input":"hi"}`, "model", "expected a string")
	f(`{"model":"m"}`, "input", "expected a string or an array with at least one item")
	f(`{"model":"m","input":[]}`, "input", "expected a string or an array with at least one item")
	f(`{"model":"m","input":""}`, "input", "expected at least one item with content")
	f(`{"model":"m","input":7}`, "input", "expected a string or an array of items")
	f(in(`7`), "input.0", "expected an input item")
	f(in(`null`), "input.0", "expected an input item")
	f(in(`{}`), "input.0.type", "expected the type of the item")
	f(in(`{"type":7,"role":"user"}`), "input.0.type", "expected a string")
	f(in(`{"role":"tool","content":"x"}`), "input.0.role", "expected system, developer, user or assistant")
	f(in(`{"role":"user"}`), "input.0.content", "expected a string or an array of parts")
	f(in(`{"role":"user","content":{}}`), "input.0.content", "expected a string or an array of parts")
	f(content(`7`), "input.0.content.0", "expected a content part")
	f(content(`{"text":"x"}`), "input.0.content.0.type", "expected the type of the part")
	f(content(`{"type":"input_text"}`), "input.0.content.0.text", "expected a string")
	f(content(`{"type":"input_text","text":7}`), "input.0.content.0.text", "expected a string")
	f(content(`{"type":"input_image"}`), "input.0.content.0.image_url", "expected a data URL or an address")
	f(content(`{"type":"input_image","file_id":"file-1"}`), "input.0.content.0.file_id", "file references are not supported")
	f(content(`{"type":"input_image","image_url":"ftp://a/b.png"}`), "input.0.content.0.image_url", "expected a data URL")
	f(content(`{"type":"input_image","image_url":"data:image/png;base64,%"}`), "input.0.content.0.image_url", "expected base64")
	f(content(`{"type":"input_file","file_id":"file-1"}`), "input.0.content.0.file_id", "file references are not supported")
	f(content(`{"type":"input_file","filename":"a"}`), "input.0.content.0.file_data", "expected a data URL")
	f(content(`{"type":"input_file","file_url":"file:///etc/passwd"}`), "input.0.content.0.file_url", "expected a data URL")
	f(content(`{"type":"input_audio","input_audio":{"data":"AAAA"}}`), "input.0.content.0.input_audio", "expected data and format")
	f(in(`{"type":"function_call","name":"f"}`), "input.0.call_id", "expected the id of the call")
	f(in(`{"type":"function_call","call_id":"c"}`), "input.0.name", "expected the name of the function")
	f(in(`{"type":"function_call","call_id":"c","name":7}`), "input.0.name", "expected a string")
	f(in(`{"type":"function_call_output","output":"x"}`), "input.0.call_id", "expected the id of the call")
	f(in(`{"type":"function_call_output","call_id":"c"}`), "input.0.output", "expected a string or an array of parts")
	f(in(`{"type":"custom_tool_call","call_id":"c","name":"x","input":{}}`), "input.0.input", "expected a string")
	f(in(`{"type":"local_shell_call","action":{}}`), "input.0.call_id", "expected the id of the call")
	f(in(`{"type":"item_reference","id":"msg_1"}`), "input.0", "nothing is stored here")
	f(in(`{"id":"fc_1"}`), "input.0", "nothing is stored here")

}

func TestBadFields(t *testing.T) {
	f := func(field, param, problem string) {
		t.Helper()
		refused(t, `{"model":"m","input":"hi",`+field+`}`, param, problem)
	}
	f(`"tools":{}`, "tools", "expected an array of tools")
	f(`"tools":[7]`, "tools.0", "expected a tool object")
	f(`"tools":[{}]`, "tools.0.type", "expected the type of the tool")
	f(`"tools":[{"name":"f"}]`, "tools.0.type", "expected the type of the tool")
	f(`"text":{"format":{"type":"json_schema","schema":{}}}`, "text.format.name", "expected the name of the schema")
	f(`"tools":[{"type":"function","function":{"name":"chat"}}]`, "tools.0.name", "expected the name of the function")
	f(`"tools":[{"type":"function","name":"f","parameters":[]}]`, "tools.0.parameters", "expected a JSON Schema object")
	f(`"tools":[{"type":"namespace","name":"n","tools":[{"type":"function"}]}]`, "tools.0.tools.0.name", "expected the name")
	f(`"tool_choice":"any"`, "tool_choice", "expected none, auto, required or an object")
	f(`"tool_choice":{"type":"function"}`, "tool_choice", "expected the name of a tool")
	f(`"tool_choice":{"type":"function","name":"g"}`, "tool_choice", `no tool named "g" is declared`)
	f(`"tool_choice":{"type":"allowed_tools","mode":"auto"}`, "tool_choice", "expected the name of a tool")
	f(`"reasoning":"high"`, "reasoning", "expected an object")
	f(`"text":{"format":{"type":"xml"}}`, "text.format.type", "expected text, json_object or json_schema")
	f(`"text":{"format":{"type":"json_schema","name":"n"}}`, "text.format.schema", "expected a JSON Schema object")
	f(`"max_output_tokens":0`, "max_output_tokens", "expected 1 or more")
	f(`"temperature":3`, "temperature", "expected 0 to 2")
	f(`"top_p":"x"`, "top_p", "expected a number")
	f(`"stream":"yes"`, "stream", "expected true or false")
	f(`"background":true`, "background", "expected false")
	f(`"prompt":{"id":"pmpt_1"}`, "prompt", "not stored here")
	f(`"previous_response_id":"resp_1"`, "previous_response_id", "Previous response with id 'resp_1' not found")
	f(`"conversation":{"id":"conv_1"}`, "conversation", "Conversation with id 'conv_1' not found")
	f(`"conversation":"conv_1"`, "conversation", "Conversation with id 'conv_1' not found")
}

// TestLeniently: what means nothing here, whatever its shape, does not stand in the way.
func TestLeniently(t *testing.T) {
	f := func(body string) {
		t.Helper()
		if _, err := (Codec{}).Decode([]byte(body)); err != nil {
			t.Errorf("%s is refused: %v", body, err)
		}
	}
	f(`{"model":"m","input":"hi","store":true,"previous_response_id":null,"conversation":null,"background":false,"truncation":"auto",` +
		`"service_tier":"flex","max_tool_calls":3,"text":{"verbosity":"low"},"stream_options":{"include_obfuscation":true},"context_management":[7],` +
		`"reasoning":null,"tools":null,"tool_choice":null,"include":null,"metadata":{"a":"b"},"unheard_of":{"a":[1]}}`)
	f(`{"model":"m","input":[{"role":"user","content":"hi"},{"type":"image_generation_call","id":7,"result":{}},{"type":"mcp_call","output":{"a":1},"name":7},` +
		`{"type":"item_reference","id":"rs_1"},{"type":"code_interpreter_call","outputs":[{"logs":7}]},{"type":"compaction","encrypted_content":"x"},` +
		`{"type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"x"}],"encrypted_content":"of another server"},` +
		`{"type":"reasoning","encrypted_content":7,"content":7}]}`)
	f(`{"model":"m","input":"hi","tools":[{"type":"mcp","server_label":"x","require_approval":{"a":1}},{"type":"file_search","vector_store_ids":["v"]},` +
		`{"type":"image_generation"},{"type":"tool_search","execution":"client"},{"type":"computer_use_preview","environment":"browser"},` +
		`{"type":"code_interpreter","container":{"type":"auto"}},{"type":"shell","environment":{"type":"container_auto"}},` +
		`{"type":"function","name":"f","parameters":null,"strict":null,"defer_loading":true},{"type":"namespace","name":"n","tools":null}]}`)
	f(`{"model":"m","input":"hi","tools":[{"type":"web_search"}],"tool_choice":{"type":"web_search_preview"}}`)
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"model":"m","input":"hi"}`))
	f.Add([]byte(`{"model":"m","instructions":"be","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"\ud800"},` +
		`{"type":"input_image","image_url":"data:image/png;base64,iVBORw==","detail":"low"},{"type":"input_file","file_url":"https://a/b.pdf"}]},` +
		`{"type":"reasoning","encrypted_content":"gca1.eyJtIjoiZyJ9"},{"type":"function_call","call_id":"c","name":"f","arguments":"{"},` +
		`{"type":"function_call_output","call_id":"c","output":[{"type":"input_text","text":"x"}]}]}`))
	f.Add([]byte(`{"model":"m","input":[{"type":"custom_tool_call","call_id":"c","name":"p","input":"x\ny"},{"type":"custom_tool_call_output","call_id":"c","output":"x"},` +
		`{"type":"local_shell_call","id":"l","action":{"type":"exec","command":["a"]}},{"type":"local_shell_call_output","id":"l","output":"{}"},` +
		`{"type":"shell_call","call_id":"s","action":{}},{"type":"shell_call_output","call_id":"s","output":[{"stdout":"x","outcome":{"type":"timeout"}}]},` +
		`{"type":"apply_patch_call","call_id":"a","operation":{}},{"type":"apply_patch_call_output","call_id":"a","status":"failed"}]}`))
	f.Add([]byte(`{"model":"m","input":"hi","tools":[{"type":"namespace","name":"n","tools":[{"type":"custom","name":"f","format":{"type":"grammar","syntax":"lark","definition":"s: X"}}]},` +
		`{"type":"shell"},{"type":"local_shell"},{"type":"apply_patch"},{"type":"web_search"}],"tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"shell"}]},` +
		`"text":{"format":{"type":"json_schema","schema":{}}},"reasoning":{"effort":"low","summary":"auto"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		call, err := Codec{}.Decode(bytes.Clone(body))
		if err != nil {
			if e := front.AsError(err); e.Kind != front.Invalid || e.Message == "" {
				t.Fatalf("refused as %+v", e)
			}
			return
		}
		for _, target := range []string{"gemini-2.5-flash", fronttest.Target} {
			if err := front.Prepare(call, target, nil); err != nil {
				continue // what does not go with the model
			}
			fronttest.Indent(t, call.Request.AppendJSON(nil))
			var e front.Encoder = Codec{}.Encoder(call, fronttest.Meta())
			checkBody(t, fronttest.Indent(t, endOf(e, call.Stream)))
		}
	})
}

// endOf is the response object of an answer without content.
func endOf(e front.Encoder, stream bool) []byte {
	out := e.End(nil)
	if stream {
		_, last, _ := strings.Cut(string(out[strings.LastIndex(string(out), "event: "):]), "data: ")
		return []byte(last)
	}
	return out
}

func TestTurnOf(t *testing.T) {
	f := func(id, want string) {
		t.Helper()
		if got := turnOf(id); got != want {
			t.Errorf("%q: %q", id, got)
		}
	}
	const turn = "aAzZ09aAzZ09aAzZ09aAzZ09"
	f("fc_"+turn+"0", turn)
	f("ctc_"+turn+"12", turn)
	f("fc_"+turn, "")
	f("fc_"+turn+"x", "")
	f("fc_1", "")
	f("call_"+turn, "")
	f("", "")
	f(turn+"0", "")
}
