package proxy

import (
	"crypto/subtle"
	"net"
	"net/url"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	"github.com/gemini-claude-adapter/gca/proxy/front"
)

// gate decides who may ask.
type gate struct {
	tokens []config.Token
	open   openness
}

// openness is who needs no token.
type openness uint8

const (
	openToNobody  openness = iota
	openLocally            // programs of this machine, which web pages that are shown on it are not
	openToAnybody          // ALLOW_ANONYMOUS
)

// newGate opens the gate only where no token is configured and nobody else can connect, or everybody may.
func newGate(cfg *config.Config) *gate {
	g := &gate{tokens: cfg.Tokens}
	switch {
	case len(cfg.Tokens) > 0:
	case cfg.AllowAnonymous:
		g.open = openToAnybody
	case isLoopback(cfg.Host) && !cfg.BehindProxy:
		g.open = openLocally
	}
	return g
}

func isLoopback(host string) bool {
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// isForeign reports whether a web page from elsewhere asks, which any browser on this machine lets it do: by its Origin, or
// by a Host that is another name for this address.
func isForeign(h *fasthttp.RequestHeader) bool {
	host := string(h.Host())
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if !isLoopback(host) {
		return true
	}
	origin := string(h.Peek("Origin"))
	if origin == "" {
		return false
	}
	u, err := url.Parse(origin)
	return err != nil || !isLoopback(u.Hostname())
}

var (
	errNoToken = &front.Error{Kind: front.Unauthorized, NoRetry: true,
		Message: "no valid client token: send one of the adapter's client tokens as Authorization: Bearer or x-api-key"}
	errForeign = &front.Error{Kind: front.Forbidden, NoRetry: true,
		Message: "without client tokens the adapter serves programs of its own machine only, at localhost, and no web pages\n" +
			"hint: set CLIENT_TOKENS"}
)

// admit returns the name of the client whose token the request carries, "" where none is needed, or why it is turned away.
// Every configured token is compared, in constant time, with each of the headers that clients use, and with more.
func (g *gate) admit(h *fasthttp.RequestHeader, more ...string) (name string, refusal *front.Error) {
	switch {
	case g.open == openToAnybody:
		return "", nil
	case g.open == openLocally && isForeign(h):
		return "", errForeign
	case g.open == openLocally:
		return "", nil
	}
	refusal = errNoToken
	for _, given := range append(credentials(h), more...) {
		hash := config.HashToken(given)
		for _, t := range g.tokens {
			if subtle.ConstantTimeCompare(hash[:], t.Hash[:]) == 1 {
				name, refusal = t.Name, nil
			}
		}
	}
	return name, refusal
}

func credentials(h *fasthttp.RequestHeader) []string {
	var all []string
	scheme, token, _ := strings.Cut(string(h.Peek("Authorization")), " ")
	if strings.EqualFold(scheme, "bearer") {
		all = append(all, strings.TrimSpace(token))
	}
	for _, name := range []string{"x-api-key", "x-goog-api-key"} {
		if v := h.Peek(name); len(v) > 0 {
			all = append(all, string(v))
		}
	}
	return all
}
