package converge

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// What TLS needs on a server. Certificates and the account's key lie where root alone can read: Nginx opens them as root.
const (
	certDir     = gcaDir + "/tls"
	accountFile = certDir + "/account.key"
	acmeWebroot = "/var/lib/gca-acme"           // what Nginx answers a CA's questions from
	acmeRoots   = configDir + "/acme-roots.pem" // roots of a private CA
	renewalFile = acmeWebroot + "/renewal.json" // how the last renewal went, for everybody to read
)

// CertDir holds the certificates and the account's key; AccountFile is that key, in PEM. A certificate is the file NAME.pem:
// the certificate, its chain and its private key in one, so that they can only be replaced together.
const (
	CertDir     = certDir
	AccountFile = accountFile
)

// CertRequest says what certificate is wanted, and of which CA.
type CertRequest struct {
	Name      string // a domain name, or an IP address
	Directory string // URL of the CA's ACME directory
	Roots     string // PEM of roots to trust beside the system's; may be empty
	Account   Secret // PEM of the account's private key
	Webroot   string // folder that Nginx finds /.well-known/acme-challenge/ in
	Local     string // host:port where Nginx answers on this machine
}

// CertSource is a CA that speaks ACME. Errors are told in words and end with a hint; both methods end with ctx.
type CertSource interface {
	// Reach reports whether the CA can be talked to. It changes nothing.
	Reach(ctx context.Context, r CertRequest) error
	// Obtain returns a new certificate with its chain and its key, in PEM.
	Obtain(ctx context.Context, r CertRequest) ([]byte, error)
}

func certFile(name string) string { return certDir + "/" + name + ".pem" }

// CheckCertificate reports why a PEM of certificate, chain and key cannot serve a name at a time.
func CheckCertificate(text []byte, name string, now time.Time) error {
	leaf, err := parseCertificate(text)
	if err != nil {
		return err
	}
	switch {
	case leaf.VerifyHostname(name) != nil:
		return fmt.Errorf("it is not for %s", name)
	case now.Before(leaf.NotBefore):
		return fmt.Errorf("it begins at %s, and this machine's clock says %s", stamp(leaf.NotBefore), stamp(now))
	case !now.Before(leaf.NotAfter):
		return fmt.Errorf("it ended at %s", stamp(leaf.NotAfter))
	}
	return nil
}

// parseCertificate returns the certificate of a PEM whose key belongs to it.
func parseCertificate(text []byte) (*x509.Certificate, error) {
	pair, err := tls.X509KeyPair(text, text)
	if err != nil {
		return nil, err
	}
	return pair.Leaf, nil
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// NewKey makes a private key, in PEM.
func NewKey() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), err
}

// ParseKey reads a private key in PEM.
func ParseKey(text Secret) (crypto.Signer, error) {
	block, _ := pem.Decode([]byte(text.Reveal()))
	if block == nil {
		return nil, errors.New("it is no PEM file")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("a %T cannot sign", key)
	}
	return signer, nil
}

// RootPool is the system's roots and those of a PEM, which may be empty.
func RootPool(text string) (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if text == "" {
		return pool, err
	}
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM([]byte(text)) {
		return nil, errors.New("there is no certificate in the CA's roots")
	}
	return pool, nil
}

// Public reports whether the internet can reach an address: a CA that serves everybody gives certificates for no others.
func Public(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsGlobalUnicast() && !a.IsPrivate() &&
		!netip.MustParsePrefix("100.64.0.0/10").Contains(a) && // RFC 6598: shared by a provider's customers
		!netip.MustParsePrefix("198.18.0.0/15").Contains(a) // RFC 2544, and what proxies on laptops answer for names
}

// isAddress tells a name that is an IP address.
func isAddress(name string) bool {
	_, err := netip.ParseAddr(name)
	return err == nil
}

// URL is where a server is reached: by TLS under a name or an IP address or, without one, in plain HTTP at a host.
func (s Site) URL(host string) string {
	scheme := "http://"
	if s.TLS != "" {
		scheme, host = "https://", s.TLS
	}
	if a, err := netip.ParseAddr(host); err == nil && a.Is6() {
		host = "[" + host + "]"
	}
	return scheme + host
}

// Site says how a server is reached.
type Site struct {
	TLS   string `json:"tls,omitempty"`   // the name or the IP address of its certificate; empty is plain HTTP
	Roots string `json:"roots,omitempty"` // PEM of roots to trust beside the system's
	// From are the networks that alone may come to what clients come in by, as deploys have it in ufw; empty is everybody.
	From []string `json:"from,omitempty"`
}
