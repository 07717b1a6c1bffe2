package converge

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

const (
	lookupTime = 10 * time.Second // for DNS
	reachTime  = 20 * time.Second // for the CA's directory
)

// TLSFacts is what is known of the certificate that is wanted. All but Unusable is looked up only where one has to be got.
type TLSFacts struct {
	Unusable string // why what is there, or sent along, cannot serve the name; empty if it can

	Addresses []netip.Addr // that this server has, and the one that the laptop reached it by, sorted
	DNS       []netip.Addr // of the name, sorted
	DNSError  string
	CAError   string // why the CA cannot be talked to
}

// collectCertificate adds to the facts what is known of the certificate that is wanted, if one is. Settings that cannot be
// read are told by [Diff].
func (a Agent) collectCertificate(ctx context.Context, r *reader, want Want, f *Facts) (err error) {
	s, err := a.ReadSettings(f.settingsFiles(want))
	if err != nil || s.TLSName == "" {
		return nil
	}
	paths := []string{certFile(s.TLSName), accountFile}
	for _, sent := range want.Certificates {
		paths = append(paths, certDir+"/"+sent.Name)
	}
	for _, path := range paths {
		if f.Paths[path], err = r.state(path); err != nil {
			return err
		}
	}
	f.TLS, err = a.collectTLS(ctx, r, want, *f, s)
	return err
}

// collectTLS looks at what is there for the name; where a certificate has to be got, it asks DNS and the CA too.
func (a Agent) collectTLS(ctx context.Context, r *reader, want Want, f Facts, s Settings) (TLSFacts, error) {
	now := time.Now()
	sent, text := want.certificate(s.TLSName), f.path(certFile(s.TLSName)).Content
	if len(sent) > 0 && later(sent, text) {
		text = sent
	}
	unusable := errors.New("there is none")
	if len(text) > 0 {
		unusable = CheckCertificate(text, s.TLSName, now)
	}
	if unusable == nil {
		return TLSFacts{}, nil
	}
	facts := TLSFacts{Unusable: unusable.Error()}
	var err error
	if facts.Addresses, err = ownAddresses(want.Reached); err != nil {
		return TLSFacts{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	asked := make(chan error, 1)
	go func() { asked <- a.Certificates.Reach(ctx, r.certRequest(f, want, s)) }()
	if !isAddress(s.TLSName) {
		facts.DNS, facts.DNSError = resolve(ctx, s.TLSName)
	}
	if err := <-asked; err != nil {
		facts.CAError = err.Error()
	}
	return facts, nil
}

// later tells whether a certificate ends after another one, which may be none.
func later(a, b []byte) bool {
	first, err := parseCertificate(a)
	if err != nil {
		return false
	}
	second, err := parseCertificate(b)
	return err != nil || first.NotAfter.After(second.NotAfter)
}

// certRequest is what a CA is asked for, without the account.
func (s *reader) certRequest(f Facts, want Want, settings Settings) CertRequest {
	return CertRequest{Name: settings.TLSName, Directory: settings.ACMEDirectory, Roots: f.roots(want), Webroot: s.at(acmeWebroot), Local: s.web}
}

// roots are those of a private CA, as they will be.
func (f Facts) roots(want Want) string {
	if want.Roots != "" {
		return want.Roots
	}
	return string(f.path(acmeRoots).Content)
}

func ownAddresses(reached string) ([]netip.Addr, error) {
	list, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var own []netip.Addr
	for _, a := range list {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().IsGlobalUnicast() {
			own = append(own, p.Addr().Unmap())
		}
	}
	if a, err := netip.ParseAddr(reached); err == nil {
		own = append(own, a.Unmap())
	}
	return sorted(own), nil
}

func sorted(list []netip.Addr) []netip.Addr {
	slices.SortFunc(list, netip.Addr.Compare)
	return slices.Compact(list)
}

// resolve asks DNS for all addresses of a name, as a CA would.
func resolve(ctx context.Context, name string) (found []netip.Addr, problem string) {
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	list, err := (&net.Resolver{PreferGo: true}).LookupNetIP(ctx, "ip", strings.TrimSuffix(name, ".")+".")
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return nil, ""
	case errors.As(err, &dns):
		return nil, dns.Err
	case err != nil:
		return nil, err.Error()
	}
	for i := range list {
		list[i] = list[i].Unmap()
	}
	return sorted(list), ""
}
