package gemini

// Content reports whether an event is something of the answer that is worth showing. Thoughts are none, nor is what a tool of
// Google's own was asked and gave: without a word about it the answer is empty.
func (ev *Event) Content() bool {
	switch ev.Kind {
	case EventText:
		return !ev.Text.Blank()
	case EventCode:
		return !ev.Code.Code.Blank()
	case EventCodeResult:
		return !ev.CodeResult.Output.Blank()
	case EventCall, EventImage:
		return true
	}
	return false
}

// Tally is what an answer had so far, as far as it decides what the answer is worth. The zero value is an answer that has
// not begun.
type Tally struct {
	content bool
	call    bool
	finish  FinishReason
	blocked bool
}

// Note counts an event.
func (t *Tally) Note(ev *Event) {
	t.content = t.content || ev.Content()
	switch ev.Kind {
	case EventCall:
		t.call = true
	case EventFinish:
		t.finish, t.blocked = ev.Finish, ev.PromptBlocked
	}
}

// Finish is why the answer ended, "" while it has not.
func (t *Tally) Finish() FinishReason { return t.finish }

// Verdict says what an answer that ended is worth.
type Verdict uint8

// The verdicts. Only Whole is an answer; the others are reasons to ask again.
const (
	Whole     Verdict = iota
	Cut               // it ended in its middle
	Empty             // it ended well without anything to show
	Malformed         // a call was meant and cannot be read
	Unsigned          // it was refused for a missing thought signature, before it began
)

// Verdict judges the answer. A refusal, a blocked prompt and a spent budget are whole answers, with content or without;
// a valid call counts, whatever came after it.
func (t *Tally) Verdict() Verdict {
	if t.blocked {
		return Whole
	}
	switch t.finish.Class() {
	case FinishIncomplete:
		return Cut
	case FinishOK, FinishOther:
		if !t.content {
			return Empty
		}
	case FinishRetry:
		switch {
		case t.finish == finishUnsigned && !t.content:
			return Unsigned
		case !t.call:
			return Malformed
		}
	}
	return Whole
}
