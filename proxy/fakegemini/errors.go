package fakegemini

import (
	"encoding/json"
	"fmt"
	"net/http"
)

const (
	typeBadRequest = "type.googleapis.com/google.rpc.BadRequest"
	typeErrorInfo  = "type.googleapis.com/google.rpc.ErrorInfo"
	typeLocalized  = "type.googleapis.com/google.rpc.LocalizedMessage"
	typeHelp       = "type.googleapis.com/google.rpc.Help"
	typeQuota      = "type.googleapis.com/google.rpc.QuotaFailure"
	typeRetry      = "type.googleapis.com/google.rpc.RetryInfo"
)

// APIError is the inside of Google's error envelope, {"error":{…}}. Code is the HTTP status; 0 leaves the code out of
// the body, as some of Google's stream errors do, and answers 500.
type APIError struct {
	Code    int      `json:"code,omitempty"`
	Message string   `json:"message"`
	Status  string   `json:"status,omitempty"`
	Details []Detail `json:"details,omitempty"`
}

// Error makes an APIError usable as a Go error.
func (e *APIError) Error() string { return fmt.Sprintf("%d %s: %s", e.Code, e.Status, e.Message) }

// httpStatus is the status line that goes with the body.
func (e *APIError) httpStatus() int {
	if e.Code == 0 {
		return http.StatusInternalServerError
	}
	return e.Code
}

// envelope is the whole body.
func (e *APIError) envelope() envelope { return envelope{Error: e} }

type envelope struct {
	Error *APIError `json:"error"`
}

// Detail is one entry of details; which fields are set depends on Type.
type Detail struct {
	Type            string            `json:"@type"`
	Reason          string            `json:"reason,omitempty"`
	Domain          string            `json:"domain,omitempty"`
	Metadata        map[string]string `json:"metadata,omitempty"`
	Locale          string            `json:"locale,omitempty"`
	Message         string            `json:"message,omitempty"`
	FieldViolations []FieldViolation  `json:"fieldViolations,omitempty"`
	Links           []Link            `json:"links,omitempty"`
	Violations      []QuotaViolation  `json:"violations,omitempty"`
	RetryDelay      string            `json:"retryDelay,omitempty"`
}

// FieldViolation names one field of the request and what is wrong with it.
type FieldViolation struct {
	Field       string `json:"field,omitempty"`
	Description string `json:"description"`
}

// Link is a help link.
type Link struct {
	Description string `json:"description"`
	URL         string `json:"url"`
}

// QuotaViolation is one exceeded quota.
type QuotaViolation struct {
	QuotaMetric     string            `json:"quotaMetric,omitempty"`
	QuotaID         string            `json:"quotaId"`
	QuotaDimensions map[string]string `json:"quotaDimensions,omitempty"`
	QuotaValue      string            `json:"quotaValue,omitempty"`
}

// status gives an error's status string by HTTP code, where no other is said.
var statusByCode = map[int]string{
	400: "INVALID_ARGUMENT", 502: "UNAVAILABLE", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 409: "ABORTED", 429: "RESOURCE_EXHAUSTED",
	499: "CANCELLED", 500: "INTERNAL", 501: "UNIMPLEMENTED", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED",
}

// Err is an error with the status that belongs to code.
func Err(code int, message string) *APIError {
	return &APIError{Code: code, Message: message, Status: statusByCode[code]}
}

func errInfo(code int, message, reason string) *APIError {
	e := Err(code, message)
	e.Details = []Detail{{Type: typeErrorInfo, Reason: reason, Domain: "googleapis.com",
		Metadata: map[string]string{"service": "generativelanguage.googleapis.com"}}, {Type: typeLocalized, Locale: "en-US", Message: message}}
	return e
}

// ErrInvalidKey is the 400 for a key that Google doesn't know (recorded traffic).
func ErrInvalidKey() *APIError {
	return errInfo(400, "API key not valid. Please pass a valid API key.", "API_KEY_INVALID")
}

// ErrExpiredKey is the 400 for a key past its time.
func ErrExpiredKey() *APIError {
	return errInfo(400, "API key expired. Please renew the API key.", "API_KEY_INVALID")
}

// ErrUnauthenticated is the 401 for a kind of key that is no longer taken.
func ErrUnauthenticated() *APIError {
	return errInfo(401, "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential. "+
		"See https://developers.google.com/identity/sign-in/web/devconsole-project.", "ACCESS_TOKEN_TYPE_UNSUPPORTED")
}

// ErrLeakedKey is the 403 for a key that was found in public.
func ErrLeakedKey() *APIError {
	return Err(403, "Your API key was reported as leaked. Please use another API key.")
}

// ErrBlockedKey is a 403 of a key or its project; reason is for instance API_KEY_SERVICE_BLOCKED, API_KEY_IP_ADDRESS_BLOCKED,
// API_KEY_HTTP_REFERRER_BLOCKED, SERVICE_DISABLED or CONSUMER_SUSPENDED.
func ErrBlockedKey(reason string) *APIError {
	return errInfo(403, "Requests to this API generativelanguage.googleapis.com method google.ai.generativelanguage.v1beta.GenerativeService.GenerateContent are blocked.", reason)
}

// ErrProjectDenied is the 403 for a whole project.
func ErrProjectDenied() *APIError {
	return Err(403, "Your project has been denied access. Please contact support.")
}

// ErrUnregistered is the 403 for a request without any key.
func ErrUnregistered() *APIError {
	return Err(403, "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API.")
}

// ErrForeignFile is the 403 for a file of another project.
func ErrForeignFile(name string) *APIError {
	return Err(403, fmt.Sprintf("You do not have permission to access the File %s or it may not exist.", name))
}

// ErrLocation is the 400 for the country that the request came from.
func ErrLocation() *APIError {
	return &APIError{Code: 400, Message: "User location is not supported for the API use.", Status: "FAILED_PRECONDITION"}
}

// ErrNoFreeTier is the 400 for a country without a free tier.
func ErrNoFreeTier() *APIError {
	return &APIError{Code: 400, Status: "FAILED_PRECONDITION",
		Message: "Gemini API free tier is not available in your country. Please enable billing on your project in Google AI Studio."}
}

// ErrTooManyTokens is the 400 for a prompt of tokens against a limit of most.
func ErrTooManyTokens(tokens, most int) *APIError {
	return Err(400, fmt.Sprintf("The input token count (%d) exceeds the maximum number of tokens allowed (%d).", tokens, most))
}

// ErrCorruptedSignature, ErrInvalidSignature: two of the wordings for a thought signature that doesn't fit.
func ErrCorruptedSignature() *APIError { return Err(400, "Corrupted thought signature.") }

// ErrInvalidSignature is the other wording.
func ErrInvalidSignature() *APIError { return Err(400, "Invalid thought signature.") }

// ErrInvalidArgument is the short 400 that Google gives for long histories.
func ErrInvalidArgument() *APIError { return Err(400, "Request contains an invalid argument.") }

// ErrUnknownModel is the 404 for a model, by verb (generateContent, countTokens …).
func ErrUnknownModel(model, verb string) *APIError {
	call := "ListModels"
	switch verb {
	case verbGenerate, verbStream:
		verb, call = verbGenerate, "ModelService.ListModels"
	case verbBatch:
		verb = verbEmbed
	}
	return Err(404, fmt.Sprintf("models/%s is not found for API version v1beta, or is not supported for %s. Call %s to see the list of available models and their supported methods.", model, verb, call))
}

// ErrCancelled is the 499.
func ErrCancelled() *APIError { return Err(499, "The operation was cancelled.") }

// ErrInternal is the 500.
func ErrInternal() *APIError {
	return Err(500, "An internal error has occurred. Please retry or report in https://developers.generativeai.google/guide/troubleshooting")
}

// ErrOverloaded is the 503 of a busy model.
func ErrOverloaded() *APIError {
	return Err(503, "The model is overloaded. Please try again later.")
}

// ErrHighDemand is the newer 503.
func ErrHighDemand() *APIError {
	return Err(503, "This model is currently experiencing high demand. Spikes in demand are usually temporary. Please try again later.")
}

// ErrDeadline is the 504.
func ErrDeadline() *APIError {
	return Err(504, "Deadline expired before operation could complete.")
}

// marshal is JSON without HTML escapes, indented as Google's plain answers are when indent is set.
func marshal(v any, indent bool) ([]byte, error) {
	if indent {
		return json.MarshalIndent(v, "", "  ")
	}
	return json.Marshal(v)
}
