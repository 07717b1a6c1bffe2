package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/provision/lab"
)

// What has hurt others who deploy to rented servers, end to end. The numbers are those of the list of traps.

// wantDone fails the test unless a deploy ended well and the adapter serves.
func wantDone(t *testing.T, r *rig, got result) {
	t.Helper()
	if got.code != exitOK {
		t.Fatalf("exit code %d\n%s%s", got.code, got.out, got.err)
	}
	r.in(t).ok(nil, "test")
}

// The stand-in ends as one does whose user data had an error: degraded, which is no reason not to go on.
const cloudInit = `cat >/usr/bin/cloud-init <<'EOF'
#!/bin/sh
[ "$1" = status ] || exit 1
while [ ! -e /run/cloud-init-done ]; do
	case "$*" in *--wait*) sleep 0.2 ;; *) echo 'status: running'; exit 0 ;; esac
done
echo 'status: done'
exit 2
EOF
chmod 755 /usr/bin/cloud-init`

func TestTrap03(t *testing.T) {
	t.Parallel()
	t.Run("trap03 cloud-init is at work", func(t *testing.T) {
		r := newRig(t, ready()...)
		r.on("apt-get -q -y purge ufw; " + cloudInit)
		got := r.watched(func(line string, _ *os.Process) {
			if strings.Contains(line, "cloud-init") && !strings.Contains(line, "+ ") {
				r.on("touch /run/cloud-init-done")
			}
		}, withKeys(), r.deployArgs()...)
		wantText(t, got.err, "cloud-init")
		wantDone(t, r, got)
	})
}

// Each of these makes apt or dpkg ask, and wait for an answer for ever.
const questions = `debconf-set-selections <<'EOF'
debconf debconf/frontend select Dialog
debconf debconf/priority select low
EOF
mkdir -p /etc/needrestart/conf.d
printf '$nrconf{restart} = "i";\n$nrconf{ui} = "NeedRestart::UI::stdio";\n' >/etc/needrestart/conf.d/ask.conf
DEBIAN_FRONTEND=noninteractive apt-get -q -y purge ufw nginx nginx-common
mkdir -p /etc/ufw/applications.d
echo '# mine' >/etc/ufw/applications.d/nginx`

func TestTrap04(t *testing.T) {
	t.Parallel()
	t.Run("trap04 trap05 needrestart, debconf and dpkg would ask", func(t *testing.T) {
		r := newRig(t, ready("needrestart")...)
		r.on(questions)
		wantDone(t, r, r.deploy())
		if mine := r.on("cat /etc/ufw/applications.d/nginx"); mine != "# mine\n" {
			t.Errorf("a file of the administrator's was replaced: %q", mine)
		}
	})
}

func TestTrap09(t *testing.T) {
	t.Parallel()
	f := func(name, suite, script, port string) {
		t.Run("trap09 "+name, func(t *testing.T) {
			t.Parallel()
			r := newRigOn(t, lab.Options{Suite: suite, Packages: ready()})
			r.on(script)
			wantDone(t, r, r.ok(withKeys(), r.deployArgs("-p", port)...))
			wantText(t, r.on("ufw status"), "Status: active", "22/tcp", "2222/tcp")
			for _, p := range []string{"22", "2222"} {
				cmd := exec.CommandContext(t.Context(), "ssh-keyscan", "-T", "5", "-t", "ed25519", "-p", p, r.server.Addr)
				if out, err := cmd.Output(); err != nil || len(out) == 0 {
					t.Errorf("sshd does not answer on port %s any more: %v", p, err)
				}
			}
		})
	}
	f("a second port of sshd", "", `printf 'Port 22\nPort 2222\n' >/etc/ssh/sshd_config.d/ports.conf; systemctl restart ssh`, "22")
	f("a second port of ssh.socket", "trixie", `systemctl disable -q --now ssh; mkdir -p /etc/systemd/system/ssh.socket.d
printf '[Socket]\nListenStream=\nListenStream=22\nListenStream=2222\n' >/etc/systemd/system/ssh.socket.d/port.conf
systemctl daemon-reload; systemctl enable -q --now ssh.socket`, "2222")
}

// A deploy leaves the logins to the administrator: what it does not touch it cannot get wrong.
func TestTrap12(t *testing.T) {
	t.Parallel()
	t.Run("trap12 50-cloud-init.conf wins over sshd_config", func(t *testing.T) {
		r := newRig(t, ready()...)
		r.on(`printf 'PasswordAuthentication yes\n' >/etc/ssh/sshd_config.d/50-cloud-init.conf
printf '\nPasswordAuthentication no\n' >>/etc/ssh/sshd_config; systemctl restart ssh`)
		const sshd = "sshd -T; find /etc/ssh -type f -exec sha256sum {} +"
		before := r.on(sshd)
		wantDone(t, r, r.deploy())
		if after := r.on(sshd); after != before {
			t.Errorf("sshd was changed:\n%s", differ(before, after))
		}
	})
}

func TestTrap18(t *testing.T) {
	t.Parallel()
	t.Run("trap18 apache on port 80", func(t *testing.T) {
		r := newRig(t, ready()...)
		r.on("systemctl disable -q --now nginx; apt-get -q update; DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install apache2")
		before := r.on(everything)
		got := r.run(withKeys(), r.deployArgs()...)
		wantText(t, got.err, "apache2", "port 80", "hint: systemctl disable --now apache2")
		if got.code != exitRefused || strings.Contains(got.err, "sending gca") {
			t.Errorf("exit code %d, want %d before anything is sent\n%s", got.code, exitRefused, got.err)
		}
		if after := r.on(everything); after != before {
			t.Errorf("it changed something:\n%s", differ(before, after))
		}
		r.on("systemctl disable -q --now apache2")
		wantDone(t, r, r.deploy()) // as the hint says
	})
}

func TestTrap19(t *testing.T) {
	t.Parallel()
	t.Run("trap19 the stock default site", func(t *testing.T) {
		r := newRig(t, ready()...)
		stock := r.on("sha256sum /etc/nginx/sites-available/default")
		wantDone(t, r, r.deploy())
		if left := r.on("ls /etc/nginx/sites-enabled"); left != "gemini-adapter\n" {
			t.Errorf("sites-enabled has %q", left)
		}
		if kept := r.on("sha256sum /etc/nginx/sites-available/default"); kept != stock {
			t.Error("the stock default site was changed, not only taken out")
		}
	})
}

func TestTrap26(t *testing.T) {
	t.Parallel()
	t.Run("trap25 trap26 no sftp, and nothing runs from tmp and home", func(t *testing.T) {
		r := newRig(t, ready()...).as("sudoer")
		r.on(`sed -i '/^Subsystem/d' /etc/ssh/sshd_config; systemctl restart ssh
for dir in /tmp /var/tmp /home; do mount --bind $dir $dir; mount -o remount,bind,noexec $dir; done`)
		wantDone(t, r, r.person(withKeys(), r.deployArgs()...))
	})
}

func TestTrap27(t *testing.T) {
	t.Parallel()
	t.Run("trap27 one connection", func(t *testing.T) {
		near := newRig(t, ready()...)
		near.on(`printf 'MaxSessions 2\nMaxStartups 2\n' >/etc/ssh/sshd_config.d/few.conf; systemctl restart ssh`)
		r, link := near.over(lab.LinkOptions{})
		wantDone(t, r, r.deploy())
		if n := link.Connections(22); n != 2 {
			t.Errorf("a deploy took %d connections, want one, and one as proof", n)
		}
		wantText(t, r.ok(nil, r.deployArgs()...).out, "up to date")
		if n := link.Connections(22); n != 3 {
			t.Errorf("a deploy without a change took %d connections, want one", n-2)
		}
	})
}

func TestTrap41(t *testing.T) {
	t.Parallel()
	t.Run("trap41 the lock of a deploy that was killed", func(t *testing.T) {
		r := newRig(t, ready()...)
		killed := false
		got := r.watched(func(line string, _ *os.Process) {
			if !killed && strings.Contains(line, "✓ ") {
				killed = true
				r.on("systemctl kill --signal=KILL gca-deploy.service")
			}
		}, withKeys(), r.deployArgs()...)
		if !killed || got.code == exitOK {
			t.Fatalf("exit code %d\n%s%s", got.code, got.out, got.err)
		}
		wantDone(t, r, r.deploy())
	})
}

// written is every file that a plan may have left, beside everything.
const written = everything + `
find / -xdev -newer /root/mark -type f ! -path '/run/*' ! -path '/var/log/*' ! -path '/root/.*' | sort`

func TestTrap42(t *testing.T) {
	t.Parallel()
	t.Run("trap42 a plan changes nothing", func(t *testing.T) {
		r := newRig(t, "nginx")
		plan := append(append([]string{"plan", "--gemini-base-url", r.base}, r.login()...), r.target())
		r.on("touch /root/mark")
		before := r.on(written)
		got := r.run(withKeys(), plan...)
		if got.code != exitPending {
			t.Fatalf("exit code %d, want %d\n%s%s", got.code, exitPending, got.out, got.err)
		}
		wantText(t, got.out+got.err, "/etc/nginx/sites-available/gemini-adapter", "install")
		if after := r.on(written); after != before {
			t.Errorf("a plan changed something:\n%s", differ(before, after))
		}
		r.deploy()
		if got := r.run(nil, plan...); got.code != exitOK {
			t.Errorf("up to date, the plan ends with exit code %d\n%s%s", got.code, got.out, got.err)
		}
	})
}
