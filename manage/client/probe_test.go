package client

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/manage/client/clienttest"
	"github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

// told is what a probe says, a line a hop.
func told(t *testing.T, c *Client) (string, *Probe, error) {
	t.Helper()
	var b strings.Builder
	p, err := c.Probe(t.Context(), "gemini-3.8-flash", func(hop, text string) { b.WriteString(hop + ": " + text + "\n") })
	return b.String(), p, err
}

func TestProbe(t *testing.T) {
	a := clienttest.Start(t)
	f := func(token, who string) {
		t.Helper()
		a.Fake.Enqueue(fakegemini.Say("yes"))
		c := New(Profile{URL: a.URL, Token: token})
		defer c.Close()
		text, p, err := told(t, c)
		if err != nil || !p.OK || p.Failed != nil || p.Answer.Output == 0 || p.Answer.FirstMS <= 0 || p.Address == "" || p.TLS != nil {
			t.Errorf("%+v, %v", p, err)
		}
		at := 0
		for _, want := range []string{"network: 127.0.0.1:", "connected: " + a.URL + ", version 1.2.3", "status: healthy", "active keys: 2/2", "token: accepted: " + who, "answer: gemini-3.8-flash, first text after"} {
			i := strings.Index(text[at:], want)
			if i < 0 {
				t.Fatalf("no %q in its place in:\n%s", want, text)
			}
			at += i
		}
	}
	f(clienttest.Token, "laptop")
	f(clienttest.AdminToken, "the admin token")
}

// Each hop that breaks is named, and what was found before stands.
func TestProbe_broken(t *testing.T) {
	a := clienttest.Start(t)
	f := func(p Profile, hop, said, hint string) {
		t.Helper()
		c := New(p)
		defer c.Close()
		text, probe, err := told(t, c)
		if err == nil || probe.OK || probe.Failed.Hop != hop || !strings.Contains(probe.Failed.Hint, hint) || !strings.Contains(text, said) {
			t.Errorf("%+v: %v, failed %+v, said %q", p, err, probe.Failed, text)
		}
	}
	f(Profile{URL: "http://127.0.0.1:1"}, HopNetwork, "", "nothing listens there on this machine")
	f(Profile{URL: "https" + strings.TrimPrefix(a.URL, "http")}, HopTLS, "network: ", "gca connect http://127")
	f(Profile{URL: a.URL, Token: "wrong"}, HopToken, "active keys: 2/2", "gca connect "+a.URL)
	for _, key := range clienttest.Keys() {
		a.Fake.Key(key, fakegemini.KeyRule{Error: fakegemini.ErrInvalidKey()})
	}
	f(Profile{URL: a.URL, Token: clienttest.Token}, HopGemini, "token: accepted", "gca keys list HOST")
	foreign := httptest.NewServer(http.NotFoundHandler())
	defer foreign.Close()
	f(Profile{URL: foreign.URL}, HopAdapter, "network: ", "check the address")
}

func TestProbe_certificates(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"status":"healthy","version":"1"}`)) // else the client complains
	}))
	server.Config.ErrorLog = nil
	server.StartTLS()
	defer server.Close()
	trusting := x509.NewCertPool()
	trusting.AddCert(server.Certificate())
	f := func(url string, roots *x509.CertPool, want string) {
		t.Helper()
		c := New(Profile{URL: url})
		defer c.Close()
		c.http.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: roots}
		text, _, err := told(t, c)
		var e *Error
		if errors.As(err, &e) {
			text += e.Hop + ": " + e.Message
		}
		if !strings.Contains(text, want) {
			t.Errorf("%s: got %q", url, text)
		}
	}
	f(server.URL, trusting, "tls: TLS 1.3, certificate of Acme Co, good for ")
	f(server.URL, x509.NewCertPool(), "tls: the certificate of "+server.URL+" comes from nobody that this machine trusts")
	f(strings.Replace(server.URL, "127.0.0.1", "localhost", 1), trusting, "tls: the certificate of https://localhost")
}
