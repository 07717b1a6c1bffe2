package upstream

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

var noon = time.Date(2026, 11, 23, 20, 0, 0, 0, time.UTC) // in Los Angeles

func google(code int, status, message, details string) string {
	return fmt.Sprintf(`{"error":{"code":%d,"message":%q,"status":%q,"details":[%s]}}`, code, message, status, details)
}

func info(reason string) string {
	return fmt.Sprintf(`{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":%q,"domain":"googleapis.com","metadata":{"service":"generativelanguage.googleapis.com"}}`, reason)
}

func violation(id, value string) string {
	return fmt.Sprintf(`{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaMetric":"generativelanguage.googleapis.com/generate_content_free_tier_requests","quotaId":%q,"quotaDimensions":{"location":"global","model":"gemini-3.8-flash"},"quotaValue":%q}]}`, id, value)
}

func retry(delay string) string {
	return fmt.Sprintf(`{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":%q}`, delay)
}

func TestClassify(t *testing.T) {
	f := func(want Kind, action Action, status int, body string) {
		t.Helper()
		e := classify(gemini.ParseAPIError(status, []byte(body)), 100, noon)
		if e.Kind != want || e.Kind.Action() != action {
			t.Errorf("%v with action %d, want %v with %d: %s", e.Kind, e.Kind.Action(), want, action, body)
		}
	}
	const invalid, denied, exhausted = "INVALID_ARGUMENT", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED"

	f(KeyInvalid, NextKey, 400, google(400, invalid, "API key not valid. Please pass a valid API key.", info("API_KEY_INVALID")))
	f(KeyInvalid, NextKey, 400, google(400, invalid, "API key expired. Please renew the API key.", info("API_KEY_INVALID")))
	f(KeyInvalid, NextKey, 400, google(400, invalid, "API Key not found. Please pass a valid API key.", ""))
	f(KeyInvalid, NextKey, 401, google(401, "UNAUTHENTICATED", "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.", info("ACCESS_TOKEN_TYPE_UNSUPPORTED")))
	f(KeyInvalid, NextKey, 401, "")
	f(NeedsOAuth, Answer, 401, google(401, "UNAUTHENTICATED", "API keys are not supported by this API. Expected OAuth2 access token or other authentication credentials that assert a principal.", info("CREDENTIALS_MISSING")))
	f(KeyLeaked, NextKey, 403, google(403, denied, "Your API key was reported as leaked. Please use another API key.", ""))
	f(KeySuspended, NextKey, 403, google(403, denied, "Permission denied: Consumer 'api_key:x' has been suspended.", info("CONSUMER_SUSPENDED")))
	f(KeySuspended, NextKey, 403, google(403, denied, "Your project has been denied access. Please contact support.", ""))
	f(KeyBlocked, NextKey, 403, google(403, denied, "Requests to this API generativelanguage.googleapis.com method x are blocked.", info("API_KEY_SERVICE_BLOCKED")))
	f(KeyBlocked, NextKey, 403, google(403, denied, "Requests to this API generativelanguage.googleapis.com method x are blocked.", ""))
	f(KeyBlocked, NextKey, 403, google(403, denied, "Requests from referer <empty> are blocked.", info("API_KEY_HTTP_REFERRER_BLOCKED")))
	f(KeyBlocked, NextKey, 403, google(403, denied, "The provided API key has an IP address restriction.", info("API_KEY_IP_ADDRESS_BLOCKED")))
	f(ServiceOff, NextKey, 403, google(403, denied, "Generative Language API has not been used in project 1 before or it is disabled.", info("SERVICE_DISABLED")))
	f(Unknown, Backoff, 403, google(403, denied, "Method doesn't allow unregistered callers (callers without established identity).", ""))
	f(NoModel, NextKey, 403, google(403, denied, "Permission denied on models/gemini-4-argon.", ""))
	f(Forbidden, Answer, 403, google(403, denied, "You do not have permission to access the File abc or it may not exist.", ""))
	f(NoModel, NextKey, 404, google(404, "NOT_FOUND", "models/x is not found for API version v1beta, or is not supported for generateContent. Call ModelService.ListModels to see the list of available models and their supported methods.", ""))
	f(NoModel, NextKey, 404, google(404, "NOT_FOUND", "models/x is not found for API version v1beta, or is not supported for countTokens. Call ListModels to see the list.", ""))
	f(NotFound, Answer, 404, google(404, "NOT_FOUND", "Requested entity was not found.", ""))
	f(NotFound, Answer, 404, "<html>404</html>")
	f(Region, NextKey, 400, google(400, "FAILED_PRECONDITION", "User location is not supported for the API use.", ""))
	f(NoBilling, NextKey, 400, google(400, "FAILED_PRECONDITION", "Gemini API free tier is not available in your country. Please enable billing on your project in Google AI Studio.", ""))

	const billing = "This API method requires billing to be enabled. Please enable billing on project #1 by visiting https://console.developers.google.com/billing/enable?project=1 then retry."
	f(NoBilling, NextKey, 400, google(400, "FAILED_PRECONDITION", billing, ""))
	f(NoBilling, NextKey, 403, google(403, denied, billing, ""))
	f(NoBilling, NextKey, 403, google(403, denied, "Permission denied: billing is off.", info("BILLING_DISABLED")))
	f(KeySuspended, NextKey, 403, google(403, denied, "Permission denied: Consumer is invalid.", info("CONSUMER_INVALID")))

	const quota = "You exceeded your current quota, please check your plan and billing details."
	f(NoAccess, NextKey, 429, google(429, exhausted, quota, violation("GenerateRequestsPerDayPerProjectPerModel-FreeTier", "0")+","+retry("12s")))
	f(NoAccess, NextKey, 429, google(429, exhausted, quota+"\n* Quota exceeded for metric: x, limit: 0, model: y\nPlease retry in 12.94s.", ""))
	f(DayQuota, NextKey, 429, google(429, exhausted, quota, violation("GenerateRequestsPerDayPerProjectPerModel-FreeTier", "20")+","+retry("12s")))
	f(DayQuota, NextKey, 429, google(429, exhausted, "Your daily limit is reached.", ""))
	f(MinuteQuota, NextKey, 429, google(429, exhausted, quota+"\n* Quota exceeded for metric: x, limit: 10, model: y\nPlease retry in 12.94s.", violation("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", "10")+","+retry("12.94s")))
	f(MinuteQuota, NextKey, 429, google(429, exhausted, quota, violation("GenerateContentInputTokensPerModelPerMinute-FreeTier", "250000")+","+retry("34.4s")))
	f(SizeQuota, NextKey, 429, google(429, exhausted, quota, violation("GenerateContentInputTokensPerModelPerMinute-FreeTier", "99")))
	f(SpendCap, NextKey, 429, google(429, exhausted, "Your project has exceeded its monthly spending cap. Please go to AI Studio to manage your project spend cap.", ""))
	f(SpendCap, NextKey, 429, google(429, exhausted, "You have exhausted your capacity.", info("QUOTA_EXHAUSTED")))
	f(Depleted, NextKey, 429, google(429, exhausted, "Your prepayment credits are depleted. Please go to AI Studio to manage your project and billing.", ""))
	f(Throttled, NextKey, 429, google(429, exhausted, "Resource has been exhausted (e.g. check quota).", ""))
	f(Throttled, NextKey, 429, google(429, exhausted, "You have exhausted your capacity on this model.", info("MODEL_CAPACITY_EXHAUSTED")))
	f(Throttled, NextKey, 429, google(429, exhausted, "No capacity available.", info("MODEL_CAPACITY_EXHAUSTED")+","+retry("2s")))
	f(Throttled, NextKey, 429, google(429, exhausted, quota, ""))
	f(Throttled, NextKey, 429, "")

	f(Overflow, Answer, 400, google(400, invalid, "The input token count (1196265) exceeds the maximum number of tokens allowed (1048575).", ""))
	f(Overflow, Answer, 400, google(400, invalid, "The input token count exceeds the maximum number of tokens allowed 1048576.", ""))
	f(Signature, Repair, 400, google(400, invalid, "Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly, and missing thought_signature may lead to degraded model performance. Additional data, function call `default_api:Read` , position 2.", ""))
	f(Signature, Repair, 400, google(400, invalid, "Unable to submit request because function call `X` in the 2. content block is missing a `thought_signature`.", ""))
	f(Signature, Repair, 400, google(400, invalid, "Corrupted thought signature.", ""))
	f(Signature, Repair, 400, google(400, invalid, "Thought signature is not valid", ""))
	const unknown = "Invalid JSON payload received. Unknown name "
	f(Schema, Repair, 400, google(400, invalid, unknown+`\"$schema\" at 'tools[0].function_declarations[0].parameters': Cannot find field.`, ""))
	f(Schema, Repair, 400, google(400, invalid, "* GenerateContentRequest.tools[0].function_declarations[1].parameters.properties[x].items: missing field.", ""))
	f(BadRequest, Answer, 400, google(400, invalid, unknown+`\"foo\" at 'contents[0].parts[0]': Cannot find field.`, ""))
	f(BadRequest, Answer, 400, google(400, invalid, "* GenerateContentRequest.tools[0].function_declarations[0].name: Invalid function name.", ""))
	f(States, Repair, 400, google(400, invalid, "The specified schema produces a constraint that has too many states for serving.", ""))
	f(Output, Repair, 400, google(400, invalid, "* GenerateContentRequest.generation_config.response_schema.items: missing field.", ""))
	f(Output, Repair, 400, google(400, invalid, "Function calling with a response mime type: 'application/json' is unsupported", ""))
	f(Thinking, Repair, 400, google(400, invalid, "Thinking level XHIGH is not supported for this model. Please retry with other thinking level.", ""))
	f(Thinking, Repair, 400, google(400, invalid, "Budget 0 is invalid. This model only works in thinking mode.", ""))
	f(Thinking, Repair, 400, google(400, invalid, unknown+`\"thinkingLevel\" at 'generation_config.thinking_config': Cannot find field.`, ""))
	f(Safety, Repair, 400, google(400, invalid, `Invalid value at 'safety_settings[0].threshold' (type.googleapis.com/google.ai.generativelanguage.v1beta.SafetySetting.HarmBlockThreshold), \"OFF\"`, ""))
	f(Unsaid, Repair, 400, google(400, invalid, "Request contains an invalid argument.", ""))
	f(BadRequest, Answer, 400, google(400, invalid, "Invalid JSON payload received. Unknown name \"x\": Cannot find field.", ""))
	f(BadRequest, Answer, 400, google(400, "FAILED_PRECONDITION", "Something else.", ""))
	f(BadRequest, Answer, 422, "")
	f(BadRequest, Answer, 405, "<html>Method Not Allowed</html>")
	f(BadRequest, Answer, 416, "")
	f(BadRequest, Answer, 409, google(409, "ALREADY_EXISTS", "The store exists already.", ""))
	f(TooLarge, Answer, 413, "<html>Request Entity Too Large</html>")

	f(ServerFault, Backoff, 500, google(500, "INTERNAL", "An internal error has occurred. Please retry or report in https://developers.generativeai.google/guide/troubleshooting", ""))
	f(Overloaded, Backoff, 503, google(503, "UNAVAILABLE", "The model is overloaded. Please try again later.", ""))
	f(Overloaded, Backoff, 0, `{"error":{"message":"The model is overloaded.","status":"UNAVAILABLE"}}`)
	f(Overloaded, Backoff, 503, `[`+google(503, "UNAVAILABLE", "This model is currently experiencing high demand.", "")+`]`)
	f(Deadline, Backoff, 504, google(504, "DEADLINE_EXCEEDED", "Deadline expired before operation could complete.", ""))
	f(BadGateway, Backoff, 502, "<html><title>502 Bad Gateway</title></html>")
	f(BadGateway, Backoff, 501, google(501, "UNIMPLEMENTED", "no", ""))
	f(ServerFault, Backoff, 499, google(499, "CANCELLED", "The operation was cancelled.", ""))
	f(Unknown, Backoff, 418, "short and stout")
	f(Unknown, Backoff, 409, google(409, "ABORTED", "x", ""))
}

// What Google quotes of a request is the client's, and no key's fault.
func TestQuotedWordsTeachNothing(t *testing.T) {
	f := func(want Kind, code int, status, message string) {
		t.Helper()
		e := classify(gemini.ParseAPIError(code, []byte(google(code, status, message, ""))), 100, noon)
		if p := policies[e.Kind].penalty; e.Kind != want || p != noPenalty {
			t.Errorf("%v with penalty %d, want %v: %s", e.Kind, p, want, message)
		}
	}
	for _, words := range []string{"API key not valid", "API key expired", "reported as leaked", "has been suspended", "models/x",
		"requests to this API are blocked", "it is disabled", "Unregistered callers", "location is not supported", "free tier, enable billing", "This API method requires billing to be enabled"} {
		f(BadRequest, 400, "INVALID_ARGUMENT", `Invalid JSON payload received. Unknown name "`+words+`": Cannot find field.`)
		f(BadRequest, 400, "INVALID_ARGUMENT", `Invalid JSON payload received. Unknown name "x" `+words+` "": Cannot find field.`)
		f(Forbidden, 403, "PERMISSION_DENIED", "You do not have permission to access the File "+words+" or it may not exist.")
		f(BadRequest, 400, "FAILED_PRECONDITION", "The File "+words+" is not in an ACTIVE state and usage is not allowed.")
		f(NotFound, 404, "NOT_FOUND", "The cached content "+words+" was not found.")
	}
	f(Thinking, 400, "INVALID_ARGUMENT", `Invalid value at 'generation_config.thinking_config.thinking_level' (type.googleapis.com/x), "api key not valid"`)
}

// Names of properties are words of any kind, and do not tell what has to be mended.
func TestTheFaultyPlaceDecides(t *testing.T) {
	f := func(want Kind, message string) {
		t.Helper()
		e := classify(gemini.ParseAPIError(400, []byte(google(400, "INVALID_ARGUMENT", message, ""))), 100, noon)
		if e.Kind != want {
			t.Errorf("%v, want %v: %s", e.Kind, want, message)
		}
	}
	for _, name := range []string{"thinking", "thought_signature", "safety_setting", "response_schema", "too many states"} {
		f(Schema, "* GenerateContentRequest.tools[0].function_declarations[0].parameters.properties["+name+"].enum: only allowed for STRING type")
	}
	for _, name := range []string{"thinking", "thought_signature", "safety setting"} {
		f(Output, "* GenerateContentRequest.generation_config.response_schema.properties["+name+"].items: missing field.")
	}
}

func TestEveryKindHasAPolicy(t *testing.T) {
	names := map[string]Kind{}
	for k := range kinds {
		p := policies[k]
		if other, ok := names[p.name]; ok || p.name == "" {
			t.Errorf("kind %d is named %q like %d", k, p.name, other)
		}
		names[p.name] = k
		if (p.penalty == restModel || p.penalty == restKey) != (len(p.rests) > 0) {
			t.Errorf("%v: a penalty without its time, or the reverse", k)
		}
	}
}

func TestHowLongAQuotaRests(t *testing.T) {
	f := func(want time.Duration, now time.Time, details string) {
		t.Helper()
		body := google(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.", details)
		if e := classify(gemini.ParseAPIError(429, []byte(body)), 100, now); e.Rest != want {
			t.Errorf("%v rests %v, want %v", e.Kind, e.Rest, want)
		}
	}
	day := violation("GenerateRequestsPerDayPerProjectPerModel-FreeTier", "20") + "," + retry("12s")
	minute := violation("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", "10")
	f(12940*time.Millisecond, noon, minute+","+retry("12.94s"))
	f(12940123456*time.Nanosecond, noon, minute+","+retry("12.940123456s"))
	f(0, noon, minute)
	f(12*time.Hour, noon, day)
	f(time.Second, time.Date(2026, 11, 24, 7, 59, 59, 0, time.UTC), day) // 23:59:59 in winter
	f(24*time.Hour, time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC), day)  // midnight itself
	f(time.Second, time.Date(2026, 7, 24, 6, 59, 59, 0, time.UTC), day)  // 23:59:59 in summer
	f(23*time.Hour, time.Date(2026, 3, 8, 8, 0, 0, 0, time.UTC), day)    // the day that loses an hour
	f(25*time.Hour, time.Date(2026, 11, 1, 7, 0, 0, 0, time.UTC), day)   // the day that gains one
	f(10*time.Hour+30*time.Minute, noon, `{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"QUOTA_EXHAUSTED","metadata":{"quotaResetDelay":"10h30m0s"}}`)
}

func TestOverflowKnowsItsNumbers(t *testing.T) {
	f := func(message string, tokens, limit int) {
		t.Helper()
		e := classify(gemini.ParseAPIError(400, []byte(google(400, "INVALID_ARGUMENT", message, ""))), 4, noon)
		if e.Tokens != tokens || e.Limit != limit {
			t.Errorf("%s: %d of %d", message, e.Tokens, e.Limit)
		}
	}
	f("The input token count (1196265) exceeds the maximum number of tokens allowed (1048575).", 1196265, 1048575)
	f("The input token count exceeds the maximum number of tokens allowed (1048575).", 0, 1048575)
	f("The input token count exceeds the maximum.", 0, 0)
}

func TestMessagesAreBounded(t *testing.T) {
	e := classify(gemini.ParseAPIError(400, []byte(google(400, "INVALID_ARGUMENT", strings.Repeat("é", 5000), ""))), 4, noon)
	if len(e.Message) > 2000 {
		t.Errorf("a message of %d bytes is kept", len(e.Message))
	}
}
