package keys

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
)

// EgressName names an egress proxy where people see it: scheme, host and port, and, since one address may lead to many exits
// by the user that is given, three bytes of the user's hash. nil is "". Two proxies that differ in their password alone have the
// same name.
func EgressName(proxy *url.URL) string {
	if proxy == nil {
		return ""
	}
	name := proxy.Scheme + "://" + proxy.Host
	if user := proxy.User.Username(); user != "" {
		sum := sha256.Sum256([]byte(user))
		name += " (user " + hex.EncodeToString(sum[:3]) + ")"
	}
	return name
}

// Proxy is the egress proxy of the key alone, nil where it has none.
func (l *Lease) Proxy() *url.URL { return l.proxy }

// Egress names Proxy as EgressName does: keys with the same one reach Gemini from the same place. "" is PROXY_URL, or the
// straight way.
func (l *Lease) Egress() string { return l.egress }
