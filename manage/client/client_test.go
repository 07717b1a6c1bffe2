package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
	return &Client{Profile: Profile{URL: server.URL, Token: "tok"}}
}

func TestAsk(t *testing.T) {
	var pieces []string
	got, err := serve(t, 200, stream+stop).Ask(t.Context(), "m", "hi", func(s string) { pieces = append(pieces, s) })
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
		_, err := serve(t, status, body).Ask(t.Context(), "m", "hi", func(string) {})
		var e *Error
		if !errors.As(err, &e) || e.Hop != hop || !strings.Contains(err.Error(), want) {
			t.Errorf("%d: got %v, want hop %s and %q", status, err, hop, want)
		}
	}
	f(401, `{"error":{"message":"who are you"}}`, "token", "gca connect")
	f(503, `{"error":{"message":"no usable Gemini API key: 2 invalid"}}`, "gemini", "2 invalid")
	f(502, `{"error":{"message":"gemini: the connection failed: dial tcp 203.0.113.7:443: connect: connection refused"}}`, "gemini", "hint: the adapter cannot reach Gemini")
	f(502, `{"error":{"message":"the adapter does not answer; run gemini-manage status on the server"}}`, "adapter", "gca start HOST")
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
	nobody := &Client{Profile: Profile{URL: "http://127.0.0.1:1"}}
	if _, err := nobody.Health(t.Context()); err == nil || !strings.Contains(err.Error(), "cannot connect to http://127.0.0.1:1") {
		t.Errorf("nobody there: got %v", err)
	}
	for _, url := range []string{"https" + strings.TrimPrefix(serve(t, 200, "{}").Profile.URL, "http"), "https://127.0.0.1:1"} {
		want := "plain http: gca connect http" + strings.TrimPrefix(url, "https")
		if _, err := (&Client{Profile: Profile{URL: url}}).Health(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", url, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := nobody.Health(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
}

func TestParseURL(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		got, err := ParseURL(in)
		if (err != nil) != (want == "") || got != want {
			t.Errorf("%q: got %q, %v", in, got, err)
		}
	}
	f("203.0.113.9", "http://203.0.113.9")
	f("http://h:8080/", "http://h:8080")
	f("https://h/v1", "https://h")
	f("https://h/v1/", "https://h")
	f("http://[2001:db8::1]", "http://[2001:db8::1]")
	f("", "")
	f("ftp://h", "")
	f("http://user:pw@h", "")
}

func TestProfile_savedForThisUserAlone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "gca", "profile.json")
	if _, err := Load(file); !errors.Is(err, ErrNoProfile) {
		t.Errorf("before: got %v", err)
	}
	want := Profile{URL: "http://h", Token: "tok"}
	for range 2 {
		if err := Save(file, want); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Load(file)
	info, statErr := os.Stat(file)
	if err != nil || got != want || statErr != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %+v, mode %v, errors %v %v", got, info.Mode(), err, statErr)
	}
	entries, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, error %v", entries, err)
	}
}
