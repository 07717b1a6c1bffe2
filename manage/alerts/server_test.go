package alerts

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// mailServer is a real one, which keeps what it is given.
type mailServer struct {
	addr  string
	roots *x509.CertPool

	mu     sync.Mutex
	mails  []string // with their headers
	logins []string // users who sent a password
	refuse error    // of every mail
}

// newMailServer speaks STARTTLS, or TLS from the start. It lets in user "me@example.com" with the password "app-password" alone.
func newMailServer(t *testing.T, implicit bool) *mailServer {
	t.Helper()
	certified := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(certified.Close)
	m := &mailServer{roots: x509.NewCertPool()}
	m.roots.AddCert(certified.Certificate())
	m.serve(t, &tls.Config{Certificates: certified.TLS.Certificates}, implicit)
	return m
}

// serve speaks plain SMTP alone without a config.
func (m *mailServer) serve(t *testing.T, config *tls.Config, implicit bool) {
	t.Helper()
	server := smtp.NewServer(m)
	server.TLSConfig, server.AllowInsecureAuth = config, config == nil
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.addr = listener.Addr().String()
	if implicit {
		listener = tls.NewListener(listener, config)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	t.Cleanup(func() {
		_ = listener.Close() // Close knows it only once Serve has begun, and complains of what is closed already
		_ = server.Close()
		<-ended
	})
}

func (m *mailServer) NewSession(*smtp.Conn) (smtp.Session, error) {
	return &mailSession{server: m}, nil
}

func (m *mailServer) taken() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.mails...)
}

func (m *mailServer) refusing(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refuse = err
}

type mailSession struct {
	server *mailServer
	user   string
}

func (s *mailSession) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *mailSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		s.server.mu.Lock()
		defer s.server.mu.Unlock()
		s.server.logins = append(s.server.logins, user)
		if user != "me@example.com" || password != "app-password" {
			return errors.New("the password " + password + " is not that of " + user)
		}
		s.user = user
		return nil
	}), nil
}

func (s *mailSession) Mail(string, *smtp.MailOptions) error {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	if s.user == "" {
		return smtp.ErrAuthRequired
	}
	return s.server.refuse
}

func (s *mailSession) Rcpt(string, *smtp.RcptOptions) error { return nil }

func (s *mailSession) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.mails = append(s.server.mails, string(text))
	return err
}

func (s *mailSession) Reset() {}

func (s *mailSession) Logout() error { return nil }

// sink is an HTTP server that keeps what it is sent, and answers what it is told to.
type sink struct {
	url *url.URL

	mu     sync.Mutex
	got    []sunk
	status int
	answer string
}

type sunk struct {
	url    *url.URL
	header http.Header
	body   string
}

func newSink(t *testing.T, answer string) *sink {
	t.Helper()
	s := &sink{status: http.StatusOK, answer: answer}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = parse(t, server.URL)
	return s
}

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && s.status == http.StatusOK {
		s.got = append(s.got, sunk{r.URL, r.Header.Clone(), string(body)})
	}
	w.WriteHeader(s.status)
	_, _ = io.WriteString(w, s.answer) // else the client has gone
}

func (s *sink) say(status int, answer string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status, s.answer = status, answer
}

func (s *sink) taken() []sunk {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]sunk(nil), s.got...)
}

func parse(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
