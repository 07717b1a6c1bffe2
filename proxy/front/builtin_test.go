package front

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

func TestBuiltInTools(t *testing.T) {
	f := func(builtIn BuiltIn, functions, history, mode, target, want string) {
		t.Helper()
		call := &Call{Request: &gemini.Request{}, BuiltIn: builtIn}
		var tools []Tool
		for _, name := range strings.Fields(functions) {
			tools = append(tools, Tool{Name: name})
		}
		if err := call.SetTools(tools, ToolChoice{Mode: mode}); err != nil {
			t.Fatal(err)
		}
		if err := call.SetContents(parseHistory(history)); err != nil {
			t.Fatal(err)
		}
		if err := Prepare(call, target, nil); err != nil {
			t.Fatal(err)
		}
		if got := toolsOf(call.Request); got != want {
			t.Errorf("%+v beside %q, %q on %s: %s, want %s", builtIn, functions, mode, target, got, want)
		}
	}
	search := BuiltIn{Search: true}
	f(BuiltIn{}, "", "u:q", ModeAny, flash38, "")
	f(search, "", "u:q", ModeAuto, flash38, "search")
	f(search, "", "u:q", ModeAny, pro25, "search")
	f(BuiltIn{true, true, true}, "", "u:q", "", flash38, "search fetch code")
	f(search, "f g", "u:q", "", flash38, "f g search flag")
	f(search, "f", "u:q", ModeAuto, flash38, "f search flag")
	f(search, "f", "u:q", ModeAny, flash38, "f search ANY flag")
	f(search, "f", "u:q", ModeNone, pro25, "f NONE")
	f(search, "", "u:q / m:a() / u:a=1", "", flash38, "a search NONE flag")
	f(search, "", "u:q / m:a() / u:a=1", "", pro25, "search")
}

// toolsOf is what a request declares, in words.
func toolsOf(r *gemini.Request) string {
	var words []string
	for _, tool := range r.Tools {
		for _, d := range tool.FunctionDeclarations {
			words = append(words, d.Name)
		}
		if tool.GoogleSearch != nil {
			words = append(words, "search")
		}
		if tool.URLContext != nil {
			words = append(words, "fetch")
		}
		if tool.CodeExecution != nil {
			words = append(words, "code")
		}
	}
	if r.ToolConfig != nil && r.ToolConfig.FunctionCallingConfig != nil {
		words = append(words, r.ToolConfig.FunctionCallingConfig.Mode)
	}
	if r.ToolConfig != nil && r.ToolConfig.IncludeServerSideToolInvocations {
		words = append(words, "flag")
	}
	return strings.Join(words, " ")
}

func TestAChoiceMayMeanABuiltInTool(t *testing.T) {
	call := &Call{Request: &gemini.Request{}, BuiltIn: BuiltIn{Search: true}}
	if err := call.SetTools(nil, ToolChoice{Mode: ModeAny, Names: []string{"web_search"}}); err != nil {
		t.Error(err)
	}
}

func TestSplitStops(t *testing.T) {
	f := func(all, want string) {
		t.Helper()
		theirs, ours := (&Call{}).splitStops(strings.Split(all, " "))
		if got := fmt.Sprint(theirs, ours); got != want {
			t.Errorf("splitStops(%q) = %s, want %s", all, got, want)
		}
	}
	f("", "[] []")
	f("a b a", "[a b] []")
	f("a b  c d e", "[a b c d e] []")
	f("a b c a d e f a g", "[a b c d e] [f g]")
}

func TestMediaResolution(t *testing.T) {
	f := func(target string, want int) {
		t.Helper()
		part := func() gemini.Part {
			return gemini.Part{InlineData: &gemini.Blob{MimeType: "image/png", Data: "AAAA"},
				MediaResolution: &gemini.MediaResolution{Level: "MEDIA_RESOLUTION_LOW"}}
		}
		contents := parseHistory("u:q / m:a() / u:a=1 / u:more")
		contents[3].Parts = append(contents[3].Parts, part())
		contents[0].Parts = append(contents[0].Parts, part())
		contents[2].Parts[0].FunctionResponse.Parts = []gemini.Part{part()}
		call := &Call{Request: &gemini.Request{Contents: contents}}
		for range 2 { // a second time for another model starts afresh
			if err := Prepare(call, target, nil); err != nil {
				t.Fatal(err)
			}
		}
		if got := strings.Count(string(call.Request.AppendJSON(nil)), "MEDIA_RESOLUTION_LOW"); got != want {
			t.Errorf("%s: %d resolutions, want %d", target, got, want)
		}
	}
	f(flash38, 2)
	f(pro25, 0)
}
