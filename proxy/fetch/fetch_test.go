package fetch

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

const png = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"

// web is a web of one server on loopback, which only a policy of the test's own lets through.
func web(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s.URL
}

// only lets the addresses through that the servers of a test have.
func only(addresses ...string) func(netip.Addr) bool {
	return func(a netip.Addr) bool { return slices.Contains(addresses, a.String()) }
}

func local(o Options) *Fetcher {
	o.Allowed = only("127.0.0.1")
	return New(o)
}

// asking is a request with the addresses, one a part.
func asking(addresses ...string) *gemini.Request {
	c := gemini.Content{Role: gemini.RoleUser}
	for i, a := range addresses {
		c.Parts = append(c.Parts, gemini.Part{FileData: &gemini.FileData{FileURI: a, Param: fmt.Sprintf("messages.0.content.%d.source.url", i)}})
	}
	return &gemini.Request{Contents: []gemini.Content{c}}
}

// refused resolves one address for an old model, which must fail, and returns the words.
func refused(t *testing.T, f *Fetcher, address string) string {
	t.Helper()
	_, err := f.Resolve(t.Context(), asking(address), false)
	if err == nil {
		t.Fatalf("%s is fetched", address)
	}
	if strings.Contains(err.Message, "127.0.0.1") || strings.Contains(err.Message, "secret") || !strings.HasPrefix(err.Message, "messages.0.content.0.source.url: ") {
		t.Errorf("the error says %q", err.Message)
	}
	return err.Message
}

func has(t *testing.T, text, want string) {
	t.Helper()
	if !strings.Contains(text, want) {
		t.Errorf("want %q in %q", want, text)
	}
}

func TestResolve(t *testing.T) {
	var asked atomic.Int64
	base := web(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		for _, name := range []string{"Authorization", "Cookie", "Referer", "X-Goog-Api-Key", "Accept-Encoding"} {
			if v := r.Header.Get(name); v != "" {
				t.Errorf("%s: %s", name, v)
			}
		}
		w.Header().Set("Content-Type", r.URL.Query().Get("type"))
		fmt.Fprint(w, png)
	})
	a, b := base+"/a?type=image/png", base+"/b.csv?type=Text/CSV%3B+charset=utf-8"
	req := asking(a, b, a, "https://www.youtube.com/watch?v=x", "https://generativelanguage.googleapis.com/v1beta/files/x", "gs://b/c")
	req.Contents = append(req.Contents, gemini.Content{Parts: []gemini.Part{{FunctionResponse: &gemini.FunctionResponse{
		Parts: []gemini.Part{{FileData: &gemini.FileData{FileURI: a}}}}}}})
	if _, err := local(Options{}).Resolve(t.Context(), req, true); err != nil {
		t.Fatal(err)
	}
	parts := req.Contents[0].Parts
	inner := req.Contents[1].Parts[0].FunctionResponse.Parts[0]
	for i, p := range []gemini.Part{parts[0], parts[1], parts[2], inner} {
		want := "image/png"
		if i == 1 {
			want = "text/csv"
		}
		if p.FileData != nil || p.InlineData == nil || p.InlineData.MimeType != want || p.InlineData.Data != base64.StdEncoding.EncodeToString([]byte(png)) {
			t.Errorf("part %d: %+v %+v", i, p.FileData, p.InlineData)
		}
	}
	for _, p := range parts[3:] {
		if p.FileData == nil || p.InlineData != nil {
			t.Errorf("%+v", p)
		}
	}
	if asked.Load() != 2 {
		t.Errorf("asked %d times", asked.Load())
	}
}

func TestTypes(t *testing.T) {
	f := func(header, name, data, want string) {
		t.Helper()
		got, ok := typeOf(header, "https://x.test/"+name, []byte(data))
		if !ok {
			got = "no " + got
		}
		if got != want {
			t.Errorf("%s, %s: %s, want %s", header, name, got, want)
		}
	}
	f("image/png", "x.pdf", "%PDF-1.7", "image/png")
	f("IMAGE/JPG", "x", "", "image/jpeg")
	f("", "x", png, "image/png")
	f("application/octet-stream", "x", "\xff\xd8\xff\xe0", "image/jpeg")
	f("binary/octet-stream", "x", "RIFF\x00\x00\x00\x00WEBPVP", "image/webp")
	f("nonsense;;", "x", "GIF89a", "image/gif")
	f("", "x", "%PDF-1.7", "application/pdf")
	f("", "x", "\x00\x00\x00\x18ftypheic\x00\x00\x00\x00", "image/heic")
	f("", "x", "\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00", "image/heif")
	f("", "x", "\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom", "video/mp4")
	f("", "x", "ID3\x03", "audio/mp3")
	f("", "x", "plain words", "text/plain")
	f("application/json", "x", "{}", "text/plain")
	f("text/markdown; charset=utf-8", "x", "# a", "text/markdown")
	f("application/octet-stream", "x.aac", "\x00\x01\x02\xfe", "audio/aac")
	f("application/octet-stream", "x.bin", "\x00\x01\x02\xfe", "no application/octet-stream")
	f("application/zip", "x.pdf", "PK\x03\x04", "no application/zip")
	f("image/svg+xml", "x", "<svg/>", "no image/svg+xml")
}

func TestWhatIsRefused(t *testing.T) {
	base := web(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, png) })
	_, port, err := net.SplitHostPort(strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	const notPublic = "the address is not a public one"
	f := New(Options{})
	has(t, refused(t, f, base+"/?secret"), notPublic)
	has(t, refused(t, f, "http://localhost:"+port+"/"), notPublic) // a name that resolves to loopback
	has(t, refused(t, f, "http://[::ffff:127.0.0.1]:"+port+"/"), notPublic)
	has(t, refused(t, f, "http://169.254.169.254/latest/meta-data/"), notPublic)
	has(t, refused(t, f, "http://0.0.0.0:"+port+"/"), notPublic)
	has(t, refused(t, f, "http://[::1]:"+port+"/"), notPublic)
	has(t, refused(t, f, "http://user:secret@127.0.0.1:"+port+"/"), "without a user name")
	has(t, refused(t, f, "http://"), "expected a URL")
	// even for a model that would get the address itself
	if _, err := f.Resolve(t.Context(), asking(base+"/x.png"), true); err == nil {
		t.Error("an address that is not public went on")
	}
}

// The environment's proxy is not asked, which would get what this server may not.
func TestNoProxy(t *testing.T) {
	proxy := web(t, func(http.ResponseWriter, *http.Request) { t.Error("the proxy was asked") })
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "ALL_PROXY"} {
		t.Setenv(name, proxy)
	}
	if os.Getenv("HTTP_PROXY") == "" {
		t.Fatal("the environment was not set")
	}
	has(t, refused(t, local(Options{}), "http://192.0.2.1/"), "not a public one")
}

func TestRedirects(t *testing.T) {
	inside := web(t, func(http.ResponseWriter, *http.Request) { t.Error("a redirect led inside") })
	inside = strings.Replace(inside, "127.0.0.1", "127.0.0.2", 1)
	base := web(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Referer") != "" {
			t.Error("an address is told to the next server")
		}
		var n int
		if _, err := fmt.Sscanf(r.URL.Path, "/%d", &n); err == nil && n > 0 {
			http.Redirect(w, r, fmt.Sprintf("/%d?secret", n-1), http.StatusFound)
			return
		}
		switch r.URL.Path {
		case "/inside":
			http.Redirect(w, r, inside, http.StatusFound)
		case "/user":
			http.Redirect(w, r, "http://a:b@"+r.Host+"/0", http.StatusFound)
		case "/file":
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		default:
			fmt.Fprint(w, png)
		}
	})
	f := local(Options{})
	if _, err := f.Resolve(t.Context(), asking(base+"/3?secret"), false); err != nil {
		t.Error(err)
	}
	has(t, refused(t, f, base+"/4"), "more than 3 times")
	has(t, refused(t, f, base+"/inside"), "not a public one")
	has(t, refused(t, f, base+"/user"), "without a user name")
	has(t, refused(t, f, base+"/file"), "expected a URL")
}

func TestBounds(t *testing.T) {
	base := web(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/endless":
			w.Header().Set("Content-Type", "image/png")
			for {
				if _, err := io.WriteString(w, strings.Repeat("x", 8<<10)); err != nil {
					return
				}
			}
		case "/announced":
			w.Header().Set("Content-Length", "1000000")
			fmt.Fprint(w, png)
		case "/slow":
			w.Header().Set("Content-Type", "image/png")
			fmt.Fprint(w, png)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		case "/packed":
			w.Header().Set("Content-Encoding", "gzip")
			fmt.Fprint(w, png)
		case "/empty":
		case "/missing":
			http.NotFound(w, r)
		case "/zip":
			fmt.Fprint(w, "PK\x03\x04")
		case "/odd":
			w.Header().Set("Content-Type", "application/"+strings.Repeat("x", 200))
			fmt.Fprint(w, "PK\x03\x04")
		}
	})
	f := local(Options{MaxBytes: 64 << 10, Timeout: 300 * time.Millisecond})
	has(t, refused(t, f, base+"/endless"), "larger than 65536 bytes")
	has(t, refused(t, f, base+"/announced"), "larger than 65536 bytes")
	has(t, refused(t, f, base+"/slow"), "did not arrive in time")
	has(t, refused(t, f, base+"/packed"), "compressed")
	has(t, refused(t, f, base+"/empty"), "sent nothing")
	has(t, refused(t, f, base+"/missing?secret"), "status 404")
	has(t, refused(t, f, base+"/zip"), "does not take its type (application/zip)")
	has(t, refused(t, f, base+"/odd"), "does not take its type (unknown)")
	has(t, refused(t, f, "http://127.0.0.1:1/"), "the connection failed")
	unknown := &url.Error{Op: "Get", URL: "http://nowhere.invalid/?secret", Err: &net.DNSError{Err: "no such host", Name: "nowhere.invalid", IsNotFound: true}}
	if got := f.explain(t.Context(), unknown); got.words != "the host has no address" || !got.final {
		t.Errorf("%+v", got)
	}
}

func TestSumAndCount(t *testing.T) {
	var now, most atomic.Int64
	base := web(t, func(w http.ResponseWriter, r *http.Request) {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprint(w, strings.Repeat("x", 1000))
	})
	var many []string
	for i := range 100 {
		many = append(many, fmt.Sprintf("%s/%d", base, i))
	}
	if _, err := local(Options{}).Resolve(t.Context(), asking(many...), false); err != nil {
		t.Error(err)
	}
	if most.Load() > 8 {
		t.Errorf("%d fetches at a time", most.Load())
	}
	if _, err := local(Options{MaxTotal: 3500}).Resolve(t.Context(), asking(many...), true); err == nil {
		t.Error("100,000 bytes fit into 3,500")
	}
	_, err := local(Options{}).Resolve(t.Context(), asking(append(many, base+"/one-more")...), true)
	if err == nil || err.Param != "messages.0.content.100.source.url" {
		t.Errorf("%v", err)
	}
}

// A conversation outgrows the bounds: what is older goes, what the current step names stays or is refused.
func TestOlderAddressesGiveWay(t *testing.T) {
	base := web(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprint(w, strings.Repeat("x", 1000))
	})
	talk := func(older, newer int) *gemini.Request {
		req := &gemini.Request{}
		for i, n := range []int{older, newer} {
			var all []string
			for j := range n {
				all = append(all, fmt.Sprintf("%s/%d/%d", base, i, j))
			}
			req.Contents = append(req.Contents, asking(all...).Contents[0], gemini.Content{Role: gemini.RoleModel})
		}
		req.Contents = req.Contents[:3]
		return req
	}
	f := func(o Options, older, newer, leftOut int, fits bool) {
		t.Helper()
		req := talk(older, newer)
		n, err := local(o).Resolve(t.Context(), req, false)
		if n != leftOut || (err == nil) != fits {
			t.Errorf("%+v, %d and %d: %d are left out, %v", o, older, newer, n, err)
		}
		words := 0
		for _, c := range req.Contents {
			for _, p := range c.Parts {
				if fits && p.FileData != nil {
					t.Errorf("an address is left: %+v", p.FileData)
				}
				if p.InlineData != nil && p.InlineData.Data == base64.StdEncoding.EncodeToString([]byte(leftOutWords)) {
					words++
				}
			}
		}
		if words != leftOut || fits && strings.Contains(req.Contents[2].Parts[0].InlineData.Data, "W0E") {
			t.Errorf("%d texts", words)
		}
	}
	f(Options{}, 95, 5, 0, true)
	f(Options{}, 97, 5, 2, true)
	f(Options{MaxCount: 3}, 3, 3, 3, true)
	f(Options{MaxCount: 3}, 3, 4, 0, false)
	f(Options{MaxTotal: 5500, Parallel: 1}, 9, 4, 8, true)
	f(Options{MaxTotal: 3500, Parallel: 1}, 9, 4, 0, false)
}

// What many parts name is fetched once and sent many times: each time counts.
func TestCopiesCount(t *testing.T) {
	base := web(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprint(w, strings.Repeat("x", 1000))
	})
	f := func(copies int, fits bool) {
		t.Helper()
		req := asking(slices.Repeat([]string{base}, copies)...)
		if _, err := local(Options{MaxTotal: 10_000}).Resolve(t.Context(), req, false); (err == nil) != fits {
			t.Errorf("%d copies: %v", copies, err)
		}
	}
	f(10, true)
	f(11, false)
	f(20_000, false)
}

// Twenty slow servers together take as long as the client bears, not twenty times as long as one of them may. An address whose
// turn did not come stays with us: nobody knows what is there.
func TestTimeOfAllTogether(t *testing.T) {
	base := web(t, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	var many []string
	for i := range 20 {
		many = append(many, fmt.Sprintf("%s/%d.png", base, i))
	}
	slow := func() *Fetcher { return local(Options{Timeout: time.Minute, MaxTime: 100 * time.Millisecond}) }
	began := time.Now()
	if _, err := slow().Resolve(t.Context(), asking(many...), true); err == nil || !strings.Contains(err.Message, "did not arrive in time") {
		t.Error(err)
	}
	if d := time.Since(began); d > 5*time.Second {
		t.Error(d)
	}
	req := asking(many[:4]...)
	if _, err := slow().Resolve(t.Context(), req, true); err != nil || req.Contents[0].Parts[3].FileData.MimeType != "image/png" {
		t.Errorf("%v, %+v", err, req.Contents[0].Parts[3].FileData)
	}
	has(t, refused(t, local(Options{MaxTime: 100 * time.Millisecond}), base), "did not arrive in time")
}

// A client that leaves takes its fetches along.
func TestCancelled(t *testing.T) {
	arrived, gone := make(chan struct{}), make(chan struct{})
	var once sync.Once
	base := web(t, func(w http.ResponseWriter, r *http.Request) {
		once.Do(func() { close(arrived) })
		<-r.Context().Done()
		close(gone)
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	if _, err := local(Options{}).Resolve(ctx, asking(base), false); err == nil {
		t.Error("fetched")
	}
	<-gone
}

// What cannot be had stays an address for the models that take addresses, with the type that they must be told.
func TestLeft(t *testing.T) {
	base := web(t, http.NotFound)
	f := func(address, hint, want string) {
		t.Helper()
		for _, resolve := range []func(*gemini.Request) error{
			func(r *gemini.Request) error {
				_, err := local(Options{}).Resolve(t.Context(), r, true)
				return asError(err)
			},
			func(r *gemini.Request) error { return asError(Leave(r, true, "off")) },
		} {
			req := asking(base + address)
			req.Contents[0].Parts[0].FileData.MimeType = hint
			err := resolve(req)
			got := req.Contents[0].Parts[0].FileData.MimeType
			if (err != nil) != (want == "") || got != want || req.Contents[0].Parts[0].FileData.FileURI != base+address {
				t.Errorf("%s: %q, %v", address, got, err)
			}
		}
	}
	f("/x.JPG?v=1", "", "image/jpeg")
	f("/x", "application/pdf", "application/pdf")
	f("/x.png", "image/webp", "image/webp")
	f("/x", "", "")
	if err := Leave(asking("https://x.test/a.png"), false, "it is off"); err == nil || !strings.Contains(err.Message, "it is off") {
		t.Errorf("%v", err)
	}
	if err := Leave(&gemini.Request{}, false, ""); err != nil {
		t.Error(err)
	}
}

func asError(e *front.Error) error {
	if e == nil {
		return nil
	}
	return e
}
