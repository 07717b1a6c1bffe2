package proxy

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
	"github.com/gemini-claude-adapter/gca/proxy/upstream"
)

// Claude Code repeats a 400 five times within a moment: what could not be mended once is not asked for again, whichever way
// Google worded it.
// Documents of types that Google does not take are refused before it is asked, like files in the other protocols.
func TestDocumentsOfUnknownTypes(t *testing.T) {
	r := start(t, "a", nil)
	f := func(mimeType string, status int) {
		t.Helper()
		body := `{"model":"gemini-3.8-flash","max_tokens":9,"messages":[{"role":"user","content":[{"type":"document","source":{"type":"base64","media_type":"` + mimeType + `","data":"UEsDBA=="}}]}]}`
		if got := r.do("POST", messages, body); got.status != status || status == 400 && !strings.Contains(got.body, "source.media_type: files of this type are not supported") {
			t.Errorf("%s: %d %s", mimeType, got.status, got.body)
		}
	}
	f("application/zip", 400)
	f("application/x-msdownload", 400)
	if n := len(r.fake.Requests()); n != 0 {
		t.Errorf("Gemini was asked %d times", n)
	}
	f("application/pdf", 200)
	f("application/json", 200)
}

func TestARepeatedRefusalCostsNoCall(t *testing.T) {
	const tools = `,"tools":[{"name":"Read","input_schema":{"type":"object"}}]}`
	f := func(e *fg.APIError, calls int) {
		t.Helper()
		r := start(t, "a b", nil)
		body := strings.TrimSuffix(ask(messages, true), "}") + tools
		r.fake.Respond(func(fg.Recorded) (fg.Answer, bool) { return fg.Fail(e), true })
		first := r.do("POST", messages, body)
		for range 5 {
			got := r.do("POST", messages, body)
			if first.status != 400 || got.status != first.status {
				t.Errorf("%v: %d, then %d %s", e, first.status, got.status, got.body)
			}
			has(t, got.body, "gemini: "+e.Message)
		}
		if n := len(r.fake.Requests()); n != calls {
			t.Errorf("%v: %d calls, want %d", e, n, calls)
		}
		r.do("POST", messages, strings.Replace(body, "hello", "hullo", 1))
		r.do("POST", messages, strings.Replace(body, "claude-opus-5-5", "gemini-2.5-pro", 1))
		if n := len(r.fake.Requests()); n != 3*calls {
			t.Errorf("%v: other requests make it %d calls", e, n)
		}
	}
	f(fg.ErrInvalidArgument(), 2)
	f(fg.Err(400, "Invalid JSON payload received."), 1)

	r := start(t, "a", nil) // a fault of the service is asked again
	for range 6 {
		r.fake.Enqueue(fg.Fail(fg.ErrInternal()))
	}
	r.do("POST", messages, ask(messages, true))
	r.do("POST", messages, ask(messages, true))
	if n := len(r.fake.Requests()); n != 6 {
		t.Errorf("%d calls", n)
	}
}

func TestRefusalsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRefusals()
		req := func(text string) *upstream.Request {
			return new(upstream.Client).Encode("m", &gemini.Request{Contents: []gemini.Content{{Parts: []gemini.Part{{Text: gemini.Quote(text)}}}}})
		}
		why := front.Invalidf("", "no")
		r.put(req("x"), why)
		time.Sleep(refusedFor - time.Nanosecond)
		if r.find(req("x")) != why || r.find(req("y")) != nil {
			t.Error("not remembered, or too much")
		}
		r.put(req("y"), why)
		time.Sleep(time.Nanosecond)
		if r.find(req("x")) != nil || r.find(req("y")) != why {
			t.Error("remembered too long")
		}
		for i := range 3 * maxRefused {
			r.put(req(strings.Repeat("z", i)), why)
		}
		if len(r.recent) > maxRefused {
			t.Errorf("%d are remembered", len(r.recent))
		}
	})
}
