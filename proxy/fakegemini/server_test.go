package fakegemini

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// client is a test's side of a running fake.
type client struct {
	t   *testing.T
	s   *Server
	url string
}

func start(t *testing.T, opts Options) *client {
	t.Helper()
	s, url := Start(t, opts)
	return &client{t, s, url}
}

func (c *client) context() context.Context {
	ctx, cancel := context.WithTimeout(c.t.Context(), 10*time.Second)
	c.t.Cleanup(cancel)
	return ctx
}

// open posts a body for a model and verb (with its query) and returns the answer, still open.
func (c *client) open(ctx context.Context, model, verb, key, body string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/v1beta/models/"+model+":"+verb, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("x-goog-api-key", key)
	res, err := http.DefaultClient.Do(req)
	if err == nil {
		c.t.Cleanup(func() {
			if err := res.Body.Close(); err != nil {
				c.t.Error(err)
			}
		})
	}
	return res, err
}

// post is open, read to its end.
func (c *client) post(model, verb, key, body string) (int, string, error) {
	c.t.Helper()
	res, err := c.open(c.context(), model, verb, key, body)
	if err != nil {
		return 0, "", err
	}
	raw, err := io.ReadAll(res.Body)
	return res.StatusCode, string(raw), err
}

func (c *client) ok(model, verb, body string) string {
	c.t.Helper()
	status, text, err := c.post(model, verb, "k", body)
	if err != nil || status != http.StatusOK {
		c.t.Fatalf("%s %s: %d %v %s", model, verb, status, err, text)
	}
	return text
}

// frames reads an SSE body strictly: data lines, each followed by CRLF CRLF.
func (c *client) frames(body string) []Response {
	c.t.Helper()
	var out []Response
	for body != "" {
		frame, rest, found := strings.Cut(body, "\r\n\r\n")
		data, isData := strings.CutPrefix(frame, "data: ")
		if !found || !isData || strings.ContainsAny(data, "\r\n") {
			c.t.Fatalf("not an SSE frame: %q", frame)
		}
		out, body = append(out, c.response(data)), rest
	}
	return out
}

func (c *client) response(text string) Response {
	c.t.Helper()
	var r Response
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		c.t.Fatalf("%v in %s", err, text)
	}
	return r
}

// sketch writes a chunk as one short line, so that a test can say a whole stream.
func sketch(r Response) string {
	var b strings.Builder
	for _, cand := range r.Candidates {
		for _, p := range cand.Content.Parts {
			switch {
			case p.FunctionCall != nil:
				b.WriteString("call " + p.FunctionCall.Name + strings.NewReplacer(" ", "", "\n", "").Replace(string(p.FunctionCall.Args)))
			case p.Thought:
				b.WriteString("thought " + *p.Text)
			case p.Text != nil:
				b.WriteString("text " + *p.Text)
			}
			if p.ThoughtSignature != "" {
				b.WriteString(" signed")
			}
			b.WriteString(";")
		}
		b.WriteString(cand.FinishReason)
	}
	return b.String()
}

func TestStreamShapes(t *testing.T) {
	c := start(t, Options{})
	tools := talk(hi)
	f := func(model, body string, a Answer, stream, whole string) {
		t.Helper()
		c.s.Enqueue(a, a)
		var got []string
		for _, r := range c.frames(c.ok(model, "streamGenerateContent?alt=sse", body)) {
			got = append(got, sketch(r))
			if u := r.UsageMetadata; u == nil || u.Total != u.Prompt+u.Candidates+u.Thoughts+u.ToolUse || r.ModelVersion != model || r.ResponseID == "" {
				t.Errorf("usage, modelVersion or responseId of %+v", r)
			}
		}
		if s := strings.Join(got, " | "); s != stream {
			t.Errorf("stream of %s:\n got %s\nwant %s", model, s, stream)
		}
		if s := sketch(c.response(c.ok(model, "generateContent", body))); s != whole {
			t.Errorf("whole answer of %s:\n got %s\nwant %s", model, s, whole)
		}
	}
	f(m38, tools, Say("Hel", "lo"), "text Hel; | text lo; | text  signed;STOP", "text Hello signed;STOP")
	f(m25, tools, Say("Hel", "lo"), "text Hel signed; | text lo;STOP", "text Hel signed;text lo;STOP")
	f(m25, `{"contents":[`+hi+`]}`, Say("Hel", "lo"), "text Hel; | text lo;STOP", "text Hello;STOP")
	f("gemma-4-31b-it", tools, Say("Hel", "lo"), "text Hel; | text lo;STOP", "text Hello;STOP")
	f(m38, tools, Reply(Thought("a"), Thought("b"), Calls(Call("Read", `{"a":1}`), Call("Write", ""))),
		`thought a; | thought b; | call Read{"a":1} signed;call Write; | text ;STOP`, `thought ab;call Read{"a":1} signed;call Write;STOP`)
	f(m38, tools, Reply(Text("so "), Calls(Call("Read", "{}")), Calls(Call("Read", "{}"))), `text so ; | call Read{} signed; | call Read{}; | text ;STOP`, `text so ;call Read{} signed;call Read{};STOP`)
	f(m25, tools, Reply(Calls(Call("Read", "{}"))), `call Read{} signed;STOP`, `call Read{} signed;STOP`)
	f(m38, tools, Reply(Text("a").Ends("MAX_TOKENS")), `text a signed;MAX_TOKENS`, `text a signed;MAX_TOKENS`)
	f(m38, tools, Reply(Text("a"), Finish("SAFETY")), "text a; | SAFETY", "text a;SAFETY")
	f(m38, tools, Say("a", "b").Unfinished(), "text a; | text b signed;", "text ab signed;")
	f(m38, tools, Reply(Block("SAFETY")), "", "")
	f(m38, tools, Reply(Text("a").Ends("STOP"), Chunk{Bare: true}), "text a;STOP | ", "text a;STOP")
	f(m38, tools, Answer{Chunks: []Chunk{Text("a").With(Usage{Prompt: 9, Candidates: 1, Total: 10}).Ends("STOP")}}, "text a signed;STOP", "text a signed;STOP")
}

func TestStreamAsArray(t *testing.T) {
	c := start(t, Options{})
	c.s.Enqueue(Say("a", "b"), Answer{}, Fail(ErrOverloaded()), Reply(Text("a"), StreamError(ErrInternal())))
	f := func(want string) {
		t.Helper()
		_, text, err := c.post(m25, "streamGenerateContent", "k", talk(hi))
		var list []struct {
			Response
			Error *APIError `json:"error"`
		}
		if err != nil || json.Unmarshal([]byte(text), &list) != nil {
			t.Fatalf("%v, not a list: %s", err, text)
		}
		var got []string
		for _, r := range list {
			if r.Error != nil {
				got = append(got, r.Error.Status)
			} else {
				got = append(got, sketch(r.Response))
			}
		}
		if s := strings.Join(got, " | "); s != want {
			t.Errorf("got %s, want %s", s, want)
		}
	}
	f("text a signed; | text b;STOP")
	f("")
	f("UNAVAILABLE")
	f("text a signed; | INTERNAL")
}

func TestCallIDs(t *testing.T) {
	c := start(t, Options{})
	ids := func(model string) (given int) {
		for range 20 {
			c.s.Enqueue(Reply(Calls(Call("Read", ""), Call("Read", ""))))
			r := c.response(c.ok(model, "generateContent", talk(hi)))
			parts := r.Candidates[0].Content.Parts
			a, b := parts[0].FunctionCall.ID, parts[1].FunctionCall.ID
			if len(a) != len(b) || a != "" && (a == b || len(a) != 8) {
				t.Errorf("ids %q and %q", a, b)
			}
			if a != "" {
				given++
			}
		}
		return given
	}
	if n := ids(m38); n != 20 {
		t.Errorf("%s: %d of 20 with ids, want all", m38, n)
	}
	if n := ids(m25); n != 0 {
		t.Errorf("%s: %d of 20 with ids, want none", m25, n)
	}
	if n := ids(m3); n == 0 || n == 20 {
		t.Errorf("%s: %d of 20 with ids, want some", m3, n)
	}
}

// TestSignaturesReturn plays a whole tool loop: what the fake signed is taken back, until it rotates.
func TestSignaturesReturn(t *testing.T) {
	c := start(t, Options{})
	c.s.Enqueue(Reply(Calls(Call("Read", `{"n":1}`), Call("Read", `{"n":2}`))))
	r := c.response(c.ok(m38, "generateContent", talk(hi)))
	parts := r.Candidates[0].Content.Parts
	model := Content{Role: "model", Parts: parts}
	answers := Content{Role: "user"}
	for _, p := range parts {
		answers.Parts = append(answers.Parts, Part{FunctionResponse: &FunctionResponse{ID: p.FunctionCall.ID, Name: "Read", Response: Object(`{"output":"x"}`)}})
	}
	text := "hi"
	next := GenerateContentRequest{Contents: []Content{{Role: "user", Parts: []Part{{Text: &text}}}, model, answers}, Tools: []Tool{{FunctionDeclarations: []FunctionDeclaration{{Name: "Read"}}}}}
	body, err := json.Marshal(next)
	if err != nil {
		t.Fatal(err)
	}
	c.ok(m38, "generateContent", string(body))
	if status, _, err := c.post("gemini-3.7-flash", "generateContent", "k", string(body)); status != 400 || err != nil {
		t.Errorf("another model took the signature: %d %v", status, err)
	}
	c.s.RotateSignatures()
	if status, text, err := c.post(m38, "generateContent", "k", string(body)); status != 400 || !strings.Contains(text, "Corrupted thought signature.") || err != nil {
		t.Errorf("after a rotation: %d %v %s", status, err, text)
	}
}

// TestSwappedSignatures: two steps whose signatures changed places are refused.
func TestSwappedSignatures(t *testing.T) {
	s := New(Options{})
	defer mustClose(t, s)
	one, err1 := s.signer.sign(m38, signCall, "Read")
	two, err2 := s.signer.sign(m38, signCall, "Read")
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	step := func(sig Bytes) Content {
		return Content{Role: "model", Parts: []Part{{FunctionCall: &FunctionCall{Name: "Read"}, ThoughtSignature: sig}}}
	}
	gave := Content{Parts: []Part{{FunctionResponse: &FunctionResponse{Name: "Read", Response: Object("{}")}}}}
	text := "hi"
	f := func(first, second Bytes, good bool) {
		t.Helper()
		model, _ := newModelTable(nil).find(m38)
		body := &GenerateContentRequest{Contents: []Content{{Parts: []Part{{Text: &text}}}, step(first), gave, step(second), gave}}
		if r := judge(&asked{call: onGenerate, body: body, model: model, signer: s.signer}); (r == nil) != good {
			t.Errorf("got %v, want good=%v", r, good)
		}
	}
	f(one, two, true)
	f(two, one, false)
	f(one, one, false)
}

func TestRawAnswersAndCuts(t *testing.T) {
	c := start(t, Options{})
	c.s.Enqueue(RawAnswer(502, "text/html", "<html>Bad gateway</html>"))
	if status, text, err := c.post(m38, "generateContent", "k", talk(hi)); status != 502 || text != "<html>Bad gateway</html>" || err != nil {
		t.Errorf("raw answer: %d %q %v", status, text, err)
	}
	c.s.Enqueue(Reply(Text("a"), RawChunk(": comment\r\n\r\n"), RawChunk("data: {half"), Hangup()))
	status, text, err := c.post(m38, "streamGenerateContent?alt=sse", "k", talk(hi))
	if status != 200 || !strings.HasSuffix(text, ": comment\r\n\r\ndata: {half") || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut stream: %d %q %v", status, text, err)
	}
	c.s.Enqueue(Reply(Hangup()))
	if status, text, err := c.post(m38, "generateContent", "k", talk(hi)); err == nil {
		t.Errorf("cut before the first byte: %d %q", status, text)
	}
	for _, r := range c.s.Requests()[1:] {
		if end, err := c.s.WaitEnd(c.context(), r.Seq); end != Severed || err != nil {
			t.Errorf("request %d ended as %q %v, want severed", r.Seq, end, err)
		}
	}
	c.s.Enqueue(Reply(Text("a"), StreamError(&APIError{Message: "gone", Status: "UNAVAILABLE"})))
	if text := c.ok(m38, "streamGenerateContent?alt=sse", talk(hi)); !strings.HasSuffix(text, "data: {\"error\":{\"message\":\"gone\",\"status\":\"UNAVAILABLE\"}}\r\n\r\n") {
		t.Errorf("error in the stream: %s", text)
	}
	c.s.Enqueue(Reply(Text("a"), StreamError(ErrInternal())))
	if status, _, err := c.post(m38, "generateContent", "k", talk(hi)); status != 500 || err != nil {
		t.Errorf("error in the middle of a whole answer: %d %v", status, err)
	}
}

func TestLockStep(t *testing.T) {
	c := start(t, Options{})
	if err := c.s.Arrived("g"); err == nil {
		t.Error("a chunk arrived that was never sent")
	}
	c.s.Enqueue(Say("a", "b").LockStep("g"))
	res, err := c.open(c.context(), m25, "streamGenerateContent?alt=sse", "k", talk(hi))
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(res.Body)
	for i := range 2 {
		if line, err := lines.ReadString('\n'); err != nil || !strings.HasPrefix(line, "data: ") {
			t.Fatalf("chunk %d: %q %v", i, line, err)
		}
		if _, err := lines.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		if n := c.s.Sent("g"); n != i+1 {
			t.Fatalf("%d chunks were sent when %d had arrived", n, i+1)
		}
		if err := c.s.Arrived("g"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := lines.ReadByte(); err != io.EOF {
		t.Errorf("after the last chunk: %v", err)
	}
}

// TestLockStepEnds: a stream that waits at a gate ends when the client leaves, when patience ends, and on Close.
func TestLockStepEnds(t *testing.T) {
	f := func(opts Options, leave func(c *client, cancel func()), want End) {
		t.Helper()
		s := New(opts)
		url, err := s.Listen("127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		c := &client{t, s, url}
		s.Enqueue(Say("a", "b").LockStep("g"))
		ctx, cancel := context.WithCancel(c.context())
		res, err := c.open(ctx, m25, "streamGenerateContent?alt=sse", "k", talk(hi))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := bufio.NewReader(res.Body).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		leave(c, cancel)
		if end, err := s.WaitEnd(c.context(), 1); end != want || err != nil {
			t.Errorf("ended as %q %v, want %q", end, err, want)
		}
		cancel()
		mustClose(t, s)
	}
	f(Options{}, func(_ *client, cancel func()) { cancel() }, Cancelled)
	f(Options{}, func(c *client, _ func()) { mustClose(c.t, c.s) }, Severed)
	f(Options{StepTimeout: time.Millisecond}, func(*client, func()) {}, Severed)
}

func TestClosedServer(t *testing.T) {
	s := New(Options{})
	mustClose(t, s)
	mustClose(t, s)
	if url, err := s.Listen("127.0.0.1:0"); err == nil {
		t.Errorf("a closed fake listens on %s", url)
	}
	if _, err := New(Options{}).Listen("203.0.113.1:1"); err == nil {
		t.Error("listening on a foreign address went well")
	}
}
