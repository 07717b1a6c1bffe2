package upstream

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
)

const tableModel = "gemini-3.8-flash"

// after is what a pool of the keys a and b of one project, and c of another, makes of an answer to key a: who does not serve
// the model any more, who serves nothing at all any more, and until when.
func after(t *testing.T, failed *Error) (ofModel, ofAll string, until time.Duration) {
	t.Helper()
	pool := keys.New([]config.Key{
		{Secret: config.NewSecret("a"), Label: "a", Group: "one"}, {Secret: config.NewSecret("b"), Label: "b", Group: "one"},
		{Secret: config.NewSecret("c"), Label: "c"},
	}, keys.Options{MaxFailures: 1, CoolingPeriod: 5 * time.Minute})
	lease, err := pool.Acquire(t.Context(), keys.Want{Model: tableModel, Only: keys.ID(config.NewSecret("a"))}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	lease.Done(failed.Outcome(tableModel))
	for _, s := range pool.Snapshot() {
		switch s.State {
		case keys.Disabled, keys.Resting:
			ofAll += s.Label
		case keys.Limited:
			ofModel += s.Label
		case keys.Healthy:
			if len(s.Rests) > 0 { // a model that is not seen is no trouble of the key's
				ofModel += s.Label
				s.Until = s.Rests[0].Until
			}
		}
		if !s.Until.IsZero() {
			until = time.Until(s.Until).Truncate(time.Second)
		}
	}
	return ofModel, ofAll, until
}

// The rows of the error table: what an answer means for which keys, for how long, and for the request.
func TestTheErrorTable(t *testing.T) {
	const nextKey, backoff, repair, answer = "next key", "backoff", "repair", "answer"
	actions := map[Action]string{NextKey: nextKey, Backoff: backoff, Repair: repair, Answer: answer}
	f := func(status int, body, want string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			failed := classify(gemini.ParseAPIError(status, []byte(body)), 1000, time.Now())
			ofModel, ofAll, until := after(t, failed)
			got := fmt.Sprintf("model:%s all:%s %v %s", ofModel, ofAll, until, actions[failed.Kind.Action()])
			if got != want {
				t.Errorf("%v: %s, want %s", failed.Kind, got, want)
			}
		})
	}
	const denied, exhausted = "PERMISSION_DENIED", "RESOURCE_EXHAUSTED"
	quota := func(id, value, delay string) string {
		return google(429, exhausted, "You exceeded your current quota, please check your plan and billing details.", violation(id, value)+","+retry(delay))
	}
	const day, minute = "GenerateRequestsPerDayPerProjectPerModel-FreeTier", "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"
	const tokens = "GenerateContentInputTokensPerModelPerMinute-FreeTier"

	f(400, google(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", info("API_KEY_INVALID")), "model: all:a 0s next key")
	f(401, google(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.", info("ACCESS_TOKEN_TYPE_UNSUPPORTED")), "model: all:a 0s next key")
	f(403, google(403, denied, "Your API key was reported as leaked. Please use another API key.", ""), "model: all:a 0s next key")
	f(403, google(403, denied, "Requests to this API x are blocked.", info("API_KEY_SERVICE_BLOCKED")), "model: all:a 0s next key")
	f(403, google(403, denied, "Permission denied: Consumer 'api_key:x' has been suspended.", info("CONSUMER_SUSPENDED")), "model: all:ab 0s next key")
	f(403, google(403, denied, "Generative Language API has not been used in project 1 before or it is disabled.", info("SERVICE_DISABLED")), "model: all:ab 0s next key")
	f(404, google(404, "NOT_FOUND", "models/x is not found for API version v1beta, or is not supported for generateContent.", ""), "model:ab all: 6h0m0s next key")
	f(403, google(403, denied, "Permission denied on models/gemini-4-argon.", ""), "model:ab all: 6h0m0s next key")
	f(400, google(400, "FAILED_PRECONDITION", "User location is not supported for the API use.", ""), "model: all: 0s next key")
	f(400, google(400, "FAILED_PRECONDITION", "Gemini API free tier is not available in your country. Please enable billing on your project in Google AI Studio.", ""), "model: all:ab 0s next key")
	f(403, google(403, denied, "This API method requires billing to be enabled.", info("BILLING_DISABLED")), "model: all:ab 0s next key")
	f(403, google(403, denied, "Permission denied: Consumer is invalid.", info("CONSUMER_INVALID")), "model: all:ab 0s next key")
	f(429, quota(day, "0", "12s"), "model:ab all: 24h0m0s next key")
	// the clock of the test stands at midnight UTC, which is four in the afternoon in Los Angeles; the project adds its jitter
	f(429, quota(day, "20", "12s"), fmt.Sprintf("model:ab all: %v next key", 8*time.Hour+jitterOfOne(t)))
	f(429, quota(minute, "10", "12.94s"), "model:ab all: 12s next key")
	f(429, quota(tokens, "250000", "34.4s"), "model:ab all: 34s next key")
	f(429, quota(tokens, "999", "34.4s"), "model: all: 0s next key") // the prompt alone is longer
	f(429, google(429, exhausted, "Your project has exceeded its monthly spending cap.", ""), "model: all:ab 10m0s next key")
	f(429, google(429, exhausted, "You have exhausted your quota.", `{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"QUOTA_EXHAUSTED","metadata":{"quotaResetDelay":"1h30m0s"}}`), "model: all:ab 1h30m0s next key")
	f(429, google(429, exhausted, "Your prepayment credits are depleted. Please go to AI Studio to manage your project and billing.", ""), "model: all:ab 1h0m0s next key")
	f(429, google(429, exhausted, "Please try again.", retry("41s")), "model:ab all: 41s next key")
	f(429, google(429, exhausted, "Resource has been exhausted (e.g. check quota).", ""), "model:a all: 5s next key")
	f(503, google(503, "UNAVAILABLE", "The model is overloaded. Please try again later.", ""), "model: all: 0s backoff")
	f(500, google(500, "INTERNAL", "An internal error has occurred.", ""), "model: all: 0s backoff")
	f(502, "<html>502</html>", "model: all: 0s backoff")
	f(504, google(504, "DEADLINE_EXCEEDED", "Deadline expired before operation could complete.", ""), "model: all: 0s backoff")
	f(400, google(400, "INVALID_ARGUMENT", "Function call is missing a thought_signature in functionCall parts.", ""), "model: all: 0s repair")
	f(400, google(400, "INVALID_ARGUMENT", "The input token count (1196265) exceeds the maximum number of tokens allowed (1048575).", ""), "model: all: 0s answer")
	f(400, google(400, "INVALID_ARGUMENT", `Invalid JSON payload received. Unknown name \"$schema\" at 'tools[0].function_declarations[0].parameters': Cannot find field.`, ""), "model: all: 0s repair")
	f(400, google(400, "INVALID_ARGUMENT", "Something else.", ""), "model: all: 0s answer")
	f(413, "<html>Request Entity Too Large</html>", "model: all: 0s answer")
	f(422, "", "model: all: 0s answer")
	f(403, google(403, denied, "You do not have permission to access the File abc or it may not exist.", ""), "model: all: 0s answer")
	f(418, "short and stout", "model: all:a 5m0s backoff") // no row: MAX_FAILURES and COOLING_PERIOD
}

// jitterOfOne is how long after midnight the project "one" comes back.
func jitterOfOne(t *testing.T) (jitter time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		failed := classify(gemini.ParseAPIError(429, []byte(google(429, "RESOURCE_EXHAUSTED", "Your daily limit is reached.", ""))), 1, time.Now())
		_, _, until := after(t, failed)
		if jitter = until - 8*time.Hour; jitter < 0 || jitter > 30*time.Second {
			t.Errorf("comes back %v after midnight", jitter)
		}
	})
	return jitter
}

// The limits that Google names reach the pool.
func TestLimitsAreRead(t *testing.T) {
	f := func(want keys.Limits, violations ...string) {
		t.Helper()
		body := google(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.", strings.Join(violations, ","))
		if e := classify(gemini.ParseAPIError(429, []byte(body)), 10, noon); e.Limits != want {
			t.Errorf("%+v, want %+v", e.Limits, want)
		}
	}
	f(keys.Limits{Requests: 10}, violation("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", "10"))
	f(keys.Limits{Requests: 1000}, violation("GenerateRequestsPerMinutePerProjectPerModel", "1000"))
	f(keys.Limits{Day: 20}, violation("GenerateRequestsPerDayPerProjectPerModel-FreeTier", "20"))
	f(keys.Limits{Tokens: 250000}, violation("GenerateContentInputTokensPerModelPerMinute-FreeTier", "250000"))
	f(keys.Limits{}, violation("GenerateContentInputTokensPerModelPerDay-FreeTier", "1000000"))
	f(keys.Limits{}, violation("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", "many"))
	f(keys.Limits{Requests: 10, Day: 20},
		violation("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", "10"), violation("GenerateRequestsPerDayPerProjectPerModel-FreeTier", "20"))
}
