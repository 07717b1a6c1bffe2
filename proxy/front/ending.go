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

// Ending tells how an answer ended: finish is its EventFinish, the zero Event when none came, calls the number of calls
// passed on, and said whether text or an image was. The failure is not nil when the answer must not be taken for whole: the
// stream was cut, a call was meant and could not be read, or it ended well without anything to show. Before anything was
// sent, that is a reason to ask Google again.
func Ending(finish *gemini.Event, calls int, said bool) (EndReason, *Error) {
	if finish.PromptBlocked {
		return EndRefusal, nil
	}
	class := finish.Finish.Class()
	switch {
	case class == gemini.FinishLength || class == gemini.FinishContinue:
		return EndLength, nil
	case class == gemini.FinishRefusal:
		return EndRefusal, nil
	case class == gemini.FinishIncomplete:
		return EndTurn, &Error{Kind: UpstreamFault, Message: "Gemini's answer broke off, ask again"}
	case calls > 0:
		return EndCalls, nil
	case class == gemini.FinishRetry || !said:
		return EndTurn, &Error{Kind: Overloaded,
			Message: "Gemini ended with " + string(finish.Finish) + " and no usable answer, ask again"}
	}
	return EndTurn, nil
}
