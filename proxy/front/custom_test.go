package front

import (
	"encoding/json"
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

func TestCustomInput(t *testing.T) {
	f := func(args, want string) {
		t.Helper()
		if got := CustomInput(json.RawMessage(args)); string(got) != want {
			t.Errorf("%s gives %s, want %s", args, got, want)
		}
	}
	f(`{"input":"*** Begin Patch\nä \"q\""}`, `"*** Begin Patch\nä \"q\""`)
	f(`{"input":""}`, `""`)
	f(`{"why":{"input":"no"},"input":"yes"}`, `"yes"`)
	f(`{"code":"x"}`, `"{\"code\":\"x\"}"`)
	f(`{"input":7}`, `"{\"input\":7}"`)
	f(``, `"{}"`)
	input := gemini.Quote("a\u2028\x00\\")
	f(string(new(Arena).CustomArgs(input)), string(input))
	f(string(new(Arena).CustomArgs(nil)), `""`)
}

func TestCustomTool(t *testing.T) {
	f := func(description string, grammar Grammar, want string) {
		t.Helper()
		call := &Call{Request: &gemini.Request{}}
		if err := call.SetTools([]Tool{CustomTool("patch", gemini.Text(description), grammar), {Name: "read"}}, ToolChoice{}); err != nil {
			t.Fatal(err)
		}
		decl := call.Request.Tools[0].FunctionDeclarations[0]
		if got := string(decl.Description); got != want || string(decl.ParametersJSONSchema) != customSchema {
			t.Errorf("%s with %s, want %s", got, decl.ParametersJSONSchema, want)
		}
		if !call.Tools.Custom("patch") || call.Tools.Custom("read") || call.Tools.Custom("other") {
			t.Error("which tool is custom is not known")
		}
	}
	f(`""`, Grammar{}, `""`)
	f(`"edits"`, Grammar{}, `"edits"`)
	f(`"edits"`, Grammar{"lark", gemini.Text(`"start: \"x\""`)}, `"edits\nThe input must match this grammar (lark):\nstart: \"x\""`)
	f(`""`, Grammar{"", gemini.Text(`"[a-z]+"`)}, `"The input must match this grammar:\n[a-z]+"`)
}
