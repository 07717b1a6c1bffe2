package converge

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

func tlsWant(t testing.TB, name string) Want {
	w := testWant(t)
	w.Settings = append(slices.Clone(w.Settings), Setting{Name: "TLS_NAME", Value: name})
	return w
}

func addresses(texts ...string) []netip.Addr {
	var list []netip.Addr
	for _, text := range texts {
		list = append(list, netip.MustParseAddr(text))
	}
	return list
}

// certificateFor is a certificate for a name, with its key, in PEM.
func certificateFor(t testing.TB, name string, from, until time.Time) []byte {
	t.Helper()
	key, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ParseKey(NewSecret(string(key)))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: from, NotAfter: until, DNSNames: []string{name}}
	if ip := net.ParseIP(name); ip != nil {
		template.DNSNames, template.IPAddresses = nil, []net.IP{ip}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), key...)
}

// Nginx answers the CA, and a firewall that is on lets it in, before it is asked; the site changes when the certificate is
// there, and a firewall that is off is turned on last of all.
func TestDiff_TLS(t *testing.T) {
	w, fresh := tlsWant(t, "adapter.example.com"), freshFacts()
	fresh.TLS = TLSFacts{Unusable: "there is none", Addresses: addresses("203.0.113.9"), DNS: addresses("203.0.113.9")}
	if p := mustDiff(t, fresh, w); !slices.Equal(stepNames(p, GroupFirewall), []string{ArmedStep, "firewall:ufw"}) ||
		!slices.Equal(p.steps[len(p.steps)-1].op.(firewallStep).open, []opening{{port: 22}, {port: 80}, {port: 443}, {port: 2222}}) {
		t.Errorf("%q", ids(p))
	}
	fresh.Firewall = Firewall{UFW: UFWActive, Rules: rules("22/tcp", "2222/tcp", "80/tcp")}
	p := mustDiff(t, fresh, w)
	from := slices.Index(ids(p), "nginx:nginx")
	want := []string{"nginx:nginx", "firewall:web", "certificate:adapter.example.com", "nginx:" + nginxSite,
		"file:" + certificateTimer().serviceFile(), "file:" + certificateTimer().file(), "unit:" + certificateTimer().unit, "check:web"}
	if got := ids(p)[from : from+len(want)]; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if st := p.steps[from+1].op.(firewallStep); !slices.Equal(st.open, []opening{{port: 443}}) {
		t.Errorf("the firewall lets %v in", st.open)
	}
	site := p.steps[from+3]
	if strings.Contains(*site.before, "listen 443") || !strings.Contains(*site.before, acmeWebroot) || !strings.Contains(*site.after, "return 308 https://adapter.example.com$request_uri") {
		t.Errorf("the site changes from\n%s\nto\n%s", *site.before, *site.after)
	}
	if st := p.steps[from+7].op.(healthStep); st.tls != "adapter.example.com" {
		t.Errorf("the last look is at %+v", st)
	}
	if p.site.TLS != "adapter.example.com" || hasNote(p, "plain HTTP") {
		t.Errorf("site %+v, notes %q", p.site, p.notes)
	}
	equal := after(fresh, p)
	if again := mustDiff(t, equal, w); len(again.steps) > 0 {
		t.Errorf("again: %q", ids(again))
	}
	// One that has ended is replaced with the site as it is.
	ended := equal
	ended.TLS = fresh.TLS
	if got := ids(mustDiff(t, ended, w)); !slices.Equal(got, []string{"certificate:adapter.example.com", "nginx:" + nginxSite, "check:web"}) {
		t.Errorf("one that ended: %q", got)
	}
	// Under another name the old one is served until the new one is there.
	other := mustDiff(t, ended, tlsWant(t, "203.0.113.9"))
	if got := ids(other); !slices.Contains(got, "certificate:203.0.113.9") || slices.Contains(got, "file:"+nginxSite) || slices.Contains(got, "nginx:nginx") {
		t.Errorf("another name: %q", got)
	}
	// Nginx that does not run answers no CA: it gets the plain site first.
	ended.Units[nginxUnit] = UnitState{Loaded: true, Enabled: true}
	if got := ids(mustDiff(t, ended, w)); !slices.Contains(got, "file:"+nginxSite) || !slices.Contains(got, "nginx:"+nginxSite) {
		t.Errorf("with Nginx down: %q", got)
	}
	plain := mustDiff(t, equal, tlsWant(t, "off"))
	if got := ids(plain); !slices.Contains(got, "file:"+nginxSite) || !slices.Contains(got, "nginx:nginx") || hasNote(plain, "plain HTTP") || plain.site.TLS != "" {
		t.Errorf("without TLS: %q, notes %q", got, plain.notes)
	}
}

func TestDiff_TLS_refused(t *testing.T) {
	f := func(name string, change func(*Facts), wants ...string) {
		t.Helper()
		facts := freshFacts()
		facts.TLS = TLSFacts{Unusable: "there is none", Addresses: addresses("10.0.0.5", "203.0.113.9", "2001:db8::9"), DNS: addresses("203.0.113.9")}
		change(&facts)
		_, err := Diff(facts, tlsWant(t, name), readTestSettings)
		if len(wants) == 0 {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			return
		}
		for _, want := range append(wants, "\nhint: ") {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: want %q in %v", name, want, err)
			}
		}
	}
	const domain = "adapter.example.com"
	says := func(list ...string) func(*Facts) { return func(f *Facts) { f.TLS.DNS = addresses(list...) } }
	f(domain, says("203.0.113.9"))
	f(domain, says("203.0.113.9", "2001:db8::9"))
	f(domain, says(), "DNS knows no address of "+domain+"; it must say A 203.0.113.9, AAAA 2001:db8::9")
	f(domain, says("198.51.100.1"), "DNS says A 198.51.100.1; it must say A 203.0.113.9", "a CDN's proxying must be off")
	f(domain, says("203.0.113.9", "2001:db8::1"), "DNS says A 203.0.113.9, AAAA 2001:db8::1")
	f(domain, func(f *Facts) { f.TLS.DNSError = "server misbehaving" }, "server misbehaving", "dig "+domain)
	// Behind a provider's translation the server does not know its own address, and the CA will tell.
	behind := func(list ...string) func(*Facts) {
		return func(f *Facts) { f.TLS.Addresses, f.TLS.DNS = addresses("10.0.0.5"), addresses(list...) }
	}
	f(domain, behind("198.51.100.1"))
	f(domain, behind("10.0.0.6"), "DNS says A 10.0.0.6; it must say A 10.0.0.5")
	f("203.0.113.9", says())
	f("198.51.100.1", says(), "198.51.100.1 is no address of this server", "--domain 203.0.113.9")
	f(domain, func(f *Facts) { f.TLS.CAError = "the CA cannot be reached\nhint: look" }, "no certificate can be had for "+domain+": the CA cannot be reached", "hint: look; or --no-tls")
	f(domain, func(f *Facts) { f.Listeners = []Listener{{443, "0.0.0.0", "caddy", 71}} }, "port 443, which Nginx needs for HTTPS, is held by caddy (pid 71)")
	f(domain, func(f *Facts) {
		f.Listeners = []Listener{{443, "127.0.0.1", "caddy", 71}, {443, "0.0.0.0", "nginx", 72}}
	})
	f("off", func(f *Facts) { f.Listeners = []Listener{{443, "0.0.0.0", "caddy", 71}} })
}

// What a backup brings along takes the place of what ends earlier.
func TestDiff_Certificates(t *testing.T) {
	now := time.Now()
	long, short := certificateFor(t, "adapter.example.com", now.Add(-time.Hour), now.Add(time.Hour)), certificateFor(t, "adapter.example.com", now.Add(-time.Hour), now.Add(time.Minute))
	w := tlsWant(t, "adapter.example.com")
	w.Certificates = []StateFile{{"account.key", 0o600, []byte("key")}, {"adapter.example.com.pem", 0o600, long}}
	f := func(there []byte, want ...string) {
		t.Helper()
		facts := freshFacts()
		if there != nil {
			facts.Paths[certFile("adapter.example.com")] = PathState{Kind: PathFile, Mode: 0o600, Content: there}
			facts.Paths[accountFile] = PathState{Kind: PathFile, Mode: 0o600, Content: there}
		}
		var got []string
		for _, id := range ids(mustDiff(t, facts, w)) {
			if strings.HasPrefix(id, "file:"+certDir) {
				got = append(got, id)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f(nil, "file:"+accountFile, "file:"+certFile("adapter.example.com"))
	f(short, "file:"+certFile("adapter.example.com"))
	f(long)
	f([]byte("nonsense"), "file:"+certFile("adapter.example.com"))
	w.Certificates[1].Content = short
	f(long)
	w.Certificates[1].Name = "../../etc/passwd"
	if w.Validate() == nil {
		t.Error("a path is taken for a certificate's name")
	}
}

// Where the adapter alone is meant, of a firewall that is on only what it needs is opened.
func TestDiff_TLS_adapterAlone(t *testing.T) {
	w := tlsWant(t, "adapter.example.com")
	equal := after(freshFacts(), mustDiff(t, freshFacts(), testWant(t)))
	w.Scope = ScopeAdapter
	equal.TLS = TLSFacts{}
	p := mustDiff(t, equal, w)
	if i := slices.Index(ids(p), "firewall:web"); i < 0 || !slices.Equal(p.steps[i].op.(firewallStep).open, []opening{{port: 443}}) || p.steps[i].op.(firewallStep).start {
		t.Errorf("steps %q", ids(p))
	}
	equal.Firewall = Firewall{UFW: UFWInactive}
	if p = mustDiff(t, equal, w); len(stepNames(p, GroupFirewall)) > 0 {
		t.Errorf("a firewall that is off is turned on: %q", ids(p))
	}
}

func TestCheckCertificate(t *testing.T) {
	now := time.Now()
	good := certificateFor(t, "adapter.example.com", now.Add(-time.Hour), now.Add(time.Hour))
	f := func(text []byte, name string, at time.Time, want string) {
		t.Helper()
		err := CheckCertificate(text, name, at)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	f(good, "adapter.example.com", now, "")
	f(good, "other.example.com", now, "it is not for other.example.com")
	f(good, "203.0.113.9", now, "it is not for 203.0.113.9")
	f(good, "adapter.example.com", now.Add(2*time.Hour), "it ended at")
	f(good, "adapter.example.com", now.Add(-2*time.Hour), "this machine's clock says")
	f(nil, "adapter.example.com", now, "PEM")
	f(certificateFor(t, "2001:db8::9", now.Add(-time.Hour), now.Add(time.Hour)), "2001:db8::9", now, "")
}

// With a look every eight hours, up to four hours late, a certificate is renewed before half of its life is over, also the
// shortest one.
func TestRenewAfter(t *testing.T) {
	from := time.Unix(0, 0)
	for _, life := range []time.Duration{160 * time.Hour, 45 * 24 * time.Hour, 90 * 24 * time.Hour} {
		if after := RenewAfter(from, from.Add(life)); after.Add(12 * time.Hour).After(from.Add(life / 2)) {
			t.Errorf("one of %s is renewed from %s on", life, after.Sub(from))
		}
	}
}

func TestPublic(t *testing.T) {
	for text, want := range map[string]bool{"203.0.113.9": true, "2001:db8::9": true, "10.0.0.1": false, "192.168.1.1": false, "100.64.3.3": false,
		"198.18.0.4": false, "127.0.0.1": false, "fe80::1": false, "fd00::1": false, "::ffff:10.0.0.1": false, "224.0.0.1": false} {
		if Public(netip.MustParseAddr(text)) != want {
			t.Errorf("%s: %v", text, !want)
		}
	}
}

func TestSite_URL(t *testing.T) {
	f := func(s Site, host, want string) {
		t.Helper()
		if got := s.URL(host); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	f(Site{}, "203.0.113.9", "http://203.0.113.9")
	f(Site{}, "2001:db8::9", "http://[2001:db8::9]")
	f(Site{TLS: "adapter.example.com"}, "203.0.113.9", "https://adapter.example.com")
	f(Site{TLS: "2001:db8::9"}, "tokyo", "https://[2001:db8::9]")
}
