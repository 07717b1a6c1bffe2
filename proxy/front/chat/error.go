package chat

import "github.com/gemini-claude-adapter/gca/proxy/front"

// Error is the envelope and status of a failure. The request id goes into a header only.
func (Codec) Error(e *front.Error, requestID string) (status int, body []byte) {
	return front.OpenAIError(e)
}
