package provision

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
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
	if err := awaitHealth(t.Context(), server.URL, "2"); err != nil || asked.Load() != 3 {
		t.Errorf("after %d questions: %v", asked.Load(), err)
	}
}

func TestAwaitHealth_nobodyThere(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := awaitHealth(ctx, "http://127.0.0.1:1", "2")
	if err == nil || err.Kind != KindRolledBack || !strings.Contains(err.Error(), "open TCP port 80") {
		t.Errorf("got %v", err)
	}
}
