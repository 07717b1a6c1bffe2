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
	"strings"
)

// Hops of a question's way.
const (
	HopName    = "name"    // the server's name
	HopNetwork = "network" // from here to the server
	HopTLS     = "tls"     // its certificate
	HopToken   = "token"   // the client token
	HopAdapter = "adapter" // the adapter itself, or what answers in its place
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
		return &Error{Hop: HopNetwork, Message: fmt.Sprintf("cannot connect to %s: %v", c.Profile.URL, op.Err),
			Hint: "is the server up, and does its provider's firewall let that port in? on the server: gemini-manage status"}
	}
	if bad := c.certificateError(err); bad != nil {
		return bad
	}
	return &Error{Hop: HopNetwork, Message: fmt.Sprintf("the connection to %s broke: %v", c.Profile.URL, err), Hint: "try again; on the server: gemini-manage logs"}
}

// plainOnly reports whether the address asks for HTTPS where nobody speaks it.
func (c *Client) plainOnly(err error) bool {
	var op *net.OpError
	var record tls.RecordHeaderError
	return strings.HasPrefix(c.Profile.URL, "https://") &&
		(errors.As(err, &op) && op.Op == "dial" || errors.As(err, &record) || strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"))
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
		return broken("is for another name: "+host.Error(), "connect by a name that it is for, or on the server: gemini-manage status")
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return broken("is not valid now: "+invalid.Error(), "is this machine's clock right? on the server: gemini-manage status")
	case errors.As(err, &unknown):
		return broken("comes from nobody that this machine trusts: "+unknown.Error(), "somebody on the way may be listening; on the server: gemini-manage status")
	case errors.As(err, &invalid):
		return broken("is not good: "+invalid.Error(), "on the server: gemini-manage status")
	}
	return nil
}

// redirectError is a server that sends us elsewhere, where the token must not follow unasked.
type redirectError struct{ to string }

func (e *redirectError) Error() string { return "it sends us to " + e.to }

func (e *redirectError) asError(from string) *Error {
	return &Error{Hop: HopAdapter, Message: fmt.Sprintf("%s sends us to %s", from, e.to), Hint: "gca connect " + e.to}
}

type errorBody struct {
	Error struct {
		Type    string `json:"type"`
		Message string `json:"message"`
	} `json:"error"`
}

// statusError reads an answer that is none.
func (c *Client) statusError(resp *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err != nil {
		return c.networkError(err)
	}
	var e errorBody
	if err := json.Unmarshal(body, &e); err != nil || e.Error.Message == "" {
		e.Error.Message = "an answer that is not the adapter's"
	}
	switch resp.StatusCode {
	case http.StatusUnauthorized:
		return &Error{Hop: HopToken, Status: resp.StatusCode, Message: "the adapter does not accept the client token: " + e.Error.Message,
			Hint: "gca connect " + c.Profile.URL + ", with the token that the deploy or gca tokens add printed"}
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusForbidden, 529:
		return unserved(resp.StatusCode, e.Error.Message)
	}
	return &Error{Hop: HopAdapter, Status: resp.StatusCode, Message: fmt.Sprintf("the adapter answered %s: %s", resp.Status, e.Error.Message)}
}

// unserved tells apart, by the words that came, who of those behind the server's door did not answer.
func unserved(status int, message string) *Error {
	e := &Error{Hop: HopGemini, Status: status, Message: message}
	switch {
	case strings.HasPrefix(message, "the adapter "): // Nginx's words for a backend that is not there
		e.Hop, e.Hint = HopAdapter, "from your laptop: gca start HOST"
	case strings.HasPrefix(message, "token "): // over its limits, or not for this model
		e.Hop, e.Hint = HopAdapter, "gca tokens list HOST shows what a token may, gca stats what it used today"
	case strings.HasPrefix(message, "gemini: the connection failed"):
		e.Hint = "the adapter cannot reach Gemini: look at the server's network, and at the address: gca config get HOST GEMINI_BASE_URL"
	default:
		e.Hint = "on the server: gemini-manage keys test shows what is wrong with them, gemini-manage keys add adds others"
	}
	return e
}
