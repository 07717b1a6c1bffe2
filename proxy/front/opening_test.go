package front

import (
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

func TestOpening(t *testing.T) {
	user := func(texts ...string) gemini.Content {
		c := gemini.Content{Role: gemini.RoleUser}
		for _, s := range texts {
			c.Parts = append(c.Parts, gemini.Part{Text: gemini.Quote(s)})
		}
		return c
	}
	image := gemini.Content{Role: gemini.RoleUser, Parts: []gemini.Part{{InlineData: &gemini.Blob{}}}}
	model := gemini.Content{Role: gemini.RoleModel, Parts: []gemini.Part{{Text: gemini.Quote("m")}}}
	tools := []gemini.Tool{{}}
	begun := Opening(&gemini.Request{Contents: []gemini.Content{user("a", "b")}, Tools: tools})
	if begun == "" || begun != Opening(&gemini.Request{Contents: []gemini.Content{user("a"), model, user("c")}}) {
		t.Errorf("%q does not go on", begun)
	}
	system := func(n int) *gemini.Content { c := user(strings.Repeat("x", n)); return &c }
	first := Opening(&gemini.Request{Contents: []gemini.Content{user("a")}, SystemInstruction: system(1024)})
	if next := Opening(&gemini.Request{Contents: []gemini.Content{user("a"), model, user("c")}, SystemInstruction: system(1024)}); first == "" || first != next {
		t.Errorf("%q goes on as %q", first, next)
	}
	if got := Opening(&gemini.Request{Contents: []gemini.Content{user("a")}, SystemInstruction: system(1000)}); got != "" {
		t.Errorf("a question with a few instructions is %q", got)
	}
	f := func(contents ...gemini.Content) {
		t.Helper()
		if got := Opening(&gemini.Request{Contents: contents}); got != "" {
			t.Error(got)
		}
	}
	f()
	f(user("a"))
	f(image, model)
	f(user(""), model)
	if other := Opening(&gemini.Request{Contents: []gemini.Content{user("b")}, Tools: tools}); other == begun || other == "" {
		t.Error("two conversations are one")
	}
}
