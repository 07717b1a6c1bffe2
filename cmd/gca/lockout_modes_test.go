package main

import (
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/provision/lab"
)

// reaches reports whether a TCP port of the server takes who comes from here.
func (r *rig) reaches(port string) bool {
	conn, err := net.DialTimeout("tcp", net.JoinHostPort(r.server.Addr, port), 2*time.Second)
	return err == nil && conn.Close() == nil
}

// What ufw is to be is the person's to say: left as it is, whatever that means for clients, or on, whoever that cuts off.
func TestLockout_Modes(t *testing.T) {
	t.Parallel()
	r := newRig(t, ready()...)
	t.Run("off, and ufw lets no client in", func(t *testing.T) {
		r := r.in(t)
		r.on("ufw allow 22/tcp; ufw --force enable")
		before := r.on(everything)
		got := r.fails(withKeys(), exitRolledBack, "may keep you out: ufw was left alone, and lets nobody in by TCP port 80: ufw allow 80/tcp\n", r.deployArgs("--firewall=off")...)
		wantText(t, got.err, "so everything was put back")
		if after := r.on(everything); after != before {
			t.Errorf("not everything is back:\n%s", differ(before, after))
		}
	})
	t.Run("off, and ufw is as it was", func(t *testing.T) {
		r := r.in(t)
		r.on("ufw allow 80/tcp")
		const filters = "ufw status verbose; iptables -S | grep -v f2b; ip6tables -S | grep -v f2b"
		before := r.on(filters)
		wantDone(t, r, r.ok(withKeys(), r.deployArgs("--firewall=off")...))
		if after := r.on(filters); after != before {
			t.Errorf("the firewall was changed:\n%s", differ(before, after))
		}
		r.on("ufw --force disable")
		wantText(t, r.ok(nil, r.deployArgs("--firewall=off")...).out, "up to date")
		wantText(t, r.on("ufw status"), "Status: inactive")
	})
	r.on("systemd-run -q --unit=other python3 -m http.server 9999; until ss -Hltn | grep -q :9999; do sleep 0.1; done")
	t.Run("auto cuts nobody off", func(t *testing.T) {
		r := r.in(t)
		wantText(t, r.ok(nil, r.deployArgs()...).err, "ufw was not turned on, since it would cut off python3 on port 9999/tcp")
		wantText(t, r.on("ufw status"), "Status: inactive")
	})
	t.Run("strict asks, and then does", func(t *testing.T) {
		r := r.in(t)
		got := r.fails(nil, exitRefused, "--firewall=strict would cut off python3 on port 9999/tcp", r.deployArgs("--firewall=strict")...)
		wantText(t, got.err, "hint: the same command with --accept-risk close-ports")
		wantDone(t, r, r.ok(nil, r.deployArgs("--firewall=strict", "--accept-risk", "close-ports")...))
		wantText(t, r.on("ufw status"), "Status: active", "22/tcp", "80/tcp")
		if r.reaches("9999") || !r.answers("22") || !r.reaches("80") {
			t.Errorf("port 9999 %v, SSH %v, port 80 %v", r.reaches("9999"), r.answers("22"), r.reaches("80"))
		}
		for _, mode := range []string{"strict", "auto", "off"} {
			wantText(t, r.ok(nil, r.deployArgs("--firewall="+mode)...).out, "up to date")
		}
	})
}

// Keys alone, and ufw, on servers whose SSH is not where most have it: a person who comes by the odd port gets in afterwards as
// before, and nobody without a key.
func TestLockout_KeysAlone(t *testing.T) {
	t.Parallel()
	f := func(name, suite, script string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRigOn(t, lab.Options{Suite: suite, Packages: ready()})
			r.on(script)
			wantDone(t, r, r.ok(withKeys(), r.deployArgs("-p", "2222", "--firewall=strict", "--harden-ssh", "--accept-risk", "password-logins")...))
			wantText(t, r.on("ufw status"), "Status: active", "22/tcp", "2222/tcp")
			for _, port := range []string{"22", "2222"} {
				cmd := exec.CommandContext(t.Context(), "ssh", "-F", "/dev/null", "-p", port, "-o", "PreferredAuthentications=none", "-o", "StrictHostKeyChecking=no",
					"-o", "UserKnownHostsFile=/dev/null", "login@"+r.server.Addr, "true")
				if said, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(said), "Permission denied (publickey).") {
					t.Errorf("port %s: %v: %s", port, err, said)
				}
			}
			if err := r.server.Reboot(t.Context()); err != nil {
				t.Fatal(err)
			}
			wantText(t, r.ok(nil, r.deployArgs("-p", "2222", "--harden-ssh")...).out, "up to date")
			r.ok(nil, append(append([]string{"destroy", "--yes", "-p", "2222"}, r.login()...), r.target())...)
			wantText(t, r.on("sshd -T"), "passwordauthentication yes")
		})
	}
	f("another port", "", `printf 'Port 22\nPort 2222\n' >/etc/ssh/sshd_config.d/ports.conf; systemctl restart ssh`)
	f("ssh.socket for each connection", "", `systemctl disable -q --now ssh; mkdir -p /etc/systemd/system/ssh.socket.d
printf '[Socket]\nListenStream=\nListenStream=22\nListenStream=2222\n' >/etc/systemd/system/ssh.socket.d/port.conf
systemctl daemon-reload; systemctl enable -q --now ssh.socket`)
	f("ssh.socket for sshd", "trixie", `systemctl disable -q --now ssh; mkdir -p /etc/systemd/system/ssh.socket.d
printf '[Socket]\nListenStream=\nListenStream=22\nListenStream=2222\n' >/etc/systemd/system/ssh.socket.d/port.conf
systemctl daemon-reload; systemctl enable -q --now ssh.socket`)
}
