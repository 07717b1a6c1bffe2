package proxy

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

// Cases 47, 48, 53 to 56, 76, 94 and 95: schemas, thinking and limits as each model takes them.

// declared is what Gemini was told of the first function's parameters.
func (r *rig) declared() string {
	r.t.Helper()
	return string(r.asked().Tools[0].FunctionDeclarations[0].ParametersJSONSchema)
}

func TestE047_SchemasAreCleaned(t *testing.T) {
	r := start(t, "a", nil)
	r.claude(opus, `"tools":[{"name":"a","input_schema":{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","properties":{
		"default":{"const":"x"},"format":{"type":"integer","exclusiveMinimum":0},"m":{"allOf":[{"type":"object","properties":{"n":{}}},{"required":["n"]}]},
		"r":{"$ref":"#/definitions/U","description":"where"},"u":{"$ref":"#/definitions/U"}},"definitions":{"U":{"type":"string","format":"uri"}},"required":["default","gone"]}}],`+oneUser)
	same(t, r.declared(), `{"type":"object","properties":{"default":{"type":"string","enum":["x"]},"format":{"type":"integer","minimum":1},"m":{"type":"object","properties":{"n":{}},"required":["n"]},`+
		`"r":{"type":"string","description":"where (format: uri)"},"u":{"$ref":"#/$defs/U"}},"required":["default"],"$defs":{"U":{"type":"string","description":"format: uri"}}}`)
}

func TestE048_NoSchema(t *testing.T) {
	r := start(t, "a", nil)
	for _, schema := range []string{``, `,"input_schema":null`, `,"input_schema":{}`} {
		r.claude(opus, `"tools":[{"name":"a"`+schema+`}],`+oneUser)
		same(t, r.declared(), `{"type":"object","properties":{}}`)
	}
}

// thought is how Gemini was asked to think: a level, a budget, or nothing.
func (r *rig) thought() string {
	r.t.Helper()
	config := r.asked().GenerationConfig.ThinkingConfig
	switch {
	case config == nil:
		return "none"
	case config.ThinkingBudget != nil && config.ThinkingLevel != "":
		return "both"
	case config.ThinkingBudget != nil:
		return fmt.Sprint(*config.ThinkingBudget)
	case config.ThinkingLevel != "":
		return string(config.ThinkingLevel)
	}
	return "its own"
}

func TestE053_ThinkingBudget(t *testing.T) {
	r := start(t, "a", nil)
	f := func(model, want string) {
		t.Helper()
		r.claude(model, `"max_tokens":20000,"thinking":{"type":"enabled","budget_tokens":10000},`+oneUser)
		same(t, r.thought(), want)
	}
	f("gemini-2.5-flash", "10000")
	f("gemini-3.8-flash", "HIGH")
	f("gemini-4-neon", "HIGH")
	f("gemma-4-31b-it", "none")
}

func TestE054_ThinkingOffAndEffort(t *testing.T) {
	r := start(t, "a", nil)
	f := func(model, fields, want string) {
		t.Helper()
		r.claude(model, fields+`,`+oneUser)
		same(t, r.thought(), want)
	}
	const off, xhigh = `"thinking":{"type":"disabled"}`, `"output_config":{"effort":"xhigh"}`
	f("gemini-2.5-pro", off, "128")
	f("gemini-2.5-flash", off, "0")
	f("gemini-3.8-flash", off, "LOW")
	f("gemini-3.6-flash", off, "MINIMAL")
	f("gemini-4-argon", xhigh, "HIGH")
	f("gemini-4-neon", xhigh, "XHIGH")
	f("gemini-2.5-pro", xhigh, "32768")
}

func TestE055_OneToken(t *testing.T) {
	r := start(t, "a", nil)
	for _, model := range []string{"gemini-2.5-pro", "gemini-3.8-flash", "gemini-4-neon"} {
		m := message(t, r.claude(model, `"max_tokens":1,`+oneUser).body)
		if n := *r.asked().GenerationConfig.MaxOutputTokens; n != 2049 {
			t.Errorf("%s: %d tokens were asked for", model, n)
		}
		if len(m.Content) == 0 && m.StopReason != "max_tokens" {
			t.Errorf("%s: %s", model, m.RawJSON())
		}
	}
}

func TestE056_OutputLimit(t *testing.T) {
	r := start(t, "a", nil)
	f := func(model string, want int32) {
		t.Helper()
		r.claude(model, `"max_tokens":200000,`+oneUser)
		if n := *r.asked().GenerationConfig.MaxOutputTokens; n != want {
			t.Errorf("%s: %d tokens were asked for, want %d", model, n, want)
		}
	}
	f("gemini-3.8-flash", 65536)
	f("gemini-3.1-pro-preview", 65536)
	f("gemini-2.5-flash", 65536)
	f("gemini-4-neon", 200000)
}

func TestE076_OneCallOnly(t *testing.T) {
	r := start(t, "a", nil)
	_, streamed, whole := r.answers(twoTools+`,"tool_choice":{"type":"auto","disable_parallel_tool_use":true},`+oneUser,
		fg.Reply(fg.Calls(fg.Call("a", `{"n":1}`), fg.Call("b", `{}`))))
	for _, m := range []*anthropicMessage{streamed, whole} {
		if kinds(m) != "tool_use" || m.Content[0].Name != "a" || m.StopReason != "tool_use" {
			t.Errorf("%s", m.RawJSON())
		}
	}
}

func TestE094_JSONBesideFunctions(t *testing.T) {
	r := start(t, "a", nil)
	f := func(model string, held bool) {
		t.Helper()
		r.complete(model, `"messages":[{"role":"user","content":"q"}],"tools":[{"type":"function","function":{"name":"f"}}],
			"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object","properties":{"word":{"type":"string"}}}}}`)
		config := r.asked().GenerationConfig
		if (config.ResponseMimeType == "application/json") != held || (len(config.ResponseJSONSchema) > 0) != held {
			t.Errorf("%s: %q, %s", model, config.ResponseMimeType, config.ResponseJSONSchema)
		}
		if system := r.asked().SystemInstruction; !held && (system == nil || !strings.Contains(*system.Parts[0].Text, `"word"`)) {
			t.Errorf("%s: nothing asks for JSON in words", model)
		}
	}
	f("gemini-2.5-flash", false)
	f("gemini-3.8-flash", true)
}

func TestE095_ReasoningEffort(t *testing.T) {
	r := start(t, "a", nil)
	f := func(model string, want ...string) {
		t.Helper()
		for i, effort := range []string{"none", "minimal", "low", "medium", "high", "xhigh", "max"} {
			r.complete(model, `"messages":[{"role":"user","content":"q"}],"reasoning_effort":"`+effort+`"`)
			if got := r.thought(); got != want[i] {
				t.Errorf("%s, %s: %s, want %s", model, effort, got, want[i])
			}
		}
	}
	f("gemini-2.5-pro", "128", "512", "1024", "8192", "24576", "32768", "32768")
	f("gemini-2.5-flash", "0", "512", "1024", "8192", "24576", "24576", "24576")
	f("gemini-2.5-flash-lite", "0", "512", "1024", "8192", "24576", "24576", "24576")
	f("gemini-3-flash-preview", "MINIMAL", "MINIMAL", "LOW", "MEDIUM", "HIGH", "HIGH", "HIGH")
	f("gemini-3.1-pro-preview", "LOW", "LOW", "LOW", "MEDIUM", "HIGH", "HIGH", "HIGH")
	f("gemini-3.8-flash", "LOW", "LOW", "LOW", "MEDIUM", "HIGH", "HIGH", "HIGH")
	f("gemini-4-argon", "LOW", "LOW", "LOW", "MEDIUM", "HIGH", "HIGH", "HIGH")
	f("gemini-4-hydrogen", "LOW", "LOW", "LOW", "MEDIUM", "HIGH", "XHIGH", "XHIGH")
	f("gemma-4-31b-it", "none", "none", "none", "none", "none", "none", "none")

	// Google's own config wins, as it is but for what Google refuses
	asked := len(r.fake.Requests())
	for config, want := range map[string]string{
		`"thinking_budget":0,"include_thoughts":true`:    "0",
		`"thinking_budget":1000,"include_thoughts":true`: "1000",
		`"thinking_budget":1000,"thinking_level":"low"`:  "1000",
		`"thinkingBudget":-1`:                            "-1",
	} {
		r.complete(flash25, oneUser+`,"reasoning_effort":"high","extra_body":{"google":{"thinking_config":{`+config+`}}}`)
		same(t, r.thought(), want)
	}
	r.complete(flash38, oneUser+`,"reasoning_effort":"high","google":{"thinking_config":{"thinking_budget":9,"thinking_level":"low"}}`)
	same(t, r.thought(), "LOW")
	if n := len(r.fake.Requests()) - asked; n != 5 {
		t.Errorf("Gemini was asked %d times", n)
	}
}

// refusing lets the fake refuse once what holds for a request.
func (r *rig) refusing(message string, when func(*fg.GenerateContentRequest) bool) {
	r.fake.Respond(func(q fg.Recorded) (fg.Answer, bool) {
		if q.Request == nil || !when(q.Request) {
			return fg.Answer{}, false
		}
		return fg.Answer{Error: fg.Err(400, message)}, true
	})
}

func TestRefusalsAreMended(t *testing.T) {
	f := func(name, message, model, fields string, when func(*fg.GenerateContentRequest) bool, asked int) {
		t.Helper()
		r := start(t, "a", nil)
		r.refusing(message, when)
		r.claude(model, fields+oneUser)
		if n := len(r.fake.Requests()); n != asked {
			t.Errorf("%s: Gemini was asked %d times, want %d", name, n, asked)
		}
		if s := r.state("a"); s.Failures != 0 {
			t.Errorf("%s: the key has %d failures", name, s.Failures)
		}
	}
	thinks := func(q *fg.GenerateContentRequest) bool { return q.GenerationConfig.ThinkingConfig != nil }
	level := func(l string) func(*fg.GenerateContentRequest) bool {
		return func(q *fg.GenerateContentRequest) bool {
			return thinks(q) && string(q.GenerationConfig.ThinkingConfig.ThinkingLevel) == l
		}
	}
	const most = `"output_config":{"effort":"max"},`
	f("a level", "Thinking level XHIGH is not supported for this model.", "gemini-4-neon", most, level("XHIGH"), 2)
	f("any level", "Thinking level is not supported for this model.", "gemini-4-neon", most, thinks, 3)
	f("safety", `Invalid value at 'safety_settings[0].threshold' (type.googleapis.com/x), "OFF"`, opus, ``,
		func(q *fg.GenerateContentRequest) bool { return q.SafetySettings[0].Threshold == "OFF" }, 2)
	f("states", "The specified schema produces a constraint that has too many states for serving.", opus, `"tools":[{"name":"a"}],"tool_choice":{"type":"any"},`,
		func(q *fg.GenerateContentRequest) bool { return q.ToolConfig.FunctionCallingConfig.Mode == "ANY" }, 2)
	const format = `"output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}},`
	f("answer's schema", "* GenerateContentRequest.generation_config.response_json_schema: bad", opus, format,
		func(q *fg.GenerateContentRequest) bool { return q.GenerationConfig.ResponseJSONSchema != nil }, 2)
	f("any answer's schema", "* GenerateContentRequest.generation_config.response_schema: bad", opus, format,
		func(q *fg.GenerateContentRequest) bool { return q.GenerationConfig.ResponseMimeType != "" }, 3)
	f("functions, unsaid", "Request contains an invalid argument.", opus, `"tools":[{"name":"a"}],`,
		func(q *fg.GenerateContentRequest) bool {
			return q.Tools[0].FunctionDeclarations[0].ParametersJSONSchema != nil
		}, 2)
}

func TestWhatCannotBeMendedIsTold(t *testing.T) {
	r := start(t, "a b", nil)
	r.refusing("Request contains an invalid argument.", func(*fg.GenerateContentRequest) bool { return true })
	got := r.do("POST", messages, ask(messages, false))
	var body struct{ Error struct{ Type string } }
	if err := json.Unmarshal([]byte(got.body), &body); err != nil || got.status != 400 || body.Error.Type != "invalid_request_error" {
		t.Errorf("%d %s", got.status, got.body)
	}
	if n := len(r.fake.Requests()); n != 1 {
		t.Errorf("Gemini was asked %d times", n)
	}
}
