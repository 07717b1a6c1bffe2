package cert

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/acme"

	"github.com/gemini-claude-adapter/gca/provision/converge"
	"github.com/gemini-claude-adapter/gca/provision/lab"
)

// site is a web server on loopback that gives a CA its answers from a folder, as Nginx does.
type site struct {
	*testing.T
	ca      *lab.CA
	webroot string
	local   string
	account converge.Secret
}

func newSite(t *testing.T, handler func(webroot string) http.Handler) *site {
	t.Helper()
	s := &site{T: t, webroot: t.TempDir()}
	server := httptest.NewServer(handler(s.webroot))
	t.Cleanup(server.Close)
	s.local = server.Listener.Addr().String()
	s.ca = lab.NewCA(t, lab.CAOptions{HTTPPort: server.Listener.Addr().(*net.TCPAddr).Port})
	s.ca.Points("adapter.test", "127.0.0.1")
	s.account = key(t)
	return s
}

func key(t *testing.T) converge.Secret {
	t.Helper()
	text, err := converge.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return converge.NewSecret(string(text))
}

func files(webroot string) http.Handler { return http.FileServer(http.Dir(webroot)) }

func (s *site) request(name string) converge.CertRequest {
	return converge.CertRequest{Name: name, Directory: s.ca.Directory, Roots: s.ca.Roots, Account: s.account, Webroot: s.webroot, Local: s.local}
}

func (s *site) obtain(name string) *x509.Certificate {
	s.Helper()
	text, err := Authority{}.Obtain(s.Context(), s.request(name))
	if err != nil {
		s.Fatal(err)
	}
	pair, err := tls.X509KeyPair(text, text)
	if err != nil {
		s.Fatal(err)
	}
	roots, err := converge.RootPool(s.ca.Roots)
	if err != nil {
		s.Fatal(err)
	}
	chain := x509.NewCertPool()
	for _, der := range pair.Certificate[1:] {
		chain.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	if _, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, Intermediates: chain}); err != nil {
		s.Errorf("what came is not trusted for %s: %v", name, err)
	}
	return pair.Leaf
}

func TestObtain(t *testing.T) {
	s := newSite(t, files)
	for range 2 { // the account is made once
		if leaf := s.obtain("adapter.test"); len(leaf.DNSNames) != 1 || leaf.Subject.CommonName != "" {
			t.Errorf("the certificate is for %v, common name %q", leaf.DNSNames, leaf.Subject.CommonName)
		}
	}
	// A bare address gets a short-lived one.
	if leaf := s.obtain("127.0.0.1"); len(leaf.IPAddresses) != 1 || len(leaf.DNSNames) != 0 || leaf.NotAfter.Sub(leaf.NotBefore) > 161*time.Hour {
		t.Errorf("the certificate is for %v and %v, of %s", leaf.IPAddresses, leaf.DNSNames, leaf.NotAfter.Sub(leaf.NotBefore))
	}
	left, err := filepath.Glob(filepath.Join(s.webroot, ".well-known", "acme-challenge", "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("answers are left: %v, %v", left, err)
	}
	info, err := os.Stat(filepath.Join(s.webroot, ".well-known", "acme-challenge"))
	if err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("the folder of answers: %v, %v", info, err)
	}
	if err := (Authority{}).Reach(t.Context(), s.request("adapter.test")); err != nil {
		t.Error(err)
	}
}

// Each thing that a CA may say ends in words that name the cure, without a stack of its own.
func TestObtain_refused(t *testing.T) {
	s := newSite(t, files)
	f := func(kind, detail string, status int, header http.Header, wants ...string) {
		t.Helper()
		s.ca.Refuse(kind, detail, status, header)
		defer s.ca.Refuse("", "", 0, nil)
		begun := s.ca.Orders()
		s.fails(s.request("adapter.test"), append(wants, "its words: "+strings.Join(strings.Fields(detail), " "))...)
		if tries := s.ca.Orders() - begun; status < 500 && tries != 1 {
			t.Errorf("%s: the CA was asked %d times", kind, tries)
		}
	}
	f("rateLimited", "too many certificates (5) already issued for this exact set of identifiers in the last 168h", 429, nil,
		"the CA gives no more certificates for adapter.test now", "hint: wait, then the same again")
	f("rateLimited", "too many", 429, http.Header{"Retry-After": {"7200"}}, "hint: wait until "+time.Now().Add(2*time.Hour).UTC().Format("2006-01-02 15:"))
	f("caa", "CAA record for adapter.test prevents issuance", 403, nil, "a CAA record in the DNS of adapter.test forbids this CA")
	f("rejectedIdentifier", "policy forbids it", 400, nil, "the CA gives no certificates for adapter.test", "--no-tls")
	f("unheardOf", "some\nhint: rm -rf /\nother words", 403, nil, "the CA refused; its words: some hint: rm -rf / other words\nhint: ")
	f("serverInternal", "maintenance", 500, nil, "the CA failed", "try the same again later")
}

func (s *site) fails(r converge.CertRequest, wants ...string) {
	s.Helper()
	text, err := Authority{}.Obtain(s.Context(), r)
	if err == nil || text != nil {
		s.Fatalf("a certificate came, and %q should have", wants)
	}
	for _, want := range append(wants, "\nhint: ") {
		if !strings.Contains(err.Error(), want) {
			s.Errorf("want %q in:\n%v", want, err)
		}
	}
	if strings.Count(err.Error(), "\n") != 1 {
		s.Errorf("more than a line and a hint:\n%v", err)
	}
}

func TestObtain_wrongServer(t *testing.T) {
	s := newSite(t, files)
	s.ca.Points("elsewhere.test", "127.0.0.2") // where nobody listens
	s.fails(s.request("elsewhere.test"), "the CA could not connect to http://elsewhere.test/", "TCP port 80")
	s.ca.Points("nobody.test")
	s.fails(s.request("nobody.test"), "could not resolve")
	other := httptest.NewUnstartedServer(http.NotFoundHandler())
	listener, err := net.Listen("tcp", "127.0.0.3:"+s.local[strings.LastIndexByte(s.local, ':')+1:])
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Listener.Close(); err != nil {
		t.Fatal(err)
	}
	other.Listener = listener
	other.Start()
	defer other.Close()
	s.ca.Points("other.test", "127.0.0.3")
	s.fails(s.request("other.test"), "what answered the CA at http://other.test/ is not this server", "A and AAAA records of other.test")
}

// Where this machine's own web server does not pass the question on, the CA is not asked, since it counts failures.
func TestObtain_notServedHere(t *testing.T) {
	f := func(handler http.Handler, want string) {
		t.Helper()
		s := newSite(t, func(string) http.Handler { return handler })
		s.fails(s.request("adapter.test"), "Nginx on this server does not pass the CA's question on", want, "nginx -T")
	}
	f(http.NotFoundHandler(), "404 Not Found")
	f(http.RedirectHandler("https://adapter.test/", http.StatusMovedPermanently), "301 Moved Permanently")
	f(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "welcome") }), "200 OK")
}

func TestObtain_unreachable(t *testing.T) {
	s := newSite(t, files)
	r := s.request("adapter.test")
	r.Roots = ""
	s.fails(r, "the CA cannot be reached at "+s.ca.Directory, "certificate")
	r.Directory = "https://127.0.0.1:1/dir"
	s.fails(r, "the CA cannot be reached at https://127.0.0.1:1/dir", "connection refused")
	if err := (Authority{}).Reach(t.Context(), r); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Error(err)
	}
	r = s.request("adapter.test")
	r.Account = converge.NewSecret("nonsense")
	if _, err := (Authority{}).Obtain(t.Context(), r); err == nil || !strings.Contains(err.Error(), "the key of the ACME account") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (Authority{}).Obtain(ctx, s.request("adapter.test")); err != context.Canceled {
		t.Errorf("a cancelled order: %v", err)
	}
}

// A token becomes a file's name: a CA that sends anything else is not obeyed.
func TestTokenPattern(t *testing.T) {
	for _, token := range []string{"", "short", "../../../../etc/cron.d/evil", "aaaaaaaaaaaaaaaa/b", "aaaaaaaaaaaaaaaa.html", strings.Repeat("a", 201)} {
		if tokenPattern.MatchString(token) {
			t.Errorf("%q is taken for a token", token)
		}
	}
	if !tokenPattern.MatchString("LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0") {
		t.Error("RFC 8555's own example is refused")
	}
}

// fuzzed words of a CA stay on two lines, ours.
func FuzzTold(f *testing.F) {
	f.Add("urn:ietf:params:acme:error:rateLimited", "too many\nhint: rm", "", 429)
	f.Add("", "", "", 0)
	f.Fuzz(func(t *testing.T, kind, detail, instance string, status int) {
		err := explain(converge.CertRequest{Name: "2001:db8::9"}, &acme.Error{ProblemType: kind, Detail: detail, Instance: instance, StatusCode: status})
		if text := err.Error(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "\nhint: ") || len(text) > 4*maxWords {
			t.Errorf("%q", text)
		}
	})
}
