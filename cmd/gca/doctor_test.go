package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/provision/lab"
)

// oddDisk is as large as a deploy likes it; a lab server's is small.
const oddDisk = 25 << 10

func (r *rig) doctor(more ...string) result {
	r.t.Helper()
	return r.run(withKeys(), append(append(append([]string{"doctor", "--gemini-base-url", r.base}, r.login()...), more...), r.target())...)
}

// Five servers that are well, and not as most are: nothing is said of any.
func TestTrap_DoctorIsSilent(t *testing.T) {
	t.Parallel()
	f := func(name, user, script string, more ...string) {
		t.Run(name, func(t *testing.T) {
			r := newRigOn(t, lab.Options{Packages: ready("nftables"), DiskMB: oddDisk}).as(user)
			r.on(script)
			before := r.on(everything)
			if got := r.doctor(more...); got.code != exitOK || !strings.HasSuffix(got.out, ": all well\n") || strings.Count(got.out, "\n") != 1 {
				t.Errorf("exit code %d\n%s%s", got.code, got.out, got.err)
			}
			if after := r.on(everything); after != before {
				t.Errorf("it changed something:\n%s", differ(before, after))
			}
		})
	}
	f("SSH on another port", "root", "printf 'Port 22\\nPort 2222\\n' >/etc/ssh/sshd_config.d/ports.conf; systemctl restart ssh", "-p", "2222")
	f("ssh.socket, and a user with sudo", "admin", "systemctl disable -q --now ssh; systemctl enable -q --now ssh.socket")
	f("no IPv6", "root", "sysctl -q -w net.ipv6.conf.all.disable_ipv6=1")
	f("a site of its own", "root", `rm -f /etc/nginx/sites-enabled/default
printf 'server { listen 80; server_name blog.example; return 200 hello; }\n' >/etc/nginx/sites-enabled/blog; systemctl restart nginx`)
	f("nftables with rules of its own", "root", `nft -f - <<'END'
table inet mine {
	chain input {
		type filter hook input priority 0; policy drop;
		ct state established,related accept
		iif lo accept
		meta l4proto { icmp, ipv6-icmp } accept
		tcp dport { 22, 80, 443 } accept
	}
}
END`)
}

// What is not well is told with its cure, by the laptop and by the server itself.
func TestTrap_Doctor(t *testing.T) {
	t.Parallel()
	r := newRigOn(t, lab.Options{Packages: ready(), DiskMB: oddDisk})
	t.Run("trap14 docker", func(t *testing.T) {
		r := r.in(t)
		r.on("cp /usr/bin/python3 /usr/local/bin/docker-proxy; systemd-run -q --unit=docker-proxy /usr/local/bin/docker-proxy -m http.server 8080; sleep 1")
		got := r.doctor()
		wantText(t, got.out, "Docker lets TCP port 8080 in", "cure: publish them for this server alone")
		if got.code != exitOK {
			t.Errorf("exit code %d\n%s", got.code, got.err)
		}
		r.on("systemctl stop docker-proxy")
	})
	t.Run("port 80", func(t *testing.T) {
		r := r.in(t)
		r.on("systemctl stop nginx; systemd-run -q --unit=web python3 -m http.server 80; sleep 1")
		got := r.doctor("--json")
		var report doctorReport
		if err := json.Unmarshal([]byte(got.out), &report); err != nil || report.Well || len(report.Findings) != 1 || report.Findings[0].ID != "port" {
			t.Errorf("%v: %s", err, got.out)
		}
		if got.code != exitRefused {
			t.Errorf("exit code %d, want %d\n%s", got.code, exitRefused, got.err)
		}
		r.on("systemctl stop web; systemctl start nginx")
	})
	t.Run("after a deploy", func(t *testing.T) {
		r := r.in(t)
		r.deploy()
		if got := r.doctor(); got.code != exitOK || !strings.HasSuffix(got.out, ": all well\n") {
			t.Errorf("exit code %d\n%s%s", got.code, got.out, got.err)
		}
		wantText(t, r.on("gemini-manage doctor"), "this server: all well")
		r.on("echo '# mine' >>/etc/nginx/sites-available/gemini-adapter")
		wantText(t, r.doctor().out, "drift", "gca plan "+r.named(), "gca deploy "+r.named()+" puts it right")
		testFailedRun(t, r)
		testUnsaved(t, r)
		r.on("systemctl disable -q --now gemini-adapter.socket; systemctl stop gemini-adapter")
		got := r.doctor()
		wantText(t, got.out, "gemini-adapter.socket does not run")
		if got.code != exitFailed {
			t.Errorf("exit code %d, want %d", got.code, exitFailed)
		}
		r.on("systemctl disable -q --now gemini-adapter-backup.timer nginx; rm /etc/nginx/sites-enabled/gemini-adapter")
		broken := r.run(nil, r.verb(words("doctor"), "--fix")...)
		if broken.code != exitOK || !strings.HasSuffix(broken.out, "this server: all well\n") {
			t.Errorf("--fix: exit code %d\n%s%s", broken.code, broken.out, broken.err)
		}
		wantText(t, broken.err, "mending: systemctl enable --now gemini-adapter.socket", "mending: systemctl enable --now nginx.service", "mending: put right what the last deploy made")
		r.serves()
	})
}

// sickBackup has the timer's next backups fail, by a line of their unit; wellBackup ends that.
const (
	sickBackup = `mkdir -p /run/systemd/system/gemini-adapter-backup.service.d
printf '[Service]\n%s\n' >/run/systemd/system/gemini-adapter-backup.service.d/sick.conf
systemctl daemon-reload; ! systemctl start gemini-adapter-backup 2>/dev/null`
	wellBackup = `rm -r /run/systemd/system/gemini-adapter-backup.service.d; systemctl daemon-reload; systemctl start gemini-adapter-backup`
)

// testFailedRun has a timer's run fail, one that tells why and one that cannot, and Nginx have settings that it would not start with.
func testFailedRun(t *testing.T, r *rig) {
	r.on(strings.Replace(sickBackup, "%s", "InaccessiblePaths=/etc/gemini-adapter", 1) + "; echo 'nonsense on;' >/etc/nginx/conf.d/x.conf")
	wantText(t, r.doctor().out, "gemini-adapter-backup.service failed at its last run; its last words: gemini-manage: ", "cure: systemctl start gemini-adapter-backup.service",
		`Nginx refuses the settings that are on the disk: unknown directive "nonsense" in /etc/nginx/conf.d/x.conf:1`)
	told := r.run(nil, r.verb(words("status"))...).out
	wantText(t, told, "the backup of ", " failed: ")
	if strings.Contains(told, "the last run of") {
		t.Errorf("it is told twice:\n%s", told)
	}
	r.on(wellBackup + "; rm /etc/nginx/conf.d/x.conf")
	r.on(strings.Replace(sickBackup, "%s", `ExecStart=\nExecStart=/bin/sh -c "kill -9 $$$$"`, 1))
	wantText(t, r.run(nil, r.verb(words("status"))...).out, "the last run of gemini-adapter-backup.service failed", "cure: sudo systemctl start gemini-adapter-backup.service")
	r.on(wellBackup)
	r.ok(nil, r.verb(words("status"))...)
}

// Keys alone: the one who asks for it has one, and knows whom it shuts out; what sshd makes of it is asked of sshd.
func TestTrap13(t *testing.T) {
	t.Parallel()
	t.Run("trap13 keys alone", func(t *testing.T) {
		r := newRig(t, ready()...)
		r.on("printf 'PasswordAuthentication yes\n' >/etc/ssh/sshd_config.d/50-cloud-init.conf; systemctl restart ssh")
		got := r.run(withKeys(), r.deployArgs("--harden-ssh")...)
		wantText(t, got.err, "those without a key for good: user login", "hint: the same command with --accept-risk password-logins")
		if got.code != exitRefused {
			t.Errorf("exit code %d, want %d\n%s", got.code, exitRefused, got.err)
		}
		wantDone(t, r, r.ok(withKeys(), r.deployArgs("--harden-ssh", "--accept-risk", "password-logins")...))
		wantText(t, r.on("sshd -T"), "passwordauthentication no\n", "kbdinteractiveauthentication no\n")
		wantText(t, r.ok(nil, r.deployArgs("--harden-ssh")...).out, "up to date")
	})
}

// An address that may not come is let in no more, and those that may stay when the flag is not given again.
func TestTrap_AllowFrom(t *testing.T) {
	t.Parallel()
	r := newRig(t, ready()...)
	wantDone(t, r, r.deploy())
	wantDone(t, r, r.ok(nil, r.deployArgs("--allow-from", r.server.Gateway, "--allow-from", "2001:db8::/32")...))
	rules := r.on("ufw status | grep ^80")
	if strings.Contains(rules, "Anywhere") || !strings.Contains(rules, r.server.Gateway) || !strings.Contains(rules, "2001:db8::/32") {
		t.Errorf("ufw says\n%s", rules)
	}
	wantText(t, r.ok(nil, r.deployArgs()...).out, "up to date")
	got := r.ok(nil, r.deployArgs("--allow-from", "203.0.113.0/24")...)
	const why = "--allow-from 203.0.113.0/24 keeps this machine out; gca deploy --allow-from 203.0.113.0/24 --allow-from YOUR-ADDRESS "
	wantText(t, got.err, "the adapter was asked on the server", why)
	got = r.ok(nil, r.deployArgs()...) // which is not told again
	wantText(t, got.out, "up to date")
	wantText(t, got.err, "the adapter was asked on the server", why)
	got = r.doctor()
	if got.code != exitOK || !strings.HasPrefix(got.out, "! web-port") {
		t.Errorf("exit code %d\n%s%s", got.code, got.out, got.err)
	}
	wantText(t, got.out, "clients are let in from 203.0.113.0/24 alone (--allow-from)", "cure: gca deploy --allow-from 203.0.113.0/24 --allow-from YOUR-ADDRESS ")
	wantDone(t, r, r.ok(nil, r.deployArgs("--allow-from", "0.0.0.0/0", "--allow-from", "::/0")...))
}

// testUnsaved has the adapter unable to save its state, then a setting that it would not start with, then somebody stop it.
func testUnsaved(t *testing.T, r *rig) {
	r.on("chown root:root /var/lib/gemini-adapter/state.db; systemctl restart gemini-adapter")
	wantText(t, r.run(nil, r.verb(words("status"))...).out, "the state cannot be saved: gemini may not write", "/var/lib/gemini-adapter/state.db")
	r.ok(nil, r.verb(words("doctor"), "--fix")...)
	wantText(t, r.on("stat -c %U /var/lib/gemini-adapter/state.db"), "gemini")
	r.on("cp -p /etc/gemini-adapter/adapter.env /root/right.env; echo REQUEST_TIMEOUT=fourtyfive >>/etc/gemini-adapter/adapter.env")
	wantEnd(t, "status", r.run(nil, r.verb(words("status"))...), exitFailed, "the adapter does not start with its settings:", `REQUEST_TIMEOUT="fourtyfive"`, "cure: gca config edit "+r.named())
	wantEnd(t, "doctor", r.doctor(), exitFailed, "REQUEST_TIMEOUT", "the adapter does not start again with it", "cure: gca config edit ")
	r.on("cp -p /root/right.env /etc/gemini-adapter/adapter.env; gemini-manage stop")
	got := r.doctor()
	wantEnd(t, "doctor", got, exitFailed, "the adapter was stopped", "cure: gca start ")
	if strings.Contains(got.out, "and so:") {
		t.Errorf("more than one finding:\n%s", got.out)
	}
	r.on("gemini-manage start")
}
