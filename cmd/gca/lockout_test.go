package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// hasten waits for the dead man's timer to be armed, and lets it go off seconds later.
const hasten = `systemctl stop hasten 2>/dev/null || true; systemd-run -q --collect --unit=hasten sh -c '
until systemctl is-active -q gca-deadman.timer; do sleep 0.1; done
sed -i s/^OnActiveSec=.*/OnActiveSec=3/ /etc/systemd/system/gca-deadman.timer; systemctl daemon-reload; systemctl restart gca-deadman.timer'`

// dropSSH has ufw, once it is on, drop what comes to port 22, whatever it is told to allow; a match says which packets.
func dropSSH(match string) string {
	return `sed -i '/^# End required lines/a -A ufw-before-input -p tcp --dport 22 ` + match + ` -j DROP' /etc/ufw/before.rules`
}

const mendUFW = "sed -i '/--dport 22 .*-j DROP/d' /etc/ufw/before.rules"

// answers reports whether sshd greets who comes anew.
func (r *rig) answers(port string) bool {
	out, err := exec.CommandContext(r.t.Context(), "ssh-keyscan", "-T", "3", "-t", "ed25519", "-p", port, r.server.Addr).Output()
	return err == nil && len(out) > 0
}

// wantBack fails the test unless SSH answers and the server is what it was, with nothing left of the timer.
func (r *rig) wantBack(before string) {
	r.t.Helper()
	if !r.answers("22") {
		r.t.Fatal("SSH does not answer any more")
	}
	if after := r.on(everything); after != before {
		r.t.Errorf("not everything is back:\n%s", differ(before, after))
	}
	if left := r.on("ls /etc/systemd/system | grep deadman || true; systemctl list-units --all --no-legend 'gca-*'"); left != "" {
		r.t.Errorf("there is still %s", left)
	}
}

// A change of the firewall that cuts everybody off, who comes anew or who is there, comes back by itself.
func TestLockout(t *testing.T) {
	t.Parallel()
	r := newRig(t, ready()...)
	before := r.on(everything)
	t.Run("new logins do not get in", func(t *testing.T) {
		r := r.in(t)
		r.on(dropSSH("-m conntrack --ctstate NEW"))
		staged := r.on(everything)
		got := r.run(withKeys(), r.deployArgs()...)
		wantText(t, got.err, "a new SSH login does not get in any more", "hint: ")
		if got.code != exitRolledBack {
			t.Errorf("exit code %d, want %d\n%s%s", got.code, exitRolledBack, got.out, got.err)
		}
		r.wantBack(staged)
		r.on(mendUFW)
	})
	t.Run("nobody gets through", func(t *testing.T) {
		r := r.in(t)
		r.on(dropSSH("") + "; " + hasten)
		staged := r.on(everything)
		got := r.run(withKeys(), r.deployArgs()...)
		if got.code == exitOK {
			t.Errorf("the deploy went well\n%s%s", got.out, got.err)
		}
		r.eventuallyBack(staged)
		r.on(mendUFW)
	})
	t.Run("the worker is killed before the proof", func(t *testing.T) {
		r := r.in(t)
		r.on(hasten)
		r.killAtProof("systemctl kill --signal=KILL gca-deploy.service")
		r.eventuallyBack(before)
	})
	t.Run("after all that it deploys", func(t *testing.T) {
		r := r.in(t)
		wantDone(t, r, r.deploy())
		if left := r.on("ls /etc/systemd/system | grep deadman || true"); left != "" {
			t.Errorf("the timer is still there: %s", left)
		}
		wantText(t, r.on("ufw status"), "Status: active")
	})
}

// killAtProof runs a deploy whose worker is ended when the firewall is in place.
func (r *rig) killAtProof(script string) {
	r.t.Helper()
	r.on(`systemd-run -q --collect --unit=killer sh -c 'until ufw status | grep -q "80/tcp"; do sleep 0.05; done; ` + script + `'`)
	if got := r.run(withKeys(), r.deployArgs()...); got.code == exitOK {
		r.t.Errorf("the deploy went well\n%s%s", got.out, got.err)
	}
}

// eventuallyBack is wantBack when the dead man has done his work.
func (r *rig) eventuallyBack(before string) {
	r.t.Helper()
	for !r.answers("22") {
		if r.t.Context().Err() != nil {
			r.t.Fatal("SSH does not answer any more")
		}
	}
	r.on(`for i in $(seq 300); do [ -e /etc/systemd/system/gca-deadman.timer ] || systemctl is-active -q gca-deadman.service || exit 0; sleep 0.1; done; exit 1`)
	r.wantBack(before)
}

// freeze stops the worker in the moment after the firewall is in place, and has the timer go off soon after a boot.
const freeze = `systemd-run -q --collect --unit=freezer sh -c 'until ufw status | grep -q "80/tcp"; do sleep 0.05; done
systemctl kill --signal=STOP gca-deploy.service; sed -i s/^OnActiveSec=.*/OnActiveSec=4/ /etc/systemd/system/gca-deadman.timer; sync; touch /run/frozen'`

// The timer outlives a power cut: the rules that were being tried come back with ufw, and go again.
func TestLockout_PowerCut(t *testing.T) {
	t.Parallel()
	r := newRig(t, ready()...)
	before := r.on(everything)
	r.on(freeze)
	cut := false
	got := r.watched(func(line string, _ *os.Process) {
		if cut || !strings.Contains(line, "… let TCP ports") {
			return
		}
		cut = true
		r.on("until [ -e /run/frozen ]; do sleep 0.1; done")
		if err := r.server.PowerCut(t.Context()); err != nil {
			t.Fatal(err)
		}
	}, withKeys(), r.deployArgs()...)
	if !cut || got.code == exitOK {
		t.Fatalf("exit code %d, cut %v\n%s%s", got.code, cut, got.out, got.err)
	}
	if err := r.server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantText(t, r.on("ufw status"), "Status: active")
	r.eventuallyBack(before)
	wantDone(t, r, r.deploy())
}
