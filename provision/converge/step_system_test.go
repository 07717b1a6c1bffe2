package converge

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// A value that the kernel refuses is noted, does not undo the deploy, and is not tried again by the next one.
func TestSysctlStep_Refused(t *testing.T) {
	m := newMachine(t)
	const key = "net.core.somaxconn"
	m.must(os.Remove(m.sys.at(sysctlFile(key))))
	m.must(os.Symlink("/proc/self/oom_score_adj", m.sys.at(sysctlFile(key)))) // takes no 65535, see proc(5)
	_, states, err := m.deploy("AIzaSyTest1")
	m.must(err)
	if !slices.Contains(states, "sysctl:kernel done") {
		t.Errorf("steps %q", states)
	}
	if text, err := m.sys.readText(sysctlConf); err != nil || !strings.Contains(text, "\n-"+key+" = 65535\n") {
		t.Errorf("%q, %v", text, err)
	}
	if applied, states, err := m.deploy(""); err != nil || applied.Changed != 0 {
		t.Errorf("again: %q, %v", states, err)
	}
	// Without the mark it is tried once more; taken back, all is as it was.
	text, err := m.sys.readText(sysctlConf)
	m.must(err)
	m.put(sysctlConf, strings.Replace(text, "\n-", "\n", 1))
	before := m.tree()
	p, err := m.agent().compare(t.Context(), &m.sys.reader, m.want(""))
	m.must(err)
	m.carry(p, len(p.steps)-1, false)
	for _, err := range undo(t.Context(), m.sys) {
		t.Error(err)
	}
	m.same(before, "taken back")
}
