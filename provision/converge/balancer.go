package converge

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// Backend is an adapter on another server, as a balancer's Nginx reaches it.
type Backend struct {
	Server string // HOST:PORT, as Nginx writes it
	TLS    string // name that its certificate must have; "" is plain HTTP
}

// Hop is a port of the balancer where plain HTTP becomes HTTPS to one server.
type Hop struct {
	Port   int
	Server string // HOST:PORT
	Name   string // of its certificate
}

// firstHop is the port of the first hop; each further one has the next.
const firstHop = 8460

// debianRoots is where Debian and Ubuntu keep the roots that everybody trusts.
const debianRoots = "/etc/ssl/certs/ca-certificates.crt"

var hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$`)

// ParseBackend reads ADDRESS[:PORT] of a private network, http://HOST[:PORT] or https://NAME[:PORT]. Plain HTTP over the internet, which
// shows tokens to all on the way, is taken where it is written out alone.
func ParseBackend(text string) (Backend, error) {
	scheme, rest, written := strings.Cut(text, "://")
	if !written {
		scheme, rest = "http", text
	}
	refuse := func(why string) (Backend, error) {
		return Backend{}, fmt.Errorf("%q: %s\nhint: name servers as 10.0.0.2, 10.0.0.3:80 or https://adapter.example.com", text, why)
	}
	port, known := map[string]string{"http": "80", "https": "443"}[scheme]
	if !known {
		return refuse("expected http or https")
	}
	host := strings.TrimSuffix(rest, "/")
	if h, p, err := net.SplitHostPort(host); err == nil {
		host, port = h, p
	}
	host = strings.Trim(host, "[]")
	ip, notIP := netip.ParseAddr(host)
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return refuse("expected a port from 1 to 65535")
	}
	if notIP != nil && !hostName.MatchString(host) || ip.Zone() != "" {
		return refuse("expected a name or an address, and nothing behind it")
	}
	if !written && host != "localhost" && (notIP != nil || Public(ip)) {
		return refuse("a name, or an address that the internet reaches, takes its scheme: by https://NAME tokens go encrypted, by http:// anybody on the way reads them")
	}
	b := Backend{Server: net.JoinHostPort(host, port)}
	if scheme == "https" {
		if notIP == nil {
			return refuse("Nginx checks certificates of names alone, not of addresses")
		}
		b.TLS = host
	}
	return b, nil
}

// Balancer is an Nginx before adapters on other servers.
type Balancer struct {
	Backends    []Backend // two or more
	Certificate string    // file with certificate, chain and key on the balancer; "" is plain HTTP
	MaxBody     int64     // bytes; at least the adapters' own
}

// Render writes the balancer's site, by the template of a deploy's own.
func (b Balancer) Render(templates map[string]string) (string, error) {
	v := view{
		Origin: "Written by gca export nginx-balancer: several adapters behind one Nginx, such as /etc/nginx/conf.d/gemini-balancer.conf.",
		Nginx:  oldestNginx(), IPv6: true, Webroot: acmeWebroot, Roots: debianRoots, MaxBody: b.MaxBody, Errors: nginxErrors(b.MaxBody, onServer),
	}
	if b.Certificate != "" {
		v.TLS = &tlsView{URL: "https://$host", File: b.Certificate}
	}
	for _, backend := range b.Backends {
		server := backend.Server
		if backend.TLS != "" {
			hop := Hop{firstHop + len(v.Hops), server, backend.TLS}
			v.Hops = append(v.Hops, hop)
			server = "127.0.0.1:" + strconv.Itoa(hop.Port)
		}
		v.Backends = append(v.Backends, server)
	}
	return render(TemplateSite, templates[TemplateSite], v)
}

// ContainerSite is the site of an Nginx before the adapter's container at HOST:PORT: plain HTTP.
func ContainerSite(templates map[string]string, server string, maxBody int64) (string, error) {
	return render(TemplateSite, templates[TemplateSite], view{
		Origin: "Written by gca export compose: the site before the adapter's container.",
		Nginx:  oldestNginx(), Webroot: acmeWebroot, Server: server, MaxBody: maxBody, Errors: nginxErrors(maxBody, inContainer),
	})
}
