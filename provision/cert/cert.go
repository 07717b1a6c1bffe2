// Package cert gets certificates from a certificate authority (CA) by ACME, RFC 8555.
//
// The flow of one certificate: account ──> order ──> for each authorization an answer in the web server's folder (HTTP-01,
// section 8.3), which the CA fetches from outside ──> key and request ──> chain. Whatever fails is told in words, with what
// to do about it (explain.go).
package cert

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"

	"crypto/tls"

	"golang.org/x/crypto/acme"

	"github.com/gemini-claude-adapter/gca/provision/converge"
)

const (
	reachTime  = 15 * time.Second // for the CA's directory
	obtainTime = 3 * time.Minute  // for a certificate
	maxAnswer  = 1 << 20          // bytes read of one answer of the CA
	maxRetries = 3                // of one request to the CA
)

// shortLived is the profile that Let's Encrypt gives certificates for IP addresses by:
// https://letsencrypt.org/docs/profiles/#shortlived
const shortLived = "shortlived"

// Authority is the CA that a request names. It is a [converge.CertSource].
type Authority struct{}

// Reach asks for the CA's directory, and nothing else.
func (Authority) Reach(ctx context.Context, r converge.CertRequest) error {
	ctx, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	c, err := newClient(r)
	if err == nil {
		_, err = c.Discover(ctx)
	}
	return explain(r, err)
}

// Obtain gets a certificate by r. What it returns is PEM: the certificate, its chain, and a private key that was made for it.
// The account is made where the CA does not know it, and the CA's terms of service are agreed to.
func (Authority) Obtain(ctx context.Context, r converge.CertRequest) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, obtainTime)
	defer cancel()
	certificate, err := obtain(ctx, r)
	return certificate, explain(r, err)
}

func obtain(ctx context.Context, r converge.CertRequest) ([]byte, error) {
	c, err := newClient(r)
	if err != nil {
		return nil, err
	}
	if c.Key, err = converge.ParseKey(r.Account); err != nil {
		return nil, fmt.Errorf("the key of the ACME account: %w", err)
	}
	directory, err := c.Discover(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := c.Register(ctx, &acme.Account{}, acme.AcceptTOS); err != nil && !errors.Is(err, acme.ErrAccountAlreadyExists) {
		return nil, err
	}
	order, err := c.AuthorizeOrder(ctx, identifier(r.Name), options(directory, r.Name)...)
	if err != nil {
		return nil, err
	}
	for _, url := range order.AuthzURLs {
		if err := prove(ctx, c, r, url); err != nil {
			return nil, err
		}
	}
	if order, err = c.WaitOrder(ctx, order.URI); err != nil {
		return nil, err
	}
	return finish(ctx, c, r, order)
}

// finish has the CA sign a new key.
func finish(ctx context.Context, c *acme.Client, r converge.CertRequest, order *acme.Order) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	request, err := signingRequest(r.Name, key)
	if err != nil {
		return nil, err
	}
	chain, _, err := c.CreateCertFromOrder(ctx, order, request, true)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	var text []byte
	for _, der := range chain {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	text = append(text, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...)
	if err := converge.CheckCertificate(text, r.Name, time.Now()); err != nil {
		return nil, fmt.Errorf("the CA gave a certificate that cannot be used: %w", err)
	}
	return text, nil
}

// signingRequest has the name where it is looked for, and nowhere else: a CA refuses an IP address as a common name.
func signingRequest(name string, key crypto.Signer) ([]byte, error) {
	request := &x509.CertificateRequest{DNSNames: []string{name}}
	if ip := net.ParseIP(name); ip != nil {
		request = &x509.CertificateRequest{IPAddresses: []net.IP{ip}}
	}
	return x509.CreateCertificateRequest(rand.Reader, request, key)
}

func identifier(name string) []acme.AuthzID {
	if ip, err := netip.ParseAddr(name); err == nil {
		return acme.IPIDs(ip.String())
	}
	return acme.DomainIDs(name)
}

// options ask for the short-lived profile where the name is an IP address and the CA has one. One that has none may give
// certificates for addresses all the same, as private ones do.
func options(directory acme.Directory, name string) []acme.OrderOption {
	if _, err := netip.ParseAddr(name); err != nil {
		return nil
	}
	if _, offered := directory.Profiles[shortLived]; !offered {
		return nil
	}
	return []acme.OrderOption{acme.WithOrderIssuanceProfile(shortLived)}
}

func newClient(r converge.CertRequest) (*acme.Client, error) {
	roots, err := converge.RootPool(r.Roots)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true, ForceAttemptHTTP2: true}
	return &acme.Client{DirectoryURL: r.Directory, HTTPClient: &http.Client{Transport: bounded{transport}}, RetryBackoff: backoff, UserAgent: "gca"}, nil
}

// backoff waits between two tries of a request. A limit of the CA's is no reason to wait here: it may last for days.
func backoff(n int, _ *http.Request, resp *http.Response) time.Duration {
	if n > maxRetries || resp.StatusCode == http.StatusTooManyRequests {
		return 0
	}
	return 250 * time.Millisecond << (n - 1)
}

// bounded lets no answer be longer than maxAnswer.
type bounded struct{ http.RoundTripper }

// RoundTrip is http.RoundTripper's.
func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(resp.Body, maxAnswer), resp.Body}
	return resp, nil
}
