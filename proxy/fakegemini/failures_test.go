package fakegemini

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestFailures holds the list of known failures to what the proxy must tell apart, one line each: status, and what the
// body says.
func TestFailures(t *testing.T) {
	c := start(t, Options{})
	known := map[string]bool{}
	f := func(name string, status int, says ...string) {
		t.Helper()
		known[name] = true
		c.s.Enqueue(Fails(name, m38))
		got, text, err := c.post(m38, "generateContent", "k", talk(hi))
		if got != status || err != nil {
			t.Errorf("%s: %d %v, want %d", name, got, err, status)
		}
		flat := strings.Join(strings.Fields(text), " ")
		for _, s := range says {
			if !strings.Contains(flat, s) {
				t.Errorf("%s: %s lacks %s", name, flat, s)
			}
		}
	}
	requestFailures(f)
	serviceFailures(f)
	for _, failure := range Failures(m38) {
		if !known[failure.Name] {
			t.Errorf("failure %q is held by no line of this test", failure.Name)
		}
	}
}

type failure func(name string, status int, says ...string)

func requestFailures(f failure) {
	f("key invalid", 400, `"INVALID_ARGUMENT"`, `"API_KEY_INVALID"`, "API key not valid. Please pass a valid API key.")
	f("key expired", 400, `"API_KEY_INVALID"`, "API key expired. Please renew the API key.")
	f("key type refused", 401, `"UNAUTHENTICATED"`, `"ACCESS_TOKEN_TYPE_UNSUPPORTED"`)
	f("key leaked", 403, `"PERMISSION_DENIED"`, "Your API key was reported as leaked. Please use another API key.")
	f("key service blocked", 403, `"API_KEY_SERVICE_BLOCKED"`, "are blocked.")
	f("key referrer blocked", 403, `"API_KEY_HTTP_REFERRER_BLOCKED"`)
	f("key address blocked", 403, `"API_KEY_IP_ADDRESS_BLOCKED"`)
	f("service disabled", 403, `"SERVICE_DISABLED"`)
	f("consumer suspended", 403, `"CONSUMER_SUSPENDED"`)
	f("project denied", 403, "Your project has been denied access")
	f("no key", 403, "Method doesn't allow unregistered callers")
	f("foreign file", 403, "You do not have permission to access the File abc123 or it may not exist.")
	f("foreign cache", 403, "CachedContent not found (or permission denied)")
	f("location", 400, `"FAILED_PRECONDITION"`, "User location is not supported for the API use.")
	f("no free tier here", 400, `"FAILED_PRECONDITION"`, "free tier is not available in your country")
	f("too many tokens", 400, "The input token count (1196265) exceeds the maximum number of tokens allowed (1048575).")
	f("too many tokens, unsaid", 400, "The input token count exceeds")
	f("signature corrupted", 400, "Corrupted thought signature.")
	f("signature invalid", 400, "Invalid thought signature.")
	f("signature not valid", 400, "Thought signature is not valid")
	f("signature missing", 400, "Function call is missing a thought_signature", "default_api:Read` , position 2.")
	f("invalid argument", 400, "Request contains an invalid argument.")
	f("unknown name", 400, `Unknown name \"$schema\" at`)
	f("schema", 400, "properties[a].items: missing field.")
	f("schema states", 400, "too many states for serving")
	f("unknown model", 404, `"NOT_FOUND"`, "models/gemini-3.8-flash is not found for API version v1beta")
	f("conflict", 409, `"ABORTED"`)
	f("already exists", 409, `"ALREADY_EXISTS"`)
	f("out of range", 400, `"OUT_OF_RANGE"`)
}

func serviceFailures(f failure) {
	f("quota a minute", 429, `"RESOURCE_EXHAUSTED"`, "GenerateRequestsPerMinutePerProjectPerModel-FreeTier", `"retryDelay": "12.94s"`, "Please retry in 12.94s.", "rpc.Help", `"location": "global"`)
	f("quota a day", 429, "GenerateRequestsPerDayPerProjectPerModel-FreeTier", `"retryDelay": "12s"`, "limit: 20, model: gemini-3.8-flash")
	f("quota of input a minute", 429, "GenerateContentInputTokensPerModelPerMinute-FreeTier", `"quotaValue": "250000"`)
	f("quota of input a day", 429, "GenerateContentInputTokensPerModelPerDay-FreeTier")
	f("quota zero", 429, `"quotaValue": "0"`, "limit: 0")
	f("quota zero, in words", 429, "limit: 0, model: gemini-3.8-flash\\nPlease retry in 30s.\", \"status\": \"RESOURCE_EXHAUSTED\" } }")
	f("quota a day, in words", 429, "daily limit")
	f("quota, paid", 429, `"GenerateRequestsPerMinutePerProjectPerModel"`)
	f("quota as recorded", 429, `"violations": [ { "quotaId": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier" } ]`, `"retryDelay": "34.4s"`)
	f("exhausted", 429, "Resource has been exhausted (e.g. check quota).")
	f("capacity", 429, `"MODEL_CAPACITY_EXHAUSTED"`, "exhausted your capacity")
	f("credits depleted", 429, "credits are depleted")
	f("spend cap", 429, "spending cap")
	f("quota of the project", 429, `"QUOTA_EXHAUSTED"`, `"quotaResetDelay": "1h30m0s"`)
	f("cancelled", 499, `"CANCELLED"`)
	f("internal", 500, `"INTERNAL"`, "An internal error has occurred")
	f("unknown", 500, `"UNKNOWN"`)
	f("data loss", 500, `"DATA_LOSS"`)
	f("unimplemented", 501, `"UNIMPLEMENTED"`)
	f("overloaded", 503, `"UNAVAILABLE"`, "The model is overloaded. Please try again later.")
	f("high demand", 503, "This model is currently experiencing high demand")
	f("deadline", 504, `"DEADLINE_EXCEEDED"`)
	f("html 502", 502, "<!DOCTYPE html>", "Bad Gateway")
	f("html 504", 504, "<!DOCTYPE html>")
	f("no numeric code", 503, `{"error":{"message":"The model is overloaded. Please try again later.","status":"UNAVAILABLE"}}`)
	f("in a list", 500, `[{"error":{"code":500,`)
	f("empty body", 503)
}

func TestFailsPanicsOnNonsense(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a failure that doesn't exist was scripted")
		}
	}()
	Fails("nothing", m38)
}

// TestFaults reads each fault off the wire.
func TestFaults(t *testing.T) {
	c := start(t, Options{})
	get := func(a Answer) (*http.Response, string, error) {
		t.Helper()
		c.s.Enqueue(a)
		res, err := c.open(c.context(), m25, "streamGenerateContent?alt=sse", "k", talk(hi))
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(res.Body)
		return res, string(raw), err
	}
	_, whole, err := get(Say("Zürich"))
	if err != nil || len(c.frames(whole)) != 1 {
		t.Fatal(whole, err)
	}
	for n := 1; n < len(whole); n += 37 {
		if _, text, err := get(Say("Zürich").CutAfter(n)); len(text) != n || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut at %d: %d bytes, %v", n, len(text), err)
		}
	}
	if _, text, err := get(Say("Zürich").LineFeeds()); err != nil || strings.Contains(text, "\r") || !strings.HasSuffix(text, "\n\n") {
		t.Errorf("line feeds: %q %v", text, err)
	}
	if res, text, err := get(Say("Zürich").Gzipped()); err != nil || !res.Uncompressed || len(c.frames(text)) != 1 {
		t.Errorf("gzip: %v %q %v", res.Uncompressed, text, err)
	}
	if _, text, err := get(Reply(LongText(8 << 20))); err != nil || len(c.frames(text)) != 1 || len(text) < 8<<20 {
		t.Errorf("a long line: %d bytes, %v", len(text), err)
	}
	if _, text, err := get(Reply(Text("a"), BareError(ErrInternal()))); err != nil || !strings.Contains(text, "\r\n\r\n{\"error\":{\"code\":500") {
		t.Errorf("a bare error: %q %v", text, err)
	}
	if _, text, err := get(Reply(Text("a"), ArrayError(ErrInternal()))); err != nil || !strings.Contains(text, "\r\n\r\n[{\"error\":{\"code\":500") {
		t.Errorf("an error in a list: %q %v", text, err)
	}
	if _, text, err := get(Reply(Comment("still here"), Text("a"))); err != nil || !strings.HasPrefix(text, ": still here\r\n\r\ndata: ") {
		t.Errorf("a comment: %q %v", text, err)
	}
	if res, text, err := get(Answer{}); err != nil || text != "" || res.StatusCode != 200 {
		t.Errorf("an empty body: %q %v", text, err)
	}
	if _, text, err := get(Reply(Text("a"), StreamError(ErrHighDemand()))); err != nil || !strings.Contains(text, "data: {\"error\":{\"code\":503") {
		t.Errorf("an error frame: %q %v", text, err)
	}
}

// TestDrip sends byte by byte, and is as slow as it says.
func TestDrip(t *testing.T) {
	c := start(t, Options{})
	c.s.Enqueue(Say("ü").Dripped(1, 100*time.Microsecond))
	began := time.Now()
	res, err := c.open(c.context(), m25, "streamGenerateContent?alt=sse", "k", talk(hi))
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < time.Duration(len(got))*100*time.Microsecond || len(c.frames(string(got))) != 1 {
		t.Errorf("%d bytes took %s", len(got), took)
	}
}

// TestFaultsOverTheAdminPath: a fault is data like the rest of an answer.
func TestFaultsOverTheAdminPath(t *testing.T) {
	data, err := json.Marshal(Say("a").CutAfter(9).Dripped(2, time.Second).Gzipped().LineFeeds())
	if err != nil {
		t.Fatal(err)
	}
	var back Answer
	if err := json.Unmarshal(data, &back); err != nil || back.Fault != (Fault{CutAt: 9, Drip: 2, Every: Duration(time.Second), Gzip: true, LF: true}) {
		t.Errorf("%s came back as %+v, %v", data, back.Fault, err)
	}
	if plain, err := json.Marshal(Say("a")); err != nil || slices.Contains(strings.Split(string(plain), `"`), "fault") {
		t.Errorf("%s %v", plain, err)
	}
}
