package lab

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"sync/atomic"
	"testing"
	"time"
)

// mirror is a package mirror on loopback that counts what it is asked for.
type mirror struct {
	*httptest.Server
	requests atomic.Int32 // of any kind
	full     atomic.Int32 // answered with a body
}

func newMirror(t *testing.T) *mirror {
	t.Helper()
	m := &mirror{}
	modified := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.requests.Add(1)
		switch {
		case r.URL.Path == "/debian/missing.deb":
			http.NotFound(w, r)
			return
		case r.URL.Path == "/debian/cut.deb":
			w.Header().Set("Content-Length", "100")
			w.WriteHeader(http.StatusOK)
			return
		case r.Header.Get("If-Modified-Since") == modified.Format(http.TimeFormat):
			w.WriteHeader(http.StatusNotModified)
			return
		}
		m.full.Add(1)
		w.Header().Set("Last-Modified", modified.Format(http.TimeFormat))
		fmt.Fprint(w, "body of "+r.URL.Path)
	}))
	t.Cleanup(m.Close)
	return m
}

// newTestProxy returns a client whose proxy is a debProxy over dir for the mirror m.
func newTestProxy(t *testing.T, dir string, m *mirror) *http.Client {
	t.Helper()
	site, err := parseSite(m.URL + "/debian")
	if err != nil {
		t.Fatal(err)
	}
	p, err := newDebProxy(dir, archive{main: site, security: site})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(p)
	t.Cleanup(srv.Close)
	at, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{Proxy: func(*http.Request) (*url.URL, error) { return at, nil }}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func get(t *testing.T, c *http.Client, url string, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func TestDebProxyCaches(t *testing.T) {
	m, dir := newMirror(t), t.TempDir()
	f := func(path string, requests, full int32) {
		t.Helper()
		m.requests.Store(0)
		m.full.Store(0)
		for range 3 {
			// A proxy of its own each time: what one server fetched, another need not.
			status, body := get(t, newTestProxy(t, dir, m), m.URL+path)
			if status != http.StatusOK || body != "body of "+path {
				t.Errorf("%s: got %d %q", path, status, body)
			}
		}
		if r, b := m.requests.Load(), m.full.Load(); r != requests || b != full {
			t.Errorf("%s: the mirror was asked %d times and sent %d bodies, want %d and %d", path, r, b, requests, full)
		}
	}
	f("/debian/pool/a/tree_1.deb", 1, 1)
	f("/debian/dists/x/by-hash/SHA256/00", 1, 1)
	f("/debian/dists/x/InRelease", 3, 1)

	status, body := get(t, newTestProxy(t, dir, m), m.URL+"/debian/pool/a/tree_1.deb", "Range", "bytes=0-3")
	if status != http.StatusPartialContent || body != "body" {
		t.Errorf("a range: got %d %q", status, body)
	}
}

func TestDebProxyRefuses(t *testing.T) {
	m, dir := newMirror(t), t.TempDir()
	c := newTestProxy(t, dir, m)
	f := func(url string, wantStatus int, wantBody string) {
		t.Helper()
		status, body := get(t, c, url)
		if status != wantStatus || body != wantBody {
			t.Errorf("%s: got %d %q, want %d %q", url, status, body, wantStatus, wantBody)
		}
	}
	f("http://127.0.0.1:1/debian/x.deb", http.StatusForbidden, "host \"127.0.0.1:1\" is not the package mirror, and a lab server has no other way out\n")
	f(m.URL+"/debian/missing.deb", http.StatusNotFound, "the mirror says 404 Not Found\n")
	if res, err := c.Get(m.URL + "/debian/cut.deb"); err == nil {
		t.Errorf("a body cut short: got %d instead of a cut connection", res.StatusCode)
		_ = res.Body.Close() // the test has failed already
	}
	res, err := c.Post(m.URL+"/debian/x.deb", "text/plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: got %d, %v", res.StatusCode, err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 0 {
		t.Errorf("refused and broken downloads left %v, %v", left, err)
	}
}
