package manage

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

	"github.com/gemini-claude-adapter/gca/manage/client"
	"github.com/gemini-claude-adapter/gca/provision/converge"
)

const (
	entranceTime = 10 * time.Second
	maxHealth    = 64 << 10 // bytes
)

// entrance is how clients come in, as Nginx on this machine tells it to everybody who asks.
type entrance struct {
	name string            // of its certificate; empty is plain HTTP
	leaf *x509.Certificate // that it shows; nil for plain HTTP
	url  string
	http *http.Client
}

// findEntrance asks Nginx at these addresses, for plain HTTP and for TLS, as host:port. Where the way from the one to the other
// is broken, the error says so.
func findEntrance(ctx context.Context, plain, secure string) (*entrance, error) {
	asker := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: entranceTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	e := &entrance{url: "http://" + plain, http: asker}
	resp, err := e.get(ctx, "/health")
	if err != nil {
		return nil, err
	}
	to, err := url.Parse(resp.Header.Get("Location"))
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusPermanentRedirect || to.Scheme != "https" {
		return e, nil
	}
	e = &entrance{name: to.Hostname(), url: "https://" + to.Host, http: &http.Client{Transport: converge.LocalTransport(to.Hostname(), secure), Timeout: entranceTime}}
	e.leaf, err = shown(ctx, secure, e.name)
	return e, err
}

// shown is the certificate that is shown for a name, whatever it is.
func shown(ctx context.Context, address, name string) (*x509.Certificate, error) {
	ctx, cancel := context.WithTimeout(ctx, entranceTime)
	defer cancel()
	dialer := &tls.Dialer{NetDialer: new(net.Dialer), Config: &tls.Config{ServerName: name, InsecureSkipVerify: true}} // it is only looked at
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("there is no TLS at %s: %w", address, err)
	}
	leaf := conn.(*tls.Conn).ConnectionState().PeerCertificates[0]
	return leaf, conn.Close()
}

func (e *entrance) get(ctx context.Context, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.url+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := e.http.Do(req)
	var asked *url.Error
	if errors.As(err, &asked) {
		err = asked.Err
	}
	return resp, err
}

// health is the adapter's answer on the way that clients come.
func (e *entrance) health(ctx context.Context) (client.Health, error) {
	resp, err := e.get(ctx, "/health")
	if err != nil {
		return client.Health{}, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxHealth))
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return client.Health{}, err
	}
	var h client.Health
	if err := json.Unmarshal(body, &h); err != nil || h.Status == "" {
		return client.Health{}, fmt.Errorf("%s came instead of the adapter's answer", resp.Status)
	}
	return h, nil
}
