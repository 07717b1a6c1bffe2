package fakegemini

import (
	"net/http"
	"strings"
	"time"
)

// Failure is one way in which Gemini is known to refuse or fail, as an answer to script.
type Failure struct {
	Name   string
	Answer Answer
}

// Failures lists every error body of the API that is known from recorded traffic, public reports or the documents, for
// a model. Names are stable.
func Failures(model string) []Failure {
	fail := func(name string, e *APIError) Failure { return Failure{name, Fail(e)} }
	return []Failure{
		fail("key invalid", ErrInvalidKey()),
		fail("key expired", ErrExpiredKey()),
		fail("key type refused", ErrUnauthenticated()),
		fail("key leaked", ErrLeakedKey()),
		fail("key service blocked", ErrBlockedKey("API_KEY_SERVICE_BLOCKED")),
		fail("key referrer blocked", ErrBlockedKey("API_KEY_HTTP_REFERRER_BLOCKED")),
		fail("key address blocked", ErrBlockedKey("API_KEY_IP_ADDRESS_BLOCKED")),
		fail("service disabled", ErrBlockedKey("SERVICE_DISABLED")),
		fail("consumer suspended", ErrBlockedKey("CONSUMER_SUSPENDED")),
		fail("project denied", ErrProjectDenied()),
		fail("no key", ErrUnregistered()),
		fail("foreign file", ErrForeignFile("abc123")),
		fail("foreign cache", ErrForeignCache()),
		fail("location", ErrLocation()),
		fail("no free tier here", ErrNoFreeTier()),
		fail("too many tokens", ErrTooManyTokens(1196265, 1048575)),
		fail("too many tokens, unsaid", Err(400, "The input token count exceeds the maximum number of tokens allowed.")),
		fail("signature corrupted", ErrCorruptedSignature()),
		fail("signature invalid", ErrInvalidSignature()),
		fail("signature not valid", Err(400, "Thought signature is not valid")),
		fail("signature missing", Err(400, missingText("Read", 2))),
		fail("invalid argument", ErrInvalidArgument()),
		fail("unknown name", Err(400, `Invalid JSON payload received. Unknown name "$schema" at 'tools[0].function_declarations[0].parameters': Cannot find field.`)),
		fail("schema", Err(400, "* GenerateContentRequest.tools[0].function_declarations[0].parameters.properties[a].items: missing field.\n")),
		fail("schema states", Err(400, "The specified schema produces a constraint that has too many states for serving.")),
		fail("unknown model", ErrUnknownModel(model, verbGenerate)),
		fail("conflict", Err(409, "The operation was aborted.")),
		fail("already exists", withStatus(409, "ALREADY_EXISTS", "Requested entity already exists")),
		fail("out of range", withStatus(400, "OUT_OF_RANGE", "The operation was attempted past the valid range.")),
		fail("quota a minute", ErrQuotaPerMinute(model, 12940*time.Millisecond)),
		fail("quota a day", ErrQuotaPerDay(model)),
		fail("quota of input a minute", ErrQuotaTokensPerMinute(model, 250000, 30*time.Second)),
		fail("quota of input a day", ErrQuota(Quota{Model: model, Metric: freeInput, ID: "GenerateContentInputTokensPerModelPerDay-FreeTier", Limit: 1000000, Retry: 12 * time.Second})),
		fail("quota zero", ErrQuotaZero(model)),
		fail("quota zero, in words", inWords(ErrQuotaZero(model))),
		fail("quota a day, in words", Err(429, "You have exceeded the daily limit of requests to this model.")),
		fail("quota, paid", ErrQuota(Quota{Model: model, Metric: "generativelanguage.googleapis.com/generate_requests_per_model", ID: "GenerateRequestsPerMinutePerProjectPerModel", Limit: 1000, Retry: 5 * time.Second})),
		fail("quota as recorded", ErrQuotaRecorded("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", 34400*time.Millisecond)),
		fail("exhausted", ErrExhausted()),
		fail("capacity", ErrCapacity()),
		fail("credits depleted", ErrCreditsDepleted()),
		fail("spend cap", ErrSpendCap()),
		fail("quota of the project", ErrQuotaReset(90*time.Minute)),
		fail("cancelled", ErrCancelled()),
		fail("internal", ErrInternal()),
		fail("unknown", withStatus(500, "UNKNOWN", "Unknown error.")),
		fail("data loss", withStatus(500, "DATA_LOSS", "Unrecoverable data loss or corruption.")),
		fail("unimplemented", Err(501, "The operation is not implemented, or is not supported or enabled.")),
		fail("overloaded", ErrOverloaded()),
		fail("high demand", ErrHighDemand()),
		fail("deadline", ErrDeadline()),
		{"html 502", ErrorPage(http.StatusBadGateway)},
		{"html 504", ErrorPage(http.StatusGatewayTimeout)},
		{"no numeric code", WithoutCode(ErrOverloaded())},
		{"in a list", InList(ErrInternal())},
		{"empty body", RawAnswer(http.StatusServiceUnavailable, "text/plain", "")},
	}
}

// withStatus is an error whose HTTP status stands for several of Google's.
func withStatus(code int, status, message string) *APIError {
	e := Err(code, message)
	e.Status = status
	return e
}

// inWords is an error of whose details only the message tells.
func inWords(e *APIError) *APIError {
	e.Details = nil
	return e
}

// ErrorPage is the HTML page of Google's front end, for instance with 502.
func ErrorPage(status int) Answer {
	code := Err(status, "").Status
	page := "<!DOCTYPE html>\n<html lang=en>\n  <meta charset=utf-8>\n  <title>Error " + code + " (Server Error)!!1</title>\n" +
		"  <p><b>" + http.StatusText(status) + ".</b> <ins>That’s an error.</ins>\n  <p>The server encountered a temporary error and could not complete your request.<p>Please try again in 30 seconds.  <ins>That’s all we know.</ins>\n"
	return RawAnswer(status, "text/html; charset=UTF-8", page)
}

// WithoutCode is an error with its HTTP status but no code in the body.
func WithoutCode(e *APIError) Answer {
	body := *e
	body.Code = 0
	return RawAnswer(e.httpStatus(), "application/json; charset=UTF-8", string(rawJSON(body.envelope())))
}

// InList is an error wrapped in a list.
func InList(e *APIError) Answer {
	return RawAnswer(e.httpStatus(), "application/json; charset=UTF-8", string(rawJSON([]envelope{e.envelope()})))
}

// Fails is the failure with a name; an unknown name is a fault of the test and panics.
func Fails(name, model string) Answer {
	for _, f := range Failures(model) {
		if f.Name == name {
			return f.Answer
		}
	}
	panic("BUG: no failure is called " + name)
}

// LongText is a chunk whose frame is one line of at least n bytes.
func LongText(n int) Chunk { return Text(strings.Repeat("long ", n/5+1)) }
