package proxy

import (
	"fmt"
	"net/url"
	"strconv"
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	"github.com/gemini-claude-adapter/gca/proxy/front"
)

func TestWhoNeedsAToken(t *testing.T) {
	f := func(want openness, host string, behindProxy, anonymous bool, tokens int) {
		t.Helper()
		cfg := &config.Config{Host: host, BehindProxy: behindProxy, AllowAnonymous: anonymous, Tokens: make([]config.Token, tokens)}
		if got := newGate(cfg).open; got != want {
			t.Errorf("%s, behind a proxy %v, anonymous %v, %d tokens: open %v", host, behindProxy, anonymous, tokens, got)
		}
	}
	f(openLocally, "127.0.0.1", false, false, 0)
	f(openLocally, "127.9.9.9", false, false, 0)
	f(openLocally, "::1", false, false, 0)
	f(openLocally, "localhost", false, false, 0)
	f(openToNobody, "127.0.0.1", true, false, 0)
	f(openToNobody, "localhost", true, false, 0)
	f(openToNobody, "0.0.0.0", false, false, 0)
	f(openToNobody, "::", false, false, 0)
	f(openToNobody, "192.0.2.1", false, false, 0)
	f(openToNobody, "localhost.example", false, false, 0)
	f(openToAnybody, "0.0.0.0", false, true, 0)
	f(openToAnybody, "127.0.0.1", true, true, 0)
	f(openToNobody, "0.0.0.0", false, true, 1)
	f(openToNobody, "127.0.0.1", false, false, 1)
}

// The admin token works for everything; where there is no other, the models are as open as without any.
func TestTheAdminToken(t *testing.T) {
	admin := config.Token{Name: "admin", Hash: config.HashToken("boss"), Admin: true}
	client := config.Token{Name: "ann", Hash: config.HashToken("tok")}
	f := func(want, host string, anonymous bool, given string, tokens ...config.Token) {
		t.Helper()
		g := newGate(&config.Config{Host: host, AllowAnonymous: anonymous, Tokens: tokens})
		var h fasthttp.RequestHeader
		h.SetHost("localhost")
		h.Set("Authorization", "Bearer "+given)
		who, refusal := g.admit(&h)
		got := "nobody"
		if who != nil {
			got = who.Name
		}
		for _, e := range []*front.Error{refusal, g.admitAdmin(who)} {
			if e != nil {
				got += fmt.Sprint(" ", e.Kind == front.Unauthorized)
			} else {
				got += " ok"
			}
		}
		if got != want {
			t.Errorf("%s, anonymous %v, %q: %s, want %s", host, anonymous, given, got, want)
		}
	}
	const loopback, all = "127.0.0.1", "0.0.0.0"
	f("admin ok ok", all, false, "boss", admin, client)
	f("ann ok false", all, false, "tok", admin, client)
	f("nobody true true", all, false, "bo", admin, client)
	f("admin ok ok", all, false, "boss", admin)
	f("nobody true true", all, false, "", admin)
	f("nobody ok true", loopback, false, "", admin)
	f("admin ok ok", loopback, false, "boss", admin)
	f("nobody ok true", all, true, "", admin)
	f("admin ok ok", all, true, "boss", admin)
	f("nobody ok true", all, true, "")
	f("nobody ok ok", loopback, false, "")
	f("nobody true true", loopback, false, "", client)
}

func TestBehindAProxyNobodyIsLocal(t *testing.T) {
	r := start(t, "a", func(cfg *config.Config, _ *Server) { cfg.Tokens, cfg.BehindProxy = nil, true })
	if got := r.do("POST", messages, ask(messages, false)); got.status != 401 || len(r.fake.Requests()) != 0 {
		t.Errorf("%d", got.status)
	}
}

// Without tokens the programs of this machine are served, and no web page that its user looks at.
func TestWebPagesAreNotServed(t *testing.T) {
	r := start(t, "a", func(cfg *config.Config, _ *Server) { cfg.Tokens = nil })
	u, err := url.Parse(r.url)
	if err != nil {
		t.Fatal(err)
	}
	request := func(path, host, origin string) result {
		body := ask(path, false)
		head := "POST " + path + " HTTP/1.1\r\nConnection: close\r\nContent-Type: text/plain\r\n"
		if host != "" {
			head += "Host: " + host + "\r\n"
		}
		if origin != "" {
			head += "Origin: " + origin + "\r\n"
		}
		return r.raw(head + "Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body)
	}
	f := func(want int, host, origin string) {
		t.Helper()
		for _, path := range []string{"/v1/messages", completions} {
			got := request(path, host, origin)
			if got.status != want {
				t.Errorf("%s with Host %q, Origin %q: %d %s", path, host, origin, got.status, got.body)
			}
			if want == 403 {
				has(t, got.body, "permission_error", "no web pages")
			}
		}
	}
	f(200, u.Host, "")
	f(200, "127.0.0.1", "")
	f(200, "localhost", "")
	f(200, "LocalHost:80", "")
	f(200, "[::1]:8000", "")
	f(200, "[::1]", "")
	f(200, u.Host, "http://localhost:3000")
	f(200, u.Host, "http://127.0.0.1")
	f(200, u.Host, "http://[::1]:5173")
	f(403, u.Host, "https://evil.example")
	f(403, u.Host, "null")
	f(403, u.Host, "https://localhost.evil.example")
	f(403, u.Host, "https://127.0.0.1.evil.example")
	f(403, u.Host, "https://127.0.0.1@evil.example")
	f(403, u.Host, "chrome-extension://abcdef")
	f(403, "evil.example", "")
	f(403, "evil.example:8000", "http://localhost")
	f(403, "192.0.2.1:8000", "")
	asked := len(r.fake.Requests())
	if asked != 18 {
		t.Errorf("Gemini was asked %d times", asked)
	}
	if got := r.do("GET", "/health", "", "Origin", "https://evil.example"); got.status != 200 {
		t.Errorf("health: %d", got.status)
	}
}

func TestOpenToAnybodyIsOpenToWebPages(t *testing.T) {
	r := start(t, "a", func(cfg *config.Config, _ *Server) { cfg.Tokens, cfg.AllowAnonymous = nil, true })
	if got := r.do("POST", messages, ask(messages, false), "Origin", "https://app.example"); got.status != 200 {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestWithTokensWebPagesNeedOne(t *testing.T) {
	r := start(t, "a", nil)
	if got := r.do("POST", messages, ask(messages, false), "Origin", "https://app.example", "x-api-key", testToken); got.status != 200 {
		t.Errorf("%d %s", got.status, got.body)
	}
}
