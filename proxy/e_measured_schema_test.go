package proxy

import (
	"strings"
	"testing"

	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

// Cases 118, 122 to 124 and 136: tools and thinking as clients were seen to ask for them.

func (r *rig) toolNames() (names []string) {
	r.t.Helper()
	for _, d := range r.asked().Tools[0].FunctionDeclarations {
		names = append(names, d.Name)
	}
	return names
}

func TestE118_DeferredTools(t *testing.T) {
	r := start(t, "a", nil)
	r.claude(opus, `"tools":[{"name":"Write"},{"name":"WebFetch","defer_loading":true},{"name":"DeferredToolPlaceholder","defer_loading":true,"input_schema":{"type":"object","properties":{}}},{"name":"Agent"}],`+oneUser)
	same(t, strings.Join(r.toolNames(), " "), "Write WebFetch Agent")
}

func TestE122_LongNames(t *testing.T) {
	r := start(t, "a", nil)
	head := "mcp__server__" + strings.Repeat("x", 56)
	one, two := head+"1", head+"2" // 70 characters, of which 69 are equal
	tools := `"tools":[{"name":"` + one + `"},{"name":"` + two + `"}],"tool_choice":{"type":"tool","name":"` + two + `"},`
	r.fake.Respond(func(q fg.Recorded) (fg.Answer, bool) {
		return fg.Reply(fg.Calls(fg.Call(q.Request.Tools[0].FunctionDeclarations[1].Name, `{}`))), true
	})
	m := message(t, r.claude(opus, tools+oneUser).body)
	up := r.toolNames()
	if len(up[0]) > 64 || len(up[1]) > 64 || up[0] == up[1] {
		t.Errorf("Gemini got %q", up)
	}
	same(t, r.asked().ToolConfig.FunctionCallingConfig.AllowedFunctionNames[0], up[1])
	same(t, m.Content[0].Name, two)
	r.fake.Respond(nil)
	r.claude(opus, tools+`"messages":[{"role":"user","content":"q"},{"role":"assistant","content":[{"type":"tool_use","id":"`+m.Content[0].ID+`","name":"`+two+`","input":{}}]},
		{"role":"user","content":[{"type":"tool_result","tool_use_id":"`+m.Content[0].ID+`","content":"ok"}]}]`)
	same(t, history(r.asked().Contents), "u[q] m["+up[1]+"({})<real>] u["+up[1]+`={"output":"ok"}]`)
}

// The request with which Claude Code asks whether a command is safe must get its few words from every model.
func TestE123_SafetyCheck(t *testing.T) {
	r := start(t, "a", nil)
	system := strings.Repeat("the rules of the house, ", 140_000/24)
	for _, model := range fg.Models() {
		if model.Alias != "" || model.Methods != nil {
			continue
		}
		m := message(t, r.claude(model.ID, `"max_tokens":64,"thinking":{"type":"disabled"},"stop_sequences":["</severity>"],"system":"`+system+`",`+oneUser).body)
		if kinds(m) != "text" || strings.TrimSpace(m.Content[0].Text) == "" {
			t.Errorf("%s: %s", model.ID, m.RawJSON())
		}
		// where a model thinks whatever it is told, its thoughts have tokens of their own
		want, off := int32(64+2048), r.thought()
		if off == "0" || off == "none" {
			want = 64
		}
		if n := *r.asked().GenerationConfig.MaxOutputTokens; n != want {
			t.Errorf("%s: thinking %s, %d tokens were asked for", model.ID, off, n)
		}
	}
}

func TestE124_DisabledWinsOverEffort(t *testing.T) {
	r := start(t, "a", nil)
	f := func(model, want string) {
		t.Helper()
		r.claude(model, `"thinking":{"type":"disabled"},"output_config":{"effort":"high"},`+oneUser)
		same(t, r.thought(), want)
	}
	f("gemini-2.5-flash", "0")
	f("gemini-2.5-pro", "128")
	f("gemini-3.6-flash", "MINIMAL")
	f("gemini-3.8-flash", "LOW")
	f("gemini-4-neon", "LOW")
}

func TestE136_RefusedWithoutGoogleOrOnceByIt(t *testing.T) {
	r := start(t, "a", nil)
	f := func(path, body string) {
		t.Helper()
		if got := r.do("POST", path, body); got.status != 400 {
			t.Errorf("%s: %d %s", body, got.status, got.body)
		}
	}
	f(messages, `{"model":"`+opus+`",`+oneUser+`}`)
	f(messages, `{"model":"`+opus+`","max_tokens":9,"messages":[]}`)
	f(messages, `{"model":"`+opus+`","max_tokens":9,"thread":{"type":"create"},`+oneUser+`}`)
	f(messages, `{"model":"`+opus+`","max_tokens":9,"tools":[{"name":"a"}],"tool_choice":{"type":"tool","name":"b"},`+oneUser+`}`)
	f(completions, `{"model":"gpt-5","n":2,"messages":[{"role":"user","content":"q"}]}`)
	if n := len(r.fake.Requests()); n != 0 {
		t.Errorf("Gemini was asked %d times", n)
	}

	r.refusing(`* GenerateContentRequest.tools[0].function_declarations[0].parameters_json_schema.properties[p]: not supported`,
		func(q *fg.GenerateContentRequest) bool {
			return q.Tools[0].FunctionDeclarations[0].ParametersJSONSchema != nil
		})
	const tools = `"tools":[{"name":"a","input_schema":{"type":"object","properties":{"p":{"type":["string","null"]}}}}],`
	for _, times := range []int{2, 3, 4} {
		r.claude(opus, streams+tools+oneUser)
		if n := len(r.fake.Requests()); n != times {
			t.Errorf("Gemini was asked %d times, want %d", n, times)
		}
	}
	if p := r.asked().Tools[0].FunctionDeclarations[0].Parameters.Properties["p"]; p.Type != "STRING" || !p.Nullable {
		t.Errorf("%+v", p)
	}
}

// What the strict form has as texts comes back in the types of the tool's own schema, streamed or not.
func TestArgumentsOfMendedTools(t *testing.T) {
	r := start(t, "a", nil)
	r.fake.Respond(func(q fg.Recorded) (fg.Answer, bool) {
		if q.Request.Tools[0].FunctionDeclarations[0].ParametersJSONSchema != nil {
			return fg.Answer{Error: fg.Err(400, "* GenerateContentRequest.tools[0].function_declarations[0].parameters_json_schema.properties[n]: not supported")}, true
		}
		return fg.Reply(fg.Calls(fg.Call("a", `{"s":"1","n":"2","on":true,"meta":{"_":"","k":"v"}}`))), true
	})
	const tools = `"tools":[{"name":"a","input_schema":{"type":"object","properties":{"n":{"type":"integer","enum":[1,2]},"on":{"enum":[true]},"s":{"type":"string"},"meta":{"type":"object"}}}}],`
	for _, stream := range []string{streams, "", streams} { // mended twice, then known
		m := message(t, r.claude(opus, stream+tools+oneUser).body)
		if kinds(m) != "tool_use" || string(m.Content[0].Input) != `{"s":"1","n":2,"on":true,"meta":{"k":"v"}}` {
			t.Errorf("%s", m.RawJSON())
		}
	}
}
