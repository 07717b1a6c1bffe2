package upstream

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

func TestCall(t *testing.T) {
	var got string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got = fmt.Sprint(r.Method, " ", r.URL, " ", r.Header["X-Goog-Api-Key"], " ", string(body))
		if _, err := io.WriteString(w, `{"totalTokens":3}`); err != nil {
			t.Error(err)
		}
	})
	f := func(method Method, model, body, want string) {
		t.Helper()
		answer, err := c.Call(t.Context(), lease(t), method, model, []byte(body))
		if err != nil || string(answer) != `{"totalTokens":3}` || got != want {
			t.Errorf("%s, %v, asked %s", answer, err, got)
		}
	}
	f(CountTokens, "models/m", "{}", "POST /v1beta/models/m:countTokens ["+secret+"] {}")
	f(BatchEmbed, "m", `{"requests":[]}`, "POST /v1beta/models/m:batchEmbedContents ["+secret+`] {"requests":[]}`)
	f(ListModels, "", "", "GET /v1beta/models?pageSize=1000 ["+secret+"] ")
}

func TestProbe(t *testing.T) {
	f := func(status int, body string, want Kind) {
		t.Helper()
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if asked := fmt.Sprint(r.Method, " ", r.URL, " ", r.Header.Get("x-goog-api-key")); asked != "GET /v1beta/models?pageSize=1 "+secret {
				t.Errorf("asked %s", asked)
			}
			w.WriteHeader(status)
			if _, err := io.WriteString(w, body); err != nil {
				t.Error(err)
			}
		})
		err := c.Probe(t.Context(), lease(t))
		if status == http.StatusOK && err != nil || status != http.StatusOK && kind(t, err) != want {
			t.Errorf("%d %s: %v", status, body, err)
		}
	}
	f(200, `{"models":[{"name":"models/m"}]}`, Unknown)
	f(400, `{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}`, KeyInvalid)
	f(403, `{"error":{"code":403,"message":"Your API key was reported as leaked.","status":"PERMISSION_DENIED"}}`, KeyLeaked)
	f(503, `{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}`, Overloaded)
}

func TestEncodeCount(t *testing.T) {
	content := gemini.Content{Parts: []gemini.Part{{Text: gemini.Quote("x")}}}
	got := string(EncodeCount("models/m", &gemini.Request{
		Contents: []gemini.Content{content}, SystemInstruction: &content, SafetySettings: []gemini.SafetySetting{{}}, GenerationConfig: &gemini.GenerationConfig{Seed: new(int32)},
	}))
	part := `{"parts":[{"text":"x"}]}`
	if want := `{"generateContentRequest":{"model":"models/m","contents":[` + part + `],"systemInstruction":` + part + `}}`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestCall_failures(t *testing.T) {
	f := func(want Kind, h http.HandlerFunc) {
		t.Helper()
		c := serve(t, h)
		if want == NoFirstByte {
			c.Wait(50*time.Millisecond, c.options.Idle)
		} else {
			c.Wait(time.Minute, c.options.Idle)
		}
		answer, err := c.Call(t.Context(), lease(t), CountTokens, "m", nil)
		if kind(t, err) != want || answer != nil {
			t.Errorf("%v, want %v", err, want)
		}
	}
	status := func(code int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			if _, err := io.WriteString(w, body); err != nil {
				t.Error(err)
			}
		}
	}
	f(KeyInvalid, status(400, `{"error":{"message":"API key not valid: `+secret+`"}}`))
	f(NoModel, status(404, `{"error":{"code":404,"message":"models/m is not found","status":"NOT_FOUND"}}`))
	f(Garbled, status(302, ""))
	f(NoFirstByte, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	f(Unreachable, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "cut") // the connection ends here, which is the point
	})
	f(Garbled, func(w http.ResponseWriter, _ *http.Request) {
		piece := strings.Repeat(" ", 1<<20)
		for range maxWhole>>20 + 1 {
			if _, err := io.WriteString(w, piece); err != nil {
				return
			}
		}
	})
}
