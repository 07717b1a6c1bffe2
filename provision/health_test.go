package provision

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestAwaitHealth(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answer := `{"status":"unhealthy","version":"2"}`
		switch asked.Add(1) {
		case 1:
			w.WriteHeader(http.StatusBadGateway)
			answer = "<html>"
		case 2:
			answer = `{"status":"healthy","version":"1"}`
		case 3:
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		if _, err := io.WriteString(w, answer); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	if i, err := awaitHealth(t.Context(), "2", door{url: server.URL, client: http.DefaultClient}); err != nil || i != 0 || asked.Load() != 3 {
		t.Errorf("after %d questions: door %d, %v", asked.Load(), i, err)
	}
}

func TestAwaitHealth_nobodyThere(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := awaitHealth(ctx, "2", door{url: "http://127.0.0.1:1", client: http.DefaultClient})
	if err == nil || err.Kind != KindRolledBack || !strings.Contains(err.Error(), "open TCP port 80") {
		t.Errorf("got %v", err)
	}
}

func TestError_heardInside(t *testing.T) {
	f := func(cause error, words ...string) {
		t.Helper()
		got := (&Error{Message: "the adapter does not answer", Err: unheard(cause), Hint: "curl"}).heardInside("80", "").Error()
		for _, word := range append(words, "it answered on the server itself") {
			if !strings.Contains(got, word) {
				t.Errorf("%q does not say %q", got, word)
			}
		}
		if strings.Contains(got, "curl") || strings.Contains(got, "Get ") {
			t.Errorf("%q", got)
		}
	}
	ask := func(within time.Duration, url string) error {
		ctx, cancel := context.WithTimeout(t.Context(), within)
		defer cancel()
		return askHealth(ctx, http.DefaultClient, url, "2")
	}
	f(ask(0, "http://127.0.0.1:1"), "no answer within 30 s", "stops TCP port 80")
	f(ask(time.Minute, "http://127.0.0.1:1"), "connection refused", "stops TCP port 80")
	closed := (&Error{Err: unheard(ask(time.Minute, "http://127.0.0.1:1"))}).heardInside("80", "ufw was left alone: ufw allow 80/tcp").Hint
	if !strings.Contains(closed, "a firewall there may keep you out: ufw was left alone: ufw allow 80/tcp\n") || strings.Contains(closed, "provider") {
		t.Errorf("of the server's own firewall it says %q", closed)
	}
	foreign := httptest.NewServer(http.NotFoundHandler())
	defer foreign.Close()
	f(ask(time.Minute, foreign.URL), "404 Not Found came instead", "the address is this server's")
}

// Where the public address is closed from here, the other door counts.
func TestAwaitHealth_inside(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if _, err := io.WriteString(w, `{"status":"healthy","version":"2"}`); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	i, err := awaitHealth(t.Context(), "2", door{url: "http://127.0.0.1:1", client: http.DefaultClient}, door{url: server.URL, client: http.DefaultClient})
	if err != nil || i != 1 {
		t.Errorf("door %d, %v", i, err)
	}
}
