package main

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// whole is all of a server that a deploy could change, as one text: what everything has, and modes, kernel settings, what runs,
// who listens and what the kernel filters. Left out are what tools keep of their own (passwd-, .pwd.lock, caches) and the empty
// chains that a ufw leaves in the kernel, turned off, until the next boot.
const whole = everything + `
find /etc ! -name '*-' ! -name .pwd.lock ! -name ld.so.cache ! -type l -printf '%p %y %m %u %g\n' | sort
find /opt /usr/local /var/lib/gemini-adapter /var/lib/gca /var/backups/gemini-adapter /run/gca /run/gca.lock /run/gemini-adapter /swapfile -printf '%p %y %m %u %g\n' 2>/dev/null | sort
sysctl -a 2>/dev/null | grep -E '^net\.(core|ipv4\.tcp)|^vm\.swappiness' | grep -v tcp_fastopen_key
systemctl list-units --type=service,socket,timer --state=active --no-legend --plain | awk '{print $1}' | grep -v -E '^(user|session|run-)' | sort
ss -Hltunp | awk '{print $1, $5, $7}' | sed 's/pid=[0-9]*,fd=[0-9]*//g' | sort -u
iptables-save 2>/dev/null | grep -E '^(:[A-Z]|-A)' | grep -v -E "ufw6?-|^:[A-Z]+ ACCEPT" | sed 's/ \[.*//'
cat /proc/swaps | tail -n +2`

// wantAsBefore compares a server with what it was.
func (r *rig) wantAsBefore(before, what string) {
	r.t.Helper()
	if after := r.on(whole); after != before {
		r.t.Errorf("%s: the server is not as it was before:\n%s", what, differ(before, after))
	}
}

func (r *rig) destroyArgs(more ...string) []string {
	return append(append(append([]string{"destroy"}, r.login()...), more...), r.target())
}

// A destroy leaves a server as it was before the first deploy, whatever was done with the adapter in between.
func TestDestroy(t *testing.T) {
	t.Parallel()
	r := newRig(t, ready()...)
	before := r.on(whole)
	wantEnd(t, "a destroy of nothing", r.run(nil, r.destroyArgs("--yes")...), exitRefused, "there is nothing of gca on root@"+r.host)
	r.deploy()
	verb := func(words ...string) {
		r.ok(nil, append(append(words[:len(words):len(words)], r.login()...), r.target())...)
	}
	r.ok(nil, append(append([]string{"config", "set"}, r.login()...), r.target(), "MAX_BODY=20MB", "PORT=8123")...)
	verb("restart")
	r.on("gemini-manage backup")
	deployed := r.on(whole)

	wantEnd(t, "nobody to ask", r.run(nil, r.destroyArgs()...), exitUsage, "nobody can be asked", "--yes")
	wantEnd(t, "a person who is not to be asked", r.typed(nil, nil, r.destroyArgs("--no-input")...), exitUsage, "nobody can be asked")
	plan := r.run(nil, r.destroyArgs("--dry-run")...)
	wantEnd(t, "--dry-run", plan, exitOK, "/var/backups/gemini-adapter (2 files", "/etc/gemini-adapter (", "remove /etc/nginx/sites-available/gemini-adapter", "remove the user gemini", "turn ufw off")
	no := r.typed(nil, []answer{{"Take the adapter off " + r.target(), "n"}}, r.destroyArgs()...)
	wantEnd(t, "a person who says no", no, exitFailed, "Gone for good", "nothing was changed")
	if now := r.on(whole); now != deployed {
		t.Errorf("looking at it changed something:\n%s", differ(deployed, now))
	}
	r.ok(nil, "test")

	got := r.ok(nil, r.destroyArgs("--yes", "--json")...)
	var report destroyReport
	if err := json.Unmarshal([]byte(got.out), &report); err != nil || report.Schema != 1 || len(report.Left) > 0 || len(report.Packages) > 0 || report.DryRun {
		t.Errorf("%s (%v)", got.out, err)
	}
	r.wantAsBefore(before, "destroyed")
	wantEnd(t, "gca test afterwards", r.run(nil, "test"), exitUsage, "no adapter is connected")
	wantEnd(t, "once more", r.run(nil, r.destroyArgs("--yes", "--purge")...), exitRefused, "there is nothing of gca on root@"+r.host, "an earlier destroy left")

	t.Run("others' work", func(t *testing.T) { testDestroyOthers(t, r.in(t)) })
}

// testDestroyOthers: a firewall that was at work before stays, with a rule that a person added since; so do files that a
// person changed, and the backups where they are to.
func testDestroyOthers(t *testing.T, r *rig) {
	r.on("ufw allow 22/tcp; ufw --force enable")
	r.deploy()
	r.on("ufw allow 8080/tcp; echo '# mine' >>/etc/sysctl.d/60-gemini-adapter.conf; gemini-manage backup")
	got := r.ok(nil, r.destroyArgs("--yes", "--keep-backups")...)
	wantText(t, got.out, "Left as it is:", "/etc/sysctl.d/60-gemini-adapter.conf was changed after the deploy wrote it", "The adapter is gone")
	status := r.on("ufw status")
	wantText(t, status, "Status: active", "22/tcp", "8080/tcp")
	if strings.Contains(status, "80/tcp  ") && strings.Contains(status, "\n80/tcp") {
		t.Errorf("port 80 is still let in:\n%s", status)
	}
	if kept := r.on("ls /var/backups/gemini-adapter/gca-*"); !strings.HasSuffix(strings.TrimSpace(kept), ".tar.gz") {
		t.Errorf("the backups are %q", kept)
	}
}

// Packages that a deploy installed are named and quiet after a destroy, and with --purge they are gone as if they had never been.
func TestDestroy_packages(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	before := r.on(whole)
	r.deploy()
	got := r.ok(nil, r.destroyArgs("--yes", "--json")...)
	var report destroyReport
	if err := json.Unmarshal([]byte(got.out), &report); err != nil || report.Purged || len(report.Left) > 0 {
		t.Fatalf("%s (%v)", got.out, err)
	}
	for _, name := range []string{"nginx", "ufw", "fail2ban"} {
		if !slices.Contains(report.Packages, name) {
			t.Errorf("%s is not named among %q", name, report.Packages)
		}
	}
	if ports := r.on("ss -Hltn 'sport = :80 or sport = :443 or sport = :8000'; systemctl is-active nginx fail2ban || true"); ports != "inactive\ninactive\n" {
		t.Errorf("after a destroy without --purge: %s", ports)
	}
	r.on("systemctl stop unattended-upgrades; apt-get -q -y purge " + strings.Join(report.Packages, " ") + " 2>&1")
	r.wantAsBefore(before, "destroyed, then purged by hand")
	r.deploy()
	r.ok(nil, r.destroyArgs("--yes", "--purge")...)
	r.wantAsBefore(before, "destroyed with --purge")
}

// What a destroy leaves installed is named with a command that can be pasted.
func TestDestroyReport_printDone(t *testing.T) {
	f := func(r destroyReport, server, want string) {
		t.Helper()
		var out bytes.Buffer
		if err := r.printDone(&out, server); err != nil || !strings.HasPrefix(out.String(), want) {
			t.Errorf("got %q, %v, want %q", &out, err, want)
		}
	}
	r := destroyReport{Packages: []string{"nginx", "fail2ban"}}
	f(r, "ssh -t -p 2222 ann@vps sudo ", "Packages that deploys installed stay installed; this takes them off:\n  ssh -t -p 2222 ann@vps sudo apt-get purge nginx fail2ban\n")
	f(r, "", "Packages that deploys installed stay installed; this takes them off:\n  apt-get purge nginx fail2ban\n")
	r.Purged = true
	f(r, "ssh -t root@vps ", "Packages that deploys installed were taken off:\n  nginx fail2ban\n")
}
