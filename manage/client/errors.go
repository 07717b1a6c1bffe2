package client

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// Hops of a question's way.
const (
	HopName    = "name"    // the server's name
	HopNetwork = "network" // from here to the server
	HopTLS     = "tls"     // its certificate
	HopToken   = "token"   // the client token
	HopAdapter = "adapter" // the adapter itself, or what answers in its place
	HopModel   = "model"   // which the adapter does not know
	HopGemini  = "gemini"  // from the adapter to Gemini, keys included
)

// Error is a failure with the hop that broke.
type Error struct {
	Hop     string
	Status  int // of HTTP, 0 where none came
	Message string
	Hint    string
}

func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Message
	}
	return e.Message + "\nhint: " + e.Hint
}

// host is what to log in to, as commands take it.
func (c *Client) host() string { return cmp.Or(c.Profile.Host, "HOST") }

// server is a command about the adapter's server, as this person can give it.
func (c *Client) server(verb string) string {
	if c.Profile.Host != "" {
		return "gca " + verb + " " + c.Profile.Host
	}
	return "on the server: gemini-manage " + verb
}

// errLate ends what should have been answered at once.
var errLate = errors.New("late")

// failed says which hop broke where a request got no answer.
func (c *Client) failed(req *http.Request, err error) error {
	if cause := context.Cause(req.Context()); errors.Is(cause, errLate) {
		return &Error{Hop: HopNetwork, Message: fmt.Sprintf("%s: no answer within %d s", c.Profile.URL, shortTime/time.Second), Hint: c.server("status")}
	}
	return c.networkError(err)
}

// networkError says which hop broke where no answer came.
func (c *Client) networkError(err error) error {
	var dns *net.DNSError
	var op *net.OpError
	var redirect *redirectError
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &redirect):
		return redirect.asError(c.Profile.URL)
	case errors.As(err, &dns):
		return &Error{Hop: HopName, Message: fmt.Sprintf("no such host: %s", dns.Name), Hint: "check the address, then gca connect https://YOUR-SERVER; a name that is new takes a while to be known everywhere"}
	case c.plainOnly(err):
		return &Error{Hop: HopTLS, Message: fmt.Sprintf("there is no HTTPS at %s", c.Profile.URL),
			Hint: "if the adapter was deployed without TLS: gca connect http" + strings.TrimPrefix(c.Profile.URL, "https")}
	case errors.As(err, &op) && op.Op == "proxyconnect":
		return &Error{Hop: HopNetwork, Message: fmt.Sprintf("the proxy of your environment does not connect to %s: %v", c.Profile.URL, op.Err),
			Hint: "see HTTPS_PROXY and HTTP_PROXY; NO_PROXY=" + hostOf(c.Profile.URL) + " goes without it"}
	case errors.As(err, &op) && op.Op == "dial":
		return c.unreached(op.Err)
	}
	if bad := c.certificateError(err); bad != nil {
		return bad
	}
	return &Error{Hop: HopNetwork, Message: fmt.Sprintf("the connection to %s broke: %v", c.Profile.URL, err), Hint: "try again; " + c.server("logs")}
}

// unreached is that of a server, or of this machine, where nobody takes the connection.
func (c *Client) unreached(why error) *Error {
	e := &Error{Hop: HopNetwork, Message: fmt.Sprintf("cannot connect to %s: %v", c.Profile.URL, why)}
	e.Hint = "is the server up, and does its provider's firewall let that port in? " + c.server("status")
	if here(hostOf(c.Profile.URL)) {
		e.Hint = "nothing listens there on this machine: gca serve starts an adapter here; should a tunnel lead to one, open it again"
	}
	return e
}

// here reports whether a host is this machine.
func here(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// plainOnly reports whether the address asks for HTTPS where nobody speaks it: a server refuses that port, or speaks HTTP there. One
// that does not answer at all says nothing of HTTPS.
func (c *Client) plainOnly(err error) bool {
	var op *net.OpError
	var record tls.RecordHeaderError
	return strings.HasPrefix(c.Profile.URL, "https://") &&
		(errors.As(err, &op) && op.Op == "dial" && strings.Contains(op.Err.Error(), "refused") || // Windows has an error of its own for that
			errors.As(err, &record) || strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"))
}

// certificateError says what is wrong with a certificate, nil if that is not it.
func (c *Client) certificateError(err error) *Error {
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	broken := func(words, hint string) *Error {
		return &Error{Hop: HopTLS, Message: fmt.Sprintf("the certificate of %s %s", c.Profile.URL, words), Hint: hint}
	}
	switch {
	case errors.As(err, &host):
		return broken("is for another name: "+host.Error(), "connect by a name that it is for, or "+c.server("status"))
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return broken("is not valid now: "+invalid.Error(), "is this machine's clock right? "+c.server("status"))
	case errors.As(err, &unknown):
		return broken("comes from nobody that this machine trusts: "+unknown.Error(), "somebody on the way may be listening; "+c.server("status"))
	case errors.As(err, &invalid):
		return broken("is not good: "+invalid.Error(), c.server("status"))
	}
	return nil
}

// redirectError is a server that sends us elsewhere, where the token must not follow unasked.
type redirectError struct{ to string }

func (e *redirectError) Error() string { return "it sends us to " + e.to }

func (e *redirectError) asError(from string) *Error {
	return &Error{Hop: HopAdapter, Message: fmt.Sprintf("%s sends us to %s", from, e.to), Hint: "gca connect " + e.to}
}
