package proxy

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

const (
	generatePath = "/v1beta/models/gemini-3.8-flash:generateContent"
	streamPath   = "/v1beta/models/gemini-3.8-flash:streamGenerateContent"
	nativeAsk    = "{ \"contents\" : [ {\"role\":\"user\", \"parts\":[{\"text\":\"h\\u00e9, prompt-PLANTED\"}]} ],\n \"generationConfig\":{\"seed\":7} }"
)

// direct asks the fake without the adapter.
func direct(t *testing.T, base, method, path, body string) result {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("x-goog-api-key", "k")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return result{resp.StatusCode, resp.Header, string(all)}
}

func TestE110_NativePassThrough(t *testing.T) {
	r := start(t, "a", nil)
	raw := "{\"candidates\": [\r\n {\"content\":{\"parts\":[{\"text\":\"h\u00e9\"}]},\"finishReason\":\"STOP\"}],\n \"usageMetadata\" : {\"promptTokenCount\": 11,\"candidatesTokenCount\":3}, \"odd\": [1,2 ]}\n"
	r.fake.Enqueue(fg.RawAnswer(200, "application/json; charset=UTF-8", raw))
	got := r.do("POST", generatePath+"?$alt=json&key="+testToken+"&prettyPrint=false", nativeAsk,
		"Authorization", "Bearer "+testToken, "x-api-key", testToken, "x-goog-api-key", testToken, "Cookie", "c=PLANTED",
		"Content-Type", "application/json; charset=utf-8", "x-goog-api-client", "genai-js/1.0", "x-goog-user-project", "PLANTED",
		"User-Agent", "client/9", "X-Forwarded-For", "192.0.2.1", "Connection", "x-hop", "x-hop", "1", "Accept-Encoding", "gzip")
	if got.status != 200 || got.body != raw || got.header.Get("Content-Type") != "application/json; charset=UTF-8" || got.header.Get("Content-Encoding") != "" {
		t.Errorf("%d %q %v", got.status, got.body, got.header)
	}
	q, _ := r.fake.Last()
	if string(q.Body) != nativeAsk || q.Path != generatePath || q.Query.Encode() != "%24alt=json&prettyPrint=false" {
		t.Errorf("Gemini got %s?%s\n%s", q.Path, q.Query.Encode(), q.Body)
	}
	want := map[string]string{
		"X-Goog-Api-Key": keyNamed("a"), "Content-Type": "application/json; charset=utf-8", "X-Goog-Api-Client": "genai-js/1.0",
		"User-Agent": "client/9", "Content-Length": "114",
	}
	for name, values := range q.Header {
		if want[name] != strings.Join(values, "|") {
			t.Errorf("header %s: %q", name, values)
		}
	}
	has(t, r.log.String(), `"path":"`+generatePath+`"`, `"token":"ann"`, `"model":"gemini-3.8-flash"`, `"tokens_in":11`, `"tokens_out":3`)
}

func TestE111_NativeStreams(t *testing.T) {
	f := func(query string) {
		t.Helper()
		r := start(t, "a", nil)
		words := []string{"one", "two", "three"}
		r.fake.Enqueue(fg.Say(words...), fg.Say(words...).LockStep("g"))
		plain := direct(t, r.cfg.BaseURL.String(), "POST", streamPath+query, nativeAsk)
		resp := r.open("POST", streamPath+query, nativeAsk, "x-goog-api-key", testToken)
		if resp.Header.Get("Content-Type") != plain.header.Get("Content-Type") {
			t.Errorf("%s in place of %s", resp.Header.Get("Content-Type"), plain.header.Get("Content-Type"))
		}
		var all strings.Builder
		body := io.TeeReader(resp.Body, &all)
		for _, w := range words { // each leaves Gemini only when the one before is here
			for !strings.Contains(all.String(), w) {
				if _, err := body.Read(make([]byte, 512)); err != nil {
					t.Fatalf("no %q before %v in %s", w, err, all.String())
				}
			}
			if err := r.fake.Arrived("g"); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := io.ReadAll(body); err != nil {
			t.Error(err)
		}
		_ = resp.Body.Close()
		if stable(all.String()) != stable(plain.body) {
			t.Errorf("got:\n%s\nwant:\n%s", all.String(), plain.body)
		}
		if query == "" && !json.Valid([]byte(all.String())) {
			t.Errorf("no array: %s", all.String())
		}
		r.stop()
		has(t, r.log.String(), `"stream":true`, `"tokens_out":`)
	}
	f("")
	f("?alt=sse")
}

var variable = regexp.MustCompile(`"(responseId|thoughtSignature)":"[^"]*"`)

// stable is an answer without what differs each time.
func stable(body string) string { return variable.ReplaceAllString(body, "") }

func TestE114_GooglesLastWords(t *testing.T) {
	r := start(t, "a b", nil)
	quota := daily()
	for _, k := range []string{"a", "b"} {
		r.fake.Key(keyNamed(k), fg.KeyRule{Error: quota})
	}
	got := r.do("POST", generatePath, nativeAsk)
	r.fake.Key("k", fg.KeyRule{Error: quota})
	plain := direct(t, r.cfg.BaseURL.String(), "POST", generatePath, nativeAsk)
	if got.status != 429 || got.body != plain.body {
		t.Errorf("%d %s\nwant %s", got.status, got.body, plain.body)
	}
	if asked := r.keysAsked(); !strings.HasPrefix(asked, "a b") && !strings.HasPrefix(asked, "b a") {
		t.Errorf("asked %s", asked)
	}
	again := r.do("POST", generatePath, nativeAsk) // nobody is asked: the words are ours
	var e struct {
		Error struct {
			Code            int
			Status, Message string
			Details         []struct{ RetryDelay string }
		}
	}
	if err := json.Unmarshal([]byte(again.body), &e); err != nil || e.Error.Code != 429 || e.Error.Status != "RESOURCE_EXHAUSTED" || len(e.Error.Details) != 1 {
		t.Errorf("%d %s", again.status, again.body)
	}
	bad := r.do("POST", generatePath, `{"contents":[],"x":1}`)
	if bad.status != 429 {
		t.Errorf("a bad body with no key to ask with: %d %s", bad.status, bad.body)
	}
}

func TestE115_SnakeCase(t *testing.T) {
	r := start(t, "a", nil)
	body := `{"contents":[{"role":"user","parts":[{"text":"x"}]}],"system_instruction":{"parts":[{"text":"be brief"}]},"generation_config":{"max_output_tokens":64}}`
	got := r.do("POST", generatePath, body)
	q, _ := r.fake.Last()
	if got.status != 200 || string(q.Body) != body || len(r.fake.Refusals()) != 0 {
		t.Errorf("%d %s\n%s %s", got.status, got.body, q.Body, q.Reason)
	}
}
