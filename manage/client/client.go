package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	maxReply   = 16 << 20          // of what is no stream
	shortTime  = 10 * time.Second  // for what costs the adapter nothing; Nginx would wait minutes for one that hangs
	dialTime   = 8 * time.Second   // less than shortTime: who does not take the connection is told from who is silent
	atOnce     = 1024              // idle connections kept, for perf
	silentTime = 120 * time.Second // the adapter sends pings every few seconds once a stream is open
)

// Client asks one adapter. It is safe for use by many goroutines.
type Client struct {
	Profile Profile
	http    *http.Client
}

// New returns a client of an adapter. Proxies are those of the environment.
func New(profile Profile) *Client {
	dialer := &net.Dialer{Timeout: dialTime, KeepAlive: 15 * time.Second}
	return newClient(profile, http.ProxyFromEnvironment, dialer.DialContext)
}

// NewVia returns a client whose connections are opened by dial, which is asked for the profile's own address, and by nothing else.
func NewVia(profile Profile, dial func(ctx context.Context, network, address string) (net.Conn, error)) *Client {
	return newClient(profile, nil, dial)
}

func newClient(profile Profile, proxy func(*http.Request) (*url.URL, error), dial func(ctx context.Context, network, address string) (net.Conn, error)) *Client {
	return &Client{profile, &http.Client{
		Transport: &http.Transport{
			Proxy: proxy, DialContext: dial, TLSHandshakeTimeout: shortTime, TLSClientConfig: &tls.Config{RootCAs: profile.roots()},
			ForceAttemptHTTP2: true, MaxIdleConnsPerHost: atOnce, IdleConnTimeout: 90 * time.Second,
		},
		CheckRedirect: func(req *http.Request, _ []*http.Request) error {
			return &redirectError{req.URL.Scheme + "://" + req.URL.Host}
		},
	}}
}

// roots are the system's and the profile's own; nil is the system's. Roots that cannot be read leave a certificate untrusted.
func (p Profile) roots() *x509.CertPool {
	if p.Roots == "" {
		return nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	pool.AppendCertsFromPEM([]byte(p.Roots))
	return pool
}

// Close ends idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Health is the adapter's answer at /health.
type Health struct {
	Status     string `json:"status"` // healthy, degraded, unhealthy
	ActiveKeys int    `json:"active_keys"`
	TotalKeys  int    `json:"total_keys"`
	Version    string `json:"version"`
}

// Health asks whether the adapter is up. It needs no token. An unhealthy adapter is an answer, not an error.
func (c *Client) Health(ctx context.Context) (Health, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, shortTime, errLate)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Profile.URL+"/health", nil)
	if err != nil {
		return Health{}, err
	}
	resp, body, err := c.whole(req)
	if err != nil {
		return Health{}, err
	}
	var h Health
	if err := json.Unmarshal(body, &h); err != nil || h.Status == "" {
		return Health{}, &Error{Hop: HopAdapter, Status: resp.StatusCode, Message: fmt.Sprintf("%s answers (%s), but not as an adapter does", c.Profile.URL, resp.Status),
			Hint: "check the address; " + c.server("status")}
	}
	return h, nil
}

// authorize shows the token. Every request that does goes through here.
func (c *Client) authorize(req *http.Request) error {
	if c.Profile.Token == "" {
		return nil
	}
	if err := c.MayTell(req.Context()); err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.Profile.Token)
	return nil
}

func (c *Client) do(req *http.Request) (*http.Response, error) {
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.failed(req, err)
	}
	return resp, nil
}

// whole makes a request and reads all of its answer.
func (c *Client) whole(req *http.Request) (*http.Response, []byte, error) {
	resp, err := c.do(req)
	if err != nil {
		return nil, nil, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return nil, nil, c.failed(req, err)
	}
	return resp, body, nil
}
