package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
)

const secret = "AIzaSyPLANTEDPLANTEDPLANTED9876"

func lease(t testing.TB) *keys.Lease {
	t.Helper()
	pool := keys.New([]config.Key{{Secret: config.NewSecret(secret)}}, keys.Options{MaxFailures: 3, CoolingPeriod: time.Minute})
	l, err := pool.Acquire(t.Context(), keys.Want{Model: "m"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// serve starts a server that ends with the test, and a client of it.
func serve(t testing.TB, h http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	base, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	c := New(Options{BaseURL: base, FirstByte: time.Second, Idle: time.Second, UserAgent: "gca/test"})
	t.Cleanup(c.Close)
	return c
}

func hello() *Request {
	return new(Client).Encode("models/gemini-3.8-flash", &gemini.Request{
		Contents: []gemini.Content{{Role: gemini.RoleUser, Parts: []gemini.Part{{Text: gemini.Quote("1 < 2 & 3")}}}},
	})
}

// read opens an answer and reads it to its end.
func read(t *testing.T, c *Client) (events []gemini.EventKind, err error) {
	t.Helper()
	s, err := c.Open(t.Context(), lease(t), hello())
	if err != nil {
		return nil, err
	}
	for {
		ev, err := s.Next()
		if err != nil {
			if cerr := s.Close(); cerr != nil {
				t.Error(cerr)
			}
			return events, err
		}
		events = append(events, ev.Kind)
	}
}

func kind(t *testing.T, err error) Kind {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%v is no *Error", err)
	}
	if strings.Contains(e.Error(), "PLANTED") {
		t.Errorf("the key stands in %s", e)
	}
	return e.Kind
}

// E1: what goes out.
func TestOneCredentialOneBody(t *testing.T) {
	var got []*http.Request
	var bodies []string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got, bodies = append(got, r), append(bodies, string(b))
		fmt.Fprint(w, "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"x\"}]},\"finishReason\":\"STOP\"}]}\r\n\r\n")
	})
	request := hello()
	for range 2 {
		s, err := c.Open(t.Context(), lease(t), request)
		if err != nil {
			t.Fatal(err)
		}
		for err == nil {
			_, err = s.Next()
		}
		if err != io.EOF {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	for i, r := range got {
		if r.RequestURI != "/v1beta/models/gemini-3.8-flash:streamGenerateContent?alt=sse" || r.Method != "POST" {
			t.Errorf("%s %s", r.Method, r.RequestURI)
		}
		want := http.Header{"X-Goog-Api-Key": {secret}, "User-Agent": {"gca/test"}, "Content-Type": {"application/json"}, "Content-Length": {fmt.Sprint(len(bodies[i]))}}
		if !reflect.DeepEqual(r.Header, want) {
			t.Errorf("headers %v", r.Header)
		}
		if bodies[i] != `{"contents":[{"role":"user","parts":[{"text":"1 < 2 & 3"}]}]}` {
			t.Errorf("body %s", bodies[i])
		}
	}
	if got[0].RemoteAddr != got[1].RemoteAddr {
		t.Error("the connection was not used again")
	}
}

func TestAnswers(t *testing.T) {
	f := func(want Kind, status int, body string) {
		t.Helper()
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		})
		_, err := read(t, c)
		if want == kinds {
			if err != io.EOF {
				t.Errorf("%s: %v, want the end", body, err)
			}
			return
		}
		if got := kind(t, err); got != want {
			t.Errorf("%s: %v, want %v", body, err, want)
		}
	}
	whole := kinds
	chunk := func(parts, finish string) string {
		return `data: {"candidates":[{"content":{"parts":[` + parts + `]},"finishReason":"` + finish + `"}]}` + "\r\n\r\n"
	}
	text, call, image := `{"text":"x"}`, `{"functionCall":{"name":"f"}}`, `{"inlineData":{"mimeType":"image/png","data":"AAAA"}}`
	f(whole, 200, chunk(text, "STOP"))
	f(whole, 200, chunk(call, "STOP"))
	f(whole, 200, chunk(image, "STOP"))
	f(whole, 200, chunk(text, "")+chunk("", "STOP"))
	f(whole, 200, chunk(text, "FOO"))
	f(whole, 200, chunk("", "MAX_TOKENS"))
	f(whole, 200, chunk("", "SAFETY"))
	f(whole, 200, chunk(call, "")+chunk("", "MALFORMED_FUNCTION_CALL"))
	f(whole, 200, `data: {"promptFeedback":{"blockReason":"OTHER"}}`+"\n\n")
	f(whole, 200, chunk(text, "STOP")+"data: [DONE]\n\n")
	f(whole, 200, chunk(text, "STOP")+`data: {"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}`+"\n\n")
	f(whole, 200, chunk(text, "STOP")+`data: {"cand`)
	f(Unusable, 200, chunk("", "STOP"))
	f(Unusable, 200, chunk(`{"text":" \n"}`, "STOP"))
	f(Unusable, 200, chunk(`{"text":"hm","thought":true}`, "STOP"))
	f(Unusable, 200, chunk("", "FOO"))
	f(Unusable, 200, chunk("", "MALFORMED_FUNCTION_CALL"))
	f(Unusable, 200, chunk(text, "")+chunk("", "UNEXPECTED_TOOL_CALL"))
	f(Signature, 200, chunk("", "MISSING_THOUGHT_SIGNATURE"))
	f(Cut, 200, chunk(text, ""))
	f(Cut, 200, "")
	f(Cut, 200, `data: {"candidates":[{"cont`)
	f(Garbled, 200, "data: nonsense\n\n")
	f(Overloaded, 200, chunk(text, "")+`data: {"error":{"code":503,"message":"busy, key `+secret+`","status":"UNAVAILABLE"}}`+"\n\n")
	f(Overloaded, 200, `[{"error":{"message":"busy","status":"UNAVAILABLE"}}]`)
	f(KeyInvalid, 401, "key "+secret)
	f(BadRequest, 400, `{"error":{"code":400,"message":"no `+secret+`","status":"INVALID_ARGUMENT"}}`)
	f(BadGateway, 502, "<html>")
	f(Garbled, 204, "")
}

// A redirect would carry the key elsewhere.
func TestRedirectsAreNotFollowed(t *testing.T) {
	asked := 0
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	})
	if _, err := read(t, c); kind(t, err) != Garbled || asked != 1 {
		t.Errorf("%v after %d requests", err, asked)
	}
}

func TestTimeouts(t *testing.T) {
	f := func(want Kind, firstByte, idle time.Duration, h http.HandlerFunc) {
		t.Helper()
		c := serve(t, h)
		c.Wait(firstByte, idle)
		began := time.Now()
		if _, err := read(t, c); kind(t, err) != want || time.Since(began) > 5*time.Second {
			t.Errorf("%v after %v, want %v", err, time.Since(began), want)
		}
	}
	const short, long = 50 * time.Millisecond, time.Minute
	f(NoFirstByte, short, long, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // so that the server sees the client go
		<-r.Context().Done()
	})
	f(Silent, long, short, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"x\"}]}}]}\n\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	f(Silent, long, short, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"x\"}]}}]}\n\n: keep-alive\n\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	f(Overloaded, short, long, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable) // and never a body
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
}

// A request of some megabytes takes a while on a home's line, which is no silence of Google's.
func TestALongRequestMayTakeItsTime(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		for b := make([]byte, 64<<10); ; time.Sleep(10 * time.Millisecond) { // 6 MB a second at most
			if _, err := io.ReadFull(r.Body, b); err != nil {
				break
			}
		}
		fmt.Fprint(w, "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"x\"}]},\"finishReason\":\"STOP\"}]}\n\n")
	})
	c.Wait(100*time.Millisecond, c.options.Idle)
	long := new(Client).Encode("m", &gemini.Request{Contents: []gemini.Content{{Parts: []gemini.Part{{Text: gemini.Quote(strings.Repeat("x", 8<<20))}}}}})
	s, err := c.Open(t.Context(), lease(t), long)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// Nor does it matter that Google, or a proxy on the way, does not hang up.
func TestSilenceAfterTheLastWord(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"x\"}]},\"finishReason\":\"STOP\"}]}\n\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	c.Wait(c.options.FirstByte, 50*time.Millisecond)
	if _, err := read(t, c); err != io.EOF {
		t.Error(err)
	}
}

func TestTheCallerCancels(t *testing.T) {
	gone := make(chan struct{})
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		close(gone)
	})
	ctx, cancel := context.WithCancelCause(t.Context())
	s, err := c.Open(ctx, lease(t), hello())
	if err != nil {
		t.Fatal(err)
	}
	cancel(errors.New("the client went home"))
	if _, err := s.Next(); kind(t, err) != Cancelled || err.(*Error).Message != "the client went home" {
		t.Error(err)
	}
	<-gone
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := c.Open(ctx, lease(t), hello()); kind(t, err) != Cancelled {
		t.Error(err)
	}
}

// nowhere is an address where nobody listens.
func nowhere() *url.URL { return &url.URL{Scheme: "http", Host: "127.0.0.1:1"} }

func TestUnreachable(t *testing.T) {
	c := New(Options{BaseURL: nowhere(), FirstByte: time.Second, Idle: time.Second})
	if _, err := read(t, c); kind(t, err) != Unreachable {
		t.Error(err)
	}
}

// endless repeats a chunk.
type endless struct {
	chunk string
	at    int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.chunk[e.at:])
	e.at = (e.at + n) % len(e.chunk)
	return n, nil
}

func (e *endless) Close() error { return nil }

func BenchmarkNext(b *testing.B) {
	body := &endless{chunk: `data: {"candidates":[{"content":{"parts":[{"text":"a piece of text as it comes, some sixty characters of it"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":90,"candidatesTokenCount":24,"totalTokenCount":145},"modelVersion":"gemini-3.8-flash","responseId":"abc"}` + "\r\n\r\n"}
	ctx, cancel := context.WithCancelCause(b.Context())
	whole := &segment{ctx: ctx, cancel: cancel, watch: idleWatch(cancel), idle: time.Minute, body: body, reader: gemini.NewReader(body)}
	s := &Stream{ctx: ctx, lease: lease(b), segment: whole}
	b.ReportAllocs()
	for b.Loop() {
		for {
			ev, err := s.Next()
			if err != nil {
				b.Fatal(err)
			}
			if ev.Kind == gemini.EventUsage {
				break
			}
		}
	}
}
