package fakegemini

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// firstID is the name of the first thing that a fake makes.
func firstID(kind string) string { return New(Options{}).newID(kind) }

// do sends a request to a fake that must answer it well.
func do(t *testing.T, s *Server, method, path, key, body string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	req.Header.Set("x-goog-api-key", key)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	if s.Handler().ServeHTTP(w, req); w.Code != http.StatusOK {
		t.Errorf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	return w
}

func cacheOf(model, rest string) string {
	return `{"model":"models/` + model + `","contents":[` + hi + `]` + rest + `}`
}

// cachedFor makes the first cache of a fake.
func cachedFor(model, key string) func(t *testing.T, s *Server) {
	return func(t *testing.T, s *Server) {
		do(t, s, "POST", "/v1beta/cachedContents", key, cacheOf(model, ""))
	}
}

func cachePairs(f pair) {
	create := func(body string) asks { return asks{path: "/v1beta/cachedContents", body: body} }
	good := create(cacheOf("small", `,"ttl":"300s"`))
	f(RuleCacheForm, create(`{"contents":[`+hi+`]}`), 400, "* CreateCachedContentRequest.model: unexpected model name format", good)
	f(RuleCacheForm, create(`{"model":"models/small"}`), 400, "contents is not specified", create(`{"model":"models/small","systemInstruction":{"parts":[{"text":"a"}]}}`))
	patch := func(body string) asks {
		return asks{method: "PATCH", path: "/v1beta/" + firstID("cachedContents"), body: body}.onceAsked(cachedFor("small", "friend"))
	}
	f(RuleCacheForm, patch(`{"contents":[`+hi+`]}`), 400, "Only the expiration", patch(`{"ttl":"1.5s"}`))
	f(RuleType, patch(`{"ttl":"5m"}`), 400, "duration must end with 's'", patch(`{"expire_time":"2100-01-01T00:00:00Z"}`))
	f(RuleType, create(cacheOf("small", `,"expireTime":"tomorrow"`)), 400, "Invalid time format", good)
	f(RuleOneOf, create(cacheOf("small", `,"ttl":"1s","expireTime":"2100-01-01T00:00:00Z"`)), 400, "oneof field 'expiration' is already set", good)
	f(RulePartData, create(`{"model":"models/small","contents":[{"parts":[{}]}]}`), 400, "* CreateCachedContentRequest.contents[0].parts[0].data: required oneof", good)
	f(RuleCacheSize, create(cacheOf(m38, "")), 400, "Cached content is too small. total_token_count=1, min_total_token_count=4096", good)
	f(RuleModel, create(cacheOf(m4, "")), 404, "models/gemini-4-argon is not found for API version v1beta, or is not supported for createCachedContent.", good)
	const foreign = "CachedContent not found (or permission denied)"
	name := firstID("cachedContents")
	use := gen("small", with1(`"cachedContent":"`+name+`"`))
	f(RuleCacheOwner, use, 403, foreign, use.onceAsked(cachedFor("small", "good")))
	f(RuleCacheOwner, use.onceAsked(cachedFor("small", "stranger")), 403, foreign, use.onceAsked(cachedFor("small", "friend")))
	tokens := count("small", `{"generateContentRequest":{"model":"models/small","contents":[`+hi+`],"cachedContent":"`+name+`"}}`)
	f(RuleCacheOwner, tokens, 403, foreign, tokens.onceAsked(cachedFor("small", "good")))
	for _, method := range []string{"GET", "DELETE"} {
		one := asks{method: method, path: "/v1beta/" + name}
		f(RuleCacheOwner, one.onceAsked(cachedFor("small", "stranger")), 403, foreign, one.onceAsked(cachedFor("small", "good")))
	}
	f(RuleCacheOwner, asks{method: "PATCH", path: "/v1beta/" + name, body: `{"ttl":"1s"}`}, 403, foreign, patch(`{"ttl":"1s"}`))
	f(RuleCacheModel, use.onceAsked(cachedFor("other", "good")), 400, "Model used by GenerateContent request (models/small) and CachedContent (models/other) has to be the same.", use.onceAsked(cachedFor("small", "good")))
	f(RulePath, asks{method: "PUT", path: "/v1beta/" + name}, 404, "was not found", asks{method: "GET", path: "/v1beta/cachedContents"})
	f(RulePath, asks{method: "GET", path: "/v1beta/cachedContents/a/b"}, 404, "was not found", asks{method: "GET", path: "/v1beta/files"})
}

// TestCaches walks a cache through its life: made, listed, used, prolonged, run out.
func TestCaches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Models: []Model{{ID: "small", Family: gen3, CacheMin: 1}}})
		defer mustClose(t, s)
		var made CachedContent
		decode(t, do(t, s, "POST", "/v1beta/cachedContents", "k", `{"model":"models/small","display_name":"d","contents":[{"parts":[{"text":"12345678"}]}],"ttl":"60s"}`).Body, &made)
		if made.DisplayName != "d" || made.Usage.Total != 2 || made.Contents != nil || time.Until(made.expiry()) != time.Minute {
			t.Errorf("made %+v", made)
		}
		list := func(key string, want int) {
			t.Helper()
			var l cacheList
			if decode(t, do(t, s, "GET", "/v1beta/cachedContents", key, "").Body, &l); len(l.Caches) != want {
				t.Errorf("%s sees %d caches, want %d", key, len(l.Caches), want)
			}
		}
		list("k", 1)
		list("another", 0)
		var r Response
		body := with1(`"cachedContent":"` + made.Name + `"`)
		decode(t, do(t, s, "POST", "/v1beta/models/small:generateContent", "k", body).Body, &r)
		if u := r.UsageMetadata; u.Cached != 2 || u.Prompt != 3 {
			t.Errorf("usage %+v", u)
		}
		var n countResponse
		decode(t, do(t, s, "POST", "/v1beta/models/small:countTokens", "k", `{"generateContentRequest":`+body+`}`).Body, &n)
		if n.Cached != 2 || n.TotalTokens != 3 {
			t.Errorf("count %+v", n)
		}
		do(t, s, "PATCH", "/v1beta/"+made.Name+"?updateMask=ttl", "k", `{"ttl":"120s"}`)
		time.Sleep(100 * time.Second)
		do(t, s, "GET", "/v1beta/"+made.Name, "k", "")
		time.Sleep(20 * time.Second)
		list("k", 0)
		do(t, s, "POST", "/v1beta/cachedContents", "k", cacheOf("small", ""))
		list("k", 1)
		s.Reset()
		list("k", 0)
	})
}

func decode(t *testing.T, r io.Reader, into any) {
	t.Helper()
	raw, err := io.ReadAll(r)
	if err != nil || json.Unmarshal(raw, into) != nil {
		t.Fatalf("%v, not what it should be: %s", err, raw)
	}
}

func TestShelfIsBounded(t *testing.T) {
	var s shelf[CachedContent]
	for i := range maxShelved + 5 {
		s.put(responseID(i), "p", CachedContent{ExpireTime: "2100-01-01T00:00:00Z"})
	}
	if n := len(s.all("p")); n != maxShelved {
		t.Errorf("%d things are kept", n)
	}
}
