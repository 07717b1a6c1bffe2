package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
)

func TestNativeTokens(t *testing.T) {
	r := start(t, "a", nil)
	f := func(want int, query string, header ...string) {
		t.Helper()
		got := r.do("POST", generatePath+query, nativeAsk, header...)
		if got.status != want {
			t.Errorf("%s %v: %d, want %d", query, header, got.status, want)
		}
		if want == 401 {
			has(t, got.body, `{"error":{"code":401,"message":"no valid client token`, `"status":"UNAUTHENTICATED"}}`)
		}
	}
	f(200, "?key="+testToken, "x-none", "")
	has(t, r.do("POST", generatePath, nativeAsk, "x-none", "").body, `"status":"UNAUTHENTICATED"`, "x-goog-api-key")
	f(200, "?alt=json&key=tok%2DPLANTED-client-token", "x-none", "")
	f(200, "", "x-goog-api-key", testToken)
	f(200, "", "Authorization", "Bearer "+testToken)
	f(401, "", "x-none", "")
	f(401, "?key=wrong", "x-none", "")
	f(401, "?keys="+testToken, "x-none", "")
	if got := r.do("POST", messages+"&key="+testToken, ask(messages, false), "x-none", ""); got.status != 401 {
		t.Errorf("key= on another protocol's path: %d", got.status)
	}
	for _, q := range r.fake.Requests() {
		if q.Query.Has("key") || q.Header.Get("Authorization") != "" || q.Key != keyNamed("a") {
			t.Errorf("upstream: %v %v", q.Query, q.Header)
		}
	}
}

func TestNativePaths(t *testing.T) {
	r := start(t, "a", nil)
	f := func(method, path, body string, want int, wants ...string) result {
		t.Helper()
		got := r.do(method, path, body)
		if got.status != want {
			t.Errorf("%s %s: %d %s", method, path, got.status, got.body)
		}
		if method != "HEAD" {
			has(t, got.body, wants...)
		}
		return got
	}
	f("GET", "/v1beta/models?pageSize=3", "", 200, `"models/`, "nextPageToken")
	f("GET", "/v1beta/models/gemini-3.8-flash", "", 200, `"name": "models/gemini-3.8-flash"`)
	f("POST", "/v1beta/models/gemini-3.8-flash:countTokens", `{"contents":[{"parts":[{"text":"x"}]}]}`, 200, "totalTokens")
	f("POST", "/v1beta/models/gemini-embedding-001:batchEmbedContents", `{"requests":[{"model":"models/gemini-embedding-001","content":{"parts":[{"text":"x"}]}}]}`, 200, `"embeddings"`)
	f("POST", "/v1beta/v1beta/models/gemini-3.8-flash:generateContent", nativeAsk, 200, "candidates")
	f("POST", "/v1/v1beta/models/gemini-3.8-flash:generateContent", nativeAsk, 200, "candidates")
	f("POST", "/v1/v1/messages", ask(messages, false), 200, `"type":"message"`)
	f("POST", "/v1/v1/chat/completions", ask(completions, false), 200, `"chat.completion"`)
	f("GET", "/v1/v1/models/gemini-3.8-flash", "", 200, `"owned_by"`)
	f("POST", "/v1beta/openai/chat/completions", ask(completions, false), 200, `"chat.completion"`)
	f("POST", "/openai/v1/chat/completions", ask(completions, false), 200, `"chat.completion"`)
	f("GET", "/v1beta/openai/models", "", 200, `"object":"list"`)
	f("HEAD", "/v1beta/models/gemini-3.8-flash", "", 404) // Google has no HEAD: it is passed on all the same
	n := len(r.fake.Requests())
	f("OPTIONS", generatePath, "", 405, `"code":400`, "expected method GET, HEAD")
	f("GET", "/v1beta/openai/nothing", "", 404, "no such path")
	f("GET", "/v1beta/", "", 404, "no such path")
	f("POST", "/v1beta/models/x%2F..%2F..%2Ffiles:generateContent", nativeAsk, 404)
	f("POST", "/v1beta/models/../models/gemini-3.8-flash:generateContent", nativeAsk, 404, "no such path")
	if len(r.fake.Requests()) != n {
		t.Error("Gemini was asked")
	}
	// another vendor's names stand for models of Google's, Google's own are left alone
	f("POST", "/v1beta/models/claude-opus-4-1:generateContent", nativeAsk, 200, `"modelVersion": "gemini-3.8-flash"`)
	f("POST", "/v1beta/models/gemini-9-none:generateContent", nativeAsk, 404, "models/gemini-9-none is not found")
	f("POST", "/v1beta/models/gemini-3.8-flash:predict", nativeAsk, 404)
	if got := r.state("a"); got.State != keys.Healthy {
		t.Errorf("a client's mistake counts for the key: %+v", got)
	}
}

// Google's own clients find all of their API below /v1 too, where others find theirs.
func TestNativeV1(t *testing.T) {
	r := start(t, "a b", nil)
	f := func(method, path, body, want string, header ...string) string {
		t.Helper()
		got := r.do(method, path, body, header...)
		if got.status != 200 {
			t.Errorf("%s %s: %d", method, path, got.status)
		}
		has(t, got.body, want)
		return got.body
	}
	f("GET", "/v1/models", "", `"name": "models/gemini-3.8-flash"`, "x-goog-api-key", testToken)
	f("GET", "/v1/models/gemini-3.8-flash", "", `"name": "models/gemini-3.8-flash"`, "Authorization", "Bearer "+testToken, "x-goog-api-client", "google-genai-sdk/3.4.0")
	f("GET", "/v1/models?key="+testToken, "", `"name": "models/`, "x-none", "")
	f("GET", "/v1/models", "", `"owned_by":"google"`, "Authorization", "Bearer "+testToken)
	f("GET", "/v1/models/gemini-3.8-flash", "", `"owned_by":"google"`, "x-api-key", testToken)
	f("POST", completions, ask(completions, false), `"chat.completion"`, "x-goog-api-key", testToken)
	made := f("POST", "/upload/v1/files", "x", `"uri"`, "x-goog-api-key", testToken, "X-Goog-Upload-Protocol", "raw", "Content-Type", "text/plain")
	_, name, _ := strings.Cut(made, `"name": "`)
	name, _, _ = strings.Cut(name, `"`)
	f("GET", "/v1/"+name, "", `"sizeBytes": "1"`, "x-goog-api-key", testToken)
	if got := r.do("GET", "/v1/"+name, ""); got.status != 404 || !strings.Contains(got.body, "files are not stored") {
		t.Errorf("a file of OpenAI's: %d %s", got.status, got.body)
	}
	// a model that one version of the API lacks is there for all others
	gone := fg.Fail(fg.ErrUnknownModel("gemini-3.8-flash", "generateContent"))
	r.fake.Enqueue(gone, gone)
	if got := r.do("POST", "/v1/models/gemini-3.8-flash:generateContent", nativeAsk); got.status != 404 || r.fake.Pending() != 0 {
		t.Errorf("%d %s", got.status, got.body)
	}
	f("POST", generatePath, nativeAsk, "candidates", "x-goog-api-key", testToken)
	r.fake.Enqueue(gone, gone)
	r.do("POST", generatePath, nativeAsk)
	if got := r.do("POST", generatePath, nativeAsk); got.status != 404 || !strings.Contains(got.body, "models/gemini-3.8-flash is not found") {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// The key that Google turns down is followed by the next, before the answer's first byte.
func TestNativeMovesOn(t *testing.T) {
	for _, e := range []*fg.APIError{daily(), fg.ErrInvalidKey(), fg.ErrOverloaded()} {
		for _, path := range []string{generatePath, streamPath, streamPath + "?alt=sse"} {
			r := start(t, "a b", nil)
			r.fake.Enqueue(fg.Fail(e), fg.Say("here"))
			got := r.do("POST", path, nativeAsk)
			if got.status != 200 || !strings.Contains(got.body, "here") || len(r.keysAsked()) != len("a b") || r.keysAsked() == "a a" {
				t.Errorf("%s after %s: %d %s with %s", path, e.Status, got.status, got.body, r.keysAsked())
			}
			r.stop()
		}
	}
}

// A model that shows no thoughts is silent while it thinks, as Google itself is: that is no reason to ask again. One that shows
// them is held to REQUEST_TIMEOUT.
func TestNativeThinksInSilence(t *testing.T) {
	t.Parallel()
	f := func(thinking string, status int) {
		t.Helper()
		r := start(t, "a", func(cfg *config.Config, _ *Server) { cfg.RequestTimeout, cfg.MaxRetries = 100*time.Millisecond, 0 })
		r.fake.Enqueue(fg.Say("here").After(400 * time.Millisecond))
		got := r.do("POST", streamPath+"?alt=sse", `{"contents":[{"parts":[{"text":"hi"}]}],"generationConfig":{"thinkingConfig":{`+thinking+`}}}`)
		if got.status != status || len(r.fake.Requests()) != 1 {
			t.Errorf("%s: %d %s", thinking, got.status, got.body)
		}
		r.stop()
	}
	f(`"thinkingLevel":"HIGH"`, 200)
	f(`"thinkingLevel":"HIGH","includeThoughts":true`, 504)
}

// What is wrong with a client's own call is never the key's fault, however often it comes.
func TestNativeFaultsOfTheRequest(t *testing.T) {
	r := start(t, "a b", nil)
	for _, code := range []int{405, 411, 412, 415, 416} {
		r.fake.Reset()
		r.fake.Key(keyNamed("a"), always(fg.Err(code, "No.")))
		r.fake.Key(keyNamed("b"), always(fg.Err(code, "No.")))
		for range 7 {
			if got := r.do("POST", "/v1beta/models/gemini-3.8-flash:generateContent", nativeAsk); got.status != code {
				t.Errorf("%d: %d %s", code, got.status, got.body)
			}
		}
	}
	for _, k := range []string{"a", "b"} {
		if s := r.state(k); s.State != keys.Healthy {
			t.Errorf("%+v", s)
		}
	}
}

// An error in place of the first chunk is one all the same, although the status says 200.
func TestNativeErrorIn200(t *testing.T) {
	r := start(t, "a b", nil)
	r.fake.Enqueue(fg.Reply(fg.StreamError(daily())), fg.Say("here"))
	got := r.do("POST", streamPath+"?alt=sse", nativeAsk)
	if got.status != 200 || !strings.Contains(got.body, "here") || len(r.fake.Requests()) != 2 {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// What breaks in the middle ends in an error of the protocol, never as if it were whole.
func TestNativeCut(t *testing.T) {
	r := start(t, "a", nil)
	r.fake.Enqueue(fg.Reply(fg.Text("one"), fg.Hangup()), fg.Reply(fg.Text("one"), fg.Hangup()))
	got := r.do("POST", streamPath+"?alt=sse", nativeAsk)
	has(t, got.body, `"one"`, "\r\n\r\ndata: {\"error\":{\"code\":")
	if !strings.HasSuffix(got.body, "}}\r\n\r\n") {
		t.Errorf("%q", got.body)
	}
	resp := r.open("POST", streamPath, nativeAsk)
	defer resp.Body.Close()
	if all, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("a broken array ends like a whole one: %s", all)
	}
	has(t, r.log.String(), `"upstream":"cut"`)
}

// A client that leaves takes its call along, and nothing is asked twice.
func TestNativeClientLeaves(t *testing.T) {
	r := start(t, "a b", nil)
	r.fake.Enqueue(fg.Say("one", "two").LockStep("g"))
	resp := r.open("POST", streamPath+"?alt=sse", nativeAsk)
	until(t, bufio.NewReader(resp.Body), "one")
	began := time.Now()
	_ = resp.Body.Close()
	r.client.CloseIdleConnections()
	if end, err := r.fake.WaitEnd(t.Context(), 1); err != nil || end != fg.Cancelled || time.Since(began) > 2*time.Second {
		t.Errorf("%v %v after %v", end, err, time.Since(began))
	}
	r.stop()
	has(t, r.log.String(), `"status":499`)
	if len(r.fake.Requests()) != 1 {
		t.Error("asked twice")
	}
}

func TestNativeOutlivesADrain(t *testing.T) {
	r := start(t, "a", nil)
	r.fake.Enqueue(fg.Say("one", "two").LockStep("g"))
	resp := r.open("POST", streamPath+"?alt=sse", nativeAsk)
	defer resp.Body.Close()
	body := bufio.NewReader(resp.Body)
	until(t, body, "one")
	stopped := make(chan struct{})
	go func() { defer close(stopped); r.stop() }()
	if err := r.fake.Arrived("g"); err != nil {
		t.Fatal(err)
	}
	until(t, body, "two")
	if err := r.fake.Arrived("g"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(body); err != nil {
		t.Error(err)
	}
	<-stopped
}

// An upload as Google's guide does it with curl: the second call has no key, its address is enough.
func TestNativeUpload(t *testing.T) {
	r := start(t, "a b c", nil)
	begun := r.do("POST", "/upload/v1beta/files?key="+testToken, `{"file":{"display_name":"x"}}`, "Content-Type", "application/json", "X-Goog-Upload-Protocol", "resumable",
		"X-Goog-Upload-Command", "start", "X-Goog-Upload-Header-Content-Type", "text/plain", "X-Forwarded-Proto", "https")
	address := begun.header.Get("X-Goog-Upload-URL")
	if begun.status != 200 || !strings.HasPrefix(address, strings.Replace(r.url, "http:", "https:", 1)+"/upload/v1beta/files?upload_id=") {
		t.Fatalf("%d %s %v", begun.status, begun.body, begun.header)
	}
	_, target, _ := strings.Cut(strings.TrimPrefix(address, "https://"), "/")
	piece := func(body, command, offset string) result {
		t.Helper()
		return r.do("POST", "/"+target, body, "X-Goog-Upload-Command", command, "X-Goog-Upload-Offset", offset)
	}
	if got := piece("some ", "upload", "0"); got.status != 200 || got.header.Get("X-Goog-Upload-Status") != "active" {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := piece("", "query", "0"); got.header.Get("X-Goog-Upload-Size-Received") != "5" {
		t.Errorf("%d %v", got.status, got.header)
	}
	got := piece("words", "upload, finalize", "5")
	if got.status != 200 || got.header.Get("X-Goog-Upload-Status") != "final" {
		t.Errorf("%d %s", got.status, got.body)
	}
	has(t, got.body, `"sizeBytes": "10"`)
	if stranger := r.do("POST", "/upload/v1beta/files?upload_id=guessed", "x", "X-Goog-Upload-Command", "upload"); stranger.status != 401 {
		t.Errorf("a guessed upload: %d", stranger.status)
	}
	if k := r.keysAsked(); k != strings.Repeat(k[:1]+" ", 3)+k[:1] {
		t.Errorf("one upload went over the keys %s", k)
	}
	if strings.Count(r.log.String(), `"token":"ann"`) != 4 {
		t.Errorf("the log:\n%s", r.log.String())
	}
}

// After a restart nobody knows whose a file is: the keys are asked in turn, and from then on it is known.
func TestNativeFindsTheOwner(t *testing.T) {
	fake, base := fg.Start(t, fg.Options{})
	made := struct{ name, body string }{}
	for _, key := range []string{"a", "b", "c", "d"} {
		req, err := http.NewRequestWithContext(t.Context(), "POST", base+"/upload/v1beta/files", strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("x-goog-api-key", keyNamed(key))
		req.Header.Set("X-Goog-Upload-Protocol", "raw")
		req.Header.Set("Content-Type", "text/plain")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		all, err := io.ReadAll(resp.Body)
		if err != nil || resp.Body.Close() != nil {
			t.Fatal(err)
		}
		_, name, _ := strings.Cut(string(all), `"name": "`)
		made.name, _, _ = strings.Cut(name, `"`)
		made.body = fmt.Sprintf(`{"contents":[{"role":"user","parts":[{"file_data":{"file_uri":"https://generativelanguage.googleapis.com/v1beta/%s","mime_type":"text/plain"}}]}]}`, made.name)
		r := startAt(t, fake, base, "a b c d", nil)
		if got := r.do("POST", generatePath, made.body); got.status != 200 {
			t.Errorf("key %s: %d %s", key, got.status, got.body)
		}
		n := len(fake.Requests())
		if got := r.do("GET", "/v1beta/"+made.name, ""); got.status != 200 || len(fake.Requests()) != n+1 {
			t.Errorf("key %s: %d after %d requests", key, got.status, len(fake.Requests())-n)
		}
		if got := r.do("GET", "/v1beta/files/none", ""); got.status != 403 {
			t.Errorf("a file of nobody: %d %s", got.status, got.body)
		}
		for _, k := range []string{"a", "b", "c", "d"} {
			if s := r.state(k); s.State != keys.Healthy {
				t.Errorf("key %s: %+v", k, s)
			}
		}
		r.stop()
	}
}

// What may have been carried out is not sent a second time.
func TestNativeDoesNotRepeat(t *testing.T) {
	asked := map[string]int{}
	google := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		asked[q.Method+" "+q.URL.Path]++
		http.Error(w, `{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}`, http.StatusServiceUnavailable)
	}))
	defer google.Close()
	fake, _ := fg.Start(t, fg.Options{})
	r := startAt(t, fake, google.URL, "a b", func(cfg *config.Config, _ *Server) { cfg.MaxRetries = 2 })
	f := func(method, path string, want int) {
		t.Helper()
		body := ""
		if method == "POST" {
			body = nativeAsk
		}
		if got := r.do(method, path, body); got.status != 503 || !strings.Contains(got.body, `"busy"`) {
			t.Errorf("%s %s: %d %s", method, path, got.status, got.body)
		}
		if n := asked[method+" "+path]; n != want {
			t.Errorf("%s %s was asked %d times", method, path, n)
		}
	}
	f("POST", generatePath, 3)
	f("GET", "/v1beta/files/x", 3)
	f("POST", "/v1beta/cachedContents", 1)
	f("DELETE", "/v1beta/files/x", 1)
}

func TestNativeBodies(t *testing.T) {
	r := start(t, "a", func(cfg *config.Config, _ *Server) { cfg.MaxBody = 64 << 10 })
	got := r.do("POST", generatePath, `{"contents":[{"parts":[{"text":"`+strings.Repeat("x", 64<<10)+`"}]}]}`)
	if got.status != 413 {
		t.Errorf("%d %s", got.status, got.body)
	}
	has(t, got.body, `"code":413`, "MAX_BODY")
	for _, body := range []string{"", "{", `{"contents":"x"}`, "\xff", strings.Repeat("[", 20000)} {
		got := r.do("POST", generatePath, body)
		if got.status != 400 || !strings.Contains(got.body, `"status": "INVALID_ARGUMENT"`) {
			t.Errorf("%.20q: %d %.200s", body, got.status, got.body)
		}
		if q, _ := r.fake.Last(); string(q.Body) != body {
			t.Errorf("%.20q became %.20q", body, q.Body)
		}
	}
}

func TestOwnersForget(t *testing.T) {
	o := newOwners()
	for i := range maxOwners + 10 {
		o.put(fmt.Sprint("files/", i), owner{key: fmt.Sprint(i)})
		o.find("files/0") // what is used stays
	}
	if o.order.Len() != maxOwners || len(o.byName) != maxOwners {
		t.Errorf("%d and %d", o.order.Len(), len(o.byName))
	}
	for name, want := range map[string]bool{"files/0": true, "files/1": false, fmt.Sprint("files/", maxOwners+9): true} {
		if _, ok := o.find("none", name); ok != want {
			t.Errorf("%s: %v", name, ok)
		}
	}
}
