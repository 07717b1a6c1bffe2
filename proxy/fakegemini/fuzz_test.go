package fakegemini

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// FuzzRequests sends any body to any call: the fake answers, and what it refuses it refuses by a rule that is in its table.
func FuzzRequests(f *testing.F) {
	paths := []string{"/v1beta/models/" + m38 + ":generateContent", "/v1beta/models/" + m25 + ":streamGenerateContent?alt=sse", "/v1beta/models/" + m4 + ":countTokens",
		"/v1beta/models/" + embed2 + ":embedContent", "/v1beta/models/" + embed1 + ":batchEmbedContents", "/v1beta/cachedContents", "/upload/v1beta/files"}
	for i, body := range []string{talk(hi, naked, gaveA), talk(hi, callAid, gaveAid, bye, hi), `{"generateContentRequest":{"contents":[` + hi + `]}}`, `{"content":` + words("a") + `,"outputDimensionality":3}`,
		`{"requests":[` + of("models/"+embed1, words("a")) + `]}`, cacheOf(m38, `,"ttl":"60s"`), `{"file":{"displayName":"a"}}`,
		declared(`{"name":"a","parametersJsonSchema":{"$ref":"#/$defs/a","$defs":{"a":{"required":["b"],"properties":{"b":{"$ref":"#"}}}}}}`),
		declared(`{"name":"a","parameters":{"type":"OBJECT","properties":{"a":{"anyOf":[{"type":"ARRAY"}]}}}}`), part(serverCall + `,"thoughtSignature":"AAAA"}`),
		`{"contents":[` + hi + `],"tools":[{"googleSearch":{}},{"urlContext":{}},{"codeExecution":{}}],"generationConfig":{"maxOutputTokens":9}}`, `[`, `{"contents":`, "\xff"} {
		f.Add(i%len(paths), body)
	}
	rules := map[RuleName]bool{"": true}
	for _, r := range Rules() {
		rules[r.Name] = true
	}
	f.Fuzz(func(t *testing.T, which int, body string) {
		s := New(Options{})
		req := httptest.NewRequest(http.MethodPost, paths[uint(which)%uint(len(paths))], strings.NewReader(body))
		req.Header.Set("x-goog-api-key", "k")
		req.Header.Set("X-Goog-Upload-Protocol", "multipart")
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, req)
		last, _ := s.Last()
		if !rules[last.Refused] || (w.Code == http.StatusOK) != (last.Refused == "") || w.Code >= 500 {
			t.Errorf("%d by rule %q: %s", w.Code, last.Refused, w.Body)
		}
		mustClose(t, s)
	})
}
