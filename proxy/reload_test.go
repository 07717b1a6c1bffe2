package proxy

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	"github.com/gemini-claude-adapter/gca/proxy/control"
	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

// texts are the files of the rig's adapter with these keys, and with more lines of adapter.env.
func (r *rig) texts(names string, env ...string) config.Texts {
	t := config.Texts{
		Env:    fmt.Sprintf("HOST=127.0.0.1\nDRAIN_TIMEOUT=20\nQUEUE_TIMEOUT=1\nGEMINI_BASE_URL=%s\n%s\n", r.cfg.BaseURL, strings.Join(env, "\n")),
		Tokens: fmt.Sprintf("sha256:%x name=other\nsha256:%x name=ann\n", config.HashToken("x"), config.HashToken(testToken)),
	}
	for _, n := range strings.Fields(names) {
		t.Keys += keyNamed(n) + " label=" + n + "\n"
	}
	return t
}

func (r *rig) reload(texts config.Texts) control.Reloaded {
	r.t.Helper()
	done, err := r.server.Reload(texts)
	if err != nil {
		r.t.Fatal(err)
	}
	return done
}

func TestReload(t *testing.T) {
	r := start(t, "a", nil)
	r.fake.Enqueue(fg.Say("one", "two").LockStep("g"))
	resp := r.open("POST", messages, ask(messages, true))
	body := bufio.NewReader(resp.Body)
	until(t, body, "one")

	texts := r.texts("c", "MODEL_MAP=mine=gemini-3.8-flash", "MAX_RETRIES=7", "PORT=9999")
	texts.Tokens = fmt.Sprintf("sha256:%x name=eve\n", config.HashToken("tok-of-eve"))
	got := r.reload(texts)
	if fmt.Sprint(got.Changed, got.Restart) != "[GEMINI_API_KEYS CLIENT_TOKENS MAX_RETRIES MODEL_MAP] [PORT]" {
		t.Errorf("got %+v", got)
	}
	if again := r.reload(texts); len(again.Changed) > 0 {
		t.Errorf("the same again changes %v", again.Changed)
	}

	arrived(t, r)
	until(t, body, "two")
	arrived(t, r)
	if rest, err := io.ReadAll(body); err != nil || !strings.Contains(string(rest), "message_stop") {
		t.Errorf("the stream of before ended with %q, %v", rest, err)
	}
	if old := r.do("POST", messages, ask(messages, false)); old.status != http.StatusUnauthorized {
		t.Errorf("the token of before: %d", old.status)
	}
	ask := `{"model":"mine","max_tokens":10,"messages":[{"role":"user","content":"hi"}]}`
	if answer := r.do("POST", messages, ask, "x-api-key", "tok-of-eve"); answer.status != http.StatusOK {
		t.Errorf("%d %s", answer.status, answer.body)
	}
	if asked := r.keysAsked(); asked != "a c" {
		t.Errorf("asked with %s", asked)
	}
	has(t, r.log.String(), `"msg":"settings reloaded"`, `"after_restart":"PORT"`, `"token":"eve"`)
}

func TestReloadRefused(t *testing.T) {
	r := start(t, "a", nil)
	r.reload(r.texts("a"))
	f := func(texts config.Texts, want string) {
		t.Helper()
		_, err := r.server.Reload(texts)
		var refusal *control.Refusal
		if !errors.As(err, &refusal) || refusal.Code != control.Invalid || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "PLANTED") {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	f(r.texts(""), "no Gemini API keys")
	f(r.texts("a", "MAX_RETRIES=x"), `MAX_RETRIES="x"`)
	texts := r.texts("a")
	texts.Keys += keyNamed("b") + " and more\n"
	f(texts, "keys: line 2")
	if answer := r.do("POST", messages, ask(messages, false)); answer.status != http.StatusOK {
		t.Errorf("%d %s", answer.status, answer.body)
	}
}

// Keys that stay are as they were, whatever else is new.
func TestReloadKeepsWhatIsKnownOfKeys(t *testing.T) {
	r := start(t, "a b", nil)
	r.fake.Key(keyNamed("a"), always(daily()))
	for range 2 {
		r.do("POST", completions, ask(completions, false))
	}
	before := r.state("a")
	r.reload(r.texts("b a c"))
	if after := r.state("a"); before.Reason == 0 || after.Reason != before.Reason || !after.Until.Equal(before.Until) || after.Requests != before.Requests {
		t.Errorf("%+v became %+v", before, after)
	}
}

// How long Google may be silent counts for the next attempt.
func TestReloadPatience(t *testing.T) {
	r := start(t, "a", nil)
	r.fake.Key(keyNamed("a"), fg.KeyRule{Latency: fg.Duration(time.Minute)})
	r.reload(r.texts("a", "REQUEST_TIMEOUT=1", "MAX_RETRIES=0"))
	if answer := r.do("POST", messages, ask(messages, false)); answer.status != http.StatusGatewayTimeout {
		t.Errorf("%d %s", answer.status, answer.body)
	}
}

// Nobody notices a reload, however many are asking.
func TestReloadUnderLoad(t *testing.T) {
	givesBack(t)
	r := start(t, "a b", nil)
	var stop atomic.Bool
	var askers sync.WaitGroup
	for i := range 4 {
		path := []string{messages, completions, replies, messages}[i]
		askers.Go(func() {
			for stream := true; !stop.Load(); stream = !stream {
				req, err := http.NewRequestWithContext(t.Context(), "POST", r.url+path, strings.NewReader(ask(path, stream)))
				if err != nil {
					t.Error(err)
					return
				}
				req.Header.Set("Authorization", "Bearer "+testToken)
				resp, err := r.client.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				body, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(body), "whole way works") {
					t.Errorf("%s: %d, %v, %s", path, resp.StatusCode, err, body)
					return
				}
			}
		})
	}
	sets := []string{"a b", "b c", "c a", "d"}
	for i := range 60 {
		seen := r.server.requests.Load()
		r.reload(r.texts(sets[i%len(sets)], fmt.Sprintf("MAX_RETRIES=%d", i%5), fmt.Sprintf("MODEL_MAP=m%d=gemini-3.8-flash", i)))
		for r.server.requests.Load() < seen+2 && !t.Failed() {
			if _, err := r.server.Reload(r.texts("")); err == nil {
				t.Error("no keys at all were taken")
			}
		}
	}
	stop.Store(true)
	askers.Wait()
}
