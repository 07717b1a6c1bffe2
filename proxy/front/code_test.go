package front

import (
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

func TestCodeText(t *testing.T) {
	f := func(ev gemini.Event, want string) {
		t.Helper()
		if got := CodeText(&ev).String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	code := func(language, text string) gemini.Event {
		return gemini.Event{Kind: gemini.EventCode, Code: &gemini.ExecutableCode{Language: language, Code: gemini.Quote(text)}}
	}
	result := func(output gemini.Text) gemini.Event {
		return gemini.Event{Kind: gemini.EventCodeResult, CodeResult: &gemini.CodeResult{Outcome: "OUTCOME_OK", Output: output}}
	}
	f(code("PYTHON", "print(\"<é>\")"), "\n```python\nprint(\"<é>\")\n```\n")
	f(code("", ""), "\n```\n\n```\n")
	f(result(gemini.Quote("2\n")), "\n```\n2\n\n```\n")
	f(result(nil), "")
	f(gemini.Event{Kind: gemini.EventText, Text: gemini.Quote("x")}, "")
}
