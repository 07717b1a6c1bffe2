package main

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// hook is a webhook that a lab server can reach.
type hook struct {
	url string

	mu    sync.Mutex
	texts []string
}

func newHook(t *testing.T, r *rig) *hook {
	t.Helper()
	h := &hook{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		h.mu.Lock()
		defer h.mu.Unlock()
		if err == nil {
			h.texts = append(h.texts, string(body))
		}
	}))
	listener, err := net.Listen("tcp", net.JoinHostPort(r.server.Gateway, "0"))
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Listener.Close(); err != nil {
		t.Fatal(err)
	}
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	h.url = server.URL + "/hook-secret-path"
	return h
}

func (h *hook) taken() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string(nil), h.texts...)
}

// testAlerts has the timer's service look at an adapter that is stopped: it runs as deployed, as the adapter's user, tells it
// once, and everything shows.
func testAlerts(t *testing.T, r *rig) {
	h := newHook(t, r)
	r.on("systemctl is-active gemini-adapter-alerts.timer && systemctl is-enabled gemini-adapter-alerts.timer && systemctl stop gemini-adapter-alerts.timer")
	r.scores("gemini-adapter-alerts.service")
	if got := r.run(nil, r.verb(words("alerts test"))...); got.code != exitFailed || !strings.Contains(got.err, "no channel is set") {
		t.Errorf("alerts test without a channel: %d\n%s%s", got.code, got.out, got.err)
	}
	r.on("echo " + h.url + " | gemini-manage config set ALERT_WEBHOOK_URL=-")
	if got := r.on("gemini-manage config get ALERT_WEBHOOK_URL"); strings.Contains(got, "hook-secret-path") || !strings.Contains(got, "/***") {
		t.Errorf("config get shows %s", got)
	}
	wantText(t, r.on("gemini-manage status || true"), "alerts      told by webhook") // before the first look that knows it
	wantText(t, r.ok(nil, r.verb(words("alerts test"))...).out, "webhook   delivered")
	look := "systemctl start gemini-adapter-alerts.service; "
	r.on(look + "gemini-manage stop; " + look + look + look)
	got := h.taken()
	if len(got) != 2 || !strings.Contains(got[0], "a test of the alerts") || !strings.Contains(got[1], "ALERT health: the adapter does not answer") {
		t.Errorf("the webhook got %q", got)
	}
	shown := r.run(nil, r.verb(words("alerts"))...)
	wantText(t, shown.out, "health       FIRING since ", "webhook      last sent ", "the adapter does not answer")
	if shown.code != exitFailed {
		t.Errorf("alerts while one fires: exit code %d", shown.code)
	}
	wantText(t, r.on("su -s /bin/sh nobody -c 'gemini-manage alerts' || true"), "health       FIRING since ")
	wantText(t, r.on("gemini-manage status || true"), "the service is inactive", "alerts      told by webhook; firing: health", "backup      none yet", "machine     / ")
	wantText(t, r.on("stat -c '%a %U' /var/lib/gca-alerts /var/lib/gca-alerts/state.json"), "755 gemini\n644 gemini")
	if said := r.on("cat /var/lib/gca-alerts/state.json; journalctl -u gemini-adapter-alerts -o cat"); strings.Contains(said, "hook-secret-path") || strings.Contains(said, "Starting") {
		t.Errorf("a secret, or the timer's noise, is in\n%s", said)
	}
	testBundle(t, r)
	r.on("gemini-manage start; systemctl reset-failed gemini-adapter-alerts.service; " + look + "gemini-manage config set ALERT_WEBHOOK_URL=; " + look + "systemctl start gemini-adapter-alerts.timer; gemini-manage status")
}
