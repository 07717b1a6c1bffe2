package native

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/front"
)

func TestParse(t *testing.T) {
	f := func(path string, want Path) {
		t.Helper()
		if want.Version == "" {
			want.Version = "v1beta"
		}
		for _, googles := range []bool{false, true} {
			if got, ok := Parse(path, googles); !ok || got != want {
				t.Errorf("%s: %+v, %v", path, got, ok)
			}
		}
	}
	f("/v1beta/models", Path{Collection: "models"})
	f("/v1beta/models/", Path{Collection: "models"})
	f("/v1beta/models/gemini-3.8-flash", Path{Collection: "models", Model: "gemini-3.8-flash"})
	f("/v1beta/models/gemini-3.8-flash:streamGenerateContent", Path{Collection: "models", Model: "gemini-3.8-flash", Verb: "streamGenerateContent"})
	f("/v1alpha/models/x:embedContent", Path{Version: "v1alpha", Collection: "models", Model: "x", Verb: "embedContent"})
	f("/v1/models/x:generateContent", Path{Version: "v1", Collection: "models", Model: "x", Verb: "generateContent"})
	f("/v1beta/tunedModels/x:generateContent", Path{Collection: "tunedModels", Resource: "tunedModels/x", Verb: "generateContent"})
	f("/v1beta/models/veo/operations/o", Path{Collection: "models", Resource: "models/veo/operations/o"})
	f("/v1beta/cachedContents", Path{Collection: "cachedContents"})
	f("/v1beta/cachedContents/c", Path{Collection: "cachedContents", Resource: "cachedContents/c"})
	f("/v1beta/files/f:download", Path{Collection: "files", Resource: "files/f", Verb: "download"})
	f("/download/v1beta/files/f:download", Path{Collection: "files", Resource: "files/f", Verb: "download"})
	f("/upload/v1beta/files", Path{Collection: "files", Upload: true})
	f("/upload/v1beta/fileSearchStores/s:uploadToFileSearchStore", Path{Collection: "fileSearchStores", Resource: "fileSearchStores/s", Verb: "uploadToFileSearchStore", Upload: true})
	f("/upload/v1/files", Path{Version: "v1", Collection: "files", Upload: true})
	f("/v1beta/interactions", Path{Collection: "interactions"})
	for path, want := range map[string]Path{ // whoever has no credentials of Google's gets another protocol there
		"/v1/models": {Collection: "models"}, "/v1/models/x": {Collection: "models", Model: "x"},
		"/v1/files": {Collection: "files"}, "/v1/files/f:download": {Collection: "files", Resource: "files/f", Verb: "download"},
		"/v1/interactions": {Collection: "interactions"}, "/v1/messages": {}, "/v1/chat/completions": {}, "/v1/responses/r": {}, "/v1/embeddings": {},
	} {
		got, ok := Parse(path, true)
		if want.Version = "v1"; ok != (want.Collection != "") || ok && got != want {
			t.Errorf("%s of Google's: %+v, %v", path, got, ok)
		}
		if got, ok := Parse(path, false); ok {
			t.Errorf("%s: %+v", path, got)
		}
	}
	for _, path := range []string{
		"", "/", "/v1beta", "/v1beta/", "v1beta/models", "/v1/",
		"/v1beta/openai/chat/completions", "/v2/models/x:generateContent", "/v1beta/models/a b", "/v1beta/models/a?b", "/v1beta/a\r\nb",
	} {
		if got, ok := Parse(path, true); ok {
			t.Errorf("%q: %+v", path, got)
		}
	}
}

func TestQuery(t *testing.T) {
	f := func(raw, want string, keys ...string) {
		t.Helper()
		if got, given := Query(raw); got != want || !slices.Equal(given, keys) {
			t.Errorf("%s: %q %q", raw, got, given)
		}
	}
	f("", "")
	f("alt=sse", "alt=sse")
	f("key=k", "", "k")
	f("alt=sse&key=k&x=%41+b&key=l%2B", "alt=sse&x=%41+b", "k", "l+")
	f("k%65y=k&access_token=t&oauth_token=u&keys=1&Key=2", "keys=1&Key=2", "k")
	f("key&key=&%zz=1&$alt=json;charset", "%zz=1&$alt=json;charset")
}

func TestNames(t *testing.T) {
	f := func(body string, want ...string) {
		t.Helper()
		before := strings.Clone(body)
		if got := Names([]byte(body)); !slices.Equal(got, want) {
			t.Errorf("%s: %q", body, got)
		}
		if body != before {
			t.Errorf("the body became %s", body)
		}
	}
	const files = "https://generativelanguage.googleapis.com/v1beta/files/"
	f(`{"cachedContent":"cachedContents/c"}`, "cachedContents/c")
	f(`{"cached_content":"cachedContents/c","contents":[{"parts":[{"fileData":{"fileUri":"`+files+`f"}},{"file_data":{"file_uri":"`+files+`g?x=1"}}]}]}`,
		"cachedContents/c", "files/f", "files/g")
	f(`{"generateContentRequest":{"cachedContent":"cachedContents/c"}}`, "cachedContents/c")
	f(`{"continuationToken":"t\u0041"}`, Token("tA"))
	f(`{"continuation_token":"x/y"}`, Token("x/y"))
	f(`{"tools":[{"fileSearch":{"fileSearchStoreNames":["fileSearchStores/a","fileSearchStores/b"]}}]}`, "fileSearchStores/a", "fileSearchStores/b")
	f(`{"fileName":"files/f","x":"files/none"}`, "files/f")
	f(`{"fileUri":{"fileUri":["files/f",{"x":"files/g"}]},"y":"files/h"}`, "files/f")
	f(`{"contents":[{"parts":[{"text":"\"cachedContent\":\"cachedContents/c\""}]}]}`)
	f(`{"fileUri":"https://generativelanguage.googleapis.com/v1/files/f"}`, "files/f")
	f(`{"input":"x","previous_interaction_id":"v1_a","previousInteractionId":7}`, "interactions/v1_a")
	f(`{"fileUri":"https://example.com/a.png"}`)
	f(`{"fileUri":"https://example.com/v1beta/files/a.png"}`)
	f(`{"fileUri":"https://www.youtube.com/watch?v=1"}`)
	f(`{"fileUri":"gs://bucket/a"}`)
	f(`{"fileUri":7,"cachedContent":null}`)
	f(`{"cachedContent":"cachedContents/c","cachedContent":"cachedContents/d`, "cachedContents/c")
	f(`{"cachedContent":"cachedContents/` + strings.Repeat("x", 300) + `"}`)
	f(``)
	f(`["cachedContent"]`)
	many := strings.Repeat(`{"fileUri":"files/f"},`, 1000)
	if n := len(Names([]byte("[" + many + "1]"))); n != maxNames {
		t.Errorf("%d names", n)
	}
}

func TestOpening(t *testing.T) {
	one := Opening([]byte(`{"systemInstruction":{"parts":[]},"contents":[{"parts":[{"text":"a"}]}]}`))
	longer := Opening([]byte(`{"contents":[{"parts":[{"text":"a"}]},{"role":"model","parts":[]}],"tools":[]}`))
	other := Opening([]byte(`{"contents":[{"parts":[{"text":"b"}]}]}`))
	if one == "" || one != longer || one == other {
		t.Errorf("%s %s %s", one, longer, other)
	}
	for _, body := range []string{"", "[]", "{", `{"contents":[`, `{"contents":[]}`, `{"model":"x"}`, `7`} {
		if got := Opening([]byte(body)); got != "" {
			t.Errorf("%s: %s", body, got)
		}
	}
}

func TestMade(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		if got := Made([]byte(text)); !slices.Equal(got, want) {
			t.Errorf("%s: %q", text, got)
		}
	}
	f(`{"file": {"name": "files/f", "uri": "https://x/files/g"}}`, "files/f")
	f(`{"name":"cachedContents/c","model":"models/m"}`, "cachedContents/c")
	f(`es/cut"},{"name":"files/f"},{"name":"files/g"},{"name":"fi`, "files/f", "files/g")
	f(`{"name":"models/gemini-3.8-flash"},{"name":"models/veo/operations/o"}`, "models/veo/operations/o")
	f(`{"text":"\"name\":\"files/f\""}`)
	f(`{"candidates":[{"continuationToken":"abc"}]}`, Token("abc"))
}

func TestInteractions(t *testing.T) {
	got := Interactions([]byte(`data: {"interaction":{"id":"v1_a","object":"interaction","x":"\"id\":\"no\""}}` + strings.Repeat(`{"id": "call"}`, 1000)))
	if len(got) != maxNames || got[0] != "interactions/v1_a" || got[1] != "interactions/call" {
		t.Errorf("%d %q", len(got), got[:2])
	}
}

func TestError(t *testing.T) {
	f := func(e front.Error, want string) {
		t.Helper()
		status, body := Error(&e)
		if string(body) != want || !strings.HasPrefix(string(body), `{"error":{"code":`+string('0'+byte(status/100))) {
			t.Errorf("%d %s", status, body)
		}
	}
	f(front.Error{Kind: front.Invalid, Message: "a \"b\""}, `{"error":{"code":400,"message":"a \"b\"","status":"INVALID_ARGUMENT"}}`)
	f(front.Error{Kind: front.RateLimited, Message: "m", RetryAfter: 1500 * time.Millisecond},
		`{"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"2s"}]}}`)
	f(front.Error{Kind: front.NotFound, Param: "model", Message: "model: x"},
		`{"error":{"code":404,"message":"models/x is not found, or none of the API keys may use it.","status":"NOT_FOUND"}}`)
	for k := front.Internal; k <= front.Timeout; k++ {
		if status, name := statusOf(k); status < 400 || name == "" || (status == 500) != (k == front.Internal || k == front.UpstreamFault) {
			t.Errorf("kind %d: %d %s", k, status, name)
		}
	}
}

// What is read of a path and a body is in it, the body stays as it is, and nothing that is read is a credential.
func FuzzInspect(f *testing.F) {
	for _, seed := range [][3]string{
		{"/v1beta/models/gemini-3.8-flash:streamGenerateContent", "alt=sse&key=k", `{"contents":[{"parts":[{"fileData":{"fileUri":"files/f"}}]}]}`},
		{"/upload/v1beta/files", "upload_id=x&key=%zz", `{"cached_content":"cachedContents/c","continuationToken":"\ud800"}`},
		{"/v1beta/files/a:b:c", "k%65y=1&&=&", `{"cachedContent":"cachedContents/c","cachedContent":{"fileUri":[`},
		{"/v1/models//:", "", strings.Repeat(`{"fileUri":[`, 200)},
	} {
		f.Add(seed[0], seed[1], []byte(seed[2]))
	}
	f.Fuzz(func(t *testing.T, path, query string, body []byte) {
		if p, ok := Parse(path, true); ok {
			if !strings.Contains(path, p.Model) || !strings.Contains(path, p.Resource) || !strings.HasSuffix(path, p.Verb) || p.Collection == "openai" {
				t.Errorf("%q: %+v", path, p)
			}
		}
		rest, _ := Query(query)
		if again, keys := Query(rest); again != rest || keys != nil {
			t.Errorf("%q leaves %q, then %q %q", query, rest, again, keys)
		}
		before := bytes.Clone(body)
		names := Names(body)
		if len(names) > maxNames || !bytes.Equal(body, before) {
			t.Errorf("%d names, or another body", len(names))
		}
		for _, n := range names {
			if !strings.Contains(n, "/") {
				t.Errorf("the name %q", n)
			}
		}
		if opening := Opening(body); opening != "" && json.Valid(body) && opening != Opening(append(bytes.Clone(body), " x"...)) {
			t.Errorf("%q opens otherwise with more behind it", body)
		}
		if w, works := Works("POST", Path{Collection: "interactions"}, body); !works || !w.Answers || !bytes.Equal(body, before) {
			t.Errorf("%q: %+v, %v", body, w, works)
		}
		for _, n := range Made(body) {
			if n == "" {
				t.Error("an empty name")
			}
		}
	})
}

func TestWorks(t *testing.T) {
	f := func(method, path, body, want string, works bool) {
		t.Helper()
		p, _ := Parse(path, true)
		if w, ok := Works(method, p, []byte(body)); w.Model != want || ok != works {
			t.Errorf("%s %s %s: %+v, %v", method, path, body, w, ok)
		}
	}
	f("POST", "/v1beta/models/m:generateContent", "", "m", true)
	f("POST", "/v1beta/models/m:batchEmbedContents", "", "m", true)
	f("POST", "/v1beta/tunedModels/t:generateContent", "", "tunedModels/t", true)
	f("POST", "/v1beta/models/m:countTokens", "", "", false)
	f("GET", "/v1beta/models/m", "", "", false)
	f("POST", "/v1beta/files", "", "", false)
	f("POST", "/v1beta/cachedContents", `{"model":"models/m"}`, "models/m", true)
	f("PATCH", "/v1beta/cachedContents/c", `{"ttl":"60s"}`, "", false)
	f("POST", "/v1beta/dynamic/d:generateContent", "", "dynamic/d", true)
	f("POST", "/v1beta/interactions", `{"input":{"model":"x"},"model":"m"}`, "m", true)
	f("POST", "/v1beta/interactions", `{"agent":"a"}`, "a", true)
	f("POST", "/v1beta/interactions", `{"MODEL":"a","mod\u0065l":"m"}`, "m", true)
	f("POST", "/v1beta/interactions", `{"model":"a","mod\u0065l":"m"}`, "", true)
	f("POST", "/v1beta/interactions", `{"model":"a","agent":"m"}`, "", true)
	f("POST", "/v1beta/interactions", `{"model":["a"]}`, "", true)
	f("POST", "/v1beta/interactions", `{"model":"a"`, "", true)
	f("POST", "/v1beta/interactions", ``, "", true)
}

func TestWorkThatIsDoneLater(t *testing.T) {
	f := func(path, body string, want Work) {
		t.Helper()
		p, _ := Parse(path, true)
		if w, _ := Works("POST", p, []byte(body)); w != want {
			t.Errorf("%s %s: %+v", path, body, w)
		}
	}
	f("/v1beta/models/m:batchGenerateContent", "", Work{Model: "m", Later: true})
	f("/v1beta/models/m:predictLongRunning", "", Work{Model: "m", Later: true})
	f("/v1beta/models/m:streamGenerateContent", "", Work{Model: "m", Answers: true})
	f("/v1beta/models/m:embedContent", "", Work{Model: "m"})
	f("/v1alpha/auth_tokens", "", Work{Elsewhere: true})
	f("/v1beta/interactions", `{"model":"m","background":false,"input":{"background":true}}`, Work{Model: "m", Answers: true})
	f("/v1beta/interactions", `{"backgr\u006fund":true,"model":"m"}`, Work{Model: "m", Answers: true, Later: true})
	f("/v1beta/interactions", `{"background":true,"model":"m"`, Work{Answers: true, Later: true})
}
