package main

import (
	"path/filepath"
	"testing"

	"github.com/gemini-claude-adapter/gca/provision/lab"
)

// Every kind of system by every kind of login: a deploy, another one that changes nothing, a reboot, and the same adapter
// on another server.
func TestMatrix(t *testing.T) {
	t.Parallel()
	f := func(suite, user string, packages ...string) {
		t.Run(suite+" by "+user, func(t *testing.T) {
			t.Parallel()
			testLife(t, newRigOn(t, lab.Options{Suite: suite, Packages: packages}).as(user))
		})
	}
	f("bookworm", "root", ready()...)
	f("bookworm", "admin", ready()...)
	f("bookworm", "sudoer", ready()...)
	f("trixie", "root")
	f("trixie", "admin", ready()...)
	f("trixie", "sudoer", ready()...)
}

func testLife(t *testing.T, r *rig) {
	r.person(withKeys(), r.deployArgs()...)
	before, processes := r.on(everything), r.on(running)
	again := r.person(nil, r.deployArgs()...)
	wantText(t, again.out, "up to date")
	if after := r.on(everything); after != before {
		t.Errorf("a second deploy changed something:\n%s", differ(before, after))
	}
	if after := r.on(running); after != processes {
		t.Errorf("a second deploy restarted or replaced something:\n%s", differ(processes, after))
	}
	testReboot(t, r)
	plan := r.person(nil, append(append([]string{"plan", "--gemini-base-url", r.base}, r.login()...), r.target())...)
	wantText(t, plan.out+plan.err, "up to date")
	testMove(t, r)
}

// testMove makes a backup, and restores it on a server that has no adapter.
func testMove(t *testing.T, r *rig) {
	const held = "cd /etc/gemini-adapter && sha256sum adapter.env keys tokens"
	r.on("printf 'usage of a year' >/var/lib/gemini-adapter/usage.db; chown gemini:gemini /var/lib/gemini-adapter/usage.db")
	file := filepath.Join(t.TempDir(), "adapter.tar.gz.age")
	r.ok(nil, "backup", "key")
	r.person(nil, r.verb(words("backup"), "-o", file)...)
	before := r.on(held)
	other := newRigOn(t, lab.Options{Suite: r.server.Suite, Packages: ready()}).as(r.user)
	other.home = r.home
	got := other.person(nil, other.verb(words("restore"), "--yes", file)...)
	wantText(t, got.out, "http://"+other.server.Addr, "the same keys and the same tokens")
	if after := other.on(held); after != before {
		t.Errorf("the other server has:\n%s", differ(before, after))
	}
	if usage := other.on("cat /var/lib/gemini-adapter/usage.db"); usage != "usage of a year" {
		t.Errorf("the other server's usage is %q", usage)
	}
	wantText(t, other.ok(nil, "test").out, "connected    http://"+other.server.Addr)
}
