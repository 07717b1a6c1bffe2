package main

import (
	"os"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/provision/lab"
)

// fill leaves not a byte of the disk, most of it at once: a deploy does not wait.
const fill = "fallocate -l $(df -B1 --output=avail / | tail -n 1) /root/fill 2>/dev/null || true; cat /dev/zero >>/root/fill 2>/dev/null || df -k --output=avail /"

// A disk that is full from some moment on: a clear word, everything is put back, and with room again it works.
func TestDeploy_diskFull(t *testing.T) {
	t.Parallel()
	f := func(name, moment string, code int, want string, prepare ...string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRigOn(t, lab.Options{Suite: os.Getenv("GCA_LAB_SUITE"), Packages: ready(), DiskMB: 256})
			r.on(strings.Join(prepare, "; "))
			before := r.on(everything)
			full := false
			got := r.watched(func(line string, _ *os.Process) {
				if !full && strings.Contains(line, moment) {
					full = true
					r.on(fill)
				}
			}, withKeys(), r.deployArgs()...)
			wantText(t, got.err, want, "hint: ")
			if !full || got.code != code {
				t.Errorf("full: %v, exit code %d, want %d\n%s", full, got.code, code, got.err)
			}
			r.on("rm -f /root/fill")
			if after := r.on(everything); after != before {
				t.Errorf("not everything was put back:\n%s\n%s", differ(before, after), got.err)
			}
			wantDone(t, r, r.deploy())
		})
	}
	f("upload", "connecting to", exitFailed, "make room")
	f("packages", "… install ufw", exitRolledBack, "the disk is full", "apt-get -q -y purge ufw")
	f("settings", "✓ make the system user gemini", exitRolledBack, "o space left on device")
	f("service", "✓ make a client token", exitRolledBack, "o space left on device")
	f("firewall", "✓ reload Nginx", exitRolledBack, "o space left on device")
}
