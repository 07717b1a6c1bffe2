package gemini

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestParseAPIError(t *testing.T) {
	f := func(status int, body, want string) {
		t.Helper()
		e := ParseAPIError(status, []byte(body))
		if got := fmt.Sprintf("%d %s %q", e.Code, e.Status, e.Message); got != want {
			t.Errorf("%d %q: %s, want %s", status, body, got, want)
		}
	}
	f(400, `{"error":{"code":400,"message":"m","status":"INVALID_ARGUMENT"}}`, `400 INVALID_ARGUMENT "m"`)
	f(0, `{"error":{"message":"m","status":"UNAVAILABLE"}}`, `503 UNAVAILABLE "m"`)
	f(503, `{"error":{"message":"m"}}`, `503 UNAVAILABLE "m"`)
	f(200, `[{"error":{"code":429,"message":"m"}}]`, `429 RESOURCE_EXHAUSTED "m"`)
	f(429, `[{"other":1},{"error":{"message":"m"}}]`, `429 RESOURCE_EXHAUSTED "m"`)
	f(502, `<html><body>502 Bad Gateway</body></html>`, `502 UNKNOWN "status 502 without a readable message"`)
	f(504, ``, `504 DEADLINE_EXCEEDED "status 504 without a readable message"`)
	f(0, `null`, `500 INTERNAL "status 500 without a readable message"`)
	f(500, `{"error":null}`, `500 INTERNAL "status 500 without a readable message"`)
	f(500, `{"error":"words"}`, `500 INTERNAL "words"`)
	f(500, `{"error":{"code":"x","message":5,"status":[],"details":{}}}`, `500 INTERNAL "status 500 without a readable message"`)
	f(500, `{"error":{"code":7,"status":"NOT_FOUND","message":"m"}}`, `404 NOT_FOUND "m"`)
	f(403, `{"error":{"code":403,"message":"Consumer 'api_key:AIzaSyA1234567890abcdef' and ?key=AQ.abcdefghijklmnop"}}`,
		`403 PERMISSION_DENIED "Consumer 'api_key:***' and ?key=***"`)
}

func TestParseAPIErrorReadsTheDetails(t *testing.T) {
	e := ParseAPIError(429, []byte(`{"error":{"code":429,"message":"limit: 20","status":"RESOURCE_EXHAUSTED","details":[
		7, {"@type":"type.googleapis.com/google.rpc.Help"},
		{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"QUOTA_EXHAUSTED","metadata":{"quotaResetDelay":"90s"}},
		{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaMetric":"g/requests","quotaId":"PerDay-FreeTier","quotaDimensions":{"location":"global","model":"gemini-3.8-flash"},"quotaValue":"20"}]},
		{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.400000000s"}]}}`))
	want := QuotaViolation{Metric: "g/requests", ID: "PerDay-FreeTier", Value: "20", Model: "gemini-3.8-flash"}
	if len(e.QuotaViolations) != 1 || e.QuotaViolations[0] != want {
		t.Errorf("violations are %+v", e.QuotaViolations)
	}
	if e.Reason != "QUOTA_EXHAUSTED" || e.ResetDelay != 90*time.Second || e.RetryDelay != 34400*time.Millisecond {
		t.Errorf("reason %q, reset %v, retry %v", e.Reason, e.ResetDelay, e.RetryDelay)
	}
}

func TestRetryDelay(t *testing.T) {
	f := func(body string, want time.Duration) {
		t.Helper()
		if got := ParseAPIError(429, []byte(body)).RetryDelay; got != want {
			t.Errorf("%s: %v, want %v", body, got, want)
		}
	}
	info := func(delay string) string {
		return `{"error":{"details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":` + delay + `}]}}`
	}
	f(info(`"12.94s"`), 12940*time.Millisecond)
	f(info(`"-5s"`), 0)
	f(info(`"soon"`), 0)
	f(info(`5`), 0)
	f(info(`"99999999999999999999s"`), 0)
	f(`{"error":{"message":"Please retry in 12.5s."}}`, 12500*time.Millisecond)
	f(`{"error":{"message":"Please retry in 340.5ms."}}`, 340500*time.Microsecond)
	f(`{"error":{"message":"Please retry in a while"}}`, 0)
}

func TestParseAPIErrorBoundsTheMessage(t *testing.T) {
	e := ParseAPIError(400, []byte(`{"error":{"message":"`+strings.Repeat("é", 5000)+`"}}`))
	if len(e.Message) > maxMessage || !utf8.ValidString(e.Message) {
		t.Errorf("the message has %d bytes", len(e.Message))
	}
}

func FuzzParseAPIError(f *testing.F) {
	f.Add(429, []byte(`{"error":{"code":429,"details":[{"@type":"a.QuotaFailure","violations":[{}]}]}}`))
	f.Add(502, []byte(`<html>`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		e := ParseAPIError(status, body)
		if e.Code < 400 || e.Code > 599 || e.Status == "" || e.Message == "" || len(e.Message) > maxMessage+3 {
			t.Errorf("%d %q: %+v", status, body, e)
		}
		if e.RetryDelay < 0 || e.ResetDelay < 0 {
			t.Errorf("a delay of %v, %v", e.RetryDelay, e.ResetDelay)
		}
	})
}
