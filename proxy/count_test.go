package proxy

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

const countPath = "/v1/messages/count_tokens?beta=true"

// counted asks for a count and returns it.
func (r *rig) counted(body string) int {
	r.t.Helper()
	got := r.do("POST", countPath, body)
	var n tokenCount
	if err := json.Unmarshal([]byte(got.body), &n); err != nil || got.status != 200 || n.InputTokens < 1 {
		r.t.Errorf("%.80s: %d %s %v", body, got.status, got.body, err)
	}
	return n.InputTokens
}

// prompt is a body of count_tokens; rest is what follows the model.
func prompt(rest string) string { return `{"model":"claude-opus-5-5",` + rest + `}` }

const hello = `"messages":[{"role":"user","content":"hello"}]`

func TestACountIsOfEverythingThatIsSent(t *testing.T) {
	r := start(t, "a", nil)
	words := strings.Repeat("word ", 800)
	f := func(rest, sent string) {
		t.Helper()
		n := r.counted(prompt(rest))
		all := r.fake.Requests()
		q := all[len(all)-1]
		if q.Verb != "countTokens" || q.Model != "gemini-3.8-flash" || q.Refused != "" || q.Status != 200 {
			t.Errorf("%+v", q)
		}
		has(t, string(q.Body), `{"generateContentRequest":{"model":"models/gemini-3.8-flash",`, sent)
		if strings.Contains(rest, words) && n < 1000 {
			t.Errorf("%.60s: %d", rest, n)
		}
	}
	f(hello, `"text":"hello"`)
	f(`"tools":[],`+hello, `"text":"hello"`)
	f(`"messages":[],"system":"`+words+`"`, `"systemInstruction"`)
	f(`"messages":[],"tools":[{"name":"read","description":"`+words+`","input_schema":{"type":"object"}}]`, `"name":"read"`)
	f(`"messages":[{"role":"assistant","content":"x"},{"role":"user","content":""}]`, `"text":"x"`)
}

// Where Google cannot be asked, and for prompts that it would refuse.
func TestACountIsEstimated(t *testing.T) {
	r := start(t, "", nil)
	words := strings.Repeat("word ", 800)
	f := func(body string, low, high int) {
		t.Helper()
		if n := r.counted(body); n < low || n > high {
			t.Errorf("%.80s: %d", body, n)
		}
	}
	f(prompt(hello), 1, 40)
	f(prompt(`"messages":[]`), 1, 20)
	f(prompt(`"messages":[],"tools":[{"name":"read","description":"`+words+`","input_schema":{"type":"object"}}]`), 1000, 1040)
	f(prompt(`"messages":[],"system":"`+words+`"`), 1000, 1040)
	f(prompt(`"messages":[{"role":"user","content":"`+strings.Repeat("word ", 8000)+`"}]`), 10000, 10040)
	f(prompt(`"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"`+strings.Repeat("A", 1<<20)+`"}}]}]`), 260, 300)
}

// As /v1/messages would.
func TestACountOfAModelThatIsNone(t *testing.T) {
	r := start(t, "a", nil)
	for _, model := range []string{"unheard-of", "gemini-embedding-001"} {
		got := r.do("POST", countPath, `{"model":"`+model+`",`+hello+`}`)
		if got.status != 404 {
			t.Errorf("%d", got.status)
		}
		has(t, got.body, `"not_found_error"`, "model: "+model)
	}
	r.counted(`{"model":"claude-never-heard-of",` + hello + `}`)
	r = startListing(t, fg.Models(), time.Hour)
	r.seen(1)
	if got := r.do("POST", countPath, `{"model":"gemini-nope",`+hello+`}`); got.status != 404 {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestACountForOpenAIsClients(t *testing.T) {
	r := start(t, "a", nil)
	got := r.do("POST", "/v1/responses/input_tokens", `{"model":"gpt-5","instructions":"be brief","input":"hello"}`)
	var n tokenCount
	if err := json.Unmarshal([]byte(got.body), &n); err != nil || got.status != 200 || n.InputTokens < 2 || n.Object != "response.input_tokens" {
		t.Errorf("%d %s %v", got.status, got.body, err)
	}
	if all := r.fake.Requests(); len(all) != 1 || all[0].Verb != "countTokens" {
		t.Errorf("%+v", all)
	}
	got = r.do("POST", "/v1/responses/input_tokens", `{"model":"gpt-5"}`)
	if got.status != 400 {
		t.Errorf("%d", got.status)
	}
	has(t, got.body, `"param":"input"`)
}

func TestACountTeachesNothingOfTheKey(t *testing.T) {
	f := func(e *fg.APIError) {
		t.Helper()
		r := start(t, "a", nil)
		r.fake.Key(keyNamed("a"), fg.KeyRule{Error: e, Verb: "countTokens"})
		for range 3 {
			r.counted(prompt(hello))
		}
		if a := r.state("a"); a.State != "healthy" || a.Failures != 0 || len(r.fake.Requests()) != 3 {
			t.Errorf("%v: %+v", e, a)
		}
	}
	f(fg.ErrInvalidKey())
	f(daily())
	f(fg.ErrUnknownModel("x", "countTokens"))
	f(fg.ErrOverloaded())
	f(fg.Err(418, "nobody knows"))
}

func TestABodyThatHasNoCount(t *testing.T) {
	r := start(t, "a", nil)
	for _, body := range []string{`{`, `{}`, `[]`, `{"model":"x"}`, ``} {
		got := r.do("POST", countPath, body)
		has(t, got.body, `{"type":"error","error":{"type":"invalid_request_error"`)
		if got.status != 400 {
			t.Errorf("%s: %d", body, got.status)
		}
	}
}

// Google's words for a prompt that is too long have no numbers always.
func TestAnOverflowWithoutNumbersIsCounted(t *testing.T) {
	r := start(t, "a", nil)
	f := func(counted string, want int) {
		t.Helper()
		r.fake.Respond(func(q fg.Recorded) (fg.Answer, bool) {
			return fg.RawAnswer(200, "application/json", counted), q.Verb == "countTokens"
		})
		r.fake.Enqueue(fg.Fail(fg.Err(400, "The input token count exceeds the maximum number of tokens allowed.")))
		got := r.do("POST", messages, `{"model":"claude-opus-5-5","max_tokens":100,"messages":[{"role":"user","content":"x"}]}`)
		var tokens, limit int
		_, after, _ := strings.Cut(got.body, "prompt is too long: ")
		if n, err := fmt.Sscanf(after, "%d tokens > %d maximum", &tokens, &limit); n != 2 || got.status != 400 || tokens <= limit || limit != 1048576 || tokens != want {
			t.Errorf("%d %s: %v", got.status, got.body, err)
		}
	}
	f(`{"totalTokens":1234567}`, 1234567)
	f(`{"totalTokens":3}`, 1048577)
	f(`{"totalTokens":"many"}`, 1048577)
	f(`{`, 1048577)
	if verbs := len(r.fake.Requests()); verbs != 8 {
		t.Errorf("Gemini was asked %d times", verbs)
	}
}

func TestACountThatTakesLongIsGivenUp(t *testing.T) {
	r := start(t, "a", func(_ *config.Config, s *Server) {
		if s != nil {
			s.pace.count = 50 * time.Millisecond
		}
	})
	r.fake.Key(keyNamed("a"), fg.KeyRule{Latency: fg.Duration(time.Minute), Verb: "countTokens"})
	r.counted(prompt(hello))
	has(t, r.log.String(), `"upstream":"cancelled"`)
}
