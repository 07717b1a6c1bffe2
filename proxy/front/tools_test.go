package front

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

func TestToolNames(t *testing.T) {
	long := "mcp__server__" + strings.Repeat("x", 60)
	var names ToolNames
	for _, client := range []string{"Read", "a.b:c-d_9", long + "1", long + "2", "9lives", "with space", "with+space", "ünï", "", long} {
		up := names.Declare(client, false)
		if len(up) > 64 || !isNameStart(up[0]) {
			t.Errorf("%q became %q", client, up)
		}
		for i := range len(up) {
			if !isNameByte(up[i]) {
				t.Errorf("%q became %q", client, up)
			}
		}
		if back := names.Client(up); back != client {
			t.Errorf("%q became %q, which became %q", client, up, back)
		}
		var other ToolNames
		other.Declare("something else", false)
		if again := other.Declare(client, false); again != up {
			t.Errorf("%q is %q in one request and %q in another", client, up, again)
		}
	}
	if names.Upstream("Read") != "Read" || names.Upstream("a.b:c-d_9") != "a.b:c-d_9" {
		t.Error("names that Gemini takes must stay")
	}
}

func TestToolNamesOfTheModel(t *testing.T) {
	var names ToolNames
	names.Declare("Read", false)
	names.Declare("two words", false)
	names.Upstream("Old")
	f := func(upstream, want string) {
		t.Helper()
		if got := names.Client(upstream); got != want {
			t.Errorf("Client(%q) = %q, want %q", upstream, got, want)
		}
	}
	f("Read", "Read")
	f("default_api.Read", "Read")
	f("default_api:Read", "Read")
	f("default_api."+names.Upstream("two words"), "two words")
	f("default_api.Write", "default_api.Write")
	f("default_api.Old", "default_api.Old")
	f("read", "Read")
	f("default_api:READ", "Read")
	f("Write", "Write")
	f("Old", "Old")
}

func TestToolChoice(t *testing.T) {
	f := func(target string, strict bool, choice ToolChoice, want string) {
		t.Helper()
		call := &Call{Request: &gemini.Request{}, StrictTools: strict}
		if err := call.SetTools([]Tool{{Name: "f"}, {Name: "two words"}}, choice); err != nil {
			t.Fatal(err)
		}
		call.Request.Contents = parseHistory("u:q")
		if err := Prepare(call, target, nil); err != nil {
			t.Fatal(err)
		}
		got := ""
		if config := call.Request.ToolConfig; config != nil {
			got = fmt.Sprint(config.FunctionCallingConfig.Mode, config.FunctionCallingConfig.AllowedFunctionNames)
		}
		if got != want {
			t.Errorf("%+v on %s: %s, want %s", choice, target, got, want)
		}
	}
	f(flash38, false, ToolChoice{}, "")
	f(flash38, false, ToolChoice{Mode: ModeAuto}, "AUTO[]")
	f(flash38, false, ToolChoice{Mode: ModeNone}, "NONE[]")
	f(flash38, false, ToolChoice{Mode: ModeAny}, "ANY[]")
	f(flash38, false, ToolChoice{Mode: ModeAny, Names: []string{"f"}}, "ANY[f]")
	f(flash38, false, ToolChoice{Mode: ModeAny, Names: []string{"two words"}}, "ANY["+hashedName("two words", "two words")+"]")
	f(flash38, true, ToolChoice{}, "VALIDATED[]")
	f(flash38, true, ToolChoice{Mode: ModeAuto}, "VALIDATED[]")
	f(flash38, true, ToolChoice{Mode: ModeAny}, "ANY[]")
	f(pro25, true, ToolChoice{Mode: ModeAuto}, "AUTO[]")
}

func TestSetToolsRefuses(t *testing.T) {
	f := func(tools []Tool, choice ToolChoice, want string) {
		t.Helper()
		err := (&Call{Request: &gemini.Request{}}).SetTools(tools, choice)
		var e *Error
		if !errors.As(err, &e) || e.Kind != Invalid || e.Message != want {
			t.Errorf("err = %v, want %s", err, want)
		}
	}
	pick := ToolChoice{Mode: ModeAny, Names: []string{"g"}, Param: "tool_choice.name"}
	f([]Tool{{Name: "f"}}, pick, `tool_choice.name: no tool named "g" is declared`)
	f(nil, pick, `tool_choice.name: no tool named "g" is declared`)
	var many []Tool
	for i := range 513 {
		many = append(many, Tool{Name: fmt.Sprintf("t%d", i)})
	}
	f(many, ToolChoice{}, "tools: 513 tools, Gemini takes 512 at most")
}

func TestSetToolsKeepsTheLastOfAName(t *testing.T) {
	call := &Call{Request: &gemini.Request{}}
	tools := []Tool{{Name: "a", Description: gemini.Quote("1")}, {Name: "b"}, {Name: "a", Description: gemini.Quote("2")}}
	if err := call.SetTools(tools, ToolChoice{}); err != nil {
		t.Fatal(err)
	}
	decls := call.Request.Tools[0].FunctionDeclarations
	if len(decls) != 2 || decls[0].Name != "a" || decls[0].Description.String() != "2" || string(decls[1].Description) != `""` {
		t.Errorf("declared: %s", call.Request.AppendJSON(nil))
	}
}

func TestStubsForToolsOfTheHistory(t *testing.T) {
	call := &Call{Request: &gemini.Request{}}
	if err := call.SetContents(parseHistory("u:q / m:a(),b() / u:a=1,b=2 / m:a() / u:a=3")); err != nil {
		t.Fatal(err)
	}
	out := string(call.Request.AppendJSON(nil))
	want := `"tools":[{"functionDeclarations":[{"name":"a","parametersJsonSchema":{"type":"object"}},{"name":"b","parametersJsonSchema":{"type":"object"}}]}],"toolConfig":{"functionCallingConfig":{"mode":"NONE"}}`
	if !strings.Contains(out, want) {
		t.Errorf("got %s", out)
	}
	plain := &Call{Request: &gemini.Request{}}
	if err := plain.SetContents(parseHistory("u:q")); err != nil || plain.Request.Tools != nil || plain.Request.ToolConfig != nil {
		t.Errorf("a history without tools: %s, %v", plain.Request.AppendJSON(nil), err)
	}
}

func TestInline(t *testing.T) {
	f := func(mimeType, data, want string) {
		t.Helper()
		blob, problem := Inline(mimeType, data)
		got := problem
		if blob != nil {
			got = blob.MimeType
		}
		if got != want {
			t.Errorf("Inline(%q, %q) = %q, want %q", mimeType, data, got, want)
		}
	}
	f("image/png", "AAAA", "image/png")
	f("image/JPG; charset=x", "_-8=", "image/jpeg")
	f("", "iVBORw0KGgo=", "image/png")
	f("", "/9j/4AAQ", "image/jpeg")
	f("", "JVBERi0x", "application/pdf")
	f("", "AAAA", "the media type is missing and cannot be told from the data")
	f("image/png", "", "expected base64")
	f("image/png", "not base64!", "expected base64")
	f("image/png", "AAAAA", "expected base64")
}

func TestDataURL(t *testing.T) {
	f := func(url, mimeType, data string, ok bool) {
		t.Helper()
		m, d, got := DataURL(url)
		if m != mimeType || d != data || got != ok {
			t.Errorf("DataURL(%q) = %q, %q, %v", url, m, d, got)
		}
	}
	f("data:image/png;base64,AAAA", "image/png", "AAAA", true)
	f("data:text/plain;charset=utf-8;base64,AAAA", "text/plain", "AAAA", true)
	f("data:;base64,AAAA", "", "AAAA", true)
	f("data:text/plain,hello", "", "", false)
	f("data:image/png;base64", "", "", false)
	f("https://x/y.png", "", "", false)
}
