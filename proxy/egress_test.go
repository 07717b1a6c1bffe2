package proxy

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
)

// startExit is an egress proxy on loopback that connects to whatever it is asked for.
func startExit(t testing.TB) *url.URL {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		to, err := net.Dial("tcp", r.Host)
		if err != nil || r.Method != http.MethodConnect {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		from, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		if _, err := io.WriteString(from, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
			return
		}
		go func() {
			_, _ = io.Copy(to, from)
			_ = to.Close()
		}()
		_, _ = io.Copy(from, to)
		_ = from.Close()
	}))
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("ann", "PLANTED-password")
	return u
}

// behind gives keys an egress proxy of their own.
func behind(cfg *config.Config, proxy *url.URL, names string) {
	for i := range cfg.Keys {
		if strings.Contains(names, cfg.Keys[i].Label) {
			cfg.Keys[i].Proxy = proxy
		}
	}
}

func TestEgress_aRefusedRegionIsLeftAlone(t *testing.T) {
	exit := startExit(t)
	r := start(t, "a b c d", func(cfg *config.Config, _ *Server) { behind(cfg, exit, "c d") })
	here := always(fg.ErrLocation())
	r.fake.Key(keyNamed("a"), here)
	r.fake.Key(keyNamed("b"), here)
	for range 8 {
		if got := r.do("POST", messages, ask(messages, false)); got.status != 200 {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	if asked := r.keysAsked(); strings.Count(asked, "a")+strings.Count(asked, "b") != 1 {
		t.Errorf("keys %s: those of the refused way out are tried once together", asked)
	}
	for _, name := range []string{"a", "b", "c", "d"} {
		if s := r.state(name); s.State != keys.Healthy || s.Failures != 0 {
			t.Errorf("%+v", s)
		}
	}
	r.fake.Key(keyNamed("c"), here)
	r.fake.Key(keyNamed("d"), here)
	for range 3 {
		got := r.do("POST", messages, ask(messages, false))
		if got.status != 403 {
			t.Errorf("%d", got.status)
		}
		has(t, got.body, "permission_error", "set PROXY_URL, or proxy= behind keys in the keys file")
	}
	if n := len(r.fake.Requests()); n != 10 {
		t.Errorf("Google was asked %d times", n)
	}
}

func TestEgress_aDeadProxyCostsNoKeyAndNoRequest(t *testing.T) {
	dead := &url.URL{Scheme: "socks5", Host: "127.0.0.1:1", User: url.UserPassword("ann", "PLANTED-password")}
	r := start(t, "a b c", func(cfg *config.Config, _ *Server) { behind(cfg, dead, "a b") })
	for range 6 {
		if got := r.do("POST", messages, ask(messages, true)); got.status != 200 {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	if asked := r.keysAsked(); asked != "c c c c c c" {
		t.Errorf("keys %s", asked)
	}
	if s := r.state("a"); s.State != keys.Healthy || s.Failures != 0 {
		t.Errorf("%+v", s)
	}
	only := start(t, "a", func(cfg *config.Config, _ *Server) { behind(cfg, dead, "a") })
	got := only.do("POST", messages, ask(messages, false))
	if got.status != 502 {
		t.Errorf("%d", got.status)
	}
	has(t, got.body, "through the proxy socks5://127.0.0.1:1 (user ")
	hasNot(t, got.body, "PLANTED")
}

// Where the keys that can be reached are dry and another one is behind a dead proxy, it is the dry ones that count: a model of
// MODEL_FALLBACK serves, or the request waits for them, or is told of them.
func TestEgress_aDeadProxyDoesNotHideDryKeys(t *testing.T) {
	dead := &url.URL{Scheme: "http", Host: "127.0.0.1:1"}
	f := func(e *fg.APIError, change func(*config.Config), path, body string, want int, words ...string) {
		t.Helper()
		r := start(t, "a b", func(cfg *config.Config, s *Server) {
			if s == nil {
				behind(cfg, dead, "b")
				change(cfg)
			}
		})
		r.fake.Key(keyNamed("a"), fg.KeyRule{Error: e, Model: "gemini-3.8-flash", Times: 1})
		got := r.do("POST", path, body)
		if got.status != want {
			t.Errorf("%d %s", got.status, got.body)
		}
		has(t, got.header.Get("x-gca-model")+got.header.Get("Retry-After")+got.body, words...)
	}
	waits := func(cfg *config.Config) { cfg.QueueTimeout = 30 * time.Second }
	fallsBack := func(cfg *config.Config) { withFallback(cfg, nil) }
	noRetries := func(cfg *config.Config) { fallsBack(cfg); cfg.MaxRetries = 0 }
	body := ask(messages, false)
	f(daily(), fallsBack, messages, body, 200, second)
	f(daily(), noRetries, messages, body, 200, second)
	f(daily(), waits, messages, body, 429, "1 out of quota, 1 behind a way out that does not lead to Gemini; try again in")
	f(daily(), waits, "/v1beta/models/gemini-3.8-flash:generateContent", nativeAsk, 429, "RESOURCE_EXHAUSTED")
	f(minute("1s"), waits, messages, body, 200)
}
