package proxy

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
)

// googleSays is a rig before a Google that answers as serve does.
func googleSays(t *testing.T, names string, serve http.HandlerFunc) *rig {
	t.Helper()
	google := httptest.NewServer(serve)
	t.Cleanup(google.Close)
	fake, _ := fg.Start(t, fg.Options{})
	return startAt(t, fake, google.URL, names, nil)
}

// Compressed bodies pass as they are in both directions, with the word that they are.
func TestNativeCompressed(t *testing.T) {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := io.WriteString(z, nativeAsk); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	r := googleSays(t, "a", func(w http.ResponseWriter, q *http.Request) {
		got, err := io.ReadAll(q.Body)
		if err != nil || !bytes.Equal(got, zipped.Bytes()) || q.Header.Get("Content-Encoding") != "gzip" || q.Header.Get("Accept-Encoding") != "" {
			t.Errorf("%v: %q %v", err, got, q.Header)
		}
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("X-Gemini-Service-Tier", "flex")
		if _, err := w.Write(got); err != nil {
			t.Error(err)
		}
	})
	got := r.do("POST", generatePath, zipped.String(), "x-goog-api-key", testToken, "Content-Encoding", "gzip", "Accept-Encoding", "identity")
	if got.body != zipped.String() || got.header.Get("Content-Encoding") != "gzip" || got.header.Get("X-Gemini-Service-Tier") != "flex" {
		t.Errorf("%d %v %q", got.status, got.header, got.body)
	}
	if got := r.do("POST", completions, zipped.String(), "x-api-key", testToken, "Content-Encoding", "gzip"); got.status != 400 {
		t.Errorf("what has to be read: %d %s", got.status, got.body)
	}
}

// A running answer that Google ends with an error is passed on with it, and teaches what any refusal teaches.
func TestNativeErrorsWithinAnswers(t *testing.T) {
	const frame = `{"candidates":[{"content":{"parts":[{"text":"hi"},{"functionCall":{"name":"f","args":{"error":{"code":429}}}}]}}]}`
	quota := `{"error":{"code":429,"message":"You exceeded your current quota.","status":"RESOURCE_EXHAUSTED","details":[` +
		`{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]}]}}`
	f := func(contentType, text string, failed bool) {
		t.Helper()
		r := googleSays(t, "a", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			if _, err := io.WriteString(w, text); err != nil {
				t.Error(err)
			}
		})
		got := r.do("POST", streamPath+"?alt=sse", nativeAsk)
		r.stop() // the log has its line then
		logged := strings.Contains(r.log.String(), `"upstream":"day_quota","error":"gemini: You exceeded`)
		if a := r.state("a"); got.status != 200 || got.body != text || (a.State == keys.Limited) != failed || logged != failed {
			t.Errorf("%s: %d %q; %+v, logged %v", text, got.status, got.body, a, logged)
		}
	}
	const events, plain = "text/event-stream", "application/json"
	f(events, "data: "+frame+"\r\n\r\n", false)
	f(events, "data: "+frame+"\r\n\r\ndata: "+quota+"\r\n\r\n", true)
	f(events, "data: "+frame+"\n\n"+quota+"\n", true)
	f(plain, "["+frame+"\n,\r\n"+quota+"]\n", true)
	f(plain, "["+frame+"]", false)
}

// No error of Google's shows a key, whichever of them it names; what models say passes as it is.
func TestNativeErrorsNameNoKey(t *testing.T) {
	words := fmt.Sprintf(`{"error":{"code":403,"message":"keys %s and %s may not do that","status":"PERMISSION_DENIED"}}`, keyNamed("a"), keyNamed("b"))
	clean := `{"error":{"code":403,"message":"keys *** and *** may not do that","status":"PERMISSION_DENIED"}}`
	said := `{"candidates":[{"content":{"parts":[{"text":"` + keyNamed("b") + `"}]}}]}`
	f := func(path string, status int, contentType, text, want string) {
		t.Helper()
		r := googleSays(t, "a b", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			if _, err := io.WriteString(w, text); err != nil {
				t.Error(err)
			}
		})
		if got := r.do("POST", path, nativeAsk); got.status != status || got.body != want {
			t.Errorf("%d %q", got.status, got.body)
		}
		r.stop()
	}
	f(generatePath, 403, "application/json", words, clean)
	f(generatePath, 200, "application/json", words, clean)
	f(generatePath, 200, "application/json", said, said)
	f(streamPath, 200, "text/event-stream", "data: "+said+"\r\n\r\ndata: "+words+"\r\n\r\n", "data: "+said+"\r\n\r\ndata: "+clean+"\r\n\r\n")
}

// An answer that breaks off is a failure, wherever it breaks.
func TestNativeCutAnswersAreFailures(t *testing.T) {
	r := start(t, "a", nil)
	for _, path := range []string{streamPath + "?alt=sse", streamPath, generatePath} {
		r.fake.Enqueue(fg.Say(strings.Repeat("word ", 50)).CutAfter(100))
		resp := r.open("POST", path, nativeAsk)
		if _, err := io.ReadAll(resp.Body); err == nil {
			t.Errorf("%s: no word of the cut", path)
		}
		resp.Body.Close()
	}
	r.stop()
	if n := strings.Count(r.log.String(), `"upstream":"cut","error":"gemini`); n != 3 || r.server.errors.Load() != 3 {
		t.Errorf("%d answers and %d errors:\n%s", n, r.server.errors.Load(), r.log.String())
	}
}

// A file that begins like an error is a file: the results of a batch have a line for each.
func TestNativeDownloads(t *testing.T) {
	file := `{"error":{"code":3,"message":"bad"},"key":"1"}` + strings.Repeat("\n"+`{"response":{},"key":"2"}`, 50000)
	asked := 0
	r := googleSays(t, "a b", func(w http.ResponseWriter, _ *http.Request) {
		asked++
		if _, err := io.WriteString(w, file); err != nil {
			t.Error(err)
		}
	})
	if got := r.do("GET", "/download/v1beta/files/f:download?alt=media", ""); got.status != 200 || got.body != file || asked != 1 {
		t.Errorf("%d with %d of %d bytes after %d calls", got.status, len(got.body), len(file), asked)
	}
}

// An interaction goes on with the key that it began with.
func TestNativeInteractions(t *testing.T) {
	var key string
	r := googleSays(t, "a b c d", func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		if err != nil {
			t.Error(err)
		}
		began := !bytes.Contains(body, []byte("previous_interaction_id")) && q.Method == "POST"
		if given := q.Header.Get("x-goog-api-key"); began {
			key = given
		} else if given != key {
			t.Errorf("%s %s with the key %s in place of %s", q.Method, q.URL.Path, given, key)
		}
		if _, err := io.WriteString(w, `{"id":"v1_abc","object":"interaction"}`); err != nil {
			t.Error(err)
		}
	})
	r.do("POST", "/v1beta/interactions", `{"input":"x"}`)
	for _, session := range []string{"1", "2", "3", "4", "5"} { // each would have a key of its own
		header := []string{"x-goog-api-key", testToken, "x-claude-code-session-id", session}
		r.do("POST", "/v1beta/interactions", `{"input":"x","previous_interaction_id":"v1_abc"}`, header...)
		r.do("GET", "/v1/interactions/v1_abc", "", header...)
	}
}
