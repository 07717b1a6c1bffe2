package converge_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/provision/lab"
)

// must deploys, and wants this many changes; -1 is any.
func (tg *target) must(changes int) {
	tg.Helper()
	keys := ""
	if changes < 0 {
		keys = "AIzaSyTest1"
	}
	applied, err := tg.deploy(keys)
	if err != nil || changes >= 0 && applied.Changed != changes {
		tg.Fatalf("%d changes, %v", applied.Changed, err)
	}
}

// has wants each text in what the script says.
func (tg *target) has(script string, wants ...string) {
	tg.Helper()
	out := tg.sh(script)
	for _, want := range wants {
		if !strings.Contains(out, want) {
			tg.Errorf("%s: no %q in\n%s", script, want, out)
		}
	}
}

// What a server is set up to holds now and after a boot, and a second deploy finds nothing to do.
func TestLab_Server(t *testing.T) {
	t.Parallel()
	for _, suite := range []string{"bullseye", "bookworm", "trixie"} {
		t.Run(suite, func(t *testing.T) {
			t.Parallel()
			tg := newTargetOn(t, lab.Options{Suite: suite, Packages: preinstalled("needrestart")})
			tg.sh("for i in $(seq 50); do logger -t before line $i; done; journalctl --sync")
			tg.must(-1)
			tg.sh("journalctl --sync")
			tg.has("journalctl -t before -o cat | wc -l", "50\n")
			tg.settled()
			tg.must(0)
			t.Run("trap40 needrestart leaves streams alone", tg.needrestart)
			if err := tg.server.Reboot(t.Context()); err != nil {
				t.Fatal(err)
			}
			t.Run("trap34 settings of the kernel after a boot", func(*testing.T) { tg.settled() })
			tg.must(0)
		})
	}
}

func (tg *target) settled() {
	tg.Helper()
	tg.has("cat /proc/sys/net/core/somaxconn /proc/sys/net/ipv4/tcp_max_syn_backlog", "65535\n65535\n")
	tg.has("cat /proc/sys/net/ipv4/tcp_slow_start_after_idle /proc/sys/net/ipv4/tcp_keepalive_time /proc/sys/net/ipv4/tcp_congestion_control", "0\n300\nbbr\n")
	tg.has("grep 'open files' /proc/$(pgrep -u www-data nginx | head -n 1)/limits | awk '{print $4}'; nginx -t 2>&1; nginx -T 2>/dev/null | grep worker_conn",
		"20000", "worker_connections 10000", "successful")
	tg.has("systemctl is-active nginx fail2ban ufw gemini-adapter systemd-journald; fail2ban-client status sshd", "active\nactive\nactive\nactive\nactive\n", "sshd")
	tg.has("apt-config dump | grep -E 'Automatic-Reboot|Periodic::Un|force-conf'", `Unattended-Upgrade::Automatic-Reboot "false"`, `APT::Periodic::Unattended-Upgrade "1"`, `Options:: "--force-confold"`)
	tg.has("fail2ban-client get sshd ignoreip", tg.server.Gateway, "127.0.0.0/8")
	if out := tg.sh("nginx -t 2>&1 | grep warn || true; ls /usr/sbin/policy-rc.d 2>/dev/null || true; grep -r nofile /etc/security/limits.d | grep -v '#' || true"); out != "" {
		tg.Errorf("there is still %s", out)
	}
}

// needrestart finds Nginx, the adapter and cron on files that are no longer there, and restarts cron alone.
func (tg *target) needrestart(t *testing.T) {
	const pids = "systemctl show -p MainPID --value nginx gemini-adapter cron"
	before := strings.Fields(tg.sh(pids))
	tg.sh(`for p in nginx cron; do lib=$(ls -d /lib/*-linux-gnu/libc.so.6 /usr/lib/*-linux-gnu/libc.so.6 2>/dev/null | head -n 1); done
		lib=$(readlink -f $lib); cp -a $lib $lib.new; mv $lib.new $lib
		gca=$(readlink -f /opt/gemini-adapter/current/gca); cp -a $gca $gca.new; mv $gca.new $gca`)
	out := tg.sh("needrestart -r a -l 2>&1; NEEDRESTART_MODE=a needrestart -r a 2>&1 </dev/null || true")
	after := strings.Fields(tg.sh(pids))
	if len(after) != 3 || before[0] != after[0] || before[1] != after[1] || before[2] == after[2] {
		t.Errorf("before %q, after %q:\n%s", before, after, out)
	}
}

// Before anything else, the defaults of Debian 12 let fail2ban die for want of a log file.
func TestLab_Fail2ban(t *testing.T) {
	t.Parallel()
	tg := newTargetOn(t, lab.Options{Suite: os.Getenv("GCA_LAB_SUITE"), Packages: preinstalled()})
	t.Run("trap33 no auth.log", func(*testing.T) {
		tg.sh("rm -f /var/log/auth.log; printf '[DEFAULT]\\nignoreip = 192.0.2.7\\n' >/etc/fail2ban/jail.local")
		tg.must(-1)
		tg.has("fail2ban-client get sshd ignoreip", "192.0.2.7", tg.server.Gateway)
	})
	t.Run("trap32 the deployer is never banned", func(t *testing.T) {
		const guess = "for i in $(seq 7); do timeout 5 ssh -o ConnectTimeout=3 -o BatchMode=yes -o StrictHostKeyChecking=no -o BindAddress=%s nobody-$i@%s true 2>/dev/null || true; done; "
		script := strings.NewReplacer("%s", "198.51.100.7").Replace("ip addr add %s/32 dev lo; ") +
			strings.Replace(strings.Replace(guess, "%s", "198.51.100.7", 1), "%s", tg.server.Addr, 1)
		tg.sh(script + "for i in $(seq 100); do fail2ban-client status sshd | grep -q 198.51.100.7 && break; sleep 0.1; done")
		tg.has("fail2ban-client status sshd", "Banned IP list:\t198.51.100.7")
		for range 8 {
			if _, err := tg.server.Exec(t.Context(), "true"); err != nil {
				t.Fatal(err)
			}
			if out, err := tg.guess(); err == nil {
				t.Fatalf("a wrong login is let in: %s", out)
			}
		}
		tg.has("journalctl --sync; journalctl -o cat -t sshd -t sshd-session | grep -c 'Invalid user stranger'", "8")
		tg.has("fail2ban-client status sshd | grep Banned", "198.51.100.7\n")
		if out := tg.sh("fail2ban-client status sshd"); strings.Contains(out, tg.server.Gateway) {
			t.Errorf("the deployer is banned:\n%s", out)
		}
		tg.must(0)
	})
	t.Run("own jail", func(t *testing.T) {
		tg.sh("printf '[sshd]\\nenabled = true\\nbackend = systemd\\nmaxretry = 99\\n' >>/etc/fail2ban/jail.local; rm /etc/fail2ban/jail.d/gemini-adapter.local; systemctl restart fail2ban")
		tg.must(0)
		tg.sh("test ! -e /etc/fail2ban/jail.d/gemini-adapter.local")
	})
}

// What a server is asked to let in differs by server, and none is cut off.
func TestLab_SSHPorts(t *testing.T) {
	t.Parallel()
	tg := newTargetOn(t, lab.Options{Suite: os.Getenv("GCA_LAB_SUITE"), Packages: preinstalled()})
	t.Run("trap09 second ssh port", func(*testing.T) {
		tg.sh("printf 'Port 22\\nPort 2222\\n' >/etc/ssh/sshd_config.d/ports.conf; printf 'PasswordAuthentication yes\\n' >/etc/ssh/sshd_config.d/50-cloud-init.conf; systemctl restart ssh")
	})
	sshd := tg.sh("sha256sum /etc/ssh/sshd_config /etc/ssh/sshd_config.d/*")
	s, plan, err := tg.planned("AIzaSyTest1")
	if err != nil {
		t.Fatal(err)
	}
	t.Run("trap12 cloud-init lets passwords in", func(t *testing.T) {
		if !slices.ContainsFunc(plan.Notes, func(n string) bool {
			return strings.Contains(n, "lets passwords in, by /etc/ssh/sshd_config.d/50-cloud-init.conf")
		}) {
			t.Errorf("notes %q", plan.Notes)
		}
	})
	if err := errors.Join(s.Cancel(), s.cmd.Wait()); err != nil {
		t.Fatal(err)
	}
	tg.must(-1)
	tg.has("ufw status; fail2ban-client get sshd actions; cat /etc/fail2ban/jail.d/gemini-adapter.local", "2222/tcp", "22/tcp", "80/tcp", "port = 22,2222")
	if after := tg.sh("sha256sum /etc/ssh/sshd_config /etc/ssh/sshd_config.d/*"); after != sshd {
		t.Errorf("sshd's settings were touched:\n%s\n%s", sshd, after)
	}
	t.Run("trap11 ssh.socket", func(*testing.T) {
		tg.sh(`mkdir -p /etc/systemd/system/ssh.socket.d; printf '[Socket]\nListenStream=\nListenStream=22\nListenStream=2022\n' >/etc/systemd/system/ssh.socket.d/ports.conf
			rm /etc/ssh/sshd_config.d/ports.conf; systemctl daemon-reload; systemctl disable -q --now ssh.service; systemctl enable -q --now ssh.socket`)
		applied, err := tg.deploy("")
		if err != nil || applied.Changed == 0 {
			t.Errorf("%d changes, %v", applied.Changed, err)
		}
		tg.has("ufw status; cat /etc/fail2ban/jail.d/gemini-adapter.local", "2022/tcp", "port = 22,2022")
		tg.must(0)
	})
}

// guess is a wrong login from this machine.
func (tg *target) guess() (string, error) {
	cmd := tg.server.Command(tg.Context(), "true")
	for i, arg := range cmd.Args {
		cmd.Args[i] = strings.Replace(arg, "root@", "stranger@", 1)
		if arg == "root" {
			cmd.Args[i] = "stranger"
		}
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}
