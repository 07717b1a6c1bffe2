package front

import (
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

func TestEnding(t *testing.T) {
	f := func(reason gemini.FinishReason, calls int, want EndReason) {
		t.Helper()
		call := &Call{Target: flash38}
		if got := Ending(call, &gemini.Event{Kind: gemini.EventFinish, Finish: reason}, gemini.Usage{Prompt: 2 << 20}, calls); got != want {
			t.Errorf("%q, %d calls: %d, want %d", reason, calls, got, want)
		}
	}
	f("STOP", 0, EndTurn)
	f("STOP", 1, EndCalls)
	f("MAX_TOKENS", 0, EndLength)
	f("MAX_TOKENS", 1, EndLength)
	f("CONTINUATION", 0, EndLength)
	f("SAFETY", 0, EndRefusal)
	f("MALFORMED_FUNCTION_CALL", 1, EndCalls) // a valid call came before
	f("FOO", 0, EndTurn)
	f("TOO_MANY_TOOL_CALLS", 2, EndCalls)
	f("TOO_MANY_TOOL_CALLS", 0, EndTurn)
	blocked := &gemini.Event{Finish: "OTHER", PromptBlocked: true}
	if got := Ending(&Call{}, blocked, gemini.Usage{}, 0); got != EndRefusal {
		t.Errorf("a blocked prompt: %d", got)
	}
	stopped := &gemini.Event{Finish: gemini.FinishStop, StopSequence: "END"}
	if got := Ending(&Call{}, stopped, gemini.Usage{}, 1); got != EndStop {
		t.Errorf("a stop sequence: %d", got)
	}
}

func TestEndingAtTheWindow(t *testing.T) {
	f := func(model string, finish gemini.FinishReason, u gemini.Usage, want EndReason) {
		t.Helper()
		if got := Ending(&Call{Target: model}, &gemini.Event{Finish: finish}, u, 0); got != want {
			t.Errorf("%s, %s, %+v: %d, want %d", model, finish, u, got, want)
		}
	}
	full := gemini.Usage{Prompt: 1_000_000, ToolUse: 576, Thoughts: 8000, Candidates: 40_000}
	f("gemini-4-neon", gemini.FinishMaxTokens, full, EndWindow)
	f("gemini-4-neon", gemini.FinishStop, full, EndTurn)
	f("gemini-3.8-flash", gemini.FinishMaxTokens, full, EndLength)
	f("gemini-2.5-pro", gemini.FinishMaxTokens, full, EndLength)
	full.Thoughts--
	f("gemini-4-neon", gemini.FinishMaxTokens, full, EndLength)
}
