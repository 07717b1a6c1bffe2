package converge

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// issues tells whether a certificate has to be got.
func (d *differ) issues() bool { return d.s.TLSName != "" && d.f.TLS.Unusable != "" }

// refuseTLS says why no certificate can be had for what is wanted, as far as that can be known before anything is changed, or nil.
func refuseTLS(f Facts, s Settings) *Refusal {
	if s.TLSName == "" {
		return nil
	}
	for _, l := range f.Listeners {
		if l.Port == tlsPort && l.Program != "nginx" && !isLoopback(l.Address) {
			return portRefusal(l, "which Nginx needs for HTTPS", "free it (systemctl status "+fmt.Sprint(l.PID)+" names its unit), or gca deploy --no-tls HOST   # plain HTTP")
		}
	}
	switch {
	case f.TLS.Unusable == "":
		return nil
	case f.TLS.CAError != "":
		message, hint, _ := strings.Cut(f.TLS.CAError, "\n"+hintPrefix)
		return refuse(RefusedTLS, hint+"; or --no-tls for plain HTTP", "no certificate can be had for %s: %s", s.TLSName, message)
	case isAddress(s.TLSName):
		return refuseAddress(f.TLS, s.TLSName)
	}
	return refuseDNS(f.TLS, s.TLSName)
}

func refuseAddress(t TLSFacts, name string) *Refusal {
	wanted, err := netip.ParseAddr(name)
	if err != nil || t.has(wanted) {
		return nil
	}
	return refuse(RefusedTLS, "gca deploy --domain "+joinAddresses(t.must())+" HOST", "%s is no address of this server, which has %s", name, joinAddresses(t.must()))
}

// refuseDNS compares what DNS says of a name with what it must say: every address is this server's, since the CA may ask at any.
func refuseDNS(t TLSFacts, name string) *Refusal {
	must := "it must say " + recordsOf(t.must())
	const again = "mend the record where the name's DNS is kept, wait until it is known (some minutes), then the same again; a CDN's proxying must be off"
	switch {
	case t.DNSError != "":
		return refuse(RefusedTLS, "dig "+name+"   # on the server; mend its name service, or the name's own", "DNS could not be asked for %s: %s; %s", name, t.DNSError, must)
	case len(t.DNS) == 0:
		return refuse(RefusedTLS, again, "DNS knows no address of %s; %s", name, must)
	}
	if slices.ContainsFunc(t.DNS, func(a netip.Addr) bool { return !t.has(a) }) {
		return refuse(RefusedTLS, again, "%s does not lead to this server alone: DNS says %s; %s", name, recordsOf(t.DNS), must)
	}
	return nil
}

// has tells whether an address is this server's. A public one is believed where the server knows only private ones, since it
// is behind a provider's translation then.
func (t TLSFacts) has(a netip.Addr) bool {
	return slices.Contains(t.Addresses, a.Unmap()) || Public(a) && !slices.ContainsFunc(t.Addresses, Public)
}

// must are the addresses that DNS should say: the public ones, where there are any.
func (t TLSFacts) must() []netip.Addr {
	public := slices.DeleteFunc(slices.Clone(t.Addresses), func(a netip.Addr) bool { return !Public(a) })
	if len(public) > 0 {
		return public
	}
	return t.Addresses
}

func recordsOf(list []netip.Addr) string {
	var parts []string
	for _, a := range list {
		kind := "A "
		if a.Is6() {
			kind = "AAAA "
		}
		parts = append(parts, kind+a.String())
	}
	return strings.Join(parts, ", ")
}

func joinAddresses(list []netip.Addr) string {
	var parts []string
	for _, a := range list {
		parts = append(parts, a.String())
	}
	return strings.Join(parts, " or ")
}

// web is the way in from outside. Where a certificate has to be got, Nginx first serves what it did, or plain HTTP, with the
// CA's questions answered; then the firewall lets the CA in, and only with the certificate the site becomes the one that is wanted.
func (d *differ) web() {
	d.begin(GroupNginx)
	final := d.texts[TemplateSite]
	if d.s.TLSName != "" {
		d.certFiles()
	}
	if d.issues() {
		d.texts[TemplateSite] = d.texts[plainSite]
		if d.answersCA() {
			d.texts[TemplateSite] = string(d.f.path(nginxSite).Content)
		}
	}
	d.nginx()
	d.letWebIn()
	if d.s.TLSName == "" && !d.s.PlainChosen && d.w.Scope == ScopeServer {
		d.remark("plain HTTP: there is no certificate, so tokens and prompts travel unencrypted; gca deploy --domain NAME HOST gets one for " +
			"a name, or a public IP address, that leads to this server, and --no-tls ends this reminder")
	}
	if d.s.TLSName == "" {
		return
	}
	if d.issues() {
		d.begin(GroupNginx)
		d.add(KindCert, d.s.TLSName, "get a certificate for "+d.s.TLSName+" from "+caHost(d.s.ACMEDirectory),
			certificateStep{CertRequest{Name: d.s.TLSName, Directory: d.s.ACMEDirectory, Roots: d.f.roots(d.w)}})
		d.serveTLS(final)
	}
	d.timer(certificateTimer())
}

// certFiles are what is sent along, and the folder for the CA's questions.
func (d *differ) certFiles() {
	d.dir(acmeWebroot, 0o755, rootUser, rootUser)
	if d.w.Roots != "" {
		d.file(fileStep{acmeRoots, []byte(d.w.Roots), 0o644, rootUser, false})
	}
	for _, sent := range d.w.Certificates {
		path := certDir + "/" + sent.Name
		now := d.f.path(path)
		switch {
		case path == accountFile && now.Kind == PathAbsent:
			d.add(KindFile, path, "bring the account at the CA along", privateStep{path, sent.Content})
		case path != accountFile && later(sent.Content, now.Content):
			d.certChanged = true
			d.add(KindFile, path, "bring the certificate "+sent.Name+" along", privateStep{path, sent.Content})
		}
	}
}

// answersCA tells whether the site that is there serves the CA's questions as it is.
func (d *differ) answersCA() bool {
	now := d.f.path(nginxSite)
	return now.Kind == PathFile && strings.Contains(string(now.Content), acmeWebroot) && d.f.Units[nginxUnit].Active &&
		d.f.path(nginxEnabled).Target == nginxSite
}

// serveTLS puts the site in place that needs the certificate.
func (d *differ) serveTLS(site string) {
	before := d.texts[TemplateSite]
	if before == site {
		d.add(KindNginx, nginxSite, "let Nginx take up the certificate", nginxStep{})
		d.webChanged = true
		return
	}
	d.add(KindNginx, nginxSite, "let Nginx serve "+Site{TLS: d.s.TLSName}.URL("")+", and send what comes in plain HTTP there",
		sequence{stagedNginxStep{site, d.texts[TemplateMain], newConnections(d.f, d.s)}, fileStep{nginxSite, []byte(site), 0o644, rootUser, false}, nginxStep{}})
	last := &d.steps[len(d.steps)-1]
	last.before, last.after = &before, &site
	d.webChanged = true
}

// caHost names a CA for people.
func caHost(directory string) string {
	host := strings.TrimPrefix(directory, "https://")
	host, _, _ = strings.Cut(host, "/")
	if host == "acme-v02.api.letsencrypt.org" {
		return "Let's Encrypt"
	}
	return host
}
