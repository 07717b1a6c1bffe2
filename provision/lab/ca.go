package lab

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/letsencrypt/challtestsrv"
	pebble "github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
)

// CAOptions describe a certificate authority.
type CAOptions struct {
	// Address is where it and its name server listen. Default: 127.0.0.1.
	Address string
	// DNSPort is where its name server listens. Default: a free port.
	DNSPort int
	// HTTPPort is where it looks for answers. Default: 80.
	HTTPPort int
	// Life is how long certificates live, in seconds. Default: 160 hours for the profile shortlived, 90 days otherwise.
	Life uint64
}

// CA is a real ACME certificate authority (letsencrypt/pebble) and the name server that it asks, for one test.
type CA struct {
	Directory string // URL
	Roots     string // PEM of the roots of its certificates and of its own address
	RootFile  string // a file with Roots
	DNS       string // address of the name server, host:port

	names   *challtestsrv.ChallSrv
	problem atomic.Pointer[problem]
	orders  atomic.Int32
}

// problem is what orders are answered with, in place of the CA.
type problem struct {
	status int
	text   string // JSON
	header http.Header
}

// NewCA starts a CA that ends with the test.
func NewCA(tb testing.TB, o CAOptions) *CA {
	tb.Helper()
	if o.Address == "" {
		o.Address = "127.0.0.1"
	}
	if o.DNSPort == 0 {
		o.DNSPort = freePort(tb, o.Address)
	}
	if o.HTTPPort == 0 {
		o.HTTPPort = 80
	}
	c := &CA{DNS: net.JoinHostPort(o.Address, fmt.Sprint(o.DNSPort))}
	c.serveNames(tb)
	// It reads these when it starts; a CA that dawdles at random and reuses what was proven tests nothing more.
	for name, value := range map[string]string{"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_AUTHZREUSE": "0"} {
		if err := os.Setenv(name, value); err != nil {
			tb.Fatal(err)
		}
	}
	life := func(usual uint64) pebble.Profile {
		if o.Life > 0 {
			usual = o.Life
		}
		return pebble.Profile{Description: "for tests", ValidityPeriod: usual}
	}
	quiet, store := log.New(io.Discard, "", 0), db.NewMemoryStore()
	issuer := pebble.New(quiet, store, "", "ecdsa", 0, 1, map[string]pebble.Profile{"default": life(90 * 86400), "shortlived": life(160 * 3600)})
	front := wfe.New(quiet, store, va.New(quiet, o.HTTPPort, 443, false, c.DNS, store), issuer, []string{"ca.test"}, false, false, 1, 1)
	c.serve(tb, o.Address, front.Handler())
	c.Roots += string(issuer.GetRootCert(0).PEM())
	c.RootFile = filepath.Join(tb.TempDir(), "roots.pem")
	if err := os.WriteFile(c.RootFile, []byte(c.Roots), 0o600); err != nil {
		tb.Fatal(err)
	}
	return c
}

// readyName is a name that leads somewhere from the beginning, so that its answer tells that the name server is at work.
const readyName = "ready.test."

func (c *CA) serveNames(tb testing.TB) {
	tb.Helper()
	names, err := challtestsrv.New(challtestsrv.Config{Log: log.New(io.Discard, "", 0), DNSAddrs: []string{c.DNS}})
	if err != nil {
		tb.Fatal(err)
	}
	names.SetDefaultDNSIPv4("")
	names.SetDefaultDNSIPv6("")
	names.AddDNSARecord(readyName, []string{"192.0.2.1"})
	c.names = names
	names.Run() // it listens a moment later, and tells nobody of a port that another one has
	tb.Cleanup(names.Shutdown)
	for _, network := range []string{"udp", "tcp"} {
		asked := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, c.DNS)
		}}
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			_, err := asked.LookupNetIP(tb.Context(), "ip4", readyName)
			if err == nil {
				break
			}
			if time.Now().After(end) {
				tb.Fatalf("the name server does not answer over %s: %v", network, err)
			}
		}
	}
}

func freePort(tb testing.TB, address string) int {
	tb.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// NewServerCA starts a CA for a lab server, which asks the CA's name server from then on.
func NewServerCA(tb testing.TB, s *Server, life uint64) *CA {
	tb.Helper()
	c := NewCA(tb, CAOptions{Address: s.Gateway, DNSPort: 53, Life: life})
	if _, err := s.Sh(tb.Context(), "echo nameserver "+s.Gateway+" >/etc/resolv.conf"); err != nil {
		tb.Fatal(err)
	}
	return c
}

// serve answers by HTTPS at an address of this machine.
func (c *CA) serve(tb testing.TB, address string, handler http.Handler) {
	tb.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		tb.Fatal(err)
	}
	pair, root := ownCertificate(tb, address)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == wfeOrders {
			c.orders.Add(1)
			if p := c.problem.Load(); p != nil {
				p.answer(w)
				return
			}
		}
		handler.ServeHTTP(w, r)
	}))
	if err := server.Listener.Close(); err != nil {
		tb.Fatal(err)
	}
	server.Listener, server.TLS = listener, &tls.Config{Certificates: []tls.Certificate{pair}}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	tb.Cleanup(server.Close)
	c.Directory = "https://" + listener.Addr().String() + wfe.DirectoryPath
	c.Roots = root
}

// ownCertificate is one that vouches for itself at an IP address, and its PEM.
func ownCertificate(tb testing.TB, address string) (tls.Certificate, string) {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "the lab's CA"}, IPAddresses: []net.IP{net.ParseIP(address)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		tb.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// wfeOrders is pebble's path of new orders.
const wfeOrders = "/order-plz"

func (p *problem) answer(w http.ResponseWriter) {
	for name, values := range p.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.status)
	_, _ = io.Copy(w, bytes.NewReader([]byte(p.text))) // who asked and left does not need it
}

// Points has DNS say that a name leads to these IPv4 addresses; none is a name that is not known.
func (c *CA) Points(name string, addresses ...string) {
	c.names.DeleteDNSARecord(name + ".")
	if len(addresses) > 0 {
		c.names.AddDNSARecord(name+".", addresses)
	}
}

// PointsIPv6 is Points for IPv6.
func (c *CA) PointsIPv6(name string, addresses ...string) {
	c.names.DeleteDNSAAAARecord(name + ".")
	if len(addresses) > 0 {
		c.names.AddDNSAAAARecord(name+".", addresses)
	}
}

// Refuse has every order answered with a problem of RFC 8555, such as "rateLimited". An empty kind ends it.
func (c *CA) Refuse(kind, detail string, status int, header http.Header) {
	if kind == "" {
		c.problem.Store(nil)
		return
	}
	c.problem.Store(&problem{status, fmt.Sprintf(`{"type":"urn:ietf:params:acme:error:%s","detail":%q,"status":%d}`, kind, detail, status), header})
}

// Orders is how many certificates were asked for.
func (c *CA) Orders() int { return int(c.orders.Load()) }
