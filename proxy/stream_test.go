package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
)

// until reads lines until one has want.
func until(t *testing.T, r *bufio.Reader, want string) string {
	t.Helper()
	var all strings.Builder
	for {
		line, err := r.ReadString('\n')
		all.WriteString(line)
		if strings.Contains(line, want) {
			return all.String()
		}
		if err != nil {
			t.Fatalf("no %q before %v in:\n%s", want, err, all.String())
		}
	}
}

// Each chunk leaves Gemini only when the client has the one before: a buffered chunk would hang the test.
func TestLockStep(t *testing.T) {
	for _, path := range []string{messages, completions} {
		r := start(t, "a", nil)
		words := []string{"one", "two", "three", "four", "five"}
		r.fake.Enqueue(fg.Say(words...).LockStep("g"))
		resp := r.open("POST", path, ask(path, true))
		if resp.Header.Get("X-Accel-Buffering") != "no" || resp.Header.Get("Content-Encoding") != "" {
			t.Errorf("headers %v", resp.Header)
		}
		body := bufio.NewReader(resp.Body)
		for _, w := range words {
			until(t, body, w)
			if err := r.fake.Arrived("g"); err != nil {
				t.Fatal(err)
			}
		}
		rest, err := io.ReadAll(body)
		if err != nil {
			t.Error(err)
		}
		if path == messages {
			has(t, string(rest), "message_stop")
		}
		_ = resp.Body.Close()
		r.stop()
	}
}

func TestE071_SilenceBecomesHeartbeats(t *testing.T) {
	f := func(path, opening, ping string) {
		t.Helper()
		r := start(t, "a b", func(cfg *config.Config, s *Server) {
			if s == nil {
				return
			}
			usual, err := New(cfg, s.deps)
			if err != nil || usual.pace.hold+usual.pace.ping > 25*time.Second {
				t.Errorf("a silence of 25 s has no heartbeat: %+v, %v", usual.pace, err)
			}
			s.pace.hold, s.pace.ping = 30*time.Millisecond, 20*time.Millisecond
		})
		r.fake.Enqueue(fg.Say("", "at ", "last").LockStep("g"))
		resp := r.open("POST", path, ask(path, true))
		body := bufio.NewReader(resp.Body)
		has(t, until(t, body, ping), opening)
		until(t, body, ping)
		for _, text := range []string{"at ", "last"} {
			if err := r.fake.Arrived("g"); err != nil {
				t.Fatal(err)
			}
			until(t, body, text)
			until(t, body, ping)
		}
		if err := r.fake.Arrived("g"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(body); err != nil {
			t.Error(err)
		}
		_ = resp.Body.Close()
		r.stop()
	}
	f(messages, "event: message_start\n", "event: ping\n")
	f(completions, `"delta":{"role":"assistant"`, ": keep-alive\n")
	f(replies, "event: response.created\n", "event: response.in_progress\n")
}

// A failure after the opening event and before content is not seen, and the answer is opened once.
func TestE027_FailoverAfterTheStatus(t *testing.T) {
	r := start(t, "a b", func(_ *config.Config, s *Server) {
		if s != nil {
			s.pace.hold, s.pace.ping = 10*time.Millisecond, 10*time.Millisecond
		}
	})
	r.fake.Enqueue(fg.Fail(daily()).After(100*time.Millisecond), fg.Say("the answer"))
	got := r.do("POST", messages, ask(messages, true))
	has(t, got.body, "event: ping\n", "the answer", "message_stop")
	hasNot(t, got.body, "event: error")
	if n := strings.Count(got.body, "event: message_start\n"); n != 1 || r.keysAsked() != "a b" {
		t.Errorf("%d openings, keys %s", n, r.keysAsked())
	}
}

func TestFailureAfterTheStatus(t *testing.T) {
	r := start(t, "a", func(_ *config.Config, s *Server) {
		if s != nil {
			s.pace.hold = 10 * time.Millisecond
		}
	})
	r.fake.Enqueue(fg.Fail(fg.ErrLocation()).After(100 * time.Millisecond))
	got := r.do("POST", messages, ask(messages, true))
	if got.status != 200 {
		t.Error(got.status)
	}
	has(t, got.body, "event: error\n", "permission_error")
	hasNot(t, got.body, "message_stop")
}

// Thoughts that the client does not see are no content: a failure after them is not seen either.
func TestHiddenThoughtsAreNoContent(t *testing.T) {
	r := start(t, "a b", nil)
	r.fake.Enqueue(fg.Reply(fg.Thought("hm"), fg.StreamError(fg.ErrOverloaded())), fg.Reply(fg.Thought("aha"), fg.Text("the answer")))
	body := strings.Replace(ask(messages, true), `"stream"`, `"thinking":{"type":"disabled"},"stream"`, 1)
	got := r.do("POST", messages, body)
	has(t, got.body, "the answer", "message_stop")
	hasNot(t, got.body, "aha", "event: error")
}

// A client that hangs up, before and after the first content, with and without a stream.
func TestE028_TheClientHangsUp(t *testing.T) {
	t.Parallel()
	f := func(path string, stream bool, answer fg.Answer, first string) {
		t.Helper()
		r := start(t, "a", nil)
		r.fake.Enqueue(answer)
		ctx, hangUp := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			req, err := http.NewRequestWithContext(ctx, "POST", r.url+path, strings.NewReader(ask(path, stream)))
			if err != nil {
				t.Error(err)
				return
			}
			req.Header.Set("x-api-key", testToken)
			resp, err := r.client.Do(req)
			if err != nil {
				return
			}
			if first != "" {
				until(t, bufio.NewReader(resp.Body), first)
				hangUp()
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}()
		q, err := r.fake.WaitFor(t.Context(), func(q fg.Recorded) bool { return q.Key != "" })
		if err != nil {
			t.Fatal(err)
		}
		if first == "" {
			hangUp()
		}
		<-done
		began := time.Now()
		end, err := r.fake.WaitEnd(t.Context(), q.Seq)
		if err != nil || end != fg.Cancelled || time.Since(began) > time.Second {
			t.Errorf("%s: %s, %v after %v", path, end, err, time.Since(began))
		}
		hangUp()
		r.stop()
		if s := r.state("a"); s.State != keys.Healthy || s.Failures != 0 || len(r.fake.Requests()) != 1 {
			t.Errorf("%s: %+v after %d requests", path, s, len(r.fake.Requests()))
		}
		has(t, r.log.String(), `"status":499`)
		if n := r.server.Status().Errors; n != 0 {
			t.Errorf("%d errors are counted", n)
		}
	}
	late := fg.Reply(fg.Text("so far"), fg.Text("late").Wait(time.Minute))
	f(messages, true, late, "so far")
	f(completions, true, late, "so far")
	f(messages, false, late, "")
	f(messages, true, fg.Say("late").After(time.Minute), "")
	f(completions, false, fg.Say("late").After(time.Minute), "")
}

// 12 MB, much more than all the buffers on the way.
func TestALongAnswerArrivesWhole(t *testing.T) {
	t.Parallel()
	r := start(t, "a", nil)
	piece := strings.Repeat("x", 8<<10)
	var chunks []fg.Chunk
	for range 1500 {
		chunks = append(chunks, fg.Text(piece))
	}
	r.fake.Enqueue(fg.Reply(chunks...))
	conn, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	body := ask(messages, true)
	req, err := http.NewRequest("POST", r.url+messages, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("x-api-key", testToken)
	if err := req.Write(conn); err != nil {
		t.Fatal(err)
	}
	if _, err := r.fake.WaitFor(t.Context(), func(q fg.Recorded) bool { return q.Status == 200 }); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), req)
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, resp.Body)
	if err != nil || n < 1500*8<<10 {
		t.Errorf("%d bytes, %v", n, err)
	}
}

// HTTP/1.0, as Nginx speaks it unless told otherwise, knows no chunks: there the end of the connection is the answer's.
func TestStreamsOverHTTP10(t *testing.T) {
	r := start(t, "a", nil)
	f := func(path, body, want string) {
		t.Helper()
		r.fake.Enqueue(fg.Say("one ", "two"))
		w := dial(t, r)
		if _, err := fmt.Fprintf(w, "POST %s HTTP/1.0\r\nHost: x\r\nx-api-key: %s\r\nConnection: keep-alive\r\nContent-Length: %d\r\n\r\n%s", path, testToken, len(body), body); err != nil {
			t.Fatal(err)
		}
		all, err := io.ReadAll(w.r)
		if err != nil {
			t.Fatal(err)
		}
		head, rest, _ := strings.Cut(string(all), "\r\n\r\n")
		hasNot(t, strings.ToLower(head), "transfer-encoding", "keep-alive", "content-length")
		has(t, head, " 200 OK\r\n", "\r\nConnection: close", "text/event-stream")
		if !strings.HasSuffix(rest, want) {
			t.Errorf("%s ends in %q", path, rest[max(len(rest)-100, 0):])
		}
		has(t, rest, "one ")
	}
	f(messages, ask(messages, true), "data: {\"type\":\"message_stop\"}\n\n")
	f(completions, ask(completions, true), "data: [DONE]\n\n")
	f("/v1beta/models/gemini-3.8-flash:streamGenerateContent?alt=sse", nativeAsk, "}\r\n\r\n")
}
