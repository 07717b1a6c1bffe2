package proxy

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
	"github.com/gemini-claude-adapter/gca/proxy/fetch"
)

const (
	pngFile = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
	pngData = "iVBORw0KGgoAAAANSUhEUg=="
	pdfData = "JVBERi0xLjc="
)

// webPage is a server of the web on loopback: /picture, /paper.pdf and /inside, which leads where nobody may go.
func webPage(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/picture":
			fmt.Fprint(w, pngFile)
		case "/paper.pdf":
			fmt.Fprint(w, "%PDF-1.7")
		case "/inside":
			http.Redirect(w, r, "http://169.254.169.254/latest/meta-data/", http.StatusFound)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// local lets the adapter fetch from 127.0.0.1, where webPage is.
func local(_ *config.Config, s *Server) {
	if s != nil {
		s.fetcher = fetch.New(fetch.Options{Allowed: func(a netip.Addr) bool { return a.String() == "127.0.0.1" }})
	}
}

// blocks is a message of the user made of them.
func blocks(list ...string) string {
	return `"messages":[{"role":"user","content":[` + strings.Join(list, ",") + `]}]`
}

func block(kind, address string) string {
	return fmt.Sprintf(`{"type":%q,"source":{"type":"url","url":%q}}`, kind, address)
}

func TestE041_ImagesAndDocuments(t *testing.T) {
	base := webPage(t)
	r := start(t, "a", local)
	same(t, r.sent(opus, blocks(
		`{"type":"image","source":{"type":"base64","media_type":"image/png","data":"`+pngData+`"}}`,
		block("image", base+"/picture"),
		`{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"`+pdfData+`"}}`,
		block("document", base+"/paper.pdf"),
		`{"type":"document","source":{"type":"text","media_type":"text/plain","data":"words"}}`)),
		"u[*image/png *image/png *application/pdf *application/pdf words]")
	q, _ := r.fake.Last()
	if n := strings.Count(string(q.Body), pngData); n != 2 {
		t.Errorf("the picture went out %d times", n)
	}
	hasNot(t, string(q.Body), base)
}

func TestE042_NoWayInside(t *testing.T) {
	base := webPage(t)
	_, port, err := net.SplitHostPort(strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, "a", nil)
	f := func(r *rig, address string) {
		t.Helper()
		got := r.do("POST", messages, `{"model":"claude-x","max_tokens":9,`+blocks(`{"type":"text","text":"x"}`, block("image", address))+`}`)
		if got.status != 400 {
			t.Errorf("%s: %d", address, got.status)
		}
		has(t, got.body, `"invalid_request_error"`, "messages.0.content.1.source.url: ", "the address is not a public one")
		got = r.do("POST", completions, `{"model":"gpt-5","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"`+address+`"}}]}]}`)
		if got.status != 400 {
			t.Errorf("%s: %d", address, got.status)
		}
		has(t, got.body, "messages.0.content.0.image_url", "the address is not a public one")
		hasNot(t, got.body, "token=PLANTED")
	}
	f(r, "http://127.0.0.1:"+port+"/picture?token=PLANTED")
	f(r, "http://localhost:"+port+"/picture")
	f(r, "http://169.254.169.254/latest/meta-data/?token=PLANTED")
	f(r, "http://[::ffff:127.0.0.1]:"+port+"/picture")
	led := start(t, "a", local)
	f(led, base+"/inside")
	// what cannot be found here is not handed on either: nobody knows where it lies
	got := r.do("POST", messages, `{"model":"gemini-3.8-flash","max_tokens":9,`+blocks(block("image", "http://"+strings.Repeat("x", 64)+".invalid/x.png"))+`}`)
	if got.status != 400 {
		t.Errorf("%d", got.status)
	}
	has(t, got.body, "messages.0.content.0.source.url: the URL cannot be used: the host has no address")
	if n := len(r.fake.Requests()) + len(led.fake.Requests()); n != 0 {
		t.Errorf("Gemini was asked %d times", n)
	}
}

// What cannot be had goes to Gemini as an address, where the model takes one; FETCH_URLS=false sends all of them so.
func TestURLsThatStay(t *testing.T) {
	base := webPage(t)
	off := func(cfg *config.Config, s *Server) { cfg.FetchURLs = false; local(cfg, s) }
	f := func(change func(*config.Config, *Server), model, path string, want ...string) {
		t.Helper()
		r := start(t, "a", change)
		got := r.do("POST", messages, `{"model":"`+model+`","max_tokens":9,`+blocks(block("image", base+path))+`}`)
		q, asked := r.fake.Last()
		if asked {
			got.body = string(q.Body)
		}
		has(t, got.body, want...)
		r.stop()
	}
	f(local, "gemini-3.8-flash", "/gone.png", `"fileData":{"fileUri":"`+base+`/gone.png","mimeType":"image/png"}`)
	f(local, "gemini-2.5-flash", "/gone.png", "messages.0.content.0.source.url: ", "the server answered with status 404")
	f(local, "gemini-3.8-flash", "/gone", "messages.0.content.0.source.url: ", "the server answered with status 404")
	f(off, "gemini-3.8-flash", "/picture.webp", `"fileData":{"fileUri":"`+base+`/picture.webp","mimeType":"image/webp"}`)
	f(off, "gemini-2.5-flash", "/picture.webp", "messages.0.content.0.source.url: ", "FETCH_URLS=false")
	f(off, "gemini-3.8-flash", "/picture", "messages.0.content.0.source.url: ", "FETCH_URLS=false")
}

// A count fetches too, and is an estimate where that fails.
func TestURLsAreCounted(t *testing.T) {
	base := webPage(t)
	r := start(t, "a", local)
	for path, want := range map[string]int{"/picture": 1, "/inside": 0} {
		r.fake.Reset()
		got := r.do("POST", "/v1/messages/count_tokens", `{"model":"claude-x",`+blocks(block("image", base+path))+`}`)
		if got.status != 200 || len(r.fake.Requests()) != want {
			t.Errorf("%s: %d %s, %d requests", path, got.status, got.body, len(r.fake.Requests()))
		}
	}
}

// max_tokens 0 asks nobody anything.
func TestPrewarmingFetchesNothing(t *testing.T) {
	r := start(t, "a", local)
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("fetched") }))
	t.Cleanup(s.Close)
	got := r.do("POST", messages, `{"model":"claude-x","max_tokens":0,`+blocks(block("image", s.URL+"/x.png"))+`}`)
	if got.status != 200 || len(r.fake.Requests()) != 0 {
		t.Errorf("%d %s", got.status, got.body)
	}
	has(t, got.body, `"stop_reason":"max_tokens"`)
}

// The time that URLs take is a part of the silence before the status.
func TestFetchingIsPartOfTheSilence(t *testing.T) {
	t.Parallel()
	const hold = 2 * time.Second
	r := start(t, "a", func(cfg *config.Config, s *Server) {
		if local(cfg, s); s != nil {
			s.pace.hold = hold
		}
	})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(hold)
		fmt.Fprint(w, pngFile)
	}))
	t.Cleanup(s.Close)
	r.fake.Enqueue(fg.Say("late").After(time.Minute))
	began := time.Now()
	resp := r.open("POST", messages, `{"model":"claude-x","max_tokens":9,"stream":true,`+blocks(block("image", s.URL+"/x"))+`}`)
	if d := time.Since(began); resp.StatusCode != 200 || d < hold || d > 2*hold {
		t.Errorf("%d after %v", resp.StatusCode, d)
	}
	_ = resp.Body.Close()
}

// A conversation with more URLs than fit goes on without the oldest ones, and says so.
func TestOlderURLsGiveWay(t *testing.T) {
	base := webPage(t)
	r := start(t, "a", func(cfg *config.Config, s *Server) {
		if s != nil {
			s.fetcher = fetch.New(fetch.Options{MaxCount: 1, Allowed: func(a netip.Addr) bool { return a.String() == "127.0.0.1" }})
		}
	})
	got := r.do("POST", messages, `{"model":"claude-x","max_tokens":9,"messages":[{"role":"user","content":[`+block("document", base+"/paper.pdf")+`]},{"role":"assistant","content":"a"},`+
		`{"role":"user","content":[`+block("image", base+"/picture")+`]}]}`)
	if left := got.header.Get("x-gca-left-out"); got.status != 200 || left != "older_urls" {
		t.Errorf("%d %s, left out %q", got.status, got.body, left)
	}
	same(t, history(r.asked().Contents), "u[*text/plain] m[a] u[*image/png]")
}
