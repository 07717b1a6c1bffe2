package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/provision/lab"
)

// holdLock takes the lock that apt and dpkg take, as unattended-upgrades does on a server's first day.
const holdLock = `cat >/root/hold.py <<'EOF'
import fcntl, time
lock = open("/var/lib/dpkg/lock-frontend", "w")
fcntl.lockf(lock, fcntl.LOCK_EX)
open("/run/held", "w").close()
time.sleep(600)
EOF
systemd-run -q --unit=holder python3 /root/hold.py
for i in $(seq 100); do [ -e /run/held ] && exit 0; sleep 0.1; done; exit 1`

func TestTrap01(t *testing.T) {
	t.Parallel()
	t.Run("trap01 the dpkg lock is held by another program", func(t *testing.T) {
		r := newRig(t, ready()...)
		r.on("apt-get -q -y purge ufw; " + holdLock)
		got := r.watched(func(line string, _ *os.Process) {
			if strings.Contains(line, "dpkg lock") && strings.Contains(line, "python3 (pid ") {
				r.on("systemctl stop holder")
			}
		}, withKeys(), r.deployArgs()...)
		wantText(t, got.err, "dpkg lock", "python3 (pid ")
		wantDone(t, r, got)
	})
}

func TestTrap32(t *testing.T) {
	t.Parallel()
	t.Run("trap32 trap33 fail2ban without auth.log, and its deployer", func(t *testing.T) {
		r := newRig(t, ready()...)
		wantDone(t, r, r.deploy())
		wantText(t, r.on("systemctl is-active fail2ban; fail2ban-client status; fail2ban-client get sshd ignoreip"), "active\n", "sshd", r.server.Gateway)
		for i := range 12 {
			cmd := exec.CommandContext(t.Context(), "ssh", "-F", "/dev/null", "-i", "/dev/null", "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
				"-o", "UserKnownHostsFile="+r.server.KnownHosts, fmt.Sprintf("nobody%d@%s", i, r.server.Addr), "true")
			if err := cmd.Run(); err == nil {
				t.Fatal("a login without a key was let in")
			}
		}
		wantText(t, r.on("journalctl --sync; journalctl -o cat -t sshd -t sshd-session"), "nobody11")
		if banned := r.on("fail2ban-client get sshd banip"); strings.Contains(banned, r.server.Gateway) {
			t.Errorf("the deployer is banned: %s", banned)
		}
		wantText(t, r.ok(nil, r.deployArgs()...).out, "up to date")
	})
}

func TestTrap34(t *testing.T) {
	t.Parallel()
	t.Run("trap34 sysctl.conf is not read", func(t *testing.T) {
		r := newRigOn(t, lab.Options{Suite: "trixie", Packages: ready()})
		wantDone(t, r, r.deploy())
		const values, want = "sysctl -n net.core.somaxconn net.ipv4.tcp_max_syn_backlog", "65535\n65535\n"
		if got := r.on(values); got != want {
			t.Errorf("after the deploy: %q", got)
		}
		if err := r.server.Reboot(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := r.on(values); got != want {
			t.Errorf("after a reboot: %q", got)
		}
	})
}

func TestTrap40(t *testing.T) {
	t.Parallel()
	t.Run("trap40 needrestart leaves the adapter alone", func(t *testing.T) {
		r := newRig(t, ready("needrestart")...)
		wantDone(t, r, r.deploy())
		// The adapter's and Nginx's files are replaced under them, as an upgrade does: both are outdated now.
		r.on(`for file in /usr/sbin/nginx $(readlink -f /usr/local/bin/gca); do cp -p $file $file.new; mv $file.new $file; done`)
		const main = "systemctl show --property=MainPID --value gemini-adapter.service nginx.service"
		before := r.on(main)
		said := r.on("needrestart -r a -v 2>&1")
		wantText(t, said, "nginx") // it saw
		if after := r.on(main); after != before {
			t.Errorf("needrestart restarted the adapter or Nginx:\n%s\n%s", differ(before, after), said)
		}
	})
}
