package proxy

import (
	"context"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

func TestHealth(t *testing.T) {
	r := start(t, "a b", nil)
	f := func(status int, want string) {
		t.Helper()
		got := r.do("GET", "/health", "", "x-none", "")
		if got.status != status || got.body != want {
			t.Errorf("%d %s, want %d %s", got.status, got.body, status, want)
		}
	}
	f(200, `{"status":"healthy","active_keys":2,"total_keys":2,"version":"1.2.3"}`)
	r.fake.Key(keyNamed("a"), always(fg.ErrInvalidKey()))
	r.do("POST", messages, ask(messages, false))
	f(200, `{"status":"degraded","active_keys":1,"total_keys":2,"version":"1.2.3"}`)
	r.fake.Key(keyNamed("b"), always(fg.ErrInvalidKey()))
	r.do("POST", messages, ask(messages, false))
	f(503, `{"status":"unhealthy","active_keys":0,"total_keys":2,"version":"1.2.3"}`)
}

// A server answers itself as it answers clients, while it drains too; one that is sick over HTTP says so.
func TestServer_AskHealth(t *testing.T) {
	r := start(t, "a b", nil)
	f := func(want int) {
		t.Helper()
		status, body, err := r.server.AskHealth(t.Context())
		if err != nil || status != want || status == 200 && string(body) != `{"status":"healthy","active_keys":2,"total_keys":2,"version":"1.2.3"}` {
			t.Errorf("%d %s, %v", status, body, err)
		}
	}
	f(200)
	open := dial(t, r)
	open.ask("/health")
	stopped := r.beginDrain()
	f(200)
	if err := open.Close(); err != nil {
		t.Error(err)
	}
	<-stopped

	sick := func(answer fasthttp.RequestHandler) {
		r = start(t, "a b", func(_ *config.Config, s *Server) {
			if s != nil {
				s.http.Handler = answer
			}
		})
	}
	sick(func(rc *fasthttp.RequestCtx) { rc.SetStatusCode(fasthttp.StatusInternalServerError) })
	f(500)
	awake := make(chan struct{})
	defer close(awake)
	sick(func(*fasthttp.RequestCtx) { <-awake })
	limited, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if status, _, err := r.server.AskHealth(limited); err == nil {
		t.Errorf("what hangs answers %d", status)
	}
}
