package main

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/manage"
	"github.com/gemini-claude-adapter/gca/provision/converge"
	"github.com/gemini-claude-adapter/gca/provision/lab"
)

const tlsDomain = "adapter.test"

// knowing is the rig of a user whose machine knows names: in a mount namespace of its own, /etc/hosts has these lines.
func (r *rig) knowing(hosts string) *rig {
	r.t.Helper()
	dir := r.t.TempDir()
	file, script := filepath.Join(dir, "hosts"), filepath.Join(dir, "gca")
	if err := os.WriteFile(file, []byte("127.0.0.1 localhost\n"+hosts+"\n"), 0o644); err != nil {
		r.t.Fatal(err)
	}
	text := "#!/bin/sh\nexec unshare --mount sh -c 'mount --bind " + file + " /etc/hosts && exec " + r.gca + " \"$@\"' gca \"$@\"\n"
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		r.t.Fatal(err)
	}
	other := *r
	other.gca = script
	return &other
}

// tlsArgs deploy by a CA of the lab's.
func (r *rig) tlsArgs(ca *lab.CA, more ...string) []string {
	return r.deployArgs(append([]string{"--acme-directory", ca.Directory, "--acme-root", ca.RootFile}, more...)...)
}

// secure asks the server by HTTPS as a client that trusts the CA does.
func (r *rig) secure(ca *lab.CA, name string) *http.Response {
	r.t.Helper()
	resp, err := r.trying(ca, name, &http.Transport{ForceAttemptHTTP2: true})
	if err != nil {
		r.t.Fatalf("https://%s: %v", name, err)
	}
	return resp
}

func (r *rig) trying(ca *lab.CA, name string, transport *http.Transport) (*http.Response, error) {
	r.t.Helper()
	roots, err := converge.RootPool(ca.Roots)
	if err != nil {
		r.t.Fatal(err)
	}
	transport.DisableKeepAlives = true
	transport.TLSClientConfig = &tls.Config{RootCAs: roots, ServerName: name}
	resp, err := (&http.Client{Transport: transport, Timeout: 20 * time.Second}).Get("https://" + net.JoinHostPort(r.server.Addr, "443") + "/health")
	if err == nil {
		err = resp.Body.Close()
	}
	return resp, err
}

// report is what cert status says.
func (r *rig) report(wantCode int) manage.CertReport {
	r.t.Helper()
	got := r.run(nil, r.verb(words("cert status"), "--json")...)
	var report manage.CertReport
	if err := json.Unmarshal([]byte(got.out), &report); err != nil || report.Schema != 1 || got.code != wantCode {
		r.t.Fatalf("cert status: exit code %d, want %d, %v\n%s%s", got.code, wantCode, err, got.out, got.err)
	}
	return report
}

// A domain, from the first deploy to HTTPS that a client trusts, and the second that changes nothing.
func TestTLS(t *testing.T) {
	t.Parallel()
	r := newRig(t, ready()...)
	ca := lab.NewServerCA(t, r.server, 0)
	r = r.knowing(r.server.Addr + " " + tlsDomain)
	ca.Points(tlsDomain, r.server.Addr)
	first := r.ok(withKeys(), r.tlsArgs(ca, "--domain", strings.ToUpper(tlsDomain))...)
	wantText(t, first.out, "The adapter serves at https://"+tlsDomain, "ANTHROPIC_BASE_URL=https://"+tlsDomain, "private CA, whose root clients must trust")
	if strings.Contains(first.out+first.err, "unencrypted") {
		t.Errorf("plain HTTP is spoken of:\n%s%s", first.err, first.out)
	}
	wantText(t, r.ok(nil, "test").out, "https://"+tlsDomain)
	t.Run("what is served", func(t *testing.T) { testServedTLS(t, r.in(t), ca) })
	t.Run("where it lies", func(t *testing.T) { testPrivateKeys(t, r.in(t)) })
	t.Run("again changes nothing", func(t *testing.T) { testAgainTLS(t, r.in(t), ca) })
	t.Run("renewal", func(t *testing.T) { testRenewal(t, r.in(t), ca) })
}

func testWrongDNS(t *testing.T, r *rig, ca *lab.CA) {
	f := func(want ...string) {
		t.Helper()
		before := r.on(everything)
		got := r.fails(withKeys(), exitRefused, "nothing was changed", r.tlsArgs(ca, "--domain", tlsDomain)...)
		wantText(t, got.err, append(want, "must say A "+r.server.Addr)...)
		if after := r.on(everything); after != before {
			t.Errorf("something changed:\n%s", differ(before, after))
		}
	}
	f("DNS could not be asked for "+tlsDomain, "\nhint: dig "+tlsDomain) // the lab's name server refers to nobody for what it does not know
	ca.Points(tlsDomain, r.server.Gateway)
	f(tlsDomain+" does not lead to this server alone: DNS says A "+r.server.Gateway, "\nhint: mend the record")
	ca.Points(tlsDomain, r.server.Addr)
	ca.PointsIPv6(tlsDomain, "fd00::9")
	f("DNS says A " + r.server.Addr + ", AAAA fd00::9")
	ca.PointsIPv6(tlsDomain)
	if ca.Orders() > 0 {
		t.Error("the CA was asked")
	}
}

func testServedTLS(t *testing.T, r *rig, ca *lab.CA) {
	resp := r.secure(ca, tlsDomain)
	if resp.ProtoMajor != 2 || resp.StatusCode != http.StatusOK || resp.Header.Get("Strict-Transport-Security") != "max-age=63072000" {
		t.Errorf("%s %s, %v", resp.Proto, resp.Status, resp.Header)
	}
	if old, err := r.trying(ca, tlsDomain, &http.Transport{TLSClientConfig: &tls.Config{}}); err != nil || old.StatusCode != http.StatusOK {
		t.Errorf("HTTP/1.1: %v, %v", old, err)
	}
	plain := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	moved, err := plain.Post("http://"+r.server.Addr+"/v1/messages?beta=true", "application/json", bytes.NewReader([]byte("{}")))
	if err != nil {
		t.Fatal(err)
	}
	if to := moved.Header.Get("Location"); moved.Body.Close() != nil || moved.StatusCode != http.StatusPermanentRedirect || to != "https://"+tlsDomain+"/v1/messages?beta=true" {
		t.Errorf("plain HTTP: %s to %s", moved.Status, to)
	}
	for _, path := range []string{"/.well-known/acme-challenge/", "/.well-known/acme-challenge/../renewal.json", "/.well-known/acme-challenge/..%2f..%2frenewal.json"} {
		if resp, err := plain.Get("http://" + r.server.Addr + path); err != nil || resp.Body.Close() != nil || resp.StatusCode == http.StatusOK {
			t.Errorf("%s: %v, %v", path, resp, err)
		}
	}
	wantText(t, r.on("ufw status"), "80/tcp", "443/tcp")
	status := r.ok(nil, r.verb(words("status"))...)
	wantText(t, status.out, "certificate "+tlsDomain+", until ", "health      healthy")
}

// testPrivateKeys wants keys where root alone reads, and none in any journal.
func testPrivateKeys(t *testing.T, r *rig) {
	modes := r.on("stat -c '%a %U %n' /var/lib/gca /var/lib/gca/tls /var/lib/gca/tls/* /var/lib/gca-acme")
	wantText(t, modes, "700 root /var/lib/gca\n", "700 root /var/lib/gca/tls\n", "600 root /var/lib/gca/tls/account.key", "600 root /var/lib/gca/tls/"+tlsDomain+".pem", "755 root /var/lib/gca-acme")
	if said := r.on("su -s /bin/sh gemini -c 'cat /var/lib/gca/tls/*' 2>&1 || true; grep -rl 'PRIVATE KEY' /var/lib/gca/journal /etc /run/gca 2>/dev/null || true"); !strings.Contains(said, "Permission denied") || strings.Contains(said, "/journal") {
		t.Errorf("the service, or a journal: %s", said)
	}
}

func testAgainTLS(t *testing.T, r *rig, ca *lab.CA) {
	orders := ca.Orders()
	r.unchanged(func() {
		again := r.ok(nil, r.deployArgs()...)
		wantText(t, again.out, "https://"+tlsDomain+": up to date")
		r.ok(nil, r.tlsArgs(ca, "--domain", tlsDomain)...)
		due := r.ok(nil, r.verb(words("cert renew"), "--due")...)
		wantText(t, due.err, "is good until", "nothing was changed")
	})
	if ca.Orders() != orders {
		t.Error("a certificate was got that nobody needed")
	}
	// A person whose DNS does not know the name yet.
	lost := *r
	lost.gca = buildOnce(t)
	wantText(t, lost.ok(nil, r.deployArgs()...).err, tlsDomain+" does not lead to the server from here")
}

// testRenewal renews by hand and by the timer's own service, under open streams' eyes; and shows what stands in its way.
func testRenewal(t *testing.T, r *rig, ca *lab.CA) {
	before := r.report(0)
	if before.Name != tlsDomain || before.Timer != "active" || before.Last == nil || before.Last.Problem != "" || !before.RenewAfter.Before(before.NotBefore.Add(before.NotAfter.Sub(before.NotBefore)/2)) {
		t.Errorf("cert status says %+v", before)
	}
	workers := r.on("pgrep -f 'nginx: worker process$'")
	wantText(t, r.ok(nil, r.verb(words("cert renew"))...).err, "a new certificate for "+tlsDomain+" is in force")
	after := r.report(0)
	if !after.NotBefore.After(before.NotBefore.Add(-time.Second)) || r.on("pgrep -f 'nginx: worker process$'") == workers {
		t.Errorf("the renewal changed %+v to %+v", before, after)
	}
	ca.Refuse("rateLimited", "too many certificates already issued", 429, http.Header{"Retry-After": {"3600"}})
	serving := r.on("sha256sum /var/lib/gca/tls/*")
	failed := r.fails(nil, exitFailed, "its words: too many certificates already issued", r.verb(words("cert renew"))...)
	wantText(t, failed.err, "hint: wait until ")
	for _, verb := range []string{"status", "cert status"} {
		shown := r.run(nil, r.verb(words(verb))...)
		if shown.code != exitFailed {
			t.Errorf("%s: exit code %d", verb, shown.code)
		}
		wantText(t, shown.out, "the certificate was not renewed at ", "too many certificates", "cure: wait until ")
	}
	wantText(t, r.on("su -s /bin/sh nobody -c 'gemini-manage cert status' || true"), "the certificate was not renewed at ")
	if r.on("sha256sum /var/lib/gca/tls/*") != serving {
		t.Error("a renewal that failed changed what is served")
	}
	r.secure(ca, tlsDomain)
	ca.Refuse("", "", 0, nil)
	// The timer's own service, in its sandbox, gets one where the one that is there is not for the name.
	r.on("cp /var/lib/gca/tls/account.key /var/lib/gca/tls/" + tlsDomain + ".pem; systemctl start gemini-adapter-cert.service; systemctl is-failed gemini-adapter-cert.service || true")
	renewed := r.report(0)
	if !renewed.NotBefore.After(before.NotBefore.Add(-time.Second)) || ca.Orders() < 4 {
		t.Errorf("the service renewed nothing: %+v\n%s", renewed, r.on("journalctl -u gemini-adapter-cert -o cat"))
	}
	// One that is there and not served is taken up without the CA.
	orders := ca.Orders()
	r.on("cp -p /var/lib/gca/tls/" + tlsDomain + ".pem /root/kept.pem")
	r.ok(nil, r.verb(words("cert renew"))...)
	r.on("cp -p /root/kept.pem /var/lib/gca/tls/" + tlsDomain + ".pem; systemctl start gemini-adapter-cert.service; journalctl -u gemini-adapter-cert -o cat | grep 'Nginx had not taken it up'")
	if ca.Orders() != orders+1 {
		t.Errorf("%d orders, and %d before", ca.Orders(), orders)
	}
	r.scoresUnder("gemini-adapter-cert.service", 3)
}
