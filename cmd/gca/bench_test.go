package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/provision/lab"
)

// BenchmarkDeploy prints a table: what deploys take, each beside what it cannot beat, measured in turns. A round is one of
// each; -benchtime 5x is five rounds.
func BenchmarkDeploy(b *testing.B) {
	d := &deployBench{b: b, took: make(map[figure][]time.Duration), bytes: make(map[figure]int64)}
	d.packages = d.deployedPackages()
	d.settled = newRig(b)
	d.settled.deploy()
	for b.Loop() {
		d.round++
		for _, far := range []bool{false, true} {
			d.measure(far)
		}
	}
	d.print()
}

type deployBench struct {
	b        *testing.B
	round    int
	packages []string // what a deploy installs, dependencies and all
	settled  *rig     // a server that is up to date
	took     map[figure][]time.Duration
	bytes    map[figure]int64 // over the link, of the last round
}

// figure is what is measured, over a link of 100 ms round trip or of none.
type figure struct {
	what string
	far  bool
}

// deployedPackages deploys to a fresh server and looks what is there that was not before.
func (d *deployBench) deployedPackages() []string {
	r := newRig(d.b)
	const list = "dpkg-query -W -f '${Package}\\n' | sort"
	before := strings.Fields(r.on(list))
	r.deploy()
	return slices.DeleteFunc(strings.Fields(r.on(list)), func(p string) bool { return slices.Contains(before, p) })
}

func (d *deployBench) measure(far bool) {
	o := lab.LinkOptions{}
	if far {
		o.Latency = 50 * time.Millisecond
	}
	at := func(what string) figure { return figure{what, far} }
	r, link := d.settled.over(o)
	d.time(at("ssh"), link, func() { d.ssh(r, "true") })
	d.time(at("no-op"), link, func() { r.ok(nil, r.deployArgs()...) })
	next := *r
	next.gca = d.anotherBinary(far)
	d.time(at("upgrade"), link, func() { next.ok(nil, next.deployArgs()...) })
	r.ok(nil, r.deployArgs()...) // back to what the next no-op expects

	fresh, link := newRig(d.b).over(o)
	d.time(at("fresh"), link, func() { fresh.deploy() })
	bare, link := newRig(d.b).over(o)
	install := "apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install " + strings.Join(d.packages, " ")
	d.time(at("apt"), link, func() { d.ssh(bare, install) })
}

func (d *deployBench) time(what figure, link *lab.Link, f func()) {
	d.b.Helper()
	bytes := link.Bytes(lab.ToServer) + link.Bytes(lab.FromServer)
	begun := time.Now()
	f()
	d.took[what] = append(d.took[what], time.Since(begun))
	d.bytes[what] = link.Bytes(lab.ToServer) + link.Bytes(lab.FromServer) - bytes
}

// ssh runs a command by OpenSSH's client, with a connection of its own.
func (d *deployBench) ssh(r *rig, command string) {
	d.b.Helper()
	cmd := exec.CommandContext(d.b.Context(), "ssh", "-F", "/dev/null", "-i", r.server.KeyFile, "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
		"-o", "HostKeyAlias="+r.server.Addr, "-o", "UserKnownHostsFile="+r.server.KnownHosts, r.target(), command)
	if out, err := cmd.CombinedOutput(); err != nil {
		d.b.Fatalf("ssh: %v\n%s", err, out)
	}
}

// anotherBinary is the same program under a hash that no server has.
func (d *deployBench) anotherBinary(far bool) string {
	d.b.Helper()
	file := filepath.Join(d.b.TempDir(), "gca")
	if out, err := build(file, fmt.Sprintf("-s -w -buildid=round-%d-%v", d.round, far)); err != nil {
		d.b.Fatalf("go build: %v\n%s", err, out)
	}
	return file
}

func (d *deployBench) print() {
	fmt.Printf("\n| deploy | round trip | median | beside | median | ratio | difference | bytes |\n|---|---|---|---|---|---|---|---|\n")
	for _, far := range []bool{false, true} {
		for _, row := range [][3]string{{"no-op", "ssh", "`ssh HOST true`"}, {"upgrade", "ssh", "`ssh HOST true`"}, {"fresh", "apt", "bare apt-get"}} {
			trip := "0 ms"
			if far {
				trip = "100 ms"
			}
			own, other := d.median(figure{row[0], far}), d.median(figure{row[1], far})
			fmt.Printf("| %s | %s | %.2f s | %s | %.2f s | %.2f | %+.2f s | %d |\n", row[0], trip, own.Seconds(), row[2], other.Seconds(),
				own.Seconds()/other.Seconds(), (own - other).Seconds(), d.bytes[figure{row[0], far}])
		}
	}
	fmt.Printf("\n%d rounds; a fresh deploy installs %d packages.\n", d.round, len(d.packages))
}

func (d *deployBench) median(what figure) time.Duration {
	sorted := slices.Sorted(slices.Values(d.took[what]))
	if len(sorted)%2 == 1 {
		return sorted[len(sorted)/2]
	}
	return (sorted[len(sorted)/2-1] + sorted[len(sorted)/2]) / 2
}
