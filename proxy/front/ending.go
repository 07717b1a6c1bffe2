package front

import "github.com/gemini-claude-adapter/gca/proxy/gemini"

// EndReason is why a whole answer ended, in words that every client protocol has one of its own for.
type EndReason uint8

const (
	EndTurn    EndReason = iota // the model is done
	EndCalls                    // it waits for the results of its calls
	EndLength                   // the output limit is reached
	EndRefusal                  // a filter stopped it
	EndStop                     // a stop sequence came: EventFinish.StopSequence
	EndWindow                   // prompt and answer together fill the model's window
)

// Ending tells how the answer to call ended, when its verdict is gemini.Whole: finish is its EventFinish, usage its last
// EventUsage, calls the number of calls passed on.
func Ending(call *Call, finish *gemini.Event, usage gemini.Usage, calls int) EndReason {
	class := finish.Finish.Class()
	switch {
	case finish.StopSequence != "":
		return EndStop
	case class == gemini.FinishLength && fillsWindow(call.Target, usage):
		return EndWindow
	case finish.PromptBlocked || class == gemini.FinishRefusal:
		return EndRefusal
	case class == gemini.FinishLength || class == gemini.FinishContinue:
		return EndLength
	case calls > 0:
		return EndCalls
	}
	return EndTurn
}

func fillsWindow(model string, u gemini.Usage) bool {
	window := gemini.FamilyOf(model).Window
	return window > 0 && u.Prompt+u.ToolUse+u.Thoughts+u.Candidates >= window
}
