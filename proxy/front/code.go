package front

import (
	"strings"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// CodeText tells, in a fenced block of Markdown, of the code of an EventCode or of what an EventCodeResult says it did; ""
// for every other event. It is for clients that did not ask for the tool, or whose protocol has no words for it.
func CodeText(ev *gemini.Event) gemini.Text {
	switch {
	case ev.Code != nil:
		return ev.Code.Code.Wrap("\n```"+strings.ToLower(ev.Code.Language)+"\n", "\n```\n")
	case ev.CodeResult != nil && !ev.CodeResult.Output.Empty():
		return ev.CodeResult.Output.Wrap("\n```\n", "\n```\n")
	}
	return gemini.Text(`""`)
}
