package front

import (
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

func TestVary(t *testing.T) {
	temperature := func(t float64) *gemini.GenerationConfig { return &gemini.GenerationConfig{Temperature: &t} }
	mode := func(m string, names ...string) *gemini.ToolConfig {
		return &gemini.ToolConfig{FunctionCallingConfig: &gemini.FunctionCallingConfig{Mode: m, AllowedFunctionNames: names}}
	}
	f := func(target string, tools *gemini.ToolConfig, config *gemini.GenerationConfig, want string) {
		t.Helper()
		original := gemini.Request{ToolConfig: tools, GenerationConfig: config}
		before := string(original.AppendJSON(nil))
		call := &Call{Target: target, Request: &original}
		Vary(call)
		if got := string(call.Request.AppendJSON(nil)); got != `{"contents":[]`+want+`}` {
			t.Errorf("%s: %s, want %s", before, got, want)
		}
		if after := string(original.AppendJSON(nil)); after != before {
			t.Errorf("the original changed from %s to %s", before, after)
		}
	}
	const pro25 = "gemini-2.5-pro"
	f(flash38, mode("VALIDATED", "f"), nil, `,"toolConfig":{"functionCallingConfig":{"mode":"AUTO"}}`)
	f(flash38, mode("ANY"), nil, `,"toolConfig":{"functionCallingConfig":{"mode":"ANY"}}`)
	f(flash38, nil, temperature(0.5), `,"generationConfig":{"temperature":0.5}`)
	f(pro25, nil, temperature(0.5), `,"generationConfig":{"temperature":0.6}`)
	f(pro25, nil, temperature(2), `,"generationConfig":{"temperature":1.9}`)
	f(pro25, nil, nil, `,"generationConfig":{"temperature":1.1}`)
	seed := int32(7)
	f(flash38, nil, &gemini.GenerationConfig{Seed: &seed}, `,"generationConfig":{"seed":6}`)
}
