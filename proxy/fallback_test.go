package proxy

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

// rules reads MODEL_FALLBACK as an operator writes it.
func rules(text string) (all []config.ModelRule) {
	for _, rule := range strings.Split(text, ",") {
		pattern, target, _ := strings.Cut(rule, "=")
		all = append(all, config.ModelRule{Pattern: pattern, Target: target})
	}
	return all
}

func TestFallbacksOf(t *testing.T) {
	f := func(text, name, target string, want ...string) {
		t.Helper()
		if got := fallbacksOf(rules(text), name, target); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
	f("a=b", "a", "a", "b")
	f("a=b", "x", "x")
	f("a=b,a=c", "a", "a", "b", "c")
	f("a=b,b=c,c=a", "a", "a", "b", "c")
	f("claude-*=b,b=c", "claude-opus-5-5", "a", "b", "c")
	f("gemini-3*=models/gemini-2.5-flash", "x", "gemini-3.8-flash", "gemini-2.5-flash")
	f("a=a,a=../x,a=b", "a", "a", "b")
}

// modelsAsked lists which models Gemini was asked for.
func (r *rig) modelsAsked() string {
	var names []string
	for _, q := range r.fake.Requests() {
		names = append(names, q.Model)
	}
	return strings.Join(names, " ")
}

const second = "gemini-3.6-flash"

func withFallback(cfg *config.Config, _ *Server) {
	cfg.ModelFallback = rules("gemini-3.8-flash=" + second)
	cfg.QueueTimeout = 30 * time.Second
}

// When every key is dry for a model, the next one serves, and the answer says so.
func TestADryModelFallsBack(t *testing.T) {
	f := func(e *fg.APIError) {
		t.Helper()
		r := start(t, "a b", withFallback)
		for _, k := range []string{"a", "b"} {
			r.fake.Key(keyNamed(k), fg.KeyRule{Error: e, Model: "gemini-3.8-flash"})
		}
		for _, path := range []string{messages, completions} {
			for _, stream := range []bool{false, true} {
				began := time.Now()
				got := r.do("POST", path, ask(path, stream))
				if got.status != 200 || got.header.Get("x-gca-model") != second || time.Since(began) > 5*time.Second {
					t.Errorf("%v: %d %s after %v: %s", e, got.status, got.header.Get("x-gca-model"), time.Since(began), got.body)
				}
			}
		}
		r.stop()
		has(t, r.log.String(), `"target":"`+second+`"`)
	}
	f(daily())
	f(minute("20s")) // longer than anybody waits where another model is there
	f(fg.ErrQuotaZero("gemini-3.8-flash"))
	f(fg.ErrUnknownModel("gemini-3.8-flash", "generateContent"))
}

func TestAnOverloadedModelFallsBack(t *testing.T) {
	r := start(t, "a b", withFallback)
	over := fg.Fail(fg.ErrOverloaded())
	r.fake.Enqueue(over, over, over, fg.Say("fine"))
	got := r.do("POST", messages, ask(messages, true))
	if want := strings.Repeat("gemini-3.8-flash ", 3) + second; got.status != 200 || r.modelsAsked() != want {
		t.Errorf("%d, asked %s", got.status, r.modelsAsked())
	}
	r.fake.Enqueue(over, over, over, over, over, over)
	if got := r.do("POST", messages, ask(messages, true)); got.status != 529 || got.header.Get("x-gca-model") != "" {
		t.Errorf("%d %v", got.status, got.header)
	}
}

// Where every model is dry, the request waits for the one whose turn comes first, and is told of that one.
func TestTheSoonestOfDryModels(t *testing.T) {
	r := start(t, "a", withFallback)
	r.fake.Key(keyNamed("a"), fg.KeyRule{Error: minute("11.5s"), Model: "gemini-3.8-flash", Times: 1})
	r.fake.Key(keyNamed("a"), fg.KeyRule{Error: daily(), Model: second})
	began := time.Now()
	got := r.do("POST", messages, ask(messages, false))
	if took := time.Since(began); got.status != 200 || got.header.Get("x-gca-model") != "" || took < 11*time.Second || took > 20*time.Second {
		t.Errorf("%d %v after %v", got.status, got.header, took)
	}
	late := start(t, "a", func(cfg *config.Config, s *Server) {
		withFallback(cfg, s)
		cfg.QueueTimeout = 2 * time.Second
	})
	late.fake.Key(keyNamed("a"), fg.KeyRule{Error: minute("40s"), Model: "gemini-3.8-flash"})
	late.fake.Key(keyNamed("a"), fg.KeyRule{Error: daily(), Model: second})
	if got := late.do("POST", messages, ask(messages, false)); got.status != 429 || got.header.Get("Retry-After") != "40" {
		t.Errorf("%d, Retry-After %s", got.status, got.header.Get("Retry-After"))
	}
}

// What a model has to do with nothing does not move a request on.
func TestWhatDoesNotFallBack(t *testing.T) {
	r := start(t, "a b", withFallback)
	r.fake.Enqueue(fg.Fail(fg.Err(400, "Something else.")))
	if got := r.do("POST", messages, ask(messages, false)); got.status != 400 || r.modelsAsked() != "gemini-3.8-flash" {
		t.Errorf("%d, asked %s", got.status, r.modelsAsked())
	}
	for _, k := range []string{"a", "b"} {
		r.fake.Key(keyNamed(k), always(fg.ErrInvalidKey()))
	}
	if got := r.do("POST", completions, strings.Replace(ask(completions, true), "hello", "hullo", 1)); got.status != 503 || strings.Contains(r.modelsAsked(), second) {
		t.Errorf("%d, asked %s", got.status, r.modelsAsked())
	}
}

// A prompt longer than one key's minute goes to a key that allows more; where none does the client hears how long it may be.
func TestAPromptBeyondAKeysMinute(t *testing.T) {
	r := start(t, "a b", nil)
	small := fg.ErrQuotaTokensPerMinute("gemini-3.8-flash", 3, time.Second)
	r.fake.Key(keyNamed("a"), always(small))
	for range 3 {
		if got := r.do("POST", messages, ask(messages, false)); got.status != 200 {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
	if got := r.keysAsked(); got != "a b b b" && got != "b b b" && got != "b a b b" {
		t.Errorf("keys %s", got)
	}
	r.fake.Key(keyNamed("b"), always(small))
	for range 2 {
		got := r.do("POST", messages, ask(messages, true))
		has(t, got.body, "prompt is too long:", "> 3 maximum")
		if got.status != 400 {
			t.Error(got.status)
		}
	}
}
