package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// ParseURL reads an adapter's address as people give it: without a scheme it is https, or http on this machine and in private
// networks; a trailing / or /v1 is cut.
func ParseURL(s string) (string, error) {
	if !strings.Contains(s, "://") {
		s = guessScheme(s) + "://" + s
	}
	u, err := url.Parse(strings.TrimSuffix(strings.TrimSuffix(s, "/"), "/v1"))
	if err != nil || u.Host == "" || u.Hostname() == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		return "", fmt.Errorf("%q is not an adapter's address\nhint: give it as https://adapter.example.com or http://127.0.0.1:8000", withoutUser(s))
	}
	return u.Scheme + "://" + u.Host + strings.TrimSuffix(u.Path, "/"), nil
}

// withoutUser is an address without what stands before an @, which may be a password.
func withoutUser(s string) string {
	if at := strings.LastIndex(s, "@"); at >= 0 {
		return s[at+1:]
	}
	return s
}

func guessScheme(s string) string {
	u, err := url.Parse("//" + s)
	if err != nil {
		return "https"
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && !public(ip) || u.Hostname() == "localhost" {
		return "http"
	}
	return "https"
}

// public reports whether packets to an address cross networks of others. Carriers' NAT (RFC 6598) is where VPNs such as
// Tailscale live.
func public(ip netip.Addr) bool {
	ip = ip.Unmap()
	return !ip.IsLoopback() && !ip.IsPrivate() && !ip.IsLinkLocalUnicast() && !netip.MustParsePrefix("100.64.0.0/10").Contains(ip)
}

// Exposed reports whether what is sent to an address can be read on the way: plain HTTP to a host with a public address. A name
// that cannot be looked up is an error, since nothing is known of it.
func Exposed(ctx context.Context, address string) (bool, error) {
	u, err := url.Parse(address)
	if err != nil {
		return true, err
	}
	if u.Scheme != "http" {
		return false, nil
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil {
		return public(ip), nil
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	for _, ip := range ips {
		if public(ip) {
			return true, nil
		}
	}
	return err != nil, err
}

// ExposedError refuses to send a token where everybody on the way could read it.
type ExposedError struct{ URL string }

func (e *ExposedError) Error() string {
	return fmt.Sprintf("%s is plain HTTP to a public address: whoever is on the way could read the token and your prompts\nhint: gca connect https%s if it has a certificate, or through a tunnel: ssh -N -L 8080:127.0.0.1:80 root@%s and gca connect http://127.0.0.1:8080; --plain-http sends it all the same",
		e.URL, strings.TrimPrefix(e.URL, "http"), hostOf(e.URL))
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "YOUR-SERVER"
	}
	return u.Hostname()
}

// MayTell refuses to send a token where it could be read, by an ExposedError, unless this user said that it may.
func (c *Client) MayTell(ctx context.Context) error {
	if c.Profile.PlainHTTP {
		return nil
	}
	exposed, err := Exposed(ctx, c.Profile.URL)
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case err != nil:
		return c.networkError(err)
	case exposed:
		return &ExposedError{c.Profile.URL}
	}
	return nil
}
