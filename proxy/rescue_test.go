package proxy

import (
	"io"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
	"github.com/gemini-claude-adapter/gca/proxy/store"
)

// broken is a store with a fault of the kind that nobody foresees.
type broken struct{ store.Store }

func (broken) Put(front.Record) error { panic("BUG: planned") }

// A panic costs one request, not the server, and gives the key back.
func TestAPanicIsOneRequestsFailure(t *testing.T) {
	r := start(t, "a", func(_ *config.Config, s *Server) {
		if s != nil {
			s.deps.Store = broken{s.deps.Store}
		}
	})
	for _, stream := range []bool{false, true} {
		r.fake.Enqueue(fg.Reply(fg.Calls(fg.Call("read", "{}"))))
		got := r.do("POST", messages, ask(messages, stream))
		if got.status != 500 {
			t.Errorf("%d %s", got.status, got.body)
		}
		has(t, got.body, `"message":"internal error"`)
	}
	if got := r.do("POST", messages, ask(messages, true)); got.status != 200 {
		t.Errorf("afterwards: %d", got.status)
	}
	r.stop()
	if n := strings.Count(r.log.String(), `"value":"BUG: planned"`); n != 2 {
		t.Errorf("%d panics are logged", n)
	}
	r.forgetLog()
}

// The same holds for calls of Google's own API, wherever they panic: before a key is leased, with one, and after the answer.
func TestAPanicOnGooglesOwnAPI(t *testing.T) {
	f := func(status int, path, body string, spoil func(*Server)) {
		t.Helper()
		r := start(t, "a", func(_ *config.Config, s *Server) {
			if s != nil {
				spoil(s)
			}
		})
		if got := r.do("POST", path, body); got.status != status {
			t.Errorf("%d %s", got.status, got.body)
		}
		r.stop()
		if n := len(r.server.watcher.conns); n != 0 {
			t.Errorf("%d clients are still watched", n)
		}
		has(t, r.log.String(), `"msg":"panic"`, `"error":"internal error"`)
		r.forgetLog()
	}
	f(500, generatePath, nativeAsk, func(s *Server) { s.owners = nil })
	f(500, generatePath, nativeAsk, func(s *Server) {
		s.life = httptrace.WithClientTrace(s.life, &httptrace.ClientTrace{GetConn: func(string) { panic("BUG: planned") }})
	})
	f(200, "/v1beta/cachedContents", `{"model":"models/gemini-3.6-flash","contents":[{"role":"user","parts":[{"text":"`+strings.Repeat("word ", 6000)+`"}]}]}`,
		func(s *Server) { s.owners = &owners{} })
}

// forgetLog drops what else is checked after a test, which does not foresee panics.
func (r *rig) forgetLog() {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	r.log.b.Reset()
}

// brokenCodec makes encoders that panic at their last event but left.
type brokenCodec struct {
	front.Codec
	left int
}

type brokenEncoder struct {
	front.Encoder
	left int
}

func (c brokenCodec) Encoder(call *front.Call, meta front.Meta) front.Encoder {
	return &brokenEncoder{c.Codec.Encoder(call, meta), c.left}
}

func (e *brokenEncoder) Event(dst []byte, ev *gemini.Event) []byte {
	if e.left--; e.left < 0 {
		panic("BUG: planned")
	}
	return e.Encoder.Event(dst, ev)
}

// A panic over an answer that is being written ends it, and what it came from.
func TestAPanicWhileWritingEndsTheAnswer(t *testing.T) {
	t.Parallel()
	for left := range 3 {
		r := start(t, "a", func(_ *config.Config, s *Server) {
			if s != nil {
				s.fronts.anthropic = brokenCodec{s.fronts.anthropic, left}
			}
		})
		r.fake.Enqueue(fg.Reply(fg.Text("one"), fg.Text("two"), fg.Text("three"), fg.Text("late").Wait(time.Minute)))
		resp := r.open("POST", messages, ask(messages, true))
		if _, err := io.ReadAll(resp.Body); (err == nil) != (left == 0) || (resp.StatusCode == 500) != (left == 0) {
			t.Errorf("after %d events: %d, %v", left, resp.StatusCode, err)
		}
		_ = resp.Body.Close()
		if end, err := r.fake.WaitEnd(t.Context(), r.fake.Requests()[0].Seq); err != nil || end != fg.Cancelled {
			t.Errorf("Gemini's answer ended %s, %v", end, err)
		}
		r.stop()
		has(t, r.log.String(), `"value":"BUG: planned"`, `"error":"internal error"`)
		r.forgetLog()
	}
}
