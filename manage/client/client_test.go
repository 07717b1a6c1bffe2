package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/gemini-claude-adapter/gca/manage/client/clienttest"
	"github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

const stream = `event: message_start
data: {"type":"message_start","message":{"model":"m"}}

event: ping
data: {"type":"ping"}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hel"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"lo"}}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":3,"cache_read_input_tokens":4,"output_tokens":2}}

`

const stop = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"

func serve(t *testing.T, status int, body string) *Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" && r.Header.Get("Authorization") != "Bearer tok" {
			t.Errorf("Authorization: %q", r.Header.Get("Authorization"))
		}
		w.WriteHeader(status)
		if _, err := io.WriteString(w, body); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return New(Profile{URL: server.URL, Token: "tok"})
}

func TestAsk(t *testing.T) {
	var pieces []string
	got, err := serve(t, 200, stream+stop).Ask(t.Context(), Simple("m", "hi"), func(s string) { pieces = append(pieces, s) })
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprintf("%v %s %s %d %d %s", pieces, got.Text, got.Model, got.Input, got.Output, got.Stop) != "[hel lo] hello m 7 2 end_turn" || got.FirstText <= 0 {
		t.Errorf("got %v %+v", pieces, got)
	}
}

func TestAsk_failures(t *testing.T) {
	f := func(status int, body, hop, want string) {
		t.Helper()
		c := serve(t, status, body)
		c.Profile.Host = "root@vps"
		_, err := c.Ask(t.Context(), Simple("m", "hi"), func(string) {})
		var e *Error
		if !errors.As(err, &e) || e.Hop != hop || !strings.Contains(err.Error(), want) || strings.Count(err.Error(), "hint: ") > 1 {
			t.Errorf("%d: got %v, want hop %s and %q", status, err, hop, want)
		}
	}
	f(401, `{"error":{"message":"who are you"}}`, "token", "gca connect")
	f(503, `{"error":{"message":"no usable Gemini API key: 2 invalid\nhint: gca keys list HOST says why, gca keys add HOST adds one (without HOST on the server)"}}`,
		"gemini", "2 invalid\nhint: gca keys list root@vps says why, gca keys add root@vps adds one")
	f(429, `{"error":{"message":"no usable Gemini API key: 2 rate limited; try again in 30s"}}`, "gemini", "in 30s\nhint: try again later; gca keys list root@vps shows until when")
	f(529, `{"error":{"message":"gemini: The model is overloaded."}}`, "gemini", "overloaded.\nhint: try again later; Gemini failed, not the keys")
	f(504, `{"error":{"message":"gemini: no first byte"}}`, "gemini", "hint: try again later")
	f(403, `{"error":{"message":"the Gemini API is not available from this server's location\nhint: set PROXY_URL"}}`, "gemini", "location\nhint: set PROXY_URL")
	f(503, `{"error":{"message":"the adapter is busy\nhint: ask again in a moment"}}`, "adapter", "busy\nhint: ask again in a moment")
	f(404, `{"error":{"message":"model: nosuch"}}`, "model", "there is no such model: nosuch\nhint: gca chat, then /model,")
	f(404, `{"error":{"message":"model: fast: none may use it\nhint: MODEL_MAP says so; gca config get HOST MODEL_MAP shows it"}}`, "model", "it\nhint: MODEL_MAP says so; gca config get root@vps MODEL_MAP shows it")
	f(502, `{"error":{"message":"gemini: the connection failed: dial tcp 203.0.113.7:443: connect: connection refused"}}`, "gemini", "hint: the adapter cannot reach Gemini")
	f(502, `{"error":{"message":"the adapter does not answer; run gemini-manage status on the server"}}`, "adapter", "gca start root@vps")
	f(429, `{"error":{"message":"token laptop has made 3 requests within a minute"}}`, "adapter", "gca tokens list")
	f(500, `<html>`, "adapter", "500")
	f(200, stream, "network", "before the answer did")
	f(200, stream+"data: {\"type\":\"error\",\"error\":{\"message\":\"overloaded\"}}\n\n", "gemini", "overloaded")
	f(200, "data: {broken\n\n", "network", "not JSON")
}

func TestHealth(t *testing.T) {
	h, err := serve(t, 503, `{"status":"unhealthy","active_keys":0,"total_keys":3,"version":"1"}`).Health(t.Context())
	if err != nil || h.Status != "unhealthy" || h.TotalKeys != 3 {
		t.Errorf("got %+v, error %v", h, err)
	}
	if _, err := serve(t, 200, "<html>Welcome to nginx!").Health(t.Context()); err == nil || !strings.Contains(err.Error(), "not as an adapter does") {
		t.Errorf("a foreign server: got %v", err)
	}
	nobody := New(Profile{URL: "http://127.0.0.1:1"})
	if _, err := nobody.Health(t.Context()); err == nil || !strings.Contains(err.Error(), "cannot connect to http://127.0.0.1:1") {
		t.Errorf("nobody there: got %v", err)
	}
	for _, url := range []string{"https" + strings.TrimPrefix(serve(t, 200, "{}").Profile.URL, "http"), "https://127.0.0.1:1"} {
		want := "deployed without TLS: gca connect http" + strings.TrimPrefix(url, "https")
		if _, err := New(Profile{URL: url}).Health(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", url, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := nobody.Health(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
}

// Only a port that is refused, or speaks HTTP, says that there is no HTTPS; and this machine has no provider.
func TestHealth_unreached(t *testing.T) {
	f := func(url string, why error, hop, want string) {
		t.Helper()
		dial := func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: why}
		}
		_, err := NewVia(Profile{URL: url, Host: "root@vps"}, dial).Health(t.Context())
		var e *Error
		if !errors.As(err, &e) || e.Hop != hop || !strings.Contains(err.Error(), want) {
			t.Errorf("%s, %v: got %v", url, why, err)
		}
	}
	refused, noRoute := errors.New("connect: connection refused"), errors.New("connect: no route to host")
	f("https://192.0.2.1", refused, HopTLS, "there is no HTTPS at https://192.0.2.1\nhint: if the adapter was deployed without TLS: gca connect http://192.0.2.1")
	f("https://192.0.2.1", os.ErrDeadlineExceeded, HopNetwork, "cannot connect to https://192.0.2.1: i/o timeout\nhint: is the server up, and does its provider's firewall let that port in? gca status root@vps")
	f("https://192.0.2.1", noRoute, HopNetwork, "no route to host")
	f("https://192.0.2.1", &net.DNSError{Name: "x.example"}, HopName, "no such host: x.example")
	f("http://127.0.0.1:1", refused, HopNetwork, "hint: nothing listens there on this machine: gca serve")
	f("http://[::1]:1", refused, HopNetwork, "nothing listens there on this machine")
}

func TestHealth_silence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &Client{Profile{URL: "http://127.0.0.1:1"}, &http.Client{Transport: silent{}}}
		_, health := c.Health(t.Context())
		_, who := c.Who(t.Context())
		for _, err := range []error{health, who} {
			if err == nil || !strings.HasPrefix(err.Error(), "http://127.0.0.1:1: no answer within 10 s\nhint: ") {
				t.Errorf("got %v", err)
			}
		}
	})
}

// The adapter itself, with every kind of part in the question.
func TestAsk_adapter(t *testing.T) {
	a := clienttest.Start(t)
	c := New(Profile{URL: a.URL, Token: clienttest.Token})
	defer c.Close()
	a.Fake.Enqueue(fakegemini.Say("I see ", "it"), fakegemini.Say("whole"))
	png, err := NewAttachment("dot.png", pixel(t))
	if err != nil {
		t.Fatal(err)
	}
	text, err := NewAttachment("a.go", []byte("package a // ```\n"))
	if err != nil {
		t.Fatal(err)
	}
	q := Question{Model: "gemini-3.8-flash", System: "be short", Turns: []Turn{
		Said(User, "hello"), Said(Assistant, "hi"), {User, []Part{{Text: "what is it?"}, {Attached: png}, {Attached: text}}},
	}}
	got, err := c.Ask(t.Context(), q, func(string) {})
	if err != nil || got.Text != "I see it" || got.Model != "gemini-3.8-flash" || got.Stop != "end_turn" || got.Input == 0 || got.Output == 0 {
		t.Errorf("streamed: %+v, %v", got, err)
	}
	q.Whole = true
	var pieces int
	got, err = c.Ask(t.Context(), q, func(string) { pieces++ })
	if err != nil || got.Text != "whole" || pieces != 1 || got.Stop != "end_turn" || got.Input == 0 || got.FirstText <= 0 || got.FirstText > got.Total {
		t.Errorf("whole: %+v, %v", got, err)
	}
	asked := a.Fake.Requests()
	body := string(asked[len(asked)-1].Body)
	for _, want := range []string{"be short", "hello", "image/png", "File a.go", "````"} {
		if !strings.Contains(body, want) {
			t.Errorf("Gemini was not asked %q: %s", want, body)
		}
	}
}

func TestAsk_silence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &Client{Profile{URL: "http://127.0.0.1:1"}, &http.Client{Transport: silent{}}}
		_, err := c.Ask(t.Context(), Simple("m", "hi"), func(string) {})
		if err == nil || !strings.Contains(err.Error(), "nothing was heard for 2m0s") {
			t.Errorf("got %v", err)
		}
	})
}

// silent never answers.
type silent struct{}

func (silent) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// A server that sends us elsewhere does not get the token there.
func TestAsk_redirect(t *testing.T) {
	other := serve(t, 200, "{}")
	server := httptest.NewServer(http.RedirectHandler(other.Profile.URL+"/v1/messages", http.StatusPermanentRedirect))
	t.Cleanup(server.Close)
	_, err := New(Profile{URL: server.URL, Token: "tok"}).Ask(t.Context(), Simple("m", "hi"), func(string) {})
	if err == nil || !strings.Contains(err.Error(), "\nhint: gca connect "+other.Profile.URL) || strings.Contains(err.Error(), "/v1/messages") {
		t.Errorf("got %v", err)
	}
}

func TestMayTell(t *testing.T) {
	f := func(p Profile, want string) {
		t.Helper()
		_, err := New(p).Ask(t.Context(), Simple("m", "hi"), func(string) {})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v", p, err)
		}
	}
	const public = "http://192.0.2.1" // nobody's, and not dialled
	f(Profile{URL: public, Token: "tok"}, "is plain HTTP to a public address")
	f(Profile{URL: "http://127.0.0.1:1", Token: "tok"}, "cannot connect")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, p := range []Profile{{URL: public}, {URL: public, Token: "tok", PlainHTTP: true}} {
		if _, err := New(p).Ask(ctx, Simple("m", "hi"), func(string) {}); !errors.Is(err, context.Canceled) {
			t.Errorf("%+v: got %v", p, err)
		}
	}
}
