package proxy

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
)

// A window says exactly how long to wait: then it fits, and a moment before it does not.
func TestWindow(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	now := time.Unix(1_800_000_000, 0)
	var w window
	const limit = 100
	for range 5000 {
		now = now.Add(time.Duration(r.IntN(3000)) * time.Millisecond)
		n := int64(1 + r.IntN(20))
		if wait := w.wait(now, n, limit); wait > 0 {
			before, after := w, w
			if early := before.wait(now.Add(wait-time.Millisecond), n, limit); early <= 0 || early > time.Second {
				t.Fatalf("wait %v, but %v just before its end", wait, early)
			}
			if late := after.wait(now.Add(wait), n, limit); late != 0 {
				t.Fatalf("wait %v, and then %v", wait, late)
			}
			continue
		}
		w.add(now, n)
		if w.sum > limit {
			t.Fatalf("%d within a minute", w.sum)
		}
	}
	w.slide(now.Add(time.Hour))
	if w.sum != 0 || w.counts != [buckets]int64{} {
		t.Errorf("after an hour %+v", w)
	}
}

// reckon is an estimate of so many tokens that cost as many millionths of a dollar.
func reckon(tokens int64) guess { return guess{tokens, spent{tokens, tokens}} }

func spentSo(today spent) func(string) spent { return func(string) spent { return today } }

func TestAllowances(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAllowances()
		who := &config.Token{Name: "ci", Limits: config.Limits{Requests: 3, Tokens: 1000}}
		take := func(tokens int64, want string) (settle func(int64)) {
			t.Helper()
			settle, refusal := a.take(who, reckon(tokens), spentSo(spent{}), time.Now())
			got := ""
			if refusal != nil {
				got = fmt.Sprintf("%s|%s|%v", refusal.Message, refusal.RetryAfter, refusal.NoRetry)
				if refusal.Kind != front.RateLimited {
					t.Errorf("%+v", refusal)
				}
			}
			if got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			return settle
		}
		take(1001, "the request has about 1001 tokens, more than token ci may use in a minute (tpm=1000)|0s|true")
		first := take(400, "")
		time.Sleep(10 * time.Second)
		take(601, "token ci has used 400 tokens within a minute, the request has about 601, and 1000 are allowed (tpm=1000); try again in 50s|50s|false")
		first(900) // more than was guessed, and it counts from now on
		take(101, "token ci has used 900 tokens within a minute, the request has about 101, and 1000 are allowed (tpm=1000); try again in 60s|1m0s|false")
		time.Sleep(20 * time.Second)
		take(50, "")(0)
		take(100, "")(100)
		take(1, "token ci has made 3 requests within a minute, as many as it may (rpm=3); try again in 30s|30s|false")
		time.Sleep(30 * time.Second)
		take(1, "token ci has used 1000 tokens within a minute, the request has about 1, and 1000 are allowed (tpm=1000); try again in 10s|10s|false")
		time.Sleep(10 * time.Second)
		take(900, "")(0)
	})
}

// What nobody knows the price of is not within a budget.
func TestABudgetInDollarsNeedsPrices(t *testing.T) {
	r := start(t, "a", func(cfg *config.Config, _ *Server) { cfg.Tokens[1].Limits = config.Limits{DayCost: 2_500_000} })
	ask := func(model string) result {
		t.Helper()
		return r.do("POST", messages, `{"model":"`+model+`","max_tokens":4000,"messages":[{"role":"user","content":"hi"}]}`)
	}
	if got := ask("gemini-3.8-flash"); got.status != 200 {
		t.Errorf("%d %s", got.status, got.body)
	}
	got := ask("gemini-2.5-pro")
	has(t, got.body, "what gemini-2.5-pro costs is not known here, so token ann, which has a budget in US dollars (day_usd), may not use it", "permission_error")
	if got.status != 403 || len(r.fake.Requests()) != 1 {
		t.Errorf("%d, and Gemini was asked %d times", got.status, len(r.fake.Requests()))
	}
}

func TestBudgetsOfADay(t *testing.T) {
	zone, err := time.LoadLocation("America/Los_Angeles")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 30, 22, 0, 0, 0, zone)
	f := func(limits config.Limits, today spent, want string) {
		t.Helper()
		a := newAllowances()
		who := &config.Token{Name: "ci", Limits: limits}
		if _, refusal := a.take(who, reckon(100), spentSo(today), now); refusal != nil {
			if refusal.Message != want || !refusal.NoRetry || refusal.RetryAfter != 2*time.Hour {
				t.Errorf("%+v", refusal)
			}
		} else if want != "" {
			t.Errorf("it is let in")
		}
	}
	const ends = "; the day ends at midnight in Los Angeles; try again in 7200s"
	f(config.Limits{DayTokens: 1000}, spent{999, 1e12}, "")
	f(config.Limits{DayTokens: 1000}, spent{1000, 0}, "token ci has used its budget of the day, 1000 of 1000 tokens (day_tokens)"+ends)
	f(config.Limits{DayTokens: 1000}, spent{}, "")
	f(config.Limits{DayCost: 2_500_000}, spent{1e12, 2_499_999}, "")
	f(config.Limits{DayCost: 2_500_000}, spent{0, 2_512_345}, "token ci has used its budget of the day, 2.512345 of 2.50 US dollars (day_usd)"+ends)
}

// What is under way counts with its estimate, as long as nobody knows what it uses.
func TestABudgetCountsWhatIsUnderWay(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	f := func(limits config.Limits, want string) {
		t.Helper()
		a, today := newAllowances(), spent{960, 960}
		who := &config.Token{Name: "ci", Limits: limits}
		take := func() (settle func(int64), refusal *front.Error) {
			return a.take(who, reckon(30), func(string) spent { return today }, now)
		}
		first, _ := take()
		second, _ := take()
		if first == nil || second == nil {
			t.Fatal("two are let in")
		}
		_, refusal := take()
		if refusal == nil || refusal.Message != want || refusal.NoRetry || refusal.RetryAfter != crowdedRetry {
			t.Errorf("%+v", refusal)
		}
		today.add(spent{5, 5}) // much less than was guessed
		first(5)
		third, refusal := take()
		if refusal != nil {
			t.Fatalf("%+v", refusal)
		}
		today.add(spent{35, 35})
		second(35)
		third(0)
		if _, refusal = take(); refusal == nil || !refusal.NoRetry {
			t.Errorf("%+v", refusal)
		}
	}
	f(config.Limits{DayTokens: 1000}, "token ci may use up its budget of the day by the requests that are under way, with about 1020 of 1000 tokens (day_tokens); how much it was is known when they end; try again in 5s")
	f(config.Limits{DayCost: 1000}, "token ci may use up its budget of the day by the requests that are under way, with about 0.00102 of 0.001 US dollars (day_usd); how much it was is known when they end; try again in 5s")
}

// Many that come at once do not get past a budget that is nearly used up.
func TestManyAtOnceKeepToABudget(t *testing.T) {
	registry, err := parseRegistry(registryFile)
	if err != nil {
		t.Fatal(err)
	}
	one, _ := registry.cost("gemini-3.8-flash", keys.Day(time.Now()), &gemini.Usage{Prompt: 1000, Candidates: 4000})
	for _, limits := range []config.Limits{{DayTokens: 10_000}, {DayCost: 5 * one / 2}} {
		r := limited(t, limits)
		late := make(chan struct{})
		r.fake.Respond(func(fg.Recorded) (fg.Answer, bool) {
			<-late
			return fg.Reply(fg.Text("x"), fg.Finish("STOP").With(fg.Usage{Prompt: 1000, Candidates: 4000, Total: 5000})), true
		})
		statuses := make(chan int, 20)
		for range cap(statuses) {
			go func() { statuses <- r.do("POST", messages, ask(messages, false)).status }()
		}
		refused := 0
		for range cap(statuses) - 3 {
			if status := <-statuses; status == 429 {
				refused++
			}
		}
		if refused != cap(statuses)-3 {
			t.Errorf("%+v: %d are refused", limits, refused)
		}
		close(late)
		for range 3 {
			if status := <-statuses; status != 200 {
				t.Errorf("%+v: %d", limits, status)
			}
		}
		got := r.do("POST", messages, ask(messages, false))
		if got.status != 429 || got.header.Get("x-should-retry") != "false" || len(r.fake.Requests()) != 3 {
			t.Errorf("%+v: %d %s, and Gemini was asked %d times", limits, got.status, got.body, len(r.fake.Requests()))
		}
	}
}

func TestAllowancesAreForgotten(t *testing.T) {
	a := newAllowances()
	now := time.Unix(1_800_000_000, 0)
	a.steady = func() time.Time { return now }
	for i := range 10 * manyAllowances {
		settle, refusal := a.take(&config.Token{Name: fmt.Sprint(i), Limits: config.Limits{Requests: 1}}, reckon(5), spentSo(spent{}), now)
		if refusal != nil {
			t.Fatal(refusal)
		}
		settle(5)
		now = now.Add(time.Second)
	}
	if n := len(a.byName); n > manyAllowances {
		t.Errorf("%d are kept", n)
	}
}

// limited makes a rig whose client has limits.
func limited(t *testing.T, limits config.Limits) *rig {
	t.Helper()
	return start(t, "a b", func(cfg *config.Config, _ *Server) { cfg.Tokens[1].Limits = limits })
}

// Each protocol tells of a limit in its own words; what costs nothing goes on.
func TestLimitsOverHTTP(t *testing.T) {
	t.Parallel()
	const gemini = "/v1beta/models/gemini-3.8-flash:generateContent"
	f := func(path, body string, words ...string) {
		t.Helper()
		r := limited(t, config.Limits{Requests: 2})
		for range 2 {
			if got := r.do("POST", path, body); got.status != 200 {
				t.Fatalf("%s: %d %s", path, got.status, got.body)
			}
		}
		got := r.do("POST", path, body)
		wait, err := strconv.Atoi(got.header.Get("Retry-After"))
		if got.status != 429 || err != nil || wait < 1 || wait > 60 {
			t.Errorf("%s: %d, Retry-After %q", path, got.status, got.header.Get("Retry-After"))
		}
		has(t, got.body, append(words, "token ann has made 2 requests within a minute, as many as it may (rpm=2)", fmt.Sprintf("try again in %ds", wait))...)
		for _, free := range []struct{ method, path, body string }{
			{"POST", countPath, prompt(hello)}, {"GET", "/v1/models", ""}, {"GET", "/v1beta/models", ""},
			{"POST", "/v1beta/models/gemini-3.8-flash:countTokens", `{"contents":[{"parts":[{"text":"hi"}]}]}`},
		} {
			if got := r.do(free.method, free.path, free.body); got.status != 200 {
				t.Errorf("%s: %d %s", free.path, got.status, got.body)
			}
		}
		if got := r.do("POST", path, body, "x-api-key", "x"); got.status != 200 { // another token
			t.Errorf("%s: another token got %d", path, got.status)
		}
	}
	f(messages, ask(messages, false), `"type":"rate_limit_error"`)
	f(messages, ask(messages, true), `"type":"rate_limit_error"`)
	f(completions, ask(completions, false), `"code":"rate_limit_exceeded"`)
	f(replies, ask(replies, true), `"code":"rate_limit_exceeded"`)
	f(embeddingsPath, `{"model":"text-embedding-3-small","input":"x"}`, `"code":"rate_limit_exceeded"`)
	f(gemini, nativeAsk, `"RESOURCE_EXHAUSTED"`, "retryDelay")
}

// Tokens count by what Google says was used.
func TestTokensOfAMinute(t *testing.T) {
	r := limited(t, config.Limits{Tokens: 1000})
	for _, stream := range []bool{false, true} {
		r.fake.Enqueue(fg.Reply(fg.Text("x"), fg.Finish("STOP").With(fg.Usage{Prompt: 300, Candidates: 100, Thoughts: 95, Total: 495})))
		if got := r.do("POST", messages, ask(messages, stream)); got.status != 200 {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	got := r.do("POST", messages, ask(messages, false)+strings.Repeat(" ", 10))
	if got.status == 200 { // 990 were used, and the prompt is a short one
		got = r.do("POST", messages, strings.Replace(ask(messages, false), "hello", strings.Repeat("many words ", 100), 1))
	}
	if got.status != 429 {
		t.Errorf("%d %s", got.status, got.body)
	}
	has(t, got.body, "(tpm=1000)")
}

func TestABudgetOfADay(t *testing.T) {
	r := limited(t, config.Limits{DayTokens: 400})
	r.fake.Enqueue(fg.Reply(fg.Text("x"), fg.Finish("STOP").With(fg.Usage{Prompt: 300, Candidates: 100, Total: 400})))
	if got := r.do("POST", completions, ask(completions, false)); got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	got := r.do("POST", completions, ask(completions, false))
	if wait, err := strconv.Atoi(got.header.Get("Retry-After")); got.status != 429 || err != nil || wait > 25*3600 || got.header.Get("x-should-retry") != "false" {
		t.Errorf("%d, %v", got.status, got.header)
	}
	has(t, got.body, "insufficient_quota", "token ann has used its budget of the day, 400 of 400 tokens (day_tokens)", "Los Angeles")
}

// What Google does not tell the use of counts by its estimate, and what is done later is not within a budget.
func TestUseThatIsNotTold(t *testing.T) {
	f := func(limits config.Limits, path, body, answer string, want int64) {
		t.Helper()
		r := googleSays(t, "a", func(w http.ResponseWriter, _ *http.Request) {
			if _, err := io.WriteString(w, answer); err != nil {
				t.Error(err)
			}
		})
		r.cfg.Tokens[1].Limits = limits
		r.server.tokens.Store(newGate(r.cfg))
		got := r.do("POST", path, body)
		if want == 0 {
			if got.status != 403 {
				t.Errorf("%s %s: %d %s", path, body, got.status, got.body)
			}
			has(t, got.body, "what this call uses is not told in its answer, so token ann")
			return
		}
		if used := r.server.usage.spent("ann"); got.status != 200 || used.tokens != want {
			t.Errorf("%s: %d %s; %d tokens, want %d", path, got.status, got.body, used.tokens, want)
		}
		r.stop()
		if one := r.server.bounds.tokens.byName["ann"]; one.reserved != (spent{}) || one.tokens.sum != want && limits.Tokens > 0 {
			t.Errorf("%s: %+v is under way, %d of the minute", path, one.reserved, one.tokens.sum)
		}
	}
	words := strings.Repeat("many words ", 400)
	f(config.Limits{Tokens: 1_000_000}, "/v1beta/cachedContents", `{"model":"models/gemini-3.8-flash"}`, `{"name":"cachedContents/c","usageMetadata":{"totalTokenCount":5000}}`, 5000)
	input, output := `{"model":"gemini-3.8-flash","input":"`+words+`"}`, `{"id":"v1_a","outputs":"`+words+`"}`
	f(config.Limits{DayTokens: 1_000_000}, "/v1beta/interactions", input, output, int64(len(input)/4+len(output)/4))
	f(config.Limits{Tokens: 1_000_000}, "/v1beta/models/gemini-3.8-flash:generateContent", nativeAsk, `{"candidates":"x"}`, int64(len(nativeAsk)/4+4))
	for _, limits := range []config.Limits{{Tokens: 1000}, {DayTokens: 1000}, {DayCost: 1000}} {
		f(limits, "/v1beta/models/gemini-3.8-flash:batchGenerateContent", `{}`, "", 0)
		f(limits, "/v1beta/interactions", `{"model":"gemini-3.8-flash","input":"x","background":true}`, "", 0)
		f(limits, "/v1alpha/auth_tokens", `{}`, "", 0)
	}
}

func TestModelsOfAToken(t *testing.T) {
	r := limited(t, config.Limits{Models: []string{"gpt-*", "gemini-3.8-flash"}})
	f := func(want int, path, body string) {
		t.Helper()
		got := r.do("POST", path, body)
		if got.status != want {
			t.Errorf("%s %s: %d %s", path, body, got.status, got.body)
		}
		if want == 403 {
			has(t, got.body, "token ann may not use", "its models are gpt-*, gemini-3.8-flash")
		}
	}
	f(200, completions, ask(completions, false))
	f(403, messages, ask(messages, false))
	f(403, embeddingsPath, `{"model":"text-embedding-3-small","input":"x"}`)
	f(200, "/v1beta/models/gemini-3.8-flash:generateContent", nativeAsk)
	f(403, "/v1beta/models/gemini-3.8-pro:streamGenerateContent", nativeAsk)
	f(403, "/v1beta/interactions", `{"model":"gemini-3.8-pro","input":"x"}`)
	f(403, "/v1beta/interactions", `{"model":"gemini-3.8-flash","mod\u0065l":"gemini-3.8-pro","input":"x"}`)
	f(403, "/v1beta/interactions", `{"agent":"deep-research","input":"x"}`)
	f(200, "/v1beta/cachedContents", `{"model":"models/gemini-3.8-flash","contents":[{"role":"user","parts":[{"text":"`+strings.Repeat("many words ", 2000)+`"}]}]}`)
	f(403, "/v1beta/cachedContents", `{"model":"models/gemini-3.8-pro","contents":[{"role":"user","parts":[{"text":"hello"}]}]}`)
	f(403, "/v1beta/models/gemini-3.8-pro:batchGenerateContent", `{}`)
	f(403, "/v1beta/dynamic/x:generateContent", nativeAsk)
	if got := r.do("POST", "/v1alpha/auth_tokens", `{"uses":1}`); got.status != 403 {
		t.Errorf("a credential of Google's: %d %s", got.status, got.body)
	}
	asked := len(r.fake.Requests())
	if asked != 3 {
		t.Errorf("Gemini was asked %d times", asked)
	}
	list := r.do("GET", "/v1/models", "").body
	has(t, list, `"gemini-3.8-flash"`)
	hasNot(t, list, `"gemini-2.5-pro"`, `"claude-`)
	if got := r.do("GET", "/v1/models/gemini-2.5-pro", ""); got.status != 404 {
		t.Errorf("a model that is not its own: %d", got.status)
	}
}

// A clock that is set back keeps nobody waiting for longer than a minute.
func TestAllowancesAndAClockThatIsSetBack(t *testing.T) {
	a := newAllowances()
	who := &config.Token{Name: "ci", Limits: config.Limits{Requests: 1}}
	wall := time.Unix(1_800_000_000, 0)
	steady := wall
	a.steady = func() time.Time { return steady }
	for range 3 {
		if _, refusal := a.take(who, guess{}, spentSo(spent{}), wall); refusal != nil {
			t.Fatal(refusal)
		}
		wall = wall.Add(-time.Hour)
		if _, refusal := a.take(who, guess{}, spentSo(spent{}), wall); refusal == nil || refusal.RetryAfter != time.Minute {
			t.Errorf("%+v", refusal)
		}
		steady = steady.Add(time.Minute)
	}
}
