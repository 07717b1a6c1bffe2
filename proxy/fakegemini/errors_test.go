package fakegemini

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// TestErrorBodies: code, status and the words by which a client tells the errors apart.
func TestErrorBodies(t *testing.T) {
	f := func(e *APIError, code int, status string, words ...string) {
		t.Helper()
		raw, err := marshal(e.envelope(), false)
		if err != nil {
			t.Fatal(err)
		}
		var back struct {
			Error APIError `json:"error"`
		}
		if err := json.Unmarshal(raw, &back); err != nil || back.Error.Code != code || back.Error.Status != status || e.httpStatus() != max(code, 400) {
			t.Errorf("%v: %s, want %d %s", err, raw, code, status)
		}
		for _, w := range words {
			if !strings.Contains(string(raw), w) {
				t.Errorf("%s lacks %q", raw, w)
			}
		}
	}
	f(ErrInvalidKey(), 400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", `"reason":"API_KEY_INVALID"`, `google.rpc.ErrorInfo`)
	f(ErrExpiredKey(), 400, "INVALID_ARGUMENT", "API key expired. Please renew the API key.", `"reason":"API_KEY_INVALID"`)
	f(ErrUnauthenticated(), 401, "UNAUTHENTICATED", `"reason":"ACCESS_TOKEN_TYPE_UNSUPPORTED"`, "Expected OAuth 2 access token")
	f(ErrLeakedKey(), 403, "PERMISSION_DENIED", "Your API key was reported as leaked. Please use another API key.")
	f(ErrBlockedKey("API_KEY_SERVICE_BLOCKED"), 403, "PERMISSION_DENIED", `"reason":"API_KEY_SERVICE_BLOCKED"`, "are blocked")
	f(ErrProjectDenied(), 403, "PERMISSION_DENIED", "Your project has been denied access")
	f(ErrUnregistered(), 403, "PERMISSION_DENIED", "Method doesn't allow unregistered callers (callers without established identity).")
	f(ErrForeignFile("abc"), 403, "PERMISSION_DENIED", "File abc")
	f(ErrLocation(), 400, "FAILED_PRECONDITION", "User location is not supported for the API use.")
	f(ErrNoFreeTier(), 400, "FAILED_PRECONDITION", "Gemini API free tier is not available in your country.")
	f(ErrTooManyTokens(1196265, 1048575), 400, "INVALID_ARGUMENT", "The input token count (1196265) exceeds the maximum number of tokens allowed (1048575).")
	f(ErrCorruptedSignature(), 400, "INVALID_ARGUMENT", "Corrupted thought signature.")
	f(ErrInvalidSignature(), 400, "INVALID_ARGUMENT", "Invalid thought signature.")
	f(ErrInvalidArgument(), 400, "INVALID_ARGUMENT", "Request contains an invalid argument.")
	f(ErrUnknownModel("x", verbStream), 404, "NOT_FOUND", "models/x is not found for API version v1beta, or is not supported for generateContent. Call ModelService.ListModels to see the list of available models and their supported methods.")
	f(ErrCancelled(), 499, "CANCELLED")
	f(ErrInternal(), 500, "INTERNAL", "An internal error has occurred")
	f(ErrOverloaded(), 503, "UNAVAILABLE", "The model is overloaded. Please try again later.")
	f(ErrHighDemand(), 503, "UNAVAILABLE", "This model is currently experiencing high demand")
	f(ErrDeadline(), 504, "DEADLINE_EXCEEDED")
	f(ErrQuotaPerMinute(m38, 12940*time.Millisecond), 429, "RESOURCE_EXHAUSTED", "You exceeded your current quota", `"quotaId":"GenerateRequestsPerMinutePerProjectPerModel-FreeTier"`,
		`"retryDelay":"12.94s"`, `Please retry in 12.94s.`, `limit: 10, model: gemini-3.8-flash`, `"quotaDimensions":{"location":"global","model":"gemini-3.8-flash"}`, "google.rpc.QuotaFailure", "google.rpc.RetryInfo", "google.rpc.Help")
	f(ErrQuotaPerDay(m38), 429, "RESOURCE_EXHAUSTED", `PerDayPerProjectPerModel`, `"retryDelay":"12s"`, `"quotaValue":"20"`)
	f(ErrQuotaTokensPerMinute(m38, 250000, time.Second), 429, "RESOURCE_EXHAUSTED", `GenerateContentInputTokensPerModelPerMinute-FreeTier`, `"quotaValue":"250000"`)
	f(ErrQuotaZero(m38), 429, "RESOURCE_EXHAUSTED", "limit: 0", `"quotaValue":"0"`)
	f(ErrQuotaRecorded("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", 34400*time.Millisecond), 429, "RESOURCE_EXHAUSTED", `"violations":[{"quotaId":"Generate`, `"retryDelay":"34.4s"`)
	f(ErrExhausted(), 429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota).")
	f(ErrCreditsDepleted(), 429, "RESOURCE_EXHAUSTED", "credits are depleted")
	f(ErrSpendCap(), 429, "RESOURCE_EXHAUSTED", "spending cap")
	f(ErrQuota(Quota{Model: m38, ID: "X", Limit: 1}), 429, "RESOURCE_EXHAUSTED", "limit: 1")
	if raw, err := marshal(ErrQuota(Quota{Model: m38, ID: "X", Limit: 1}), false); err != nil || strings.Contains(string(raw), "RetryInfo") {
		t.Errorf("a quota without a retry delay: %s %v", raw, err)
	}
	if e := (&APIError{Message: "x"}); e.httpStatus() != 500 {
		t.Errorf("an error without a code answers %d", e.httpStatus())
	}
}
