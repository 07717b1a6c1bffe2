package main

import (
	"os"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/provision/lab"
)

// Before anything is begun a cut is told as what it is, too.
func TestCut_beforeThePlan(t *testing.T) {
	t.Parallel()
	r, link := newRig(t, ready()...).over(lab.LinkOptions{})
	got := r.watched(func(line string, _ *os.Process) {
		if strings.Contains(line, "Debian GNU/Linux") { // the agent's first word: it compares now
			link.Break(lab.Reset)
		}
	}, withKeys(), r.deployArgs()...)
	wantEnd(t, "a cut", got, exitUnreachable, "lost the connection", "hint: ")
	link.Heal()
	wantDone(t, r, r.deploy())
}

// A link that stands still costs time only.
func TestCut_stall(t *testing.T) {
	t.Parallel()
	r, link := newRig(t, ready()...).over(lab.LinkOptions{})
	stalled, told := false, false
	got := r.watched(func(line string, _ *os.Process) {
		switch {
		case !stalled && strings.Contains(line, "✓ "):
			stalled = true
			link.Break(lab.Stall)
		case stalled && !told && !strings.Contains(line, "✓ "):
			told = true
			link.Heal()
		}
	}, withKeys(), r.deployArgs()...)
	if !told {
		t.Error("it was not told that nothing is heard")
	}
	wantDone(t, r, got)
}
