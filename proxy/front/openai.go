package front

import (
	"fmt"
	"math"
	"strings"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// OpenAI's APIs tell errors alike: the same statuses, the same types and codes, one envelope (OpenAI API reference, error
// codes).

// OpenAIError is the status and the body {"error":{…}} of a failure, as each of OpenAI's APIs tells it.
func OpenAIError(e *Error) (status int, body []byte) {
	status, _, _ = openAIKind(e)
	return status, AppendOpenAIError(nil, e)
}

// AppendOpenAIError appends the body alone, as streams need it.
func AppendOpenAIError(dst []byte, e *Error) []byte {
	_, errorType, code := openAIKind(e)
	if e.Code != "" {
		code = e.Code
	}
	dst = gemini.AppendQuoted(append(dst, `{"error":{"message":`...), OpenAIMessage(e))
	dst = gemini.AppendQuoted(append(dst, `,"type":`...), errorType)
	dst = AppendOptional(append(dst, `,"param":`...), e.Param)
	dst = AppendOptional(append(dst, `,"code":`...), code)
	return append(dst, '}', '}')
}

// OpenAIMessage is the error's own, in OpenAI's words where clients look for these.
func OpenAIMessage(e *Error) string {
	switch {
	case e.Kind == Overflow && e.Limit > 0:
		return fmt.Sprintf("This model's maximum context length is %d tokens. However, your messages resulted in %d tokens.", e.Limit, e.Tokens)
	case e.Kind == NotFound && e.Param == "model":
		words := fmt.Sprintf("The model `%s` does not exist or you do not have access to it.", strings.TrimPrefix(e.Message, "model: "))
		if e.Detail != "" {
			words = strings.TrimSuffix(words, ".") + ": " + e.Detail
		}
		return words
	case e.Kind == RateLimited && e.RetryAfter > 0 && !strings.Contains(e.Message, "try again in"):
		return fmt.Sprintf("%s; try again in %.0fs", e.Message, math.Ceil(e.RetryAfter.Seconds()))
	}
	return e.Message
}

// AppendOptional appends s as a JSON string, null for "".
func AppendOptional(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, "null"...)
	}
	return gemini.AppendQuoted(dst, s)
}

func openAIKind(e *Error) (status int, errorType, code string) {
	switch e.Kind {
	case Slow:
		return 408, "invalid_request_error", ""
	case Invalid:
		return 400, "invalid_request_error", "invalid_value"
	case Overflow:
		return 400, "invalid_request_error", "context_length_exceeded"
	case Unauthorized:
		return 401, "invalid_request_error", "invalid_api_key"
	case Forbidden:
		return 403, "permission_error", ""
	case Region:
		return 403, "permission_error", "unsupported_country_region_territory"
	case NotFound:
		if e.Param == "model" {
			return 404, "invalid_request_error", "model_not_found"
		}
		return 404, "invalid_request_error", ""
	case TooLarge:
		return 413, "invalid_request_error", ""
	case RateLimited:
		if e.NoRetry {
			return 429, "insufficient_quota", "insufficient_quota"
		}
		return 429, "rate_limit_error", "rate_limit_exceeded"
	case NoKeys:
		return 503, "server_error", ""
	case Overloaded:
		return 503, "service_unavailable_error", "server_is_overloaded"
	case Unreachable:
		return 502, "server_error", ""
	case Timeout:
		return 504, "server_error", ""
	}
	return 500, "server_error", ""
}
