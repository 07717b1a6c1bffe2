package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/gemini-claude-adapter/gca/provision/lab"
)

// fault is a way for a deploy to go wrong. strike runs the deploy and has it happen; the link is whole when it returns.
type fault struct {
	name   string
	strike func(*disturbance) result
}

func faults() []fault {
	return []fault{
		{"cut", cutLink}, {"stall", stallLink}, {"kill", killAgent}, {"power", cutPower}, {"full", fillDisk},
		{"apt", failApt}, {"nginx", breakNginx}, {"sick", sickRelease}, {"second", secondDeploy},
	}
}

// disturbance is one deploy and its fault.
type disturbance struct {
	*chaosRig
	draw
	from, to *served // from is nil on a fresh server
	calmly   calmRun
	before   string // the server's text
	struck   bool
	lift     func() // takes away what outlasts the deploy
	installs bool   // it had packages to install
	first    result
	other    *served // what another deploy may bring meanwhile
	second   *result // of the other deploy
}

// deploy runs the deploy, and shows each line that it says.
func (d *disturbance) deploy(see func(line string, p *os.Process)) result {
	d.t.Helper()
	far, args := d.wanting(*d.to)
	return far.watched(see, withKeys(), args...)
}

// atStep runs the deploy, and acts after the drawn one of its steps; the first moment is before any.
func (d *disturbance) atStep(act func()) result {
	d.t.Helper()
	moment, done := int(d.draw.at*float64(d.calmly.steps+1)), 0
	return d.deploy(func(line string, _ *os.Process) {
		if strings.Contains(line, stepDone) {
			done++
		}
		if !d.struck && done >= moment {
			d.struck = true
			act()
		}
	})
}

// breakLink has the link fail at the drawn byte of a direction, runs the deploy, and heals. Meanwhile once is called when it
// has failed, with a channel that tells the deploy's end.
func (d *disturbance) breakLink(fault lab.Fault, once func(ended <-chan struct{}), see func(line string, p *os.Process)) result {
	d.t.Helper()
	direction := lab.Direction(d.way % 2)
	struck := d.link.BreakAfter(direction, int64(d.draw.at*float64(d.calmly.bytes[direction])), fault)
	ended := make(chan struct{})
	var beside sync.WaitGroup
	beside.Go(func() {
		select {
		case <-struck:
			d.struck = true
			once(ended)
		case <-ended:
		}
	})
	got := d.deploy(see)
	close(ended)
	beside.Wait()
	d.link.Heal()
	return got
}

// cutLink ends every connection at a byte: by a reset or, one time in three, without a word.
func cutLink(d *disturbance) result {
	fault := lab.Reset
	if d.way%6 >= 4 {
		fault = lab.Drop
	}
	return d.breakLink(fault, func(<-chan struct{}) {}, func(string, *os.Process) {})
}

// stallLink holds every byte back from one on: for up to three seconds, until the person is told of it, or for good.
func stallLink(d *disturbance) result {
	until := d.way / 2 % 4
	return d.breakLink(lab.Stall, func(ended <-chan struct{}) {
		if until < 2 {
			select {
			case <-time.After(time.Duration(d.way) * time.Second / 8):
				d.link.Heal()
			case <-ended:
			}
		}
	}, func(line string, _ *os.Process) {
		if until == 2 && strings.Contains(line, "nothing heard from") {
			d.link.Heal()
		}
	})
}

// watcher waits until the journal has so many records, and sends the worker a signal at that moment.
const watcher = `cat >/run/watcher <<'EOF'
import glob, os, sys, time
records, number = int(sys.argv[1]), int(sys.argv[2])
sealed = set(glob.glob("/var/lib/gca/journal/*_*"))
open("/run/watching", "w").close()

def worker():
    for name in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            if open(name, "rb").read().split(b"\0")[1:3] == [b"agent", b"--worker"]:
                return int(name.split("/")[2])
        except OSError:
            pass

while True:
    try:
        with open("/var/lib/gca/journal/open/journal", "rb") as f:
            if f.read().count(b"\n") >= records:
                break
    except OSError:
        pass
    if set(glob.glob("/var/lib/gca/journal/*_*")) != sealed or not os.path.exists("/run/watching"):
        sys.exit(3)
    time.sleep(0.0005)
pid = worker()
if not pid:
    sys.exit(3)
os.kill(pid, number)
EOF
exec python3 /run/watcher %d %d`

// atRecord runs the deploy, sends its worker a signal at the drawn record of its journal, and calls then.
func (d *disturbance) atRecord(signal int, then func() error) result {
	d.t.Helper()
	record := 1 + int(d.draw.at*float64(d.calmly.records))
	watch := d.server.Command(d.t.Context(), "timeout", "120", "sh", "-c", fmt.Sprintf(watcher, record, signal))
	if err := watch.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.on("until [ -e /run/watching ]; do :; done")
	done := make(chan error, 1)
	go func() {
		err := watch.Wait()
		if d.struck = err == nil; d.struck {
			err = then()
			done <- err
			return
		}
		done <- nil
	}()
	got := d.deploy(func(string, *os.Process) {})
	var late error
	if got.code == exitOK { // it may have ended before the record came, or as the power went
		_, late = d.server.Sh(d.t.Context(), "rm -f /run/watching")
	}
	err := <-done
	if !d.struck {
		err = errors.Join(err, late)
	}
	if err != nil {
		d.t.Fatal(err)
	}
	return got
}

func killAgent(d *disturbance) result {
	return d.atRecord(9, func() error { return nil })
}

// cutPower stops the worker at the record, so that the power goes right there.
func cutPower(d *disturbance) result {
	return d.atRecord(19, func() error {
		if err := d.server.PowerCut(d.t.Context()); err != nil {
			return err
		}
		return d.server.Start(d.t.Context())
	})
}

func fillDisk(d *disturbance) result {
	d.lift = func() { d.on("rm -f /root/fill") }
	return d.atStep(func() { d.on(fill) })
}

// failApt has a package missing, and apt fail: the mirror is away, or dpkg before it has unpacked anything, or after all.
func failApt(d *disturbance) result {
	missing := []string{"logrotate", "python3-systemd"}
	if d.from == nil {
		missing = []string{"logrotate", "python3-systemd", "ufw", "fail2ban"}
	}
	hook := `echo 'DPkg::%s {"exit 1";};' >/etc/apt/apt.conf.d/99fails`
	fail := []string{
		"cp /etc/apt/apt.conf.d/00proxy /run/; sed -i 's/:3142/:9/' /etc/apt/apt.conf.d/00proxy; apt-get clean",
		fmt.Sprintf(hook, "Pre-Install-Pkgs"), fmt.Sprintf(hook, "Post-Invoke"),
	}[d.way%3]
	d.on("DEBIAN_FRONTEND=noninteractive apt-get -q -y purge " + missing[d.way/3%len(missing)])
	d.before, d.struck, d.installs = d.text(false), true, true
	d.on(fail)
	d.lift = func() {
		d.on("[ ! -e /run/00proxy ] || mv /run/00proxy /etc/apt/apt.conf.d/; rm -f /etc/apt/apt.conf.d/99fails")
	}
	return d.deploy(func(string, *os.Process) {})
}

// breakNginx has a person make a mistake in Nginx's settings, before the deploy or beside it.
func breakNginx(d *disturbance) result {
	d.lift = func() { d.on("rm -f /etc/nginx/conf.d/mistake.conf") }
	mistake := func() { d.on("echo 'mistake on;' >/etc/nginx/conf.d/mistake.conf") }
	if d.way%2 == 0 {
		d.struck = true
		mistake()
	}
	return d.atStep(mistake)
}

// sickRelease has what is new fail: at its first start, when it was switched to, at /health, or for those who ask from outside.
func sickRelease(d *disturbance) result {
	d.struck = true
	switch way := d.way % 4; {
	case way == 0 && d.from != nil:
		return d.sickUnits("exit 1", "gemini-adapter-handover")
	case way < 2 || way == 2 && d.kind == kindSettings:
		return d.sickUnits(d.sickOfTheNew(), "gemini-adapter")
	case way == 2:
		return d.sickBinary()
	}
	rule := "INPUT -p tcp --dport 80 -s " + d.server.Gateway + " -j DROP"
	d.on("iptables -I " + rule)
	got := d.deploy(func(string, *os.Process) {})
	d.on("iptables -D " + rule)
	return got
}

func (d *disturbance) sickBinary() result {
	d.t.Helper()
	far, args := d.wanting(*d.to)
	far.gca = d.calm.sick()
	got := far.watched(func(string, *os.Process) {}, withKeys(), args...)
	if d.from != nil { // where there is an adapter, what was sent stays for the next try
		d.on("rm -rf /opt/gemini-adapter/releases/" + releaseOf(d.t, far.gca))
	}
	return got
}

// sickOfTheNew is a script that fails where what is new is in force.
func (d *disturbance) sickOfTheNew() string {
	switch {
	case d.from == nil:
		return "exit 1"
	case d.kind == kindRelease:
		return "! readlink /opt/gemini-adapter/current | grep -q " + d.calm.releases[d.to.release]
	}
	return "! grep -q " + d.bases[d.to.base] + " /etc/gemini-adapter/adapter.env"
}

// sickUnits has units fail to start by a script.
func (d *disturbance) sickUnits(script string, units ...string) result {
	d.t.Helper()
	where := "/run/systemd/system/" + strings.Join(units, ".service.d /run/systemd/system/") + ".service.d"
	d.on(fmt.Sprintf(`echo '%s' >/run/sick; mkdir -p %s
for dir in %[2]s; do printf '[Service]\nExecStartPre=+/bin/sh /run/sick\n' >$dir/sick.conf; done; systemctl daemon-reload`, script, where))
	got := d.deploy(func(string, *os.Process) {})
	d.on("rm -r " + where + "; systemctl daemon-reload")
	return got
}

// secondDeploy has another laptop deploy at the same time: the same, or another release or setting.
func secondDeploy(d *disturbance) result {
	wanted := *d.to
	if d.from != nil && d.way%2 == 1 {
		wanted = served{d.from.release, 1 - d.to.base}
	}
	d.other = &wanted
	far, args := d.wanting(wanted)
	second := make(chan result, 1)
	got := d.atStep(func() { go func() { second <- far.run(withKeys(), args...) }() })
	if d.struck {
		other := <-second
		d.second = &other
	}
	return got
}
