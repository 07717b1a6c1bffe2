package setup

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// change sets an item and says what the text became, or the error.
func change(f format, text, path, raw string) string {
	got, err := f.set([]byte(text), strings.Split(path, "/"), raw)
	if err != nil {
		return "error: " + err.Error()
	}
	return string(got)
}

func TestJSON_set(t *testing.T) {
	f := func(text, path, raw, want string) {
		t.Helper()
		if got := change(jsonFormat{}, text, path, raw); got != want {
			t.Errorf("got:\n%s\nwant:\n%s", got, want)
		}
	}
	f("", "env/A", `"1"`, "{\n  \"env\": {\n    \"A\": \"1\"\n  }\n}\n")
	f("{}", "a", "true", "{\n  \"a\": true\n}")
	f("{\n\t\"x\": [1],\n\t\"env\": {\n\t\t\"B\": \"2\"\n\t}\n}\n", "env/A", `"1"`, "{\n\t\"x\": [1],\n\t\"env\": {\n\t\t\"B\": \"2\",\n\t\t\"A\": \"1\"\n\t}\n}\n")
	f(`{"env": {"A": "old"}, "x": 1}`, "env/A", `"1"`, `{"env": {"A": "1"}, "x": 1}`)
	f("{\n  // mine\n  \"a\": 1, // one\n}\n", "b", "2", "{\n  // mine\n  \"a\": 1, // one\n  \"b\": 2,\n}\n")
	f("{\n  \"a\": 1 /* one */\n}", "b", "2", "{\n  \"a\": 1, /* one */\n  \"b\": 2\n}")
	f("{\"a\":1,\"b\":2,\"c\":3}", "b", "", "{\"a\":1,\"c\":3}")
	f("{\"a\":1,\"b\":2}", "b", "", "{\"a\":1}")
	f("{\n  \"a\": 1,\n  // two\n  \"b\": 2,\n  \"c\": 3\n}", "b", "", "{\n  \"a\": 1,\n  // two\n  \"c\": 3\n}")
	f("{\"a\": {\"b\": 1}}", "a/b", "", "{\"a\": {}}")
	f("{\"a\": 1}", "x/y", "", "{\"a\": 1}")
	f("{\"a\": 1}", "a/b", "2", "error: a is no JSON object")
	f("[1]", "a", "2", "error: it is no JSON object")
	if got := change(jsonFormat{}, `{"a" 1}`, "a", "2"); !strings.HasPrefix(got, "error: ") {
		t.Errorf("a broken file became %s", got)
	}
}

// Whatever is set reads back, nothing else changes its value, and what was added and removed again leaves the values that were.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{"", "{}", "{\n\t// c\n\t\"env\": {\"A\": 1,},\n}", `{"env":{"B":[1,{"x":null}]},"z":"é"}`, "{/*x*/}", `{"a":1 /*y*/ , }`} {
		f.Add(seed, "A", true)
	}
	f.Fuzz(func(t *testing.T, text, name string, deep bool) {
		if !utf8.ValidString(name) {
			return
		}
		path := []string{name}
		if deep {
			path = []string{"env", name}
		}
		form := jsonFormat{}
		_, was, err := form.get([]byte(text), path)
		if err != nil {
			return
		}
		after, err := form.set([]byte(text), path, `"v"`)
		if err != nil {
			t.Fatalf("%q was read, and cannot be set: %v", text, err)
		}
		if raw, ok, err := form.get(after, path); !ok || raw != `"v"` || err != nil {
			t.Fatalf("%q became %q, where it is %q, %v, %v", text, after, raw, ok, err)
		}
		if was {
			return
		}
		again, err := form.set(after, path, "")
		if err != nil {
			t.Fatal(err)
		}
		if _, ok, err := form.get(again, path); ok || err != nil {
			t.Fatalf("%q is still in %q, %v", name, again, err)
		}
		if _, had, _ := form.get([]byte(text), []string{"env"}); (had || !deep) && minimal(t, []byte(text)) != minimal(t, again) {
			t.Fatalf("%q became %q", text, again)
		}
	})
}

func minimal(t *testing.T, text []byte) string {
	t.Helper()
	v, _, err := jsonFormat{}.parse(text)
	if err != nil {
		t.Fatal(err)
	}
	v.Minimize()
	return v.String()
}
