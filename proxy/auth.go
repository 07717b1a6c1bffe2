package proxy

import (
	"crypto/subtle"
	"net"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/gemini-claude-adapter/gca/proxy/config"
)

// gate knows the client tokens.
type gate struct {
	tokens []config.Token
	open   bool // nobody needs a token
}

// newGate opens the gate only where no token is configured and nobody else can connect, or everybody may.
func newGate(cfg *config.Config) *gate {
	return &gate{tokens: cfg.Tokens, open: len(cfg.Tokens) == 0 && (cfg.AllowAnonymous || isLoopback(cfg.Host))}
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// admit returns the name of the client whose token the request carries. Every configured token is compared, in constant
// time, with each of the headers that clients use.
func (g *gate) admit(h *fasthttp.RequestHeader) (name string, ok bool) {
	if g.open {
		return "", true
	}
	for _, given := range credentials(h) {
		hash := config.HashToken(given)
		for _, t := range g.tokens {
			if subtle.ConstantTimeCompare(hash[:], t.Hash[:]) == 1 {
				name, ok = t.Name, true
			}
		}
	}
	return name, ok
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
