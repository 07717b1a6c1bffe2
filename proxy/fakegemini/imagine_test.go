package fakegemini

import (
	"strings"
	"testing"
	"time"
)

func TestBuiltInModel(t *testing.T) {
	c := start(t, Options{})
	const schema = `{"type":"object","required":["path","n","deep","kind","list"],"properties":{"path":{"type":"string"},"n":{"type":"integer","minimum":3},"kind":{"enum":["x","y"]},` +
		`"deep":{"type":"object","required":["ok"],"properties":{"ok":{"type":["boolean","null"]}}},"list":{"type":"array","minItems":1,"items":{"type":"number"}},"free":{"type":"string"}}}`
	const tools = `"tools":[{"functionDeclarations":[{"name":"Read","parametersJsonSchema":` + schema + `},{"name":"Write","parameters":{"type":"OBJECT","properties":{"city":{"type":"STRING"}},"required":["city"]}},{"name":"Ping"}]}]`
	const read = `call Read{"deep":{"ok":true},"kind":"x","list":[1],"n":3,"path":"/tmp/example.txt"}`
	f := func(model, prompt, rest, want string) {
		t.Helper()
		got := sketch(c.response(c.ok(model, "generateContent", `{"contents":[{"parts":[{"text":"`+prompt+`"}]}]`+rest+`}`)))
		if got = strings.ReplaceAll(got, " signed", ""); !strings.HasPrefix(got, want) {
			t.Errorf("%q: got %s, want %s…", prompt, got, want)
		}
	}
	f(m38, "hello there", ``, "text You said: hello there")
	f(m38, "hello there", `,`+tools, "text You said: hello there")
	f(m38, "please Read it", `,`+tools, read+";STOP")
	f(m38, "Reading is nice", `,`+tools, "text You said")
	f(m38, "use the tool", `,`+tools, read+";STOP")
	f(m38, "in parallel", `,`+tools, read+`;call Write{"city":"Paris"};STOP`)
	f(m38, "Ping and Write", `,`+tools, `call Write{"city":"Paris"};call Ping{};STOP`)
	f(m25, "anything", `,`+tools+`,"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["Ping"]}}`, `call Ping{};STOP`)
	f(m25, "Read", `,`+tools+`,"toolConfig":{"functionCallingConfig":{"mode":"NONE"}}`, `text You said`)
	f(m25, "one STOP two", `,"generationConfig":{"stopSequences":["STOP"]}`, `text You said: one ;STOP`)
	f(m25, "why", `,"generationConfig":{"thinkingConfig":{"includeThoughts":true}}`, `thought **Reading`)
	f("gemma-4-31b-it", "why", ``, `text You said: why`)
	const json = `"responseMimeType":"application/json"`
	f(m38, "title", `,"generationConfig":{`+json+`,"responseJsonSchema":`+schema+`}`, `text `+strings.TrimPrefix(read, "call Read")+";STOP")
	f(m25, "title", `,"generationConfig":{`+json+`,"responseSchema":{"type":"STRING","enum":["red"]}}`, `text "red";STOP`)
	f(m25, "title", `,"generationConfig":{`+json+`}`, `text {"answer":"example"};STOP`)
	f(m38, "hi", `,"generationConfig":{"maxOutputTokens":64}`, `MAX_TOKENS`)
	f(m38, "hi", `,"generationConfig":{"maxOutputTokens":66}`, `text You said;MAX_TOKENS`)
	f(m38, "hi", `,"generationConfig":{"maxOutputTokens":20,"thinkingConfig":{"thinkingLevel":"LOW"}}`, `text You said: hi`)
	f(m25p, "hi", `,"generationConfig":{"maxOutputTokens":5}`, `MAX_TOKENS`)
	f(m25, "hi", `,"generationConfig":{"maxOutputTokens":64,"thinkingConfig":{"thinkingBudget":0}}`, `text You said: hi`)
	f(m25p, "hi", `,"generationConfig":{"maxOutputTokens":300,"thinkingConfig":{"thinkingBudget":128}}`, `text You said: hi`)
}

func TestBuiltInModelQuotesResponses(t *testing.T) {
	c := start(t, Options{})
	got := sketch(c.response(c.ok(m38, "generateContent", talk(`{"parts":[{"text":"use the tool Read"}]}`, strings.Replace(callA, "<call Read>", "skip_thought_signature_validator", 1),
		`{"parts":[{"functionResponse":{"name":"Read","response":{"output":"fortytwo"}}}]}`))))
	if !strings.Contains(got, `Read returned {"output":"fortytwo"}.`) {
		t.Errorf("got %s", got)
	}
}

// TestThinkingIsCounted: thoughts cost what their level costs, shown or not.
func TestThinkingIsCounted(t *testing.T) {
	c := start(t, Options{})
	f := func(config string, want int) {
		t.Helper()
		r := c.response(c.ok(m38, "generateContent", thinks(config)))
		if u := r.UsageMetadata; u.Thoughts != want || u.Total != u.Prompt+u.Candidates+u.Thoughts {
			t.Errorf("%s: %+v, want %d tokens of thought", config, u, want)
		}
	}
	f(`{}`, 64)
	f(`{"includeThoughts":true}`, 64)
	f(`{"thinkingLevel":"HIGH"}`, 256)
	f(`{"thinkingLevel":"HIGH","includeThoughts":true}`, 256)
}

func TestPieces(t *testing.T) {
	f := func(text string, min int) {
		t.Helper()
		got := pieces(text)
		if strings.Join(got, "") != text || len(got) < min {
			t.Errorf("%q in %d pieces: %q", text, len(got), got)
		}
	}
	f("", 1)
	f("short", 1)
	f(strings.Repeat("word ", 40), 4)
	f(strings.Repeat("x", 100), 1)
}

func TestImagineIsDeterministic(t *testing.T) {
	text := "use the tool"
	b := &GenerateContentRequest{Contents: []Content{{Parts: []Part{{Text: &text}}}}}
	m := Model{ID: m38, Family: gen35lite, Thinking: threeLevels}
	one, err1 := marshal(imagine(m, b, time.Second), false)
	two, err2 := marshal(imagine(m, b, time.Second), false)
	if err1 != nil || err2 != nil || string(one) != string(two) || !strings.Contains(string(one), `"delay":"1s"`) {
		t.Errorf("%v %v\n%s\n%s", err1, err2, one, two)
	}
}

// Coding agents put the list of all tools into texts of their own, behind a prompt and behind tool results.
func TestImagineIgnoresAClientsOwnWords(t *testing.T) {
	own, prompt := "<system-reminder>The tools Read and Bash are there.</system-reminder>", "say hello"
	user := Content{Role: "user", Parts: []Part{{Text: &own}, {Text: &prompt}, {Text: &own}}}
	if got := lastText([]Content{user}); got != prompt {
		t.Errorf("the prompt is %q", got)
	}
	results := Content{Role: "user", Parts: []Part{{FunctionResponse: &FunctionResponse{Name: "Read"}}}}
	call := Content{Role: "model", Parts: []Part{{FunctionCall: &FunctionCall{Name: "Read"}}}}
	behind := Content{Role: "user", Parts: []Part{{Text: &own}}}
	if got := answered([]Content{user, call, results, behind}); len(got) != 1 || got[0].Name != "Read" {
		t.Errorf("the results are %v", got)
	}
	if got := answered([]Content{user, call, results, call, behind}); len(got) != 0 {
		t.Errorf("results of an older turn count: %v", got)
	}
}
