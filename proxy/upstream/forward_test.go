package upstream

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func ask(late bool) *Raw {
	return &Raw{Method: "POST", Target: "/v1beta/models/m:x?alt=sse", Header: http.Header{"X-Goog-Api-Client": {"c"}}, Body: []byte("{ }"), Late: late}
}

func TestForward(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || string(body) != "{ }" || r.RequestURI != "/v1beta/models/m:x?alt=sse" || r.Header.Get("x-goog-api-key") != secret ||
			r.Header.Get("User-Agent") != "gca/test" || r.Header.Get("x-goog-api-client") != "c" {
			t.Errorf("%v %s %s %v", err, r.RequestURI, body, r.Header)
		}
		w.Header().Set("X-Of-Google", "1")
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, "some bytes") // a test's client is there
	})
	p, err := c.Forward(t.Context(), lease(t), ask(false))
	if err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(p)
	if err != nil || string(all) != "some bytes" || p.Status != http.StatusAccepted || p.Header.Get("X-Of-Google") != "1" || p.Refusal != nil {
		t.Errorf("%v %s %+v", err, all, p)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

// A refusal is there whole, is named by the table, and holds no key, whatever its status.
func TestForwardRefusals(t *testing.T) {
	f := func(status int, body string, want Kind) {
		t.Helper()
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body) // a test's client is there
		})
		p, err := c.Forward(t.Context(), lease(t), ask(false))
		if err != nil {
			t.Fatal(err)
		}
		all, err := io.ReadAll(p)
		if err != nil || p.Refusal == nil || p.Refusal.Kind != want || p.Status != status || strings.Contains(p.Refusal.Message, secret) {
			t.Errorf("%v %+v", err, p.Refusal)
		}
		if string(all) != strings.ReplaceAll(body, secret, "***") {
			t.Errorf("%s", all)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	quota := google(429, "RESOURCE_EXHAUSTED", "You exceeded your quota.", retry("9s"))
	f(429, quota, MinuteQuota)
	f(200, "data: "+quota+"\r\n\r\n", MinuteQuota)
	f(200, "[\n"+quota+"]", MinuteQuota)
	f(403, google(403, "PERMISSION_DENIED", "Consumer 'api_key:"+secret+"' has been suspended.", ""), KeySuspended)
	f(502, "<html>"+strings.Repeat("x", 40<<10), BadGateway)
}

func TestForwardTimes(t *testing.T) {
	hold := make(chan struct{})
	defer close(hold)
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Part") != "" {
			_, _ = io.WriteString(w, "part") // a test's client is there
			_ = http.NewResponseController(w).Flush()
		}
		select {
		case <-hold:
		case <-r.Context().Done():
		}
	})
	c.Wait(50*time.Millisecond, 20*time.Second)
	began := time.Now()
	_, err := c.Forward(t.Context(), lease(t), ask(false))
	if kind(t, err) != NoFirstByte || time.Since(began) >= 20*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
	c.Wait(50*time.Millisecond, 200*time.Millisecond)
	began = time.Now()
	_, err = c.Forward(t.Context(), lease(t), ask(true))
	if kind(t, err) != NoFirstByte || time.Since(began) < 200*time.Millisecond {
		t.Errorf("%v after %v", err, time.Since(began))
	}
	raw := ask(false)
	raw.Header.Set("X-Part", "1")
	p, err := c.Forward(t.Context(), lease(t), raw)
	if err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(p)
	if kind(t, err) != Silent || string(all) != "part" {
		t.Errorf("%s, %v", all, err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}
