package provision

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gemini-claude-adapter/gca/provision/converge"
)

// TLSOptions say how clients are to reach the adapter. The zero value keeps what a server has; one without an adapter gets a
// certificate for its public IP address, or plain HTTP where it has none.
type TLSOptions struct {
	Name      string // domain name or IP address of the certificate; "" is none in particular
	Off       bool   // plain HTTP
	Directory string // URL of another CA's ACME directory, or ""
	Roots     string // PEM of a private CA's roots, or ""
}

const (
	nameSetting      = "TLS_NAME"
	directorySetting = "ACME_DIRECTORY"
	plainHTTP        = "off" // a TLS_NAME
)

// tlsSettings are what the options ask of adapter.env.
func (d *deploy) tlsSettings(bare bool) []converge.Setting {
	var settings []converge.Setting
	if d.TLS.Directory != "" {
		settings = append(settings, converge.Setting{Name: directorySetting, Value: d.TLS.Directory})
	}
	name := d.TLS.Name
	switch {
	case d.TLS.Off:
		name = plainHTTP
	case name != "" || !bare:
	case d.Seed != nil && !isAddress(d.Seed.Name):
		// A backup's name moves along, with its certificate; its address does not.
	default:
		name = d.ownAddress()
		if name == "" && d.Seed != nil {
			name = plainHTTP
		}
	}
	if name != "" {
		settings = append(settings, converge.Setting{Name: nameSetting, Value: name})
	}
	return settings
}

// ownAddress is the server's address if a certificate can be had for it: one that serves everybody gives them for public
// addresses alone, another CA knows by itself.
func (d *deploy) ownAddress() string {
	a, err := netip.ParseAddr(d.conn.Reached())
	if err != nil || !converge.Public(a) && d.TLS.Directory == "" {
		return ""
	}
	return a.Unmap().String()
}

func isAddress(name string) bool {
	_, err := netip.ParseAddr(name)
	return err == nil
}

// reachBy says how the adapter is reached from now on.
func (d *deploy) reachBy(site converge.Site) {
	d.site = site
	d.result.URL, d.result.Roots = site.URL(d.Host.Name()), ""
	if site.TLS != "" {
		d.result.Roots = site.Roots
	}
}

// webPort is what clients come in by.
func (d *deploy) webPort() string {
	if d.site.TLS != "" {
		return "443"
	}
	return "80"
}

// door is an address that the adapter answers at, and how to ask there.
type door struct {
	url    string
	client *http.Client
	dial   Dialer // of the client
	inside bool   // on the server alone
}

// doors are, in the order in which they are tried: under a name the address that SSH reached, since DNS may lead elsewhere from
// here, to the server before a move or to none yet; the public address as clients will find it; and, where the server is
// reached through others or lets clients in from some networks alone, so that its web port may be closed from here, the one
// through the SSH connection.
func (d *deploy) doors() []door {
	port := d.webPort()
	all := []door{d.newDoor(new(net.Dialer).DialContext)}
	if reached := d.conn.Reached(); d.site.TLS != "" && reached != "" && reached != d.site.TLS {
		all = slices.Insert(all, 0, d.newDoor(dialing(new(net.Dialer).DialContext, net.JoinHostPort(reached, port))))
	}
	if d.conn.Jumped() || len(d.site.From) > 0 {
		inside := d.newDoor(dialing(d.conn.Dial, "127.0.0.1:"+port))
		inside.inside = true
		all = append(all, inside)
	}
	for _, door := range all {
		if len(all) > 1 {
			door.client.Timeout = healthTime / 6
		}
	}
	return all
}

// heardAt remembers the door that opened, and says what a person should know of the way to it.
func (d *deploy) heardAt(ctx context.Context, opened door) {
	d.door = opened
	switch {
	case opened.inside && len(d.site.From) > 0:
		d.ui.Warn(d.result.URL + " cannot be reached from here, so the adapter was asked on the server, through the SSH connection: " + d.keptOut())
	case opened.inside:
		d.ui.Warn(d.result.URL + " cannot be reached from here, so the adapter was asked on the server, through the SSH connection; for clients to reach it, let TCP port " + d.webPort() + " in there")
	case d.site.TLS != "" && !isAddress(d.site.TLS):
		if elsewhere := d.leadsElsewhere(ctx); elsewhere != "" {
			d.ui.Warn(d.site.TLS + " does not lead to the server from here: " + elsewhere + "; the adapter was asked at " + d.conn.Reached() + ", and showed the right certificate")
		}
	}
}

// keptOut says what keeps this machine out, and lets it in.
func (d *deploy) keptOut() string {
	networks := "--allow-from " + strings.Join(d.site.From, " --allow-from ")
	return networks + " keeps this machine out; " + d.letIn() + " lets it in"
}

// letIn is the command that lets this machine in as well.
func (d *deploy) letIn() string {
	return "gca deploy --allow-from " + strings.Join(d.site.From, " --allow-from ") + " --allow-from YOUR-ADDRESS " + d.Named
}

const lookupTime = 3 * time.Second // for this machine's DNS, which is asked for the person's sake alone

// leadsElsewhere says where this machine's DNS has a name, if not at the server that SSH reached.
func (d *deploy) leadsElsewhere(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	reached, err := netip.ParseAddr(d.conn.Reached())
	if err != nil {
		return ""
	}
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", d.site.TLS)
	if err != nil {
		return "this machine's DNS does not know it"
	}
	var texts []string
	for _, a := range found {
		// A proxy on this machine answers with addresses of its own, and knows the way.
		if a = a.Unmap(); a == reached.Unmap() || converge.Public(reached) && !converge.Public(a) {
			return ""
		}
		texts = append(texts, a.String())
	}
	return "DNS says " + strings.Join(texts, ", ")
}

// Dialer opens a connection for an address; it may know better where that is.
type Dialer func(ctx context.Context, network, address string) (net.Conn, error)

// dialing goes to one address, whatever is asked for.
func dialing(dial Dialer, address string) Dialer {
	return func(ctx context.Context, network, _ string) (net.Conn, error) { return dial(ctx, network, address) }
}

func (d *deploy) newDoor(dial Dialer) door {
	roots, err := converge.RootPool(d.site.Roots)
	if err != nil {
		roots = nil // the system's own; a certificate that they do not know is told then
	}
	client := &http.Client{Timeout: healthTime / 3, Transport: &http.Transport{DisableKeepAlives: true, DialContext: dial,
		TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}}
	return door{url: d.result.URL, client: client, dial: dial}
}
