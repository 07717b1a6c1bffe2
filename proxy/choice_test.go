package proxy

import (
	"strings"
	"testing"
)

// What a client lets the model use is all that the model gets, tools of Google's own among it.
func TestToolChoice(t *testing.T) {
	r := start(t, "a", nil)
	f := func(path, fields, want string) {
		t.Helper()
		body := strings.TrimSuffix(ask(path, false), "}") + "," + fields + "}"
		if got := r.do("POST", path, body); got.status != 200 {
			t.Errorf("%s %s: %d %s", path, fields, got.status, got.body)
		}
		var got []string
		for _, tool := range r.asked().Tools {
			if tool.GoogleSearch != nil {
				got = append(got, "search")
			}
			for _, d := range tool.FunctionDeclarations {
				got = append(got, d.Name)
			}
		}
		if c := r.asked().ToolConfig; c != nil && c.FunctionCallingConfig != nil {
			got = append(got, string(c.FunctionCallingConfig.Mode))
			got = append(got, c.FunctionCallingConfig.AllowedFunctionNames...)
		}
		if words := strings.Join(got, " "); words != want {
			t.Errorf("%s %s: %q, want %q", path, fields, words, want)
		}
	}
	const (
		functions = `"tools":[{"type":"function","name":"f"},{"type":"function","name":"g"},{"type":"web_search"}],"tool_choice":`
		claudes   = `"tools":[{"name":"f","input_schema":{"type":"object"}},{"type":"web_search_20250305","name":"web_search"}],"tool_choice":`
	)
	f(messages, claudes+`{"type":"none"}`, "f NONE")
	for _, path := range []string{completions, replies} {
		f(path, functions+`"none"`, "f g NONE")
		f(path, `"tools":[{"type":"web_search"}],"tool_choice":"none"`, "")
		f(path, functions+`{"type":"allowed_tools","mode":"auto","tools":[{"type":"web_search"}]}`, "search")
		f(path, functions+`{"type":"allowed_tools","mode":"required","tools":[{"type":"web_search"}]}`, "search")
		f(path, functions+`{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"g"}]}`, "f g VALIDATED g")
		f(path, functions+`{"type":"allowed_tools","mode":"required","tools":[{"type":"web_search"},{"type":"function","name":"g"}]}`, "f g search ANY g")
		f(path, functions+`{"type":"allowed_tools","mode":"auto","tools":[{"type":"file_search"}]}`, "")
	}
	f(completions, functions+`{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"function","function":{"name":"f"}}]}}`, "f g VALIDATED f")
	n := len(r.fake.Requests())
	for _, path := range []string{completions, replies} {
		for _, list := range []string{`[]`, `[{"type":"function"}]`} {
			body := strings.TrimSuffix(ask(path, false), "}") + "," + functions + `{"type":"allowed_tools","mode":"auto","tools":` + list + `}}`
			if got := r.do("POST", path, body); got.status != 400 {
				t.Errorf("%s %s: %d %s", path, list, got.status, got.body)
			}
		}
	}
	if len(r.fake.Requests()) != n {
		t.Error("Gemini was asked")
	}
}
