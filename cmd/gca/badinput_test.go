package main

import (
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/provision/lab"
)

// Servers that a deploy cannot work with, and logins that cannot become root. Each is refused in words, with a hint, and
// nothing is changed.
func TestDeploy_impossible(t *testing.T) {
	t.Parallel()
	r := newRig(t, "nginx")
	f := func(name, prepare, undo string, code int, want ...string) {
		t.Run(name, func(t *testing.T) {
			r := r.in(t)
			r.on(prepare)
			before := r.on(everything)
			got := r.run(withKeys(), r.deployArgs()...)
			wantText(t, got.err, append(want, "hint: ")...)
			if got.code != code {
				t.Errorf("exit code %d, want %d\n%s", got.code, code, got.err)
			}
			if after := r.on(everything); after != before {
				t.Errorf("something changed:\n%s", differ(before, after))
			}
			r.on(undo)
		})
	}
	machine := func(name string) string {
		return "printf '#!/bin/sh\\n[ \"$1\" != -m ] || { echo " + name + "; exit; }\\nexec /bin/uname \"$@\"\\n' >/usr/local/bin/uname; chmod 755 /usr/local/bin/uname"
	}
	f("another architecture", machine("riscv64"), "rm /usr/local/bin/uname", exitRefused, "riscv64", "amd64 and arm64")
	f("a binary for another architecture", machine("aarch64"), "rm /usr/local/bin/uname", exitRefused, "linux/arm64", "--binary")
	r.user = "admin"
	f("no right to sudo", "mv /etc/sudoers.d/admin /root/", "mv /root/admin /etc/sudoers.d/", exitAuth, "admin", "sudo")
	f("no sudo at all", "mv /usr/bin/sudo /root/", "mv /root/sudo /usr/bin/", exitAuth, "admin", "sudo")
}

// A wrong password for sudo is asked again, three times at most.
func TestDeploy_wrongSudoPassword(t *testing.T) {
	t.Parallel()
	r := newRig(t, ready()...).as("sudoer")
	before := r.on(everything)
	got := r.typed(withKeys(), []answer{{"for sudo", "wrong"}, {"(2 of 3)", "wrong again"}, {"(3 of 3)", "and again"}}, r.deployArgs()...)
	wantText(t, got.out, "hint: ")
	if got.code != exitAuth || strings.Contains(got.out, "wrong again") {
		t.Errorf("exit code %d\n%s", got.code, got.out)
	}
	if after := r.on(everything); after != before {
		t.Errorf("something changed:\n%s", differ(before, after))
	}
	got = r.typed(withKeys(), []answer{{"for sudo", "wrong"}, {"(2 of 3)", lab.SudoerPassword}}, r.deployArgs()...)
	wantDone(t, r, got)
}

// A mirror that does not answer is named, soon.
func TestDeploy_noMirror(t *testing.T) {
	t.Parallel()
	r := newRig(t, ready()...)
	r.on("DEBIAN_FRONTEND=noninteractive apt-get -q -y purge ufw; cp /etc/apt/apt.conf.d/00proxy /root/; " +
		"sed -i 's/:3142/:9/' /etc/apt/apt.conf.d/00proxy; rm -rf /var/lib/apt/lists/*; apt-get clean")
	before := r.on(everything)
	got := r.run(withKeys(), r.deployArgs()...)
	wantText(t, got.err, "everything was put back", "hint: ", "install ufw", "mirror")
	if got.code != exitRolledBack {
		t.Errorf("exit code %d, want %d", got.code, exitRolledBack)
	}
	if after := r.on(everything); after != before {
		t.Errorf("not everything was put back:\n%s", differ(before, after))
	}
	r.on("cp /root/00proxy /etc/apt/apt.conf.d/")
	wantDone(t, r, r.deploy())
}
