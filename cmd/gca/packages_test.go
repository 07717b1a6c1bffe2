package main

import (
	"encoding/json"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/gemini-claude-adapter/gca/manage"
)

// labPackages are functions of a shell that make packages, and repositories of them as Debian's security one and as another's.
const labPackages = `
pack() { # repository name version postinst
	d=$(mktemp -d); mkdir -p $d/DEBIAN $d/etc $1
	printf 'Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: lab <lab@example.com>\nDescription: of a test\n' $2 $3 >$d/DEBIAN/control
	printf '%s\n' $3 >$d/etc/$2.conf; printf '/etc/%s.conf\n' $2 >$d/DEBIAN/conffiles
	printf '#!/bin/sh\n%s\n' "${4:-}" >$d/DEBIAN/postinst; chmod 755 $d $d/DEBIAN $d/DEBIAN/postinst
	dpkg-deb --build --root-owner-group $d $1/$2_$3_all.deb >/dev/null; rm -r $d
}
index() ( # repository origin label
	cd $1; for f in *.deb; do dpkg-deb -f $f; printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' $f $(stat -c %s $f) $(sha256sum $f | cut -d' ' -f1); done >Packages
	printf 'Origin: %s\nLabel: %s\nSuite: stable-security\nCodename: %s\nDate: %s\nSHA256:\n %s %s Packages\n' $2 $3 $(. /etc/os-release; echo $VERSION_CODENAME) \
		"$(LC_ALL=C date -Ru)" $(sha256sum Packages | cut -d' ' -f1) $(stat -c %s Packages) >Release
)
`

// Packages of before, and newer ones: a fix that wants a reboot, a fix of a package that is held, and what is no fix.
const agedServer = labPackages + `
pack /srv/fixes lab-fix 1.0; pack /srv/fixes lab-fix 1.1 'touch /run/reboot-required; echo lab-fix >>/run/reboot-required.pkgs'
pack /srv/fixes lab-held 1.0; pack /srv/fixes lab-held 1.1
pack /srv/news lab-news 1.0; pack /srv/news lab-news 2.0
index /srv/fixes Debian Debian-Security; index /srv/news Other Other
dpkg -i /srv/*/*_1.0_all.deb >/dev/null; apt-mark hold lab-held >/dev/null; echo mine >>/etc/lab-fix.conf
printf 'deb [trusted=yes] file:/srv/%s ./\n' fixes news >/etc/apt/sources.list.d/lab.list`

const labVersions = "dpkg-query -W -f '${Package} ${Version}\\n' 'lab-*'"

// holdDpkg has python3 hold dpkg's lock until /run/free is there.
const holdDpkg = `systemd-run -q --unit=holder python3 -c 'import fcntl, os, time
f = open("/var/lib/dpkg/lock-frontend", "w")
fcntl.lockf(f, fcntl.LOCK_EX)
open("/run/held", "w").close()
while not os.path.exists("/run/free"): time.sleep(0.1)'; while [ ! -e /run/held ]; do sleep 0.1; done`

// The system's security updates, and nothing else, come while clients are served; what needs a reboot is said, and the reboot is
// waited for; what keeps the adapter from serving is taken back.
func TestUpgrade_packages(t *testing.T) {
	t.Parallel()
	r := newRig(t, ready()...)
	token := r.deployForLongStories()
	r.on(agedServer)
	missing := r.run(nil, r.verbArgs("upgrade", "--packages", "--dry-run")...)
	wantEnd(t, "a dry run", missing, exitPending)
	wantText(t, missing.out, "security update", "lab-fix")
	if strings.Contains(missing.out, "lab-news") || strings.Contains(missing.out, "lab-held") {
		t.Errorf("a dry run shows:\n%s", missing.out)
	}
	wantEnd(t, "nobody to ask", r.run(nil, r.verbArgs("upgrade", "--packages")...), exitUsage, "nobody can be asked")
	archives := r.on("ls /var/backups/gemini-adapter | wc -l")

	r.on(holdDpkg)
	var free sync.Once
	var done result
	under(t, r, token, func() {
		done = r.watched(func(line string, _ *os.Process) {
			if strings.Contains(line, "waiting for the dpkg lock, held by python3 (pid ") {
				free.Do(func() { r.on("touch /run/free") })
			}
		}, nil, r.verbArgs("upgrade", "--packages", "--yes")...)
	})
	wantEnd(t, "an update", done, exitOK, "waiting for the dpkg lock")
	wantText(t, done.out, "lab-fix:all 1.0 → 1.1", "lab-held is marked to be held back", "reboot      needed, for lab-fix", "gca upgrade --packages --reboot "+r.target())
	if got := r.on(labVersions + "; tail -n 1 /etc/lab-fix.conf"); got != "lab-fix 1.1\nlab-held 1.0\nlab-news 1.0\nmine\n" {
		t.Errorf("there are now:\n%s", got)
	}
	if got := r.on("ls /var/backups/gemini-adapter | wc -l"); got == archives {
		t.Error("no backup was made before")
	}

	t.Run("reboot", func(t *testing.T) { testUpdateReboot(t, r.in(t)) })
	t.Run("sick", func(t *testing.T) { testUpdateSick(t, r.in(t)) })
}

func testUpdateReboot(t *testing.T, r *rig) {
	const boot = "cat /proc/sys/kernel/random/boot_id"
	before := r.on(boot)
	done := r.ok(nil, r.verbArgs("upgrade", "--packages", "--reboot")...) // nothing is pending, so nobody is asked
	wantText(t, done.err, "rebooting "+r.target(), "is there again")
	wantText(t, done.out, "nothing: no security update is missing", "reboot      not needed")
	if r.on(boot) == before {
		t.Error("it did not reboot")
	}
	r.ok(nil, "ask", "is it you?")
	var report manage.UpdateReport
	again := r.ok(nil, r.verbArgs("upgrade", "--packages", "--json")...)
	if err := json.Unmarshal([]byte(again.out), &report); err != nil || report.Schema != 1 || report.Reboot.Due() || len(report.Pending) > 0 || report.Release != r.release() {
		t.Errorf("%v: %s", err, again.out)
	}
}

// testUpdateSick has an update break Nginx.
func testUpdateSick(t *testing.T, r *rig) {
	r.on(labPackages + `
pack /srv/fixes lab-sick 1.0 'rm -f /etc/nginx/conf.d/sick.conf'
pack /srv/fixes lab-sick 1.1 'echo sick >/etc/nginx/conf.d/sick.conf; systemctl restart nginx || true'
index /srv/fixes Debian Debian-Security; dpkg -i /srv/fixes/lab-sick_1.0_all.deb >/dev/null`)
	got := r.run(nil, r.verbArgs("upgrade", "--packages", "--yes")...)
	wantEnd(t, "an update that breaks Nginx", got, exitRolledBack, "putting back lab-sick:all=1.0", "everything was put back", "apt-mark hold")
	if strings.Contains(got.out, "1.0 → 1.1") {
		t.Errorf("what was put back is told as updated:\n%s", got.out)
	}
	if got := r.on(labVersions); !strings.Contains(got, "lab-sick 1.0\n") {
		t.Errorf("there are now:\n%s", got)
	}
	r.ok(nil, "ask", "is it you?")
	r.on("echo 'deb [trusted=yes] http://127.0.0.1:9/debian ./' >>/etc/apt/sources.list.d/lab.list; echo 'Acquire::http::Proxy::127.0.0.1 \"DIRECT\";' >/etc/apt/apt.conf.d/99direct; apt-mark hold lab-sick")
	gone := r.run(nil, r.verbArgs("upgrade", "--packages", "--yes")...)
	wantEnd(t, "a mirror that is gone", gone, exitPartial)
	wantText(t, gone.out, "not read", "127.0.0.1:9", "cure: apt-get update")
}
