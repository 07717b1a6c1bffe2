package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

// raw sends a request as it is written and reads the answer.
func (r *rig) raw(request string) result {
	r.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
	if err != nil {
		r.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		r.t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		r.t.Fatalf("%q: %v", request, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return result{resp.StatusCode, resp.Header, string(body)}
}

func TestWithoutABody(t *testing.T) {
	r := start(t, "a", nil)
	f := func(path, want string) {
		t.Helper()
		for _, length := range []string{"", "Content-Length: 0\r\n", "Transfer-Encoding: chunked\r\n"} {
			request := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nx-api-key: %s\r\nConnection: close\r\n%s\r\n", path, testToken, length)
			if strings.HasPrefix(length, "Transfer") {
				request += "0\r\n\r\n"
			}
			got := r.raw(request)
			if got.status != 400 {
				t.Errorf("%s, %q: %d", path, length, got.status)
			}
			has(t, got.body, want, "the request body is empty")
		}
	}
	const anthropicError = `{"type":"error","error":{"type":"invalid_request_error"`
	f("/v1/messages", anthropicError)
	f("/v1/messages/count_tokens", anthropicError)
	f("/v1/chat/completions", `{"error":{"message":`)
}

// A body that trickles does not keep its place; one on a slow line arrives.
func TestASlowBody(t *testing.T) {
	t.Parallel()
	p := pace{bodyGrace: 30 * time.Second, bodyIdle: 20 * time.Second}
	begin := time.Unix(1_800_000_000, 0)
	f := func(after time.Duration, received int, want time.Duration) {
		t.Helper()
		if got := p.bodyDeadline(begin, begin.Add(after), received).Sub(begin); got != want {
			t.Errorf("%d bytes after %v: until %v, want %v", received, after, got, want)
		}
	}
	f(0, 0, 20*time.Second)
	f(15*time.Second, 1000, 30*time.Second)
	f(29*time.Second, 10<<20, 49*time.Second)
	f(180*time.Second, 10<<20, 190*time.Second)

	r := start(t, "a", func(_ *config.Config, s *Server) {
		if s != nil {
			s.pace.bodyGrace, s.pace.bodyIdle = 300*time.Millisecond, 100*time.Millisecond
		}
	})
	for _, path := range []string{messages, completions, "/v1beta/models/gemini-3.8-flash:generateContent"} {
		for _, head := range []string{"Content-Length: 100000", "Transfer-Encoding: chunked"} {
			w := dial(t, r)
			if _, err := fmt.Fprintf(w, "POST %s HTTP/1.1\r\nHost: x\r\nx-api-key: %s\r\n%s\r\n\r\n%s", path, testToken, head, "2000\r\n"+strings.Repeat(" ", 0x2000)+"\r\n"); err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(w.r, nil)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != 408 {
				t.Errorf("%s, %s: %d, %v", path, head, resp.StatusCode, err)
			}
			has(t, string(body), "did not arrive in time")
		}
	}
	r.stop()
	if !allGivenBack(r) {
		t.Error("the memory of a body is lost")
	}
}

// A body that is announced as too large is refused before it comes, in the caller's protocol.
func TestATooLargeBodyIsNotWaitedFor(t *testing.T) {
	r := start(t, "a", nil)
	f := func(path, length string, status int, want string) {
		t.Helper()
		got := r.raw(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nx-api-key: %s\r\nContent-Length: %s\r\n\r\n", path, testToken, length))
		if got.status != status {
			t.Errorf("%s: %d", path, got.status)
		}
		has(t, got.body, want)
	}
	f(messages, "99999999999", 413, `{"type":"error","error":{"type":"request_too_large","message":"the request body is larger than 52428800 bytes (MAX_BODY)"}`)
	f(completions, "52428801", 413, `{"error":{"message":"the request body is larger than`)
	f("/v1beta/models/gemini-3.8-flash:generateContent", "52428801", 413, `"status":"INVALID_ARGUMENT"`)
}

// The same of one that does not come on, after its first byte; of one that never begins only the head is known.
func TestABodyThatNeverComes(t *testing.T) {
	t.Parallel()
	r := start(t, "a", func(_ *config.Config, s *Server) {
		if s != nil {
			s.http.ReadTimeout, s.pace.bodyIdle = 100*time.Millisecond, 100*time.Millisecond
		}
	})
	for _, begun := range []string{"", "{"} {
		got := r.raw(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nx-api-key: %s\r\nContent-Length: 99\r\n\r\n%s", messages, testToken, begun))
		if got.status != 408 {
			t.Errorf("%q: %d", begun, got.status)
		}
		has(t, got.body, `{"type":"error","error":{"type":"invalid_request_error","message":"the request `, "did not arrive in time", `"request_id":"req_`)
	}
}

// allGivenBack reports whether no body has any memory.
func allGivenBack(r *rig) bool {
	b := r.server.bounds.bodies
	return b.any.tryTake(b.any.size) && b.small.tryTake(b.small.size)
}

// Heads that do not come are not waited for.
func TestASlowHead(t *testing.T) {
	t.Parallel()
	r := start(t, "a", func(_ *config.Config, s *Server) {
		if s != nil {
			s.http.ReadTimeout = 100 * time.Millisecond
		}
	})
	w := dial(t, r)
	if _, err := io.WriteString(w, "POST /v1/messages HTTP/1.1\r\nHost: x\r\nx-a"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(w.r, nil)
	if err != nil || resp.StatusCode != 408 {
		t.Errorf("%+v, %v", resp, err)
	}
}

// All bodies together get a part of the memory: who finds none waits, and is told when none is given back.
func TestMemoryOfBodies(t *testing.T) {
	t.Parallel()
	r := start(t, "a", func(cfg *config.Config, s *Server) {
		cfg.QueueTimeout = 100 * time.Millisecond
		if s != nil {
			s.bounds.bodies = newBodies(0, 1<<20)
		}
	})
	all := &r.server.bounds.bodies.any
	if all.size != 2<<20 {
		t.Fatalf("%d bytes", all.size)
	}
	large := ask(messages, false) + strings.Repeat(" ", 1<<20-1000)
	if !all.tryTake(3 << 19) {
		t.Fatal("nothing is free")
	}
	got := r.do("POST", messages, large)
	if got.status != 529 || got.header.Get("Retry-After") != "5" {
		t.Errorf("%d %s", got.status, got.body)
	}
	has(t, got.body, "fill the 2 MB that it has for their bodies")
	if got := r.do("POST", messages, ask(messages, false)); got.status != 200 {
		t.Errorf("a small one: %d %s", got.status, got.body)
	}
	longer := *r.cfg
	longer.QueueTimeout = time.Minute
	r.server.live.Store(&longer)
	second := make(chan result, 1)
	go func() { second <- r.do("POST", messages, large) }()
	for all.tryTake(1) { // nobody gets past the one who waits
		all.giveBack(1)
		runtime.Gosched()
	}
	all.giveBack(3 << 19)
	if got := <-second; got.status != 200 {
		t.Errorf("the one who waited: %d", got.status)
	}
	r.stop()
	if !allGivenBack(r) {
		t.Error("the memory of a body is lost")
	}
}

// Small bodies get by large ones, also by one that waits, and do not take what that waits for.
func TestSmallBodiesGetByLargeOnes(t *testing.T) {
	r := start(t, "a", func(cfg *config.Config, s *Server) {
		cfg.QueueTimeout = time.Minute
		if s != nil {
			s.bounds.bodies = newBodies(0, 1<<20)
		}
	})
	b := r.server.bounds.bodies
	if !b.any.tryTake(b.any.size) {
		t.Fatal("nothing is free")
	}
	large := make(chan result, 1)
	go func() { large <- r.do("POST", messages, ask(messages, false)+strings.Repeat(" ", 1<<19)) }()
	for n := 0; n == 0; runtime.Gosched() { // it waits, and is watched
		r.server.watcher.mu.Lock()
		n = len(r.server.watcher.conns)
		r.server.watcher.mu.Unlock()
	}
	for range 5 {
		if got := r.do("POST", messages, ask(messages, false)); got.status != 200 {
			t.Errorf("a small one: %d %s", got.status, got.body)
		}
	}
	if !b.small.tryTake(b.small.size) {
		t.Fatal("small ones hold what is theirs")
	}
	small := make(chan result, 1)
	go func() { small <- r.do("POST", messages, ask(messages, false)) }() // waits for other small ones
	b.any.giveBack(b.any.size)
	if got := <-large; got.status != 200 {
		t.Errorf("the large one: %d %s", got.status, got.body)
	}
	b.small.giveBack(b.small.size)
	if got := <-small; got.status != 200 {
		t.Errorf("the small one: %d", got.status)
	}
	r.stop()
	if !allGivenBack(r) {
		t.Error("the memory of a body is lost")
	}
}

// A client that leaves while it waits for memory waits no longer.
func TestAClientLeavesWhileItWaitsForMemory(t *testing.T) {
	t.Parallel()
	r := start(t, "a", func(cfg *config.Config, s *Server) {
		cfg.QueueTimeout = time.Minute
		if s != nil {
			s.bounds.bodies = newBodies(0, 1<<20)
		}
	})
	b := r.server.bounds.bodies
	b.any.tryTake(b.any.size)
	b.small.tryTake(b.small.size)
	w := dial(t, r)
	body := ask(messages, false) + strings.Repeat(" ", 20_000)
	if _, err := fmt.Fprintf(w, "POST %s HTTP/1.1\r\nHost: x\r\nx-api-key: %s\r\nContent-Length: %d\r\n\r\n%s", messages, testToken, len(body), body); err != nil {
		t.Fatal(err)
	}
	for n := 0; n == 0; runtime.Gosched() {
		r.server.watcher.mu.Lock()
		n = len(r.server.watcher.conns)
		r.server.watcher.mu.Unlock()
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	r.stop()
	if d := time.Since(began); d > time.Second {
		t.Errorf("it waited for another %v", d)
	}
	has(t, r.log.String(), `"status":499`)
}

// A client that stops reading its stream frees what it has.
func TestAStalledReader(t *testing.T) {
	t.Parallel()
	r := start(t, "a", func(_ *config.Config, s *Server) {
		if s != nil {
			s.pace.stall = 200 * time.Millisecond
		}
	})
	piece := fg.Text(strings.Repeat("many words ", 10_000))
	var pieces []fg.Chunk
	for range 300 {
		pieces = append(pieces, piece)
	}
	r.fake.Enqueue(fg.Reply(append(pieces, fg.Text("late").Wait(time.Minute))...))
	w := dial(t, r)
	if tcp, ok := w.Conn.(*net.TCPConn); !ok || tcp.SetReadBuffer(4096) != nil {
		t.Fatal("no small buffer")
	}
	body := ask(messages, true)
	if _, err := fmt.Fprintf(w, "POST %s HTTP/1.1\r\nHost: x\r\nx-api-key: %s\r\nContent-Length: %d\r\n\r\n%s", messages, testToken, len(body), body); err != nil {
		t.Fatal(err)
	}
	q, err := r.fake.WaitFor(t.Context(), func(q fg.Recorded) bool { return q.Key != "" })
	if err != nil {
		t.Fatal(err)
	}
	if end, err := r.fake.WaitEnd(t.Context(), q.Seq); err != nil || end != fg.Cancelled {
		t.Errorf("%s, %v", end, err)
	}
}
