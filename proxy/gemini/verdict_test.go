package gemini

import "testing"

func TestVerdict(t *testing.T) {
	f := func(want Verdict, finish FinishReason, events ...Event) {
		t.Helper()
		var tally Tally
		for i := range events {
			tally.Note(&events[i])
		}
		if finish != "" {
			tally.Note(&Event{Kind: EventFinish, Finish: finish})
		}
		if got := tally.Verdict(); got != want || tally.Finish() != finish {
			t.Errorf("%q after %d events: %d, want %d", finish, len(events), got, want)
		}
	}
	text, blank := Event{Kind: EventText, Text: Quote("x")}, Event{Kind: EventText, Text: Quote(" \n")}
	thought, call, image := Event{Kind: EventThought, Text: Quote("x")}, Event{Kind: EventCall}, Event{Kind: EventImage}
	f(Whole, "STOP", text)
	f(Whole, "STOP", call)
	f(Whole, "STOP", image)
	f(Whole, "STOP", Event{Kind: EventCode, Code: &ExecutableCode{Code: Quote("1+1")}})
	f(Whole, "STOP", Event{Kind: EventCodeResult, CodeResult: &CodeResult{Output: Quote("2")}})
	f(Empty, "STOP", Event{Kind: EventCodeResult, CodeResult: &CodeResult{Outcome: "OUTCOME_OK"}})
	f(Empty, "STOP", Event{Kind: EventServerCall}, Event{Kind: EventServerResult}, Event{Kind: EventGrounding})
	f(Empty, "STOP")
	f(Empty, "STOP", thought, blank)
	f(Whole, "MAX_TOKENS")
	f(Whole, "CONTINUATION", text)
	f(Whole, "SAFETY")
	f(Cut, "")
	f(Cut, "", text, call)
	f(Malformed, "MALFORMED_FUNCTION_CALL", text)
	f(Malformed, "UNEXPECTED_TOOL_CALL")
	f(Whole, "MALFORMED_FUNCTION_CALL", text, call)
	f(Unsigned, "MISSING_THOUGHT_SIGNATURE", thought)
	f(Malformed, "MISSING_THOUGHT_SIGNATURE", text)
	f(Whole, "FOO", text)
	f(Empty, "FOO")
	f(Whole, "TOO_MANY_TOOL_CALLS", call)
	blocked := Tally{}
	blocked.Note(&Event{Kind: EventFinish, Finish: "OTHER", PromptBlocked: true})
	if got := blocked.Verdict(); got != Whole {
		t.Errorf("a blocked prompt: %d", got)
	}
}

func TestEstimateTokens(t *testing.T) {
	f := func(want int, r Request) {
		t.Helper()
		if got := r.EstimateTokens(); got != want {
			t.Errorf("%d tokens, want %d: %s", got, want, r.AppendJSON(nil))
		}
	}
	of := func(parts ...Part) []Content { return []Content{{Role: RoleUser, Parts: parts}} }
	image := &Blob{MimeType: "image/png", Data: string(make([]byte, 1<<20))}
	f(1, Request{})
	f(10, Request{Contents: of(Part{Text: Quote("0123456789 0123456789 0123456789 01234")})})
	f(3, Request{Contents: of(Part{Text: Text(`"\u4f60\u597d\u4e16\u754c"`)})})
	f(3, Request{Contents: of(Part{Text: Quote("你好世界")})})
	f(260, Request{Contents: of(Part{InlineData: image})})
	f(520, Request{Contents: of(Part{FunctionResponse: &FunctionResponse{Parts: []Part{{InlineData: image}}}}, Part{InlineData: image})})
	f(2, Request{Contents: of(Part{FunctionCall: &FunctionCall{Name: "read", Args: []byte(`{"":1}`)}})})
}
