package main

import (
	"testing"

	"github.com/gemini-claude-adapter/gca/provision/lab"
)

// Every kind of system by every kind of login: a deploy, another one that changes nothing, a reboot.
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
}
