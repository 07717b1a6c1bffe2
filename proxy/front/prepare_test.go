package front

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// configFor prepares a call for a model and returns what Google gets as generationConfig.
func configFor(t *testing.T, call Call, target string) string {
	t.Helper()
	if call.Request == nil {
		call.Request = &gemini.Request{}
	}
	call.Request.Contents = parseHistory("u:q")
	if err := Prepare(&call, target, nil); err != nil {
		t.Fatal(err)
	}
	return configOf(t, call.Request)
}

func configOf(t *testing.T, r *gemini.Request) string {
	t.Helper()
	var body struct{ GenerationConfig json.RawMessage }
	if err := json.Unmarshal(r.AppendJSON(nil), &body); err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(body.GenerationConfig), `"`, "")
}

func TestThinking(t *testing.T) {
	f := func(think Thinking, target, want string) {
		t.Helper()
		got := configFor(t, Call{Thinking: think, MaxTokens: 32000}, target)
		if want := "{maxOutputTokens:32000" + want + "}"; got != want {
			t.Errorf("%+v on %s: %s, want %s", think, target, got, want)
		}
	}
	level := func(l string) string { return ",thinkingConfig:{includeThoughts:true,thinkingLevel:" + l + "}" }
	budget := func(b string) string { return ",thinkingConfig:{includeThoughts:true,thinkingBudget:" + b + "}" }
	const modelsOwn, off = ",thinkingConfig:{includeThoughts:true}", ",thinkingConfig:{thinkingBudget:0}"
	effort := func(e string) Thinking { return Thinking{Mode: ThinkingAdaptive, Effort: e} }

	f(Thinking{}, flash38, modelsOwn)
	f(Thinking{}, pro25, budget("-1"))
	f(Thinking{}, "gemini-2.5-flash-lite", off)
	f(Thinking{}, "gemini-2.0-flash", "")
	f(Thinking{Mode: ThinkingAdaptive}, flash38, modelsOwn)
	f(Thinking{Mode: ThinkingAdaptive}, "gemini-2.5-flash-lite", budget("-1"))

	f(Thinking{Mode: ThinkingBudget, Budget: 10000}, "gemini-2.5-flash", budget("10000"))
	f(Thinking{Mode: ThinkingBudget, Budget: 10000}, flash38, level("HIGH"))
	f(Thinking{Mode: ThinkingBudget, Budget: 1024}, flash38, level("LOW"))
	f(Thinking{Mode: ThinkingBudget, Budget: 8192}, flash38, level("MEDIUM"))
	f(Thinking{Mode: ThinkingBudget, Budget: 60000}, flash38, level("HIGH"))
	f(Thinking{Mode: ThinkingBudget, Budget: 60000}, "gemini-4-neon", level("XHIGH"))
	f(Thinking{Mode: ThinkingBudget, Budget: 60000}, pro25, budget("32768"))
	f(Thinking{Mode: ThinkingBudget, Budget: 1}, pro25, budget("128"))
	f(Thinking{Mode: ThinkingBudget, Budget: 60000, Effort: "low"}, flash38, level("LOW"))

	f(Thinking{Mode: ThinkingOff}, pro25, budget("128"))
	f(Thinking{Mode: ThinkingOff}, "gemini-2.5-flash", off)
	f(Thinking{Mode: ThinkingOff}, flash38, level("LOW"))
	f(Thinking{Mode: ThinkingOff}, "gemini-3.6-flash", level("MINIMAL"))
	f(Thinking{Mode: ThinkingOff, Effort: "high"}, flash38, level("LOW"))
	f(Thinking{Mode: ThinkingOff, Effort: "high"}, "gemini-2.5-flash", off)

	f(effort("minimal"), flash38, level("LOW"))
	f(effort("minimal"), "gemini-3.5-flash", level("MINIMAL"))
	f(effort("minimal"), pro25, budget("512"))
	f(effort("low"), pro25, budget("1024"))
	f(effort("medium"), flash38, level("MEDIUM"))
	f(effort("medium"), pro25, budget("8192"))
	f(effort("high"), flash38, level("HIGH"))
	f(effort("high"), pro25, budget("24576"))
	f(effort("xhigh"), "gemini-4-argon", level("HIGH"))
	f(effort("xhigh"), "gemini-4-neon", level("XHIGH"))
	f(effort("xhigh"), "gemini-2.5-flash", budget("24576"))
	f(effort("max"), flash38, level("HIGH"))
	f(effort("max"), pro25, budget("32768"))
	f(effort("turbo"), flash38, modelsOwn)
	f(Thinking{Effort: "turbo"}, pro25, budget("-1"))
	f(Thinking{Effort: "high"}, flash38, level("HIGH"))

	three := 3
	both := &gemini.ThinkingConfig{ThinkingBudget: &three, ThinkingLevel: "LOW"}
	f(Thinking{Explicit: both}, flash38, ",thinkingConfig:{thinkingLevel:LOW}")
	f(Thinking{Explicit: both}, pro25, ",thinkingConfig:{thinkingBudget:3}")
	f(Thinking{Mode: ThinkingOff, Explicit: &gemini.ThinkingConfig{ThinkingBudget: &three}}, flash38, ",thinkingConfig:{thinkingBudget:3}")
}

func TestOutputLimit(t *testing.T) {
	f := func(tokens int, think Thinking, target, want string) {
		t.Helper()
		got := configFor(t, Call{Thinking: think, MaxTokens: tokens}, target)
		if !strings.Contains(got+"}", want) {
			t.Errorf("%d tokens, %+v on %s: %s, want %s", tokens, think, target, got, want)
		}
	}
	off := Thinking{Mode: ThinkingOff}
	f(200000, Thinking{}, flash38, "{maxOutputTokens:65536,")
	f(128000, Thinking{}, "gemini-4-neon", "{maxOutputTokens:128000,")
	f(1<<21, Thinking{}, "gemini-4-neon", "{maxOutputTokens:1048574,")
	f(0, Thinking{}, flash38, "{thinkingConfig:{includeThoughts:true}}")
	f(1, Thinking{}, pro25, "{maxOutputTokens:2049,thinkingConfig:{includeThoughts:true,thinkingBudget:128}}")
	f(1, Thinking{}, flash38, "{maxOutputTokens:2049,thinkingConfig:{includeThoughts:true,thinkingLevel:LOW}}")
	f(64, off, flash38, "{maxOutputTokens:2112,thinkingConfig:{includeThoughts:true,thinkingLevel:LOW}}")
	f(64, off, "gemini-3.5-flash-lite", "{maxOutputTokens:2112,thinkingConfig:{includeThoughts:true,thinkingLevel:MINIMAL}}")
	f(64, off, "gemini-2.5-flash", "{maxOutputTokens:64,thinkingConfig:{thinkingBudget:0}}")
	f(64, off, pro25, "{maxOutputTokens:2112,")
	f(64, Thinking{}, "gemini-2.5-flash", "{maxOutputTokens:64,thinkingConfig:{thinkingBudget:0}}")
	f(64, Thinking{Mode: ThinkingAdaptive}, "gemini-2.5-flash", "{maxOutputTokens:2112,thinkingConfig:{includeThoughts:true,thinkingBudget:-1}}")
	f(64, Thinking{Effort: "high"}, flash38, "{maxOutputTokens:2112,thinkingConfig:{includeThoughts:true,thinkingLevel:HIGH}}")
	f(64, off, "gemini-2.0-flash", "{maxOutputTokens:64}")
	f(32000, Thinking{}, "gemma-4-31b-it", "{maxOutputTokens:8192}")
	f(2048, Thinking{}, flash38, "{maxOutputTokens:2048,thinkingConfig:{includeThoughts:true}}")
}

func TestScalarsFitTheModel(t *testing.T) {
	half, k := 0.5, 3
	config := func() *gemini.Request {
		return &gemini.Request{GenerationConfig: &gemini.GenerationConfig{Temperature: &half, TopP: &half, TopK: &k,
			StopSequences: []string{"a", "", "b", "a", "c", "d", "e"}}}
	}
	const stops = "stopSequences:[a,b,c,d,e]"
	if got := configFor(t, Call{Request: config()}, flash38); !strings.HasPrefix(got, "{"+stops) {
		t.Errorf("on a model that ignores sampling: %s", got)
	}
	if got := configFor(t, Call{Request: config()}, pro25); !strings.HasPrefix(got, "{temperature:0.5,topP:0.5,topK:3,"+stops) {
		t.Errorf("on one that does not: %s", got)
	}
}

func TestTrailingModelTurn(t *testing.T) {
	const ask = "Continue exactly from where the previous message ended, without repeating it."
	f := func(target, want string) {
		t.Helper()
		if got := prepared(t, "u:q / m:so", target, nil); got != want {
			t.Errorf("%s: %s, want %s", target, got, want)
		}
	}
	f(flash38, "u:q / m:so / u:"+ask)
	f("gemini-3.5-flash-lite", "u:q / m:so / u:"+ask)
	f("gemini-2.5-flash", "u:q / m:so")
	f("gemini-3.1-pro-preview", "u:q / m:so")
}

func TestMediaOfResults(t *testing.T) {
	f := func(line, target, want string) {
		t.Helper()
		if got := prepared(t, line, target, nil); got != want {
			t.Errorf("%s on %s\ngot  %s\nwant %s", line, target, got, want)
		}
	}
	f("u:q / m:a() / u:a=x*png", flash38, "u:q / m:a()<dummy> / u:a=x*png")
	f("u:q / m:a() / u:a=x*png", pro25, "u:q / m:a() / u:a=x / u:[image from tool a],*png")
	f("u:q / m:a() / u:a=*png,more", pro25, "u:q / m:a() / u:a=see attached / u:[image from tool a],*png,more")
	f("u:q / m:a() / u:a=x*gif", flash38, "u:q / m:a() / u:a=x / u:[image from tool a],*gif")
	f("u:q / m:a(),b() / u:a=1*png,b=2*png / m:x", pro25,
		"u:q / m:a(),b() / u:a=1,b=2 / u:[image from tool a],*png,[image from tool b],*png / m:x")
}

func TestJSONWithTools(t *testing.T) {
	f := func(target string, tools bool, wantMime bool, wantWords bool) {
		t.Helper()
		call := &Call{Request: &gemini.Request{
			SystemInstruction: &gemini.Content{Parts: []gemini.Part{{Text: gemini.Quote("be brief")}}},
			GenerationConfig: &gemini.GenerationConfig{ResponseMimeType: "application/json",
				ResponseJSONSchema: json.RawMessage(`{"type":"array"}`)},
		}}
		if tools {
			if err := call.SetTools([]Tool{{Name: "f"}}, ToolChoice{}); err != nil {
				t.Fatal(err)
			}
		}
		call.Request.Contents = parseHistory("u:q")
		if err := Prepare(call, target, nil); err != nil {
			t.Fatal(err)
		}
		out := string(call.Request.AppendJSON(nil))
		if strings.Contains(out, `"responseMimeType"`) != wantMime || strings.Contains(out, `"responseJsonSchema"`) != wantMime {
			t.Errorf("%s, tools %v: %s", target, tools, out)
		}
		if strings.Contains(out, `JSON Schema: {\"type\":\"array\"}`) != wantWords || !strings.Contains(out, "be brief") {
			t.Errorf("%s, tools %v: %s", target, tools, out)
		}
	}
	f(flash38, true, true, false)
	f(flash38, false, true, false)
	f(pro25, false, true, false)
	f(pro25, true, false, true)
}

func TestPrepareTurnsSafetyFiltersOff(t *testing.T) {
	call := &Call{Request: &gemini.Request{Contents: parseHistory("u:q")}}
	if err := Prepare(call, flash38, nil); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(call.Request.AppendJSON(nil)), `"threshold":"OFF"`); n != 4 || call.Target != flash38 {
		t.Errorf("%d categories are off, target %q", n, call.Target)
	}
}

func TestPrepareRefusesAnEmptyConversation(t *testing.T) {
	var e *Error
	if err := Prepare(&Call{Request: &gemini.Request{}}, flash38, nil); !errors.As(err, &e) || e.Kind != Invalid {
		t.Errorf("err = %v", err)
	}
}
