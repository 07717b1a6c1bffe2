package upstream

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/net/proxy"
)

const (
	dialTimeout   = 10 * time.Second
	tunnelTimeout = 15 * time.Second // until the proxy has connected to Google, its own dialling included
)

// tunnel dials through an egress proxy. The proxy resolves names, whatever its kind, so that its own region decides which of
// Google's front ends answers. It is its own code beside net/http's, which offers HTTP/2 to HTTPS proxies and then speaks HTTP/1,
// and whose errors do not tell who refused.
type tunnel struct {
	proxy *url.URL
	roots *x509.CertPool // of an HTTPS proxy's certificate, nil is the system's
}

// dial returns a connection to address, host:port. An error is an *egressError.
func (t *tunnel) dial(ctx context.Context, _, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, tunnelTimeout)
	defer cancel()
	var conn net.Conn
	var err error
	if t.proxy.Scheme == "socks5" {
		conn, err = t.socks(ctx, address)
	} else {
		conn, err = t.connect(ctx, address)
	}
	if err != nil {
		return nil, &egressError{err}
	}
	return conn, nil
}

// egressError is a failure to get to Google through a proxy: Google has no part in it.
type egressError struct{ cause error }

func (e *egressError) Error() string { return e.cause.Error() }

func (e *egressError) Unwrap() error { return e.cause }

func dialer() *net.Dialer { return &net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second} }

// host is the proxy's address, host:port.
func (t *tunnel) host(port string) string {
	return net.JoinHostPort(t.proxy.Hostname(), cmp.Or(t.proxy.Port(), port))
}

func (t *tunnel) socks(ctx context.Context, address string) (net.Conn, error) {
	var auth *proxy.Auth
	if user := t.proxy.User; user != nil {
		password, _ := user.Password()
		auth = &proxy.Auth{User: user.Username(), Password: password}
	}
	d, err := proxy.SOCKS5("tcp", t.host("1080"), auth, dialer())
	if err != nil {
		return nil, err
	}
	return d.(proxy.ContextDialer).DialContext(ctx, "tcp", address)
}

// connect asks an HTTP proxy for a tunnel.
func (t *tunnel) connect(ctx context.Context, address string) (net.Conn, error) {
	port := map[string]string{"http": "80", "https": "443"}[t.proxy.Scheme]
	raw, err := dialer().DialContext(ctx, "tcp", t.host(port))
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) }) // whatever waits for it fails
	conn := raw
	if t.proxy.Scheme == "https" {
		conn = tls.Client(raw, &tls.Config{ServerName: t.proxy.Hostname(), RootCAs: t.roots, NextProtos: []string{"http/1.1"}})
	}
	err = t.ask(conn, address)
	if !stop() {
		err = context.Cause(ctx) // what the deadline did to the connection says less
	}
	if err != nil {
		_ = raw.Close() // the error is told already
		return nil, err
	}
	return conn, nil
}

// ask sends CONNECT and reads the answer.
func (t *tunnel) ask(conn net.Conn, address string) error {
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: address}, Host: address, Header: http.Header{}}
	if user := t.proxy.User; user != nil {
		password, _ := user.Password()
		basic := base64.StdEncoding.EncodeToString([]byte(user.Username() + ":" + password))
		req.Header.Set("Proxy-Authorization", "Basic "+basic)
	}
	if err := req.Write(conn); err != nil {
		return err
	}
	r := bufio.NewReader(io.LimitReader(conn, maxErrorBody))
	resp, err := http.ReadResponse(r, req)
	switch {
	case err != nil:
		return fmt.Errorf("it does not answer as an HTTP proxy does: %w", err)
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("it refuses with %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	case r.Buffered() > 0:
		return errors.New("it sends more than its answer")
	}
	return nil
}
