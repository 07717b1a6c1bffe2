package gemini

// The finish reasons that the proxy itself makes or looks for.
const (
	FinishStop      FinishReason = "STOP"
	FinishMaxTokens FinishReason = "MAX_TOKENS"
	finishUnsigned  FinishReason = "MISSING_THOUGHT_SIGNATURE"
)

// FinishClass says what an end of an answer means for the one who waits for it.
type FinishClass uint8

const (
	FinishIncomplete FinishClass = iota // no reason given: the stream was cut
	FinishOK                            // a natural end, calls included
	FinishLength                        // the output budget is spent, thoughts included
	FinishRefusal                       // a filter stopped it
	FinishRetry                         // the model wrote something unusable: ask again
	FinishContinue                      // the end of a segment that can be resumed
	FinishOther                         // ok with content, ask again without
)

// Class sorts the reason as the Gemini API docs and recorded traffic describe it. A value that nobody knows is
// FinishOther.
func (f FinishReason) Class() FinishClass {
	switch f {
	case "", "FINISH_REASON_UNSPECIFIED":
		return FinishIncomplete
	case FinishStop:
		return FinishOK
	case FinishMaxTokens:
		return FinishLength
	case "CONTINUATION":
		return FinishContinue
	case "SAFETY", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "RECITATION", "LANGUAGE", "MODEL_ARMOR",
		"IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "IMAGE_OTHER", "NO_IMAGE":
		return FinishRefusal
	case "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "MALFORMED_RESPONSE", finishUnsigned:
		return FinishRetry
	}
	return FinishOther
}
