package main

import (
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/provision/lab"
)

// What stands between a server and its clients, and is not the deploy's to change.

// oracleRules are those of Oracle's images: netfilter-persistent brings them back with every boot.
const oracleRules = `iptables -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT; iptables -A INPUT -p icmp -j ACCEPT
iptables -A INPUT -i lo -j ACCEPT; iptables -A INPUT -p tcp -m conntrack --ctstate NEW -m tcp --dport 22 -j ACCEPT
iptables -A INPUT -j REJECT --reject-with icmp-host-prohibited; netfilter-persistent save`

// Trap 15: such rules, and the package that keeps them, stay as they are; what lets clients in is named, and is enough.
func TestTrap15(t *testing.T) {
	t.Parallel()
	r := newRig(t, "fail2ban", "iptables-persistent", "logrotate", "nginx", "python3-systemd", "unattended-upgrades")
	r.on(oracleRules)
	const rules = "iptables -S INPUT | grep -v f2b"
	before, closed := r.on(everything), r.on(rules)
	got := r.fails(withKeys(), exitRolledBack, "everything was put back", r.deployArgs()...)
	wantText(t, got.err, "ufw was left alone: a set of iptables rules filters on this server", "it answered on the server itself, and a firewall there may keep you out")
	if after := r.on(everything); after != before {
		t.Errorf("not everything is back:\n%s", differ(before, after))
	}
	_, hint, _ := strings.Cut(got.err, "may keep you out: ")
	_, cure, found := strings.Cut(hint, "in there: ")
	if cure, _, _ = strings.Cut(cure, "\n"); !found {
		t.Fatalf("no command lets clients in:\n%s", got.err)
	}
	r.on(cure)
	opened := r.on(rules)
	wantDone(t, r, r.deploy())
	if now := r.on(rules); now != opened || now == closed {
		t.Errorf("the rules were\n%s\nand are\n%s", opened, now)
	}
	if err := r.server.Reboot(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantText(t, r.on(rules), "REJECT", "80")
	wantText(t, r.ok(nil, r.deployArgs()...).out, "up to date")
}

// Trap 16: a provider's own firewall is in front of the server, where nothing on the server sees it. The look from outside tells
// it from a sick adapter, before a commit and after one.
func TestTrap16(t *testing.T) {
	t.Parallel()
	r := newRig(t, ready()...)
	behind, _ := r.over(lab.LinkOptions{Ports: []int{22}})
	before := r.on(everything)
	const cure = "something in between stops TCP port 80: open it in your provider's firewall"
	behind.fails(withKeys(), exitRolledBack, cure, behind.deployArgs()...)
	if after := r.on(everything); after != before {
		t.Errorf("not everything is back:\n%s", differ(before, after))
	}
	wantDone(t, r, r.deploy())
	got := behind.doctor()
	wantText(t, got.out, "the adapter answers on the server, and not at http://"+behind.host+" from here", "cure: open TCP port 80 in your provider's firewall")
	if got.code != exitFailed {
		t.Errorf("exit code %d, want %d", got.code, exitFailed)
	}
}

// Trap 17: a server with IPv6 alone gets everything from the laptop and from its own archive. Its certificates are for a name with
// an AAAA record alone, and for its address.
func TestTrap17(t *testing.T) {
	t.Parallel()
	r := newRigOn(t, lab.Options{Packages: ready(), DiskMB: oddDisk, IPv6Only: true})
	if v4 := r.on("ip -4 -o addr show scope global"); v4 != "" {
		t.Fatalf("the server has IPv4: %s", v4)
	}
	if got := r.doctor(); got.code != exitOK || !strings.HasSuffix(got.out, ": all well\n") {
		t.Errorf("before: exit code %d\n%s%s", got.code, got.out, got.err)
	}
	wantDone(t, r, r.deploy())
	wantText(t, r.on("ufw status"), "Status: active", "22/tcp (v6)", "80/tcp (v6)")
	wantText(t, r.ok(nil, r.deployArgs()...).out, "http://"+r.host+": up to date")
	if got := r.doctor(); got.code != exitOK || !strings.HasSuffix(got.out, ": all well\n") {
		t.Errorf("after: exit code %d\n%s%s", got.code, got.out, got.err)
	}
	ca := lab.NewServerCA(t, r.server, 0)
	ca.PointsIPv6(tlsDomain, r.server.Addr)
	named := r.knowing(r.server.Addr + " " + tlsDomain)
	wantText(t, named.ok(nil, named.tlsArgs(ca, "--domain", tlsDomain)...).out, "The adapter serves at https://"+tlsDomain)
	wantText(t, named.ok(nil, "test").out, "https://"+tlsDomain)
	wantText(t, r.ok(nil, r.tlsArgs(ca, "--domain", r.server.Addr)...).out, "The adapter serves at https://"+r.host)
	wantText(t, r.ok(nil, "test").out, "https://"+r.host)
	before := r.report(0)
	wantText(t, r.ok(nil, r.verb(words("cert renew"))...).err, "a new certificate for "+r.server.Addr+" is in force")
	if after := r.report(0); after.NotBefore.Before(before.NotBefore) || after.Name != r.server.Addr {
		t.Errorf("%+v, and before %+v", after, before)
	}
}
