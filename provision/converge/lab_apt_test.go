package converge_test

import (
	"errors"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/gemini-claude-adapter/gca/provision/converge"
	"github.com/gemini-claude-adapter/gca/provision/lab"
)

// holdLock holds dpkg's lock until /run/free is there.
const holdLock = `import fcntl, os, time
f = open("/var/lib/dpkg/lock-frontend", "w")
fcntl.lockf(f, fcntl.LOCK_EX)
open("/run/held", "w").close()
while not os.path.exists("/run/free"): time.sleep(0.1)
open("/run/unharmed", "w").close()
`

// A first boot that goes on, and another package manager at work: both are waited for and named, and neither is ended.
func TestLab_AptWaits(t *testing.T) {
	t.Parallel()
	tg := newTargetOn(t, lab.Options{Suite: os.Getenv("GCA_LAB_SUITE"), Packages: preinstalled()})
	tg.sh(`apt-get -qq purge -y logrotate >/dev/null
		printf '#!/bin/sh\nwhile [ ! -e /run/booted ]; do sleep 0.1; done\nexit 2\n' >/usr/local/bin/cloud-init; chmod 755 /usr/local/bin/cloud-init
		systemd-run -q --unit=holder python3 -c '` + holdLock + `'; while [ ! -e /run/held ]; do sleep 0.1; done`)
	s, _, err := tg.planned("AIzaSyTest1")
	if err != nil {
		t.Fatal(err)
	}
	var cloud, lock sync.Once
	waits := map[string]string{}
	_, err = s.Apply(converge.Events{Progress: func(e converge.ProgressEvent) {
		if e.Wait == nil {
			return
		}
		waits[e.Wait.What] = e.Wait.Holder
		switch e.Wait.What {
		case "cloud-init":
			cloud.Do(func() { tg.sh("touch /run/booted") })
		case "the dpkg lock":
			lock.Do(func() { tg.sh("touch /run/free") })
		}
	}})
	if err == nil {
		err = s.Proven()
	}
	if err == nil {
		_, err = s.Commit()
	}
	if err := errors.Join(err, s.cmd.Wait()); err != nil {
		t.Fatal(err)
	}
	t.Run("trap01 the holder of the lock is named", func(t *testing.T) {
		if !strings.HasPrefix(waits["the dpkg lock"], "python3 (pid ") {
			t.Errorf("waits %q", waits)
		}
	})
	t.Run("trap02 and not ended", func(*testing.T) { tg.sh("test -e /run/unharmed") })
	t.Run("trap03 cloud-init", func(t *testing.T) {
		if waits["cloud-init"] == "" {
			t.Errorf("waits %q", waits)
		}
	})
	tg.must(0)
	t.Run("trap21 dpkg left half-way", func(*testing.T) {
		tg.sh("cd /root; apt-get -qq download logrotate; apt-get -qq purge -y logrotate >/dev/null; dpkg --unpack logrotate_*.deb >/dev/null; dpkg --audit | grep -q logrotate")
		tg.must(-1)
		tg.has("dpkg --audit; dpkg-query -W -f '${Status}' logrotate", "install ok installed")
		tg.must(0)
	})
}

// What cannot be installed is said in the words of its cause, and nothing of it is left.
func TestLab_AptFails(t *testing.T) {
	t.Parallel()
	tg := newTargetOn(t, lab.Options{Suite: os.Getenv("GCA_LAB_SUITE"), Packages: preinstalled()})
	tg.sh(`apt-get -qq purge -y logrotate >/dev/null; cp -a /etc/apt /root/apt
		rm -rf /var/lib/apt/lists/* /etc/apt/sources.list.d/*; echo 'deb http://127.0.0.1:9/debian stable main' >/etc/apt/sources.list
		echo 'Acquire::http::Proxy::127.0.0.1 "DIRECT";' >/etc/apt/apt.conf.d/99direct; apt-get clean`)
	before := tg.tree()
	f := func(words ...string) {
		t.Helper()
		_, err := tg.deploy("AIzaSyTest1")
		back, ok := errors.AsType[*converge.RolledBackError](err)
		if !ok || len(back.FailedUndo) > 0 {
			t.Fatalf("%v", err)
		}
		for _, word := range words {
			if !strings.Contains(back.Error(), word) {
				t.Errorf("no %q in %v", word, back)
			}
		}
	}
	f("the package mirror 127.0.0.1:9 cannot be reached", "hint: apt-get update")
	tg.same(before, "unreachable mirror")

	t.Run("trap18 port 80 is taken", func(t *testing.T) {
		tg.sh("systemctl stop nginx; systemd-run -q --unit=web python3 -m http.server 80; while ! ss -ltn | grep -q ':80 '; do sleep 0.1; done")
		before := tg.tree()
		_, err := tg.deploy("AIzaSyTest1")
		if r, ok := errors.AsType[*converge.Refusal](err); !ok || r.Kind != converge.RefusedPort || !strings.Contains(r.Message, "python3") {
			t.Errorf("%v", err)
		}
		tg.same(before, "port 80 is taken")
		tg.sh("systemctl stop web; systemctl start nginx")
	})

	tg.sh("rm -rf /etc/apt; mv /root/apt /etc/apt; mkdir -p /var/cache/apt/archives; mount -t tmpfs -o size=16k tmpfs /var/cache/apt/archives")
	before = tg.tree()
	f("the disk is full", "hint: df -h")
	tg.same(before, "full disk")
	tg.sh(`umount /var/cache/apt/archives; mkdir -p /var/cache/apt/archives/partial; echo 'DPkg::Post-Invoke {"exit 1";};' >/etc/apt/apt.conf.d/99hook`)

	before = tg.tree()
	f("Problem executing scripts DPkg::Post-Invoke") // when everything is installed, and again when all of it is purged
	tg.same(before, "failing hook")
	tg.sh("rm /etc/apt/apt.conf.d/99hook")
	tg.must(-1)
}
