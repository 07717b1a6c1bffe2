package main

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/provision/lab"
)

// Trap 39: what stands in the way of a certificate is found before anything is changed where that can be known, and puts
// everything back where it cannot: never half, and never plain HTTP for who asked for more. A bare address has one too.
func TestTrap39(t *testing.T) {
	t.Parallel()
	r := newRig(t, ready()...)
	ca := lab.NewServerCA(t, r.server, 0)
	r = r.knowing(r.server.Addr + " " + tlsDomain)
	t.Run("wrong DNS", func(t *testing.T) { testWrongDNS(t, r.in(t), ca) })
	ca.Points(tlsDomain, r.server.Addr)
	t.Run("a CA that refuses", func(t *testing.T) { testNoCertificate(t, r.in(t), ca) })
	t.Run("plain HTTP, in words", func(t *testing.T) {
		first := r.in(t).deploy()
		wantText(t, first.err, "plain HTTP: there is no certificate, so tokens and prompts travel unencrypted")
		wantText(t, first.out, "The adapter serves at http://"+r.server.Addr, "whoever is on the way can read them")
		wantText(t, r.in(t).run(nil, r.verb(words("status"))...).out, "certificate none: plain HTTP")
		wantText(t, r.in(t).ok(nil, r.verb(words("cert renew"))...).err, "there is nothing to renew")
	})
	t.Run("the old one serves", func(t *testing.T) { testNoCertificate(t, r.in(t), ca) })
	t.Run("a bare address", func(t *testing.T) { testBareAddress(t, r.in(t), ca) })
	t.Run("back to plain HTTP", func(t *testing.T) {
		back := r.in(t).ok(nil, r.deployArgs("--no-tls")...)
		wantText(t, back.out, "The adapter serves at http://"+r.server.Addr)
		if strings.Contains(back.err, "there is no certificate") {
			t.Errorf("who asked for plain HTTP is warned of it:\n%s", back.err)
		}
		wantText(t, r.in(t).ok(nil, "test").out, "http://"+r.server.Addr)
		r.in(t).serves()
	})
}

// testNoCertificate has a deploy fail at the CA. What was there stays, an adapter that serves among it; the account does too.
func testNoCertificate(t *testing.T, r *rig, ca *lab.CA) {
	ca.Refuse("rateLimited", "too many certificates already issued", 429, http.Header{"Retry-After": {"7200"}})
	defer ca.Refuse("", "", 0, nil)
	left := func() string {
		return r.on("{ " + everything + "\n" + openPorts + "; ls -d /var/lib/gca-acme || true; } 2>&1 | grep -v '^/var/lib/gca\\(/tls\\(/account.key\\)\\?\\)\\? '")
	}
	before := left()
	got := r.fails(withKeys(), exitRolledBack, "everything was put back", r.tlsArgs(ca, "--domain", tlsDomain)...)
	wantText(t, got.err, "get a certificate for "+tlsDomain, "its words: too many certificates already issued", "hint: wait until ")
	if after := left(); after != before {
		t.Errorf("not everything was put back:\n%s", differ(before, after))
	}
	if there := r.on("ls /var/lib/gca/tls"); there != "account.key\n" {
		t.Errorf("of the CA's things are left: %q", there)
	}
}

// openPorts are what others can connect to.
const openPorts = `ss -Hltn | awk '{print $4}' | sort`

func testBareAddress(t *testing.T, r *rig, ca *lab.CA) {
	orders := ca.Orders()
	got := r.ok(nil, r.tlsArgs(ca, "--domain", r.server.Addr)...)
	wantText(t, got.out, "The adapter serves at https://"+r.server.Addr)
	resp := r.secure(ca, r.server.Addr)
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Strict-Transport-Security") != "" {
		t.Errorf("%s, %v: a bare address is no name to bind browsers to", resp.Status, resp.Header)
	}
	report := r.report(0)
	if life := report.NotAfter.Sub(report.NotBefore).Hours(); report.Name != r.server.Addr || life > 161 {
		t.Errorf("%+v lives for %.0f hours", report, life)
	}
	wantText(t, r.ok(nil, "test").out, "https://"+r.server.Addr)
	wantText(t, r.ok(nil, r.deployArgs()...).out, "up to date")
	fresh := *r
	fresh.home = t.TempDir() // another laptop, which trusts the CA
	env := []string{"SSL_CERT_FILE=" + ca.RootFile}
	fresh.ok(env, append(append([]string{"connect"}, r.login()...), r.target())...)
	wantText(t, fresh.ok(env, "test").out, "https://"+r.server.Addr)
	if ca.Orders() != orders+1 {
		t.Errorf("%d orders for one certificate", ca.Orders()-orders)
	}
}

// Trap 38: a move to another server asks the CA for nothing, and does not wait for DNS: certificates and the account travel in
// the backup. A destroy leaves nothing of it.
func TestTrap38(t *testing.T) {
	t.Parallel()
	r := newRig(t, ready()...)
	ca := lab.NewServerCA(t, r.server, 0)
	before := r.on(whole)
	ca.Points(tlsDomain, r.server.Addr)
	r = r.knowing(r.server.Addr + " " + tlsDomain)
	r.ok(withKeys(), r.tlsArgs(ca, "--domain", tlsDomain)...)
	file := filepath.Join(t.TempDir(), "adapter.tar.gz.age")
	r.ok(nil, "backup", "key")
	r.ok(nil, r.verb(words("backup"), "-o", file)...)
	orders := ca.Orders()
	t.Run("in place", func(t *testing.T) { testRestoreTLSHere(t, r.in(t), ca, file) })
	t.Run("elsewhere", func(t *testing.T) { testRestoreTLSElsewhere(t, r.in(t), ca, file) })
	if ca.Orders() != orders {
		t.Errorf("the CA was asked for %d more certificates", ca.Orders()-orders)
	}
	r.ok(nil, r.destroyArgs("--yes")...)
	r.wantAsBefore(before, "destroyed")
}

// testRestoreTLSHere loses the certificate, and HTTPS, on the same server.
func testRestoreTLSHere(t *testing.T, r *rig, ca *lab.CA, file string) {
	held := r.on("sha256sum /var/lib/gca/tls/*")
	r.ok(nil, r.deployArgs("--no-tls")...)
	r.on("rm -r /var/lib/gca/tls")
	back := r.ok(nil, r.verb(words("restore"), "--yes", file)...)
	wantText(t, back.out, "The adapter serves at https://"+tlsDomain)
	if now := r.on("sha256sum /var/lib/gca/tls/*"); now != held {
		t.Errorf("certificates and account are\n%s, not\n%s", now, held)
	}
	r.secure(ca, tlsDomain)
	wantText(t, r.ok(nil, "test").out, "https://"+tlsDomain)
}

func testRestoreTLSElsewhere(t *testing.T, r *rig, ca *lab.CA, file string) {
	other := newRig(t, ready()...)
	other.home = r.home
	other = other.knowing(r.server.Addr + " " + tlsDomain) // DNS still leads to the old one
	got := other.ok(nil, other.verb(words("restore"), "--yes", file)...)
	wantText(t, got.out, "The adapter serves at https://"+tlsDomain, "point its DNS record there")
	wantText(t, got.err, tlsDomain+" does not lead to the server from here: DNS says "+r.server.Addr)
	other.secure(ca, tlsDomain)
	report := other.report(0)
	if report.Name != tlsDomain || report.Timer != "active" {
		t.Errorf("%+v", report)
	}
}
