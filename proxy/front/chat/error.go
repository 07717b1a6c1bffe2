package chat

import (
	"fmt"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// Error is the envelope and status of a failure. The request id goes into a header only.
func (Codec) Error(e *front.Error, requestID string) (status int, body []byte) {
	status, _, _ = kindOf(e)
	return status, appendError(nil, e)
}

// kindOf is the status, the type and the code of a failure.
func kindOf(e *front.Error) (status int, errorType, code string) {
	switch e.Kind {
	case front.Invalid:
		return 400, "invalid_request_error", "invalid_value"
	case front.Overflow:
		return 400, "invalid_request_error", "context_length_exceeded"
	case front.Unauthorized:
		return 401, "invalid_request_error", "invalid_api_key"
	case front.Forbidden:
		return 403, "permission_error", ""
	case front.Region:
		return 403, "permission_error", "unsupported_country_region_territory"
	case front.NotFound:
		if e.Param == "model" {
			return 404, "invalid_request_error", "model_not_found"
		}
		return 404, "invalid_request_error", ""
	case front.TooLarge:
		return 413, "invalid_request_error", ""
	case front.RateLimited:
		if e.NoRetry {
			return 429, "insufficient_quota", "insufficient_quota"
		}
		return 429, "rate_limit_error", "rate_limit_exceeded"
	case front.NoKeys:
		return 503, "server_error", ""
	case front.Overloaded:
		return 503, "service_unavailable_error", "server_is_overloaded"
	case front.Unreachable:
		return 502, "server_error", ""
	case front.Timeout:
		return 504, "server_error", ""
	}
	return 500, "server_error", ""
}

func appendError(dst []byte, e *front.Error) []byte {
	_, errorType, code := kindOf(e)
	if e.Code != "" {
		code = e.Code
	}
	dst = gemini.AppendQuoted(append(dst, `{"error":{"message":`...), errorMessage(e))
	dst = gemini.AppendQuoted(append(dst, `,"type":`...), errorType)
	dst = appendOptional(append(dst, `,"param":`...), e.Param)
	dst = appendOptional(append(dst, `,"code":`...), code)
	return append(dst, '}', '}')
}

func appendOptional(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, "null"...)
	}
	return gemini.AppendQuoted(dst, s)
}

// errorMessage is the error's own, but for Overflow with known figures: clients look for these words.
func errorMessage(e *front.Error) string {
	if e.Kind == front.Overflow && e.Limit > 0 {
		return fmt.Sprintf("This model's maximum context length is %d tokens. However, your messages resulted in %d tokens.",
			e.Limit, max(e.Tokens, e.Limit+1))
	}
	return e.Message
}
