package anthropic

import (
	"fmt"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// Error is the envelope and status of a failure.
func (Codec) Error(e *front.Error, requestID string) (status int, body []byte) {
	status, kind := statusOf(e.Kind)
	return status, appendError(nil, kind, e, requestID)
}

func statusOf(kind front.Kind) (status int, errorType string) {
	switch kind {
	case front.Slow:
		return 408, "invalid_request_error"
	case front.Invalid, front.Overflow:
		return 400, "invalid_request_error"
	case front.Unauthorized:
		return 401, "authentication_error"
	case front.Forbidden, front.Region:
		return 403, "permission_error"
	case front.NotFound:
		return 404, "not_found_error"
	case front.TooLarge:
		return 413, "request_too_large"
	case front.RateLimited:
		return 429, "rate_limit_error"
	case front.NoKeys:
		return 503, "api_error"
	case front.Overloaded:
		return 529, "overloaded_error"
	case front.Unreachable:
		return 502, "api_error"
	case front.Timeout:
		return 504, "timeout_error"
	}
	return 500, "api_error"
}

// appendError appends {"type":"error","error":{…},"request_id":…}, which is the body of an answer, or the data of an error event.
func appendError(dst []byte, kind string, e *front.Error, requestID string) []byte {
	dst = append(dst, `{"type":"error","error":{"type":"`...)
	dst = append(append(dst, kind...), `","message":`...)
	dst = gemini.AppendQuoted(dst, errorMessage(e))
	if e.Code != "" {
		dst = gemini.AppendQuoted(append(dst, `,"details":{"error_code":`...), e.Code)
		dst = gemini.AppendQuoted(append(dst, `,"unsupported":[`...), e.Param)
		dst = append(dst, ']', '}')
	}
	return append(gemini.AppendQuoted(append(dst, `},"request_id":`...), requestID), '}')
}

// errorMessage is the error's own, with its detail, but for Overflow with known figures: Claude Code compacts its history on these words alone.
func errorMessage(e *front.Error) string {
	if e.Kind == front.Overflow && e.Limit > 0 {
		return fmt.Sprintf("prompt is too long: %d tokens > %d maximum", e.Tokens, e.Limit)
	}
	if e.Detail != "" {
		return e.Message + ": " + e.Detail
	}
	return e.Message
}
