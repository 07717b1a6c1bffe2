package proxy

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
)

// stuck is a server that takes requests and answers none of them. arrived and gone tell of the first one.
func stuck(t *testing.T) (url string, arrived, gone chan struct{}) {
	t.Helper()
	arrived, gone = make(chan struct{}), make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Error(err)
		}
		close(arrived)
		<-r.Context().Done()
		close(gone)
	}))
	t.Cleanup(s.Close)
	return s.URL, arrived, gone
}

// leaves sends a request, hangs up when arrived tells of it, and returns when the server is done with it.
func (r *rig) leaves(path, body string, arrived <-chan struct{}) {
	r.t.Helper()
	ctx, hangUp := context.WithCancel(r.t.Context())
	go func() {
		<-arrived
		hangUp()
	}()
	req, err := http.NewRequestWithContext(ctx, "POST", r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("x-api-key", testToken)
	if resp, err := r.client.Do(req); err == nil {
		r.t.Errorf("%s: answered with %d", path, resp.StatusCode)
		_ = resp.Body.Close()
	}
	began := time.Now()
	r.stop()
	if d := time.Since(began); d > 2*time.Second {
		r.t.Errorf("%s: the request outlived its client by %v", path, d)
	}
	has(r.t, r.log.String(), `"status":499`)
	for _, k := range r.server.pool.Snapshot() {
		if k.State != keys.Healthy && k.Reason != keys.RateLimited {
			r.t.Errorf("%s: %+v", path, k)
		}
	}
}

// Whatever a request waits for ends with its client: Google, with every kind of call, and the servers of addresses.
func TestWhatAClientLeavesBehindEnds(t *testing.T) {
	t.Parallel()
	f := func(path, body string) {
		t.Helper()
		base, arrived, gone := stuck(t)
		idle, _ := fg.Start(t, fg.Options{})
		r := startAt(t, idle, base, "a b", func(_ *config.Config, s *Server) {
			if s != nil {
				s.pace.count = time.Minute
			}
		})
		r.leaves(path, body, arrived)
		<-gone
	}
	f(messages, ask(messages, false))
	f(replies, ask(replies, true))
	f(countPath, prompt(hello))
	f(embeddingsPath, `{"model":"text-embedding-3-small","input":["x","y"]}`)
	f("/v1beta/models/gemini-3.8-flash:generateContent", `{"contents":[{"parts":[{"text":"hi"}]}]}`)
	f("/upload/v1beta/files?uploadType=media", strings.Repeat("x", 1<<20))

	fetching := func(path string) {
		t.Helper()
		base, arrived, gone := stuck(t)
		r := start(t, "a", local)
		r.server.pace.count = time.Minute
		r.leaves(path, `{"model":"claude-x","max_tokens":9,`+blocks(block("image", base+"/x.png"))+`}`, arrived)
		<-gone
		if n := len(r.fake.Requests()); n != 0 {
			t.Errorf("%s: Gemini was asked %d times", path, n)
		}
	}
	fetching(messages)
	fetching(countPath)
}

func TestAClientLeavesWhileItWaitsForAKey(t *testing.T) {
	t.Parallel()
	for _, stream := range []bool{false, true} {
		r := start(t, "a", func(cfg *config.Config, _ *Server) { cfg.QueueTimeout = time.Minute })
		r.fake.Enqueue(fg.Fail(minute("30s")))
		waits := make(chan struct{})
		go func() {
			defer close(waits)
			if _, err := r.fake.WaitFor(t.Context(), func(q fg.Recorded) bool { return q.Status == 429 }); err != nil {
				t.Error(err)
			}
		}()
		r.leaves(messages, ask(messages, stream), waits)
	}
}
