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

// gate decides who may ask. It never changes.
type gate struct {
	tokens []config.Token
	open   openness
	admin  bool // one of the tokens is an admin's
}

// openness is who needs no token.
type openness uint8

const (
	openToNobody  openness = iota
	openLocally            // programs of this machine, which web pages that are shown on it are not
	openToAnybody          // ALLOW_ANONYMOUS
)

// newGate opens the gate to clients only where no token of theirs is configured and nobody else can connect, or everybody may.
func newGate(cfg *config.Config) *gate {
	g := &gate{tokens: cfg.Tokens, admin: cfg.HasAdmin()}
	switch {
	case cfg.Clients():
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
		Message: "no valid client token: send one of the adapter's client tokens as Authorization: Bearer, x-api-key or x-goog-api-key"}
	errForeign = &front.Error{Kind: front.Forbidden, NoRetry: true,
		Message: "without client tokens the adapter serves programs of its own machine only, at localhost, and no web pages\n" +
			"hint: set CLIENT_TOKENS"}
	errNoAdmin = &front.Error{Kind: front.Unauthorized, NoRetry: true,
		Message: "this is for the admin token alone: send it as Authorization: Bearer or x-api-key\n" +
			"hint: the deploy printed it; gca tokens rotate-admin makes another, and ADMIN_TOKEN sets one of your own"}
	errNotAdmin = &front.Error{Kind: front.Forbidden, NoRetry: true,
		Message: "this is for the admin token, and a client token was sent\n" +
			"hint: the deploy printed the admin token; gca tokens rotate-admin makes another"}
)

// admit returns the token that the request carries, nil where none is needed, or why it is turned away. Every configured token
// is compared, in constant time, with each of the headers that clients use, and with more.
func (g *gate) admit(h *fasthttp.RequestHeader, more ...string) (who *config.Token, refusal *front.Error) {
	for _, given := range append(credentials(h), more...) {
		hash := config.HashToken(given)
		for i := range g.tokens {
			if subtle.ConstantTimeCompare(hash[:], g.tokens[i].Hash[:]) == 1 {
				who = &g.tokens[i]
			}
		}
	}
	switch {
	case who != nil || g.open == openToAnybody:
		return who, nil
	case g.open == openLocally && isForeign(h):
		return nil, errForeign
	case g.open == openLocally:
		return nil, nil
	}
	return nil, errNoToken
}

// admitAdmin says why somebody who was let in may not see and change the adapter itself, nil if he may: with an admin token, or,
// where no token at all is configured, from this machine.
func (g *gate) admitAdmin(who *config.Token) *front.Error {
	switch {
	case who == nil && g.open == openLocally && !g.admin, who != nil && who.Admin:
		return nil
	case who == nil:
		return errNoAdmin
	}
	return errNotAdmin
}

// named finds a token by its name, nil if it is not configured any more.
func (g *gate) named(name string) *config.Token {
	for i := range g.tokens {
		if g.tokens[i].Name == name {
			return &g.tokens[i]
		}
	}
	return nil
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
