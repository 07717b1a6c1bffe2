package front

import "github.com/gemini-claude-adapter/gca/proxy/gemini"

// EndReason is why a whole answer ended, in words that every client protocol has one of its own for.
type EndReason uint8

const (
	EndTurn    EndReason = iota // the model is done
	EndCalls                    // it waits for the results of its calls
	EndLength                   // the output limit is reached
	EndRefusal                  // a filter stopped it
)

// Ending tells how an answer ended whose verdict is gemini.Whole: finish is its EventFinish, calls the number of calls passed
// on.
func Ending(finish *gemini.Event, calls int) EndReason {
	class := finish.Finish.Class()
	switch {
	case finish.PromptBlocked || class == gemini.FinishRefusal:
		return EndRefusal
	case class == gemini.FinishLength || class == gemini.FinishContinue:
		return EndLength
	case calls > 0:
		return EndCalls
	}
	return EndTurn
}
