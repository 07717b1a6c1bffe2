package front

import (
	"testing"
	"time"
)

func TestOpenAIError(t *testing.T) {
	f := func(e *Error, wantStatus int, want string) {
		t.Helper()
		status, body := OpenAIError(e)
		if want := `{"error":{` + want + `}}`; status != wantStatus || string(body) != want {
			t.Errorf("%+v: %d %s, want %d %s", e, status, body, wantStatus, want)
		}
	}
	of := func(kind Kind) *Error { return &Error{Kind: kind, Message: "a \"b\"", Param: "p"} }
	line := func(kind, code string) string {
		return `"message":"a \"b\"","type":"` + kind + `","param":"p","code":` + code
	}
	f(of(Internal), 500, line("server_error", "null"))
	f(of(Invalid), 400, line("invalid_request_error", `"invalid_value"`))
	f(of(Overflow), 400, line("invalid_request_error", `"context_length_exceeded"`))
	f(of(Unauthorized), 401, line("invalid_request_error", `"invalid_api_key"`))
	f(of(Forbidden), 403, line("permission_error", "null"))
	f(of(Region), 403, line("permission_error", `"unsupported_country_region_territory"`))
	f(of(NotFound), 404, line("invalid_request_error", "null"))
	f(of(TooLarge), 413, line("invalid_request_error", "null"))
	f(of(RateLimited), 429, line("rate_limit_error", `"rate_limit_exceeded"`))
	f(of(NoKeys), 503, line("server_error", "null"))
	f(of(Overloaded), 503, line("service_unavailable_error", `"server_is_overloaded"`))
	f(of(UpstreamFault), 500, line("server_error", "null"))
	f(of(Unreachable), 502, line("server_error", "null"))
	f(of(Timeout), 504, line("server_error", "null"))
	f(&Error{Kind: RateLimited, Message: "m", NoRetry: true}, 429,
		`"message":"m","type":"insufficient_quota","param":null,"code":"insufficient_quota"`)
	f(&Error{Kind: RateLimited, Message: "m", RetryAfter: 1100 * time.Millisecond}, 429,
		`"message":"m; try again in 2s","type":"rate_limit_error","param":null,"code":"rate_limit_exceeded"`)
	f(&Error{Kind: RateLimited, Message: "m; try again in 7s", RetryAfter: time.Second}, 429,
		`"message":"m; try again in 7s","type":"rate_limit_error","param":null,"code":"rate_limit_exceeded"`)
	f(&Error{Kind: Invalid, Message: "n: m", Param: "n", Code: "unsupported_value"}, 400,
		`"message":"n: m","type":"invalid_request_error","param":"n","code":"unsupported_value"`)
	f(&Error{Kind: NotFound, Message: "model: m", Param: "model"}, 404,
		`"message":"The model `+"`m`"+` does not exist or you do not have access to it.","type":"invalid_request_error","param":"model","code":"model_not_found"`)
	f(&Error{Kind: Overflow, Tokens: 9, Limit: 8}, 400,
		`"message":"This model's maximum context length is 8 tokens. However, your messages resulted in 9 tokens.","type":"invalid_request_error","param":null,"code":"context_length_exceeded"`)
}
