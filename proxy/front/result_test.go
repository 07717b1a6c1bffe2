package front

import (
	"encoding/json"
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

func TestResult(t *testing.T) {
	text := func(s string) gemini.Part { return gemini.Part{Text: gemini.Quote(s)} }
	png := gemini.Part{InlineData: &gemini.Blob{MimeType: "image/png", Data: "iVBORw=="}}
	f := func(isError bool, want string, media int, output ...gemini.Part) {
		t.Helper()
		r := new(Arena).Result("call_1", output, isError)
		response, err := json.Marshal(r.Response)
		if err != nil || string(response) != want || len(r.Parts) != media || r.ClientID != "call_1" {
			t.Errorf("%v gives %s with %d media, want %s with %d", output, response, len(r.Parts), want, media)
		}
	}
	f(false, `{"output":""}`, 0)
	f(false, `{"output":"a\nb"}`, 0, text("a"), text("b"))
	f(true, `{"error":"a"}`, 1, png, text("a"))
	f(false, `{"output":"see attached"}`, 2, png, png)
}
