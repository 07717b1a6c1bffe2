package proxy

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
)

func TestTokens(t *testing.T) {
	r := start(t, "a", nil)
	f := func(want int, path string, header ...string) {
		t.Helper()
		body := ask(path, false)
		if path == "/v1/models" {
			body = ""
		}
		method := "POST"
		if body == "" {
			method = "GET"
		}
		got := r.do(method, path, body, header...)
		if got.status != want {
			t.Errorf("%v: %d, want %d", header, got.status, want)
		}
		if want == 401 {
			has(t, got.body, "no valid client token", map[bool]string{true: "authentication_error", false: "invalid_api_key"}[path == messages])
			if got.header.Get("x-should-retry") != "false" {
				t.Errorf("headers %v", got.header)
			}
		}
	}
	for _, path := range []string{messages, completions, "/v1/models"} {
		f(200, path, "Authorization", "Bearer "+testToken)
		f(200, path, "Authorization", "bearer  "+testToken)
		f(200, path, "x-api-key", testToken)
		f(200, path, "x-goog-api-key", testToken)
		f(200, path, "x-api-key", "x")
		f(200, path, "Authorization", "Bearer wrong", "x-api-key", testToken)
		f(401, path, "x-none", "")
		f(401, path, "Authorization", "Bearer "+testToken+"x")
		f(401, path, "Authorization", "Bearer "+testToken[1:])
		f(401, path, "Authorization", testToken)
		f(401, path, "Authorization", "Basic "+testToken)
		f(401, path, "Authorization", "Bearer ")
		f(401, path, "x-api-key", strings.ToUpper(testToken))
	}
	has(t, r.log.String(), `"token":"ann"`, `"token":"other"`)
}

func TestPaths(t *testing.T) {
	r := start(t, "a", nil)
	anthropicError, openaiError := `{"type":"error","error":{"type":"`, `{"error":{"message":`
	f := func(method, path string, want int, wants ...string) {
		t.Helper()
		got := r.do(method, path, "", "x-api-key", testToken)
		if got.status != want {
			t.Errorf("%s %s: %d %s", method, path, got.status, got.body)
		}
		if method != "HEAD" {
			has(t, got.body, wants...)
		}
	}
	f("GET", "/v1/messages", 405, anthropicError, "expected method POST")
	f("DELETE", "/v1/chat/completions", 405, openaiError)
	f("POST", "/health", 405, openaiError)
	f("POST", "/v1/messages/batches", 404, anthropicError+`not_found_error"`, "batches are not served")
	f("GET", "/v1/messages/batches/msgbatch_1", 404, anthropicError, "batches are not served")
	f("POST", "/v1/batches", 404, openaiError, "batches are not served")
	f("POST", "/v1/files", 404, openaiError, "files are not stored")
	f("POST", "/v1/responses/compact", 404, openaiError, "compaction is not served")
	f("GET", "/v1/responses/resp_1", 404, openaiError, "Response with id 'resp_1' not found")
	f("GET", "/v1/unknown", 404, openaiError)
	f("GET", "/nothing", 404, openaiError)
	f("POST", "/v1/v1/messages", 400, anthropicError, "body is empty")
	f("POST", "/v1/v1/chat/completions", 400, openaiError, "body is empty")
	f("POST", "/chat/completions", 400, openaiError, "body is empty")
	f("POST", "/responses", 400, openaiError, "body is empty")
	f("POST", "/embeddings", 400, openaiError, "body is empty")
	f("GET", "/models/gemini-3.8-flash", 200, `"owned_by"`)
	if got := r.do("GET", "/v1/unknown", "", "anthropic-version", "2023-06-01"); got.status != 404 || !strings.HasPrefix(got.body, anthropicError) {
		t.Errorf("%d %s", got.status, got.body)
	}
	for _, path := range []string{"/v1/chat/completions", "/v1/embeddings", "/v1/responses"} {
		got := r.do("POST", path, "{}", "x-api-key", testToken, "anthropic-version", "2023-06-01")
		if got.status != 400 || !strings.HasPrefix(got.body, openaiError) {
			t.Errorf("%s is not OpenAI's any more: %d %s", path, got.status, got.body)
		}
	}
	for _, path := range []string{"/", "/api/hello"} {
		for _, method := range []string{"HEAD", "GET"} {
			if got := r.do(method, path, "", "x-none", ""); got.status != 200 || got.body != "" {
				t.Errorf("%s %s: %d %q", method, path, got.status, got.body)
			}
		}
	}
	for _, line := range strings.Split(r.log.String(), "\n") {
		if strings.Contains(line, `"path":"/api/hello"`) && !strings.Contains(line, `"level":"DEBUG"`) {
			t.Errorf("a probe is logged: %s", line)
		}
	}
	if len(r.fake.Requests()) != 0 {
		t.Errorf("Gemini was asked")
	}
}

// E73: every error's request id is that of the header.
func TestBadRequests(t *testing.T) {
	r := start(t, "a", nil)
	f := func(path, body string, status int, want string) {
		t.Helper()
		got := r.do("POST", path, body)
		if got.status != status {
			t.Errorf("%s: %d %s", body, got.status, got.body)
		}
		has(t, got.body, want)
		if path == messages {
			has(t, got.body, `"request_id":"`+got.header.Get("request-id")+`"`)
		}
	}
	for _, path := range []string{messages, completions} {
		f(path, ``, 400, "invalid_request_error")
		f(path, `{"model":`, 400, "invalid_request_error")
		f(path, `[]`, 400, "invalid_request_error")
		f(path, `{"model":"claude-x","max_tokens":1,"messages":[]}`, 400, "invalid_request_error")
		f(path, `{"max_tokens":1,"messages":[{"role":"user","content":"x"}]}`, 400, "model")
		f(path, `{"model":"llama-3","max_tokens":1,"messages":[{"role":"user","content":"x"}]}`, 404, "llama-3")
		f(path, `{"model":"gemini-x/../y","max_tokens":1,"messages":[{"role":"user","content":"x"}]}`, 404, "gemini-x/../y")
	}
	f(messages, `{"model":"claude-x","messages":[{"role":"user","content":"x"}]}`, 400, "max_tokens")
	if got := r.do("POST", messages, ask(messages, false), "x-api-key", testToken, "Content-Encoding", "gzip"); got.status != 400 {
		t.Errorf("a compressed body: %d", got.status)
	}
	if len(r.fake.Requests()) != 0 {
		t.Errorf("Gemini was asked %d times", len(r.fake.Requests()))
	}
}

// A body over MAX_BODY: the client, which first sends all of it, reads a real answer and no reset.
func TestBodyTooLarge(t *testing.T) {
	t.Parallel()
	r := start(t, "a", func(cfg *config.Config, _ *Server) { cfg.MaxBody = 1 << 20 })
	f := func(path, head, body, want string) {
		t.Helper()
		w := dial(t, r)
		if err := w.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fprintf(w, "POST %s HTTP/1.1\r\nHost: x\r\nx-api-key: %s\r\n%s\r\n\r\n", path, testToken, head); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, body); err != nil {
			t.Errorf("%s: cannot send it all: %v", head, err)
		}
		resp, err := http.ReadResponse(w.r, nil)
		if err != nil {
			t.Errorf("%s: %v", head, err)
			return
		}
		answer, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != 413 || !resp.Close {
			t.Errorf("%s: %d, %v, close %v", head, resp.StatusCode, err, resp.Close)
		}
		has(t, string(answer), want, "MAX_BODY")
		if _, err := w.r.ReadByte(); err != io.EOF {
			t.Errorf("%s: after the answer: %v", head, err)
		}
	}
	big := strings.Repeat("x", 30<<20)
	f("/v1/messages", fmt.Sprint("Content-Length: ", len(big)), big, "request_too_large")
	f("/v1/chat/completions", fmt.Sprint("Content-Length: ", len(big)), big, "invalid_request_error")
	f("/v1/messages", "Transfer-Encoding: chunked", fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(big), big), "request_too_large")
	f("/v1/messages", fmt.Sprintf("Content-Length: %d\r\nExpect: 100-continue", len(big)), "", "request_too_large")
	f("/v1/messages/count_tokens", fmt.Sprint("Content-Length: ", len(big)), big, "request_too_large")
	if n := strings.Count(r.log.String(), `"status":413`); n != 5 {
		t.Errorf("%d lines of 413", n)
	}
	fits := strings.Replace(ask(messages, false), "hello", strings.Repeat("y", 1<<20-200), 1)
	if got := r.do("POST", messages, fits); got.status != 200 {
		t.Errorf("a body just below the limit: %d %s", got.status, got.body)
	}
}

func TestExpectContinue(t *testing.T) {
	r := start(t, "a", nil)
	w := dial(t, r)
	body := ask(messages, false)
	if _, err := fmt.Fprintf(w, "POST /v1/messages HTTP/1.1\r\nHost: x\r\nx-api-key: %s\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", testToken, len(body)); err != nil {
		t.Fatal(err)
	}
	line, err := w.r.ReadString('\n')
	if err != nil || line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("%q, %v", line, err)
	}
	if _, err := w.r.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, body); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(w.r, nil)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%+v, %v", resp, err)
	}
}

// A refused request whose body is still on its way gets its answer, too.
func TestRefusedBeforeTheBody(t *testing.T) {
	r := start(t, "a", nil)
	for _, path := range []string{"/v1/messages", "/nowhere"} {
		w := dial(t, r)
		body := strings.Repeat("x", 20<<20)
		if _, err := fmt.Fprintf(w, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", path, len(body)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, body); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		resp, err := http.ReadResponse(w.r, nil)
		if err != nil || resp.StatusCode < 401 || resp.StatusCode > 404 {
			t.Errorf("%s: %+v, %v", path, resp, err)
		}
	}
}

func TestHeads(t *testing.T) {
	r := start(t, "a", nil)
	f := func(head string, want int) {
		t.Helper()
		w := dial(t, r)
		if _, err := io.WriteString(w, head); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(w.r, nil)
		if err != nil || resp.StatusCode != want {
			t.Errorf("%.40q: %+v, %v", head, resp, err)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
	f("GET /health HTTP/1.1\r\nHost: x\r\nCookie: "+strings.Repeat("c", 30<<10)+"\r\n\r\n", 200)
	f("GET /health HTTP/1.1\r\nHost: x\r\nCookie: "+strings.Repeat("c", 40<<10)+"\r\n\r\n", 431)
	f("nonsense\r\n\r\n", 400)
	// what cannot be read may hold a token, which the log must not tell
	f("GET /v1beta/models?key="+testToken+"\r\n\r\n", 400)
	f("GET /x HTTP/1.1\r\nAuthorization Bearer "+testToken+"\r\n\r\n", 400)
	r.stop()
	has(t, r.log.String(), "cannot find whitespace in the first line of request", "missing colon")
}

func TestAccessLine(t *testing.T) {
	r := start(t, "a b", nil)
	r.fake.Key(keyNamed("a"), fg.KeyRule{Error: fg.ErrOverloaded(), Times: 1})
	usage := fg.Usage{Prompt: 100, Cached: 60, Candidates: 5, Thoughts: 3, Total: 108}
	r.fake.Enqueue(fg.Reply(fg.Text("answer-PLANTED"), fg.Finish("STOP").With(usage)))
	got := r.do("POST", messages, ask(messages, true))
	r.stop()
	var line struct {
		Time, Level, Msg, ID, Method, Path, Token, Model, Target, Key, Upstream string
		Status, Attempts                                                        int
		Stream                                                                  bool
		In                                                                      int    `json:"tokens_in"`
		Cached                                                                  int    `json:"tokens_cached"`
		Out                                                                     int    `json:"tokens_out"`
		Duration                                                                *int64 `json:"duration_ms"`
	}
	sc := bufio.NewScanner(strings.NewReader(r.log.String()))
	lines := 0
	for sc.Scan() {
		if !strings.Contains(sc.Text(), `"msg":"request"`) {
			continue
		}
		lines++
		if err := json.Unmarshal(sc.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
	}
	if lines != 1 || line.Time == "" || line.Level != "INFO" || line.ID != got.header.Get("request-id") || line.Method != "POST" ||
		line.Path != "/v1/messages" || line.Status != 200 || line.Token != "ann" || line.Model != "claude-opus-5-5" || line.Target != "gemini-3.8-flash" ||
		!line.Stream || line.Key != keys.ID(config.NewSecret(keyNamed("b"))) || line.Attempts != 2 || line.In != 100 || line.Cached != 60 || line.Out != 8 ||
		line.Duration == nil || line.Upstream != "overloaded" {
		t.Errorf("%d lines, %+v", lines, line)
	}
	status := r.server.Status()
	if status.Version != "1.2.3" || status.Requests != 1 || status.Errors != 0 || status.OpenStreams != 0 || len(status.Keys) != 2 || status.Keys[0].State != "active" || status.Keys[1].Label != "b" {
		t.Errorf("%+v", status)
	}
}

// A small block of JSON is a large one in memory, so their number is bounded as MAX_BODY bounds their bytes.
func TestTooManyElements(t *testing.T) {
	r := start(t, "a", nil)
	f := func(path, frame, element, field string) {
		t.Helper()
		const n = 100_001
		body := strings.Replace(frame, "ELEMENTS", strings.Repeat(element+",", n-1)+element, 1)
		got := r.do("POST", path, body)
		if got.status != 400 {
			t.Errorf("%s: status %d", path, got.status)
		}
		has(t, got.body, field+".100000: more than 100000 elements")
	}
	f(messages, `{"model":"claude","max_tokens":9,"messages":[{"role":"user","content":[ELEMENTS]}]}`, `{"type":"text","text":"a"}`, "messages.0.content")
	f(messages, `{"model":"claude","max_tokens":9,"stop_sequences":[ELEMENTS],"messages":[]}`, `"a"`, "stop_sequences")
	f(completions, `{"model":"gpt","messages":[ELEMENTS]}`, `{"role":"user","content":"a"}`, "messages")
	f(replies, `{"model":"gpt","input":[ELEMENTS]}`, `{"role":"user","content":"a"}`, "input")
	f("/v1/embeddings", `{"model":"gemini-embedding-001","input":[ELEMENTS]}`, `"a"`, "input")
	if n := len(r.fake.Requests()); n > 0 {
		t.Errorf("%d requests went out", n)
	}
}

// Google's words quote the request at times. The client gets them, the log does not.
func TestWhatGoogleQuotesIsNotLogged(t *testing.T) {
	r := start(t, "a", nil)
	f := func(message, logged string) {
		t.Helper()
		r.fake.Enqueue(fg.Fail(fg.Err(400, message)))
		got := r.do("POST", "/v1beta/models/gemini-3.8-flash:generateContent", nativeAsk)
		has(t, got.body, "prompt-PLANTED")
		r.fake.Enqueue(fg.Fail(fg.Err(400, message)))
		has(t, r.do("POST", messages, strings.Replace(ask(messages, false), "hello", fmt.Sprint(len(message)), 1)).body, "prompt-PLANTED")
		if n := strings.Count(r.log.String(), logged); n != 2 {
			t.Errorf("%q is logged %d times", logged, n)
		}
	}
	f("Invalid JSON payload received. Expected a value.\n{\"text\": prompt-PLANTED}\n         ^", `"error":"gemini: Invalid JSON payload received. Expected a value."`)
	f(`Invalid value at 'contents[0].parts[0].text' (TYPE_STRING), "prompt-PLANTED"`, `"error":"gemini: Invalid value at 'contents[0].parts[0].text' (TYPE_STRING)"`)
	f(`Invalid JSON payload received. Unknown name "prompt-PLANTED": Cannot find field.`, `"error":"gemini: Invalid JSON payload received. Unknown name"`)
	f(`Invalid JSON payload received. Unknown name "prompt-PLANTED" at 'tools[0]': Cannot find field.`, `"error":"gemini: Invalid JSON payload received. Unknown name at 'tools[0]': Cannot find field."`)
}
