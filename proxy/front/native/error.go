package native

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/front"
)

type envelope struct {
	Error errorBody `json:"error"`
}

type errorBody struct {
	Code    int         `json:"code"`
	Message string      `json:"message"`
	Status  string      `json:"status"`
	Details []retryInfo `json:"details,omitempty"`
}

// retryInfo is google.rpc.RetryInfo (googleapis, google/rpc/error_details.proto).
type retryInfo struct {
	Type       string `json:"@type"`
	RetryDelay string `json:"retryDelay"`
}

// Error gives the status and body of a failure of ours in the envelope of Google's own.
func Error(e *front.Error) (status int, body []byte) {
	status, name := statusOf(e.Kind)
	message := e.Message
	if e.Kind == front.NotFound && e.Param == "model" {
		message = fmt.Sprintf("models/%s is not found, or none of the API keys may use it.", strings.TrimPrefix(message, "model: "))
		if e.Detail != "" {
			message = strings.TrimSuffix(message, ".") + ": " + e.Detail
		}
	}
	out := envelope{Error: errorBody{Code: status, Message: message, Status: name}}
	if e.RetryAfter > 0 {
		delay := int64((e.RetryAfter + time.Second - 1) / time.Second)
		out.Error.Details = []retryInfo{{Type: "type.googleapis.com/google.rpc.RetryInfo", RetryDelay: strconv.FormatInt(delay, 10) + "s"}}
	}
	body, err := json.Marshal(out)
	if err != nil {
		panic(fmt.Sprintf("BUG: an error does not encode: %v", err))
	}
	return status, body
}

// statusOf is the HTTP status and the google.rpc.Code of a failure.
func statusOf(k front.Kind) (int, string) {
	switch k {
	case front.Slow:
		return http.StatusRequestTimeout, "INVALID_ARGUMENT"
	case front.Invalid, front.Overflow:
		return http.StatusBadRequest, "INVALID_ARGUMENT"
	case front.Unauthorized:
		return http.StatusUnauthorized, "UNAUTHENTICATED"
	case front.Forbidden:
		return http.StatusForbidden, "PERMISSION_DENIED"
	case front.Region:
		return http.StatusBadRequest, "FAILED_PRECONDITION"
	case front.NotFound:
		return http.StatusNotFound, "NOT_FOUND"
	case front.TooLarge:
		return http.StatusRequestEntityTooLarge, "INVALID_ARGUMENT"
	case front.RateLimited:
		return http.StatusTooManyRequests, "RESOURCE_EXHAUSTED"
	case front.NoKeys, front.Overloaded:
		return http.StatusServiceUnavailable, "UNAVAILABLE"
	case front.Unreachable:
		return http.StatusBadGateway, "UNAVAILABLE"
	case front.Timeout:
		return http.StatusGatewayTimeout, "DEADLINE_EXCEEDED"
	}
	return http.StatusInternalServerError, "INTERNAL"
}
