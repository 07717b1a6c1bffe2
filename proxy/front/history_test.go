package front

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// A history in one line: contents separated by " / ", each "u:" or "m:" and parts separated by commas. A part is a() for the
// call with the id a of the function a, a=x for its result, a!x for its error, *img for an image, a=x*img for a result with
// an image; a call's or text's signature follows in <>, an upstream id in #; anything else is a text.

func parseHistory(line string) []gemini.Content {
	var contents []gemini.Content
	for _, c := range strings.Split(line, " / ") {
		role, parts, _ := strings.Cut(c, ":")
		content := gemini.Content{Role: map[string]string{"u": gemini.RoleUser, "m": gemini.RoleModel}[role]}
		for _, p := range strings.Split(parts, ",") {
			content.Parts = append(content.Parts, parsePart(p))
		}
		contents = append(contents, content)
	}
	return contents
}

func parsePart(p string) gemini.Part {
	if image, ok := strings.CutPrefix(p, "*"); ok {
		return gemini.Part{InlineData: &gemini.Blob{MimeType: "image/" + image, Data: "AA=="}}
	}
	if name, ok := strings.CutSuffix(p, "()"); ok {
		return gemini.Part{FunctionCall: &gemini.FunctionCall{Name: name, ClientID: name, Args: json.RawMessage(`{}`)}}
	}
	p, image, hasImage := strings.Cut(p, "*")
	for _, sep := range []string{"=", "!"} {
		if id, text, ok := strings.Cut(p, sep); ok {
			output := []gemini.Part{{Text: gemini.Quote(text)}}
			if hasImage {
				output = append(output, parsePart("*"+image))
			}
			return gemini.Part{FunctionResponse: new(Arena).Result(id, output, sep == "!")}
		}
	}
	return gemini.Part{Text: gemini.Quote(p)}
}

func formatHistory(contents []gemini.Content) string {
	var lines []string
	for _, c := range contents {
		var parts []string
		for _, p := range c.Parts {
			parts = append(parts, formatPart(p))
		}
		lines = append(lines, c.Role[:1]+":"+strings.Join(parts, ","))
	}
	return strings.Join(lines, " / ")
}

func formatPart(p gemini.Part) string {
	out := ""
	switch {
	case p.InlineData != nil:
		out = "*" + strings.TrimPrefix(p.InlineData.MimeType, "image/")
	case p.FunctionCall != nil:
		out = p.FunctionCall.Name + "()"
		if p.FunctionCall.ID != "" {
			out += "#" + p.FunctionCall.ID
		}
	case p.ToolCall != nil:
		out = string(p.ToolCall)
	case p.ToolResponse != nil:
		out = string(p.ToolResponse)
	case p.FunctionResponse != nil:
		r := p.FunctionResponse
		sep := "="
		if r.Response.Error != nil {
			sep = "!"
		}
		out = r.Name + sep + r.Response.Text().String()
		for _, m := range r.Parts {
			out += formatPart(m)
		}
		if r.ID != "" {
			out += "#" + r.ID
		}
	default:
		out = p.Text.String()
	}
	if p.ThoughtSignature != "" {
		out += "<" + strings.Replace(p.ThoughtSignature, dummy, "dummy", 1) + ">"
	}
	return out
}

func TestNormalise(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := formatHistory(Normalise(parseHistory(in))); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", in, got, want)
		}
	}
	const lost = "!Tool call was interrupted; no result."

	f("u:hi", "u:hi")
	f("u:hi / m:yo / u:x", "u:hi / m:yo / u:x")
	// E34
	f("u:a / u:b", "u:a,b")
	f("u:a / m:b / m:c", "u:a / m:b,c")
	// E35
	f("u:q / m:a(),b() / u:b=2,a=1,more", "u:q / m:a(),b() / u:a=1,b=2 / u:more")
	f("u:q / m:a(),b() / u:more,b=2 / u:a=1", "u:q / m:a(),b() / u:a=1,b=2 / u:more")
	// E36
	f("u:q / m:a()", "u:q / m:a() / u:a"+lost)
	f("u:q / m:a(),b() / u:b=2", "u:q / m:a(),b() / u:a"+lost+",b=2")
	f("u:q / m:a() / u:stop / m:ok / u:go", "u:q / m:a() / u:a"+lost+" / u:stop / m:ok / u:go")
	// E37
	f("u:q / m:ok / u:z=1", "u:q / m:ok / u:[tool result z] 1")
	f("u:z=1", "u:[tool result z] 1")
	f("u:q / m:a() / u:z!1*png", "u:q / m:a() / u:a"+lost+" / u:[tool result z] 1,*png")
	// E38
	f("u:q / m:a() / u:a!bad", "u:q / m:a() / u:a!bad")
	// duplicates: the first wins
	f("u:q / m:a() / u:a=1,a=2", "u:q / m:a() / u:a=1 / u:[tool result a] 2")
	// one id used again in a later step
	f("u:q / m:a() / u:a=1 / m:a() / u:a=2", "u:q / m:a() / u:a=1 / m:a() / u:a=2")
	f("u:q / m:a() / m:x / u:y / m:a() / u:a=2", "u:q / m:x,a() / u:a"+lost+" / u:y / m:a() / u:a=2")
	f("u:q / m:a(),a() / u:a=1,a=2", "u:q / m:a(),a() / u:a=1,a=2")
	// results that stand elsewhere
	f("u:q / m:a() / u:wait / u:a=1", "u:q / m:a() / u:a=1 / u:wait")
	f("u:q / m:a() / u:wait / m:ok / u:a=1", "u:q / m:a() / u:a=1 / u:wait / m:ok")
	f("u:q,a=1 / m:a() / u:go", "u:q / m:a() / u:a=1 / u:go")
	// sequential steps stay apart, calls spread over messages are one step
	f("u:q / m:a() / u:a=1 / m:b() / u:b=2", "u:q / m:a() / u:a=1 / m:b() / u:b=2")
	f("u:q / m:a() / m:b() / u:a=1 / u:b=2", "u:q / m:a(),b() / u:a=1,b=2")
	// text after a call goes before it
	f("u:q / m:one,a(),two / u:a=1", "u:q / m:one,two,a() / u:a=1")
	// beginnings and empties
	f("m:hi / u:x", "u:. / m:hi / u:x")
	f("m:a() / u:a=1", "u:. / m:a() / u:a=1")
	f("u: / m:x", "u:. / m:x")
	f("u:a, / m:,b / u:  ", "u:a / m:b")
	f("u:a,  ", "u:a,  ")
	f("u:", "")
	f("u: / m:", "")
}

// TestResultsGoInTheOrderOfTheCalls: three calls of one function, results in any order.
func TestResultsGoInTheOrderOfTheCalls(t *testing.T) {
	call := func(id string) gemini.Part {
		return gemini.Part{FunctionCall: &gemini.FunctionCall{Name: "f", ClientID: id}}
	}
	result := func(id string) gemini.Part {
		return gemini.Part{FunctionResponse: &gemini.FunctionResponse{
			ClientID: id, Response: ToolResult(gemini.Quote(id), id == "1"),
		}}
	}
	out := Normalise([]gemini.Content{
		{Role: "user", Parts: []gemini.Part{{Text: gemini.Quote("q")}}},
		{Role: "model", Parts: []gemini.Part{call("0"), call("1"), call("2")}},
		{Role: "user", Parts: []gemini.Part{result("2"), result("1"), result("0")}},
	})
	if got, want := formatHistory(out), "u:q / m:f(),f(),f() / u:f=0,f!1,f=2"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestNormaliseTakesTimeInProportion: ids and names as no sane client sends them. In time that grows with the square of their
// number this would take minutes.
func TestNormaliseTakesTimeInProportion(t *testing.T) {
	const n = 100_000
	calls, answers := make([]gemini.Part, n), make([]gemini.Part, n)
	for i := range n {
		calls[i].FunctionCall = &gemini.FunctionCall{Name: "f" + strconv.Itoa(i), ClientID: "same"}
		answers[i].FunctionResponse = &gemini.FunctionResponse{ClientID: "same", Response: ToolResult(nil, false)}
	}
	call := &Call{Request: &gemini.Request{}}
	began := time.Now()
	if err := call.SetContents([]gemini.Content{{Role: "user", Parts: []gemini.Part{{Text: gemini.Quote("q")}}}, {Role: "model", Parts: calls}, {Role: "user", Parts: answers}}); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
	last := call.Request.Contents[2].Parts[n-1].FunctionResponse
	if last != answers[n-1].FunctionResponse || last.Name != "f99999" {
		t.Errorf("the last call has the result %+v", last)
	}
	if stubs := call.Request.Tools[0].FunctionDeclarations; len(stubs) != maxTools {
		t.Errorf("%d stubs", len(stubs))
	}
}

// wellFormed checks what Gemini checks of the order of contents.
func wellFormed(t *testing.T, contents []gemini.Content) {
	t.Helper()
	fail := func(why string) { t.Errorf("%s: %s", why, formatHistory(contents)) }
	for i, c := range contents {
		if len(c.Parts) == 0 {
			fail("a content without parts")
			return
		}
		calls := func(p gemini.Part) bool { return p.FunctionCall != nil }
		results := func(p gemini.Part) bool { return p.FunctionResponse != nil }
		var before, after gemini.Content
		if i > 0 {
			before = contents[i-1]
		}
		if i+1 < len(contents) {
			after = contents[i+1]
		}
		n := len(slices.DeleteFunc(slices.Clone(c.Parts), func(p gemini.Part) bool { return !calls(p) }))
		switch {
		case i == 0 && (c.Role != "user" || onlyResults(&c)):
			fail("the first content")
		case n > 0 && (len(after.Parts) != n || !onlyResults(&after)):
			fail("calls without their results")
		case slices.ContainsFunc(c.Parts, results) && slices.ContainsFunc(c.Parts, func(p gemini.Part) bool { return !results(p) }):
			fail("results mixed with others")
		case slices.ContainsFunc(c.Parts, results) && !slices.ContainsFunc(before.Parts, calls):
			fail("results without calls")
		case c.Role == before.Role && !onlyResults(&before) && i > 0:
			fail("two contents of a role")
		}
	}
}

func FuzzNormalise(f *testing.F) {
	f.Add("u:q / m:a(),x,b() / u:b=2*png,a=1,more / m:a() / u:z=1")
	f.Add("m:a() / m:a() / u:a=1,a=2,a=3 /  / u: ")
	f.Fuzz(func(t *testing.T, line string) {
		contents := parseHistory(line)
		for i := range contents {
			contents[i].Role = gemini.RoleUser
			if slices.ContainsFunc(contents[i].Parts, func(p gemini.Part) bool { return p.FunctionCall != nil }) {
				contents[i].Role = gemini.RoleModel
				contents[i].Parts = slices.DeleteFunc(contents[i].Parts, func(p gemini.Part) bool {
					return p.FunctionResponse != nil // no codec makes one there
				})
			}
		}
		wellFormed(t, Normalise(contents))
	})
}

func TestObject(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := string(Object([]byte(in))); got != want {
			t.Errorf("Object(%q) = %s, want %s", in, got, want)
		}
	}
	f(``, `{}`)
	f(` `, `{}`)
	f(`null`, `{}`)
	f(`[1]`, `{}`)
	f(`"x"`, `{}`)
	f(`{"b": 1, "a":"<"}`, `{"b": 1, "a":"<"}`)
	f(`{"a":1}{"b":2}`, `{"_raw":"{\"a\":1}{\"b\":2}"}`)
	f(`{"a`, `{"_raw":"{\"a"}`)
}
