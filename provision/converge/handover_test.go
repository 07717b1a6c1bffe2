package converge

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// units is what systemd has.
func (m *machine) units() map[string]UnitState {
	m.Helper()
	units, err := collectUnits(m.Context(), &m.sys.reader)
	m.must(err)
	return units
}

// plainTree is a tree without its journals.
func (m *machine) plainTree() []string {
	m.Helper()
	return slices.DeleteFunc(m.tree(), func(line string) bool { return strings.HasPrefix("/"+line, journalDir+"/") })
}

// A restart goes by the second unit, touches no file, and leaves nothing behind but its journal.
func TestRestart(t *testing.T) {
	m := newMachine(t)
	_, _, err := m.deploy("AIzaSyTest1")
	m.must(err)
	before, main := m.plainTree(), m.units()[serviceUnit]
	f := func(want ...string) {
		t.Helper()
		var steps []string
		_, err := m.agent().restart(t.Context(), m.sys, Events{Step: func(e StepEvent) {
			if e.State == StepDone {
				steps = append(steps, e.ID)
			}
		}})
		m.must(err)
		if !slices.Equal(steps, want) {
			t.Errorf("got %q, want %q", steps, want)
		}
		if after := m.plainTree(); !slices.Equal(before, after) {
			t.Errorf("a restart left something:\n%s", difference(before, after))
		}
	}
	f("unit:gemini-adapter-handover", "unit:gemini-adapter", "check:health")
	if units := m.units(); units[serviceUnit].PID == main.PID || units[handoverUnit].Active {
		t.Errorf("%+v before, now %+v and %+v", main, units[serviceUnit], units[handoverUnit])
	}
	// What somebody left staged is no part of a restart.
	m.must(m.sys.writeLink(nextLink, "releases/0-000000000000"))
	f("dir:"+nextConfig, "unit:gemini-adapter-handover", "unit:gemini-adapter", "check:health")
	m.must(m.sys.systemctl(t.Context(), "stop", socketUnit, serviceUnit))
	f("unit:gemini-adapter", "check:health")
}

// A main unit that does not start behind the one that stands in for it keeps nobody from the next restart, whose start is the
// test of it: should it fail again, the other one goes on serving, and nothing is left to be put right.
func TestRestart_stuck(t *testing.T) {
	m := newMachine(t)
	m.sys.startPatience = 0
	_, _, err := m.deploy("AIzaSyTest1")
	m.must(err)
	m.must(m.sys.systemctl(t.Context(), "stop", serviceUnit))
	m.must(m.sys.systemctl(t.Context(), "start", handoverUnit))
	m.put("/units/"+serviceUnit+".sick", "")
	stands := m.units()[handoverUnit]
	var back *RolledBackError
	if _, err := m.agent().restart(t.Context(), m.sys, Events{}); !errors.As(err, &back) || len(back.FailedUndo) > 0 || !strings.Contains(err.Error(), "does not start") {
		t.Errorf("got %v", err)
	}
	if units := m.units(); units[handoverUnit] != stands || units[serviceUnit].Active {
		t.Errorf("what stands in was %+v, now %+v", stands, units[handoverUnit])
	}
	m.must(os.Remove(m.sys.at("/units/" + serviceUnit + ".sick")))
	_, err = m.agent().restart(t.Context(), m.sys, Events{})
	m.must(err)
	if units := m.units(); !units[serviceUnit].Active || units[handoverUnit].Active {
		t.Errorf("after a restart there is %+v", units)
	}
}

// What is taken back after its handover is handed back: the second unit serves by what is in force again.
func TestHandBack(t *testing.T) {
	m := newMachine(t)
	_, _, err := m.deploy("AIzaSyTest1")
	m.must(err)
	main := m.units()[serviceUnit]
	m.must(m.sys.handBack(t.Context(), time.Minute))
	if units := m.units(); units[serviceUnit].PID == main.PID || units[handoverUnit].Active {
		t.Errorf("%+v before, now %+v and %+v", main, units[serviceUnit], units[handoverUnit])
	}
	// A release of before had no second unit.
	main = m.units()[serviceUnit]
	m.must(os.Remove(m.sys.at(handoverFile)))
	m.must(m.sys.handBack(t.Context(), time.Minute))
	if units := m.units(); units[serviceUnit].PID == main.PID || units[handoverUnit].Active {
		t.Errorf("%+v before, now %+v and %+v", main, units[serviceUnit], units[handoverUnit])
	}
}

// What is staged is what is looked at and started; another release on the control socket is not the staged one.
func TestStartHandover(t *testing.T) {
	m := newMachine(t)
	_, _, err := m.deploy("AIzaSyTest1")
	m.must(err)
	if err := askControl(t.Context(), m.sys.handover, ReleaseName("1.2.3", m.sum)); err != nil {
		t.Error(err)
	}
	if err := askControl(t.Context(), m.sys.handover, "1.2.4-000000000000"); err == nil || !strings.Contains(err.Error(), "not 1.2.4-000000000000") {
		t.Errorf("%v", err)
	}
	m.sick.Store(true)
	if err := askControl(t.Context(), m.sys.handover, ReleaseName("1.2.3", m.sum)); err == nil || !strings.Contains(err.Error(), "500 Internal Server Error") {
		t.Errorf("what is ready, and sick over HTTP, gives %v", err)
	}
	m.sick.Store(false)
	limited, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errors.New("enough"))
	defer cancel()
	if err := m.sys.startHandover(limited, "1.2.4-000000000000"); err == nil || err.Error() != "enough" {
		t.Errorf("%v", err)
	}
}

// A token that is made on a running server is the second unit's too, which serves before the main one starts anew.
func TestHandover_firstAdminToken(t *testing.T) {
	m := newMachine(t)
	_, _, err := m.deploy("AIzaSyTest1")
	m.must(err)
	text, err := m.sys.readText(tokensFile)
	m.must(err)
	client, _, found := strings.Cut(text, adminName)
	if !found {
		t.Fatalf("no admin token in %q", text)
	}
	client = client[:strings.LastIndexByte(client, '\n')+1]
	m.put(tokensFile, client)
	main := m.units()[serviceUnit]
	staged := ""
	applied, err := m.agent().local(t.Context(), m.sys, m.want(""), Events{Step: func(e StepEvent) {
		if e.ID == "unit:gemini-adapter-handover" && e.State == StepDone {
			staged, err = m.sys.readText(nextConfig + "/tokens")
			m.must(err)
		}
	}})
	m.must(err)
	now, err := m.sys.readText(tokensFile)
	m.must(err)
	if applied.AdminToken.Empty() || !applied.ClientToken.Empty() || staged != now || !strings.HasPrefix(now, client) || now == client {
		t.Errorf("%+v; staged %q, in force %q", applied, staged, now)
	}
	if units := m.units(); units[serviceUnit].PID == main.PID || units[handoverUnit].Active {
		t.Errorf("%+v", units)
	}
}

// A stop waits for no deploy, and the socket is closed before anything else.
func TestStop(t *testing.T) {
	m := newMachine(t)
	_, _, err := m.deploy("AIzaSyTest1")
	m.must(err)
	unlock, err := takeLock(m.sys, testTime, "deploy of 1.2.2-aaaaaaaaaaaa from 203.0.113.8")
	m.must(err)
	if r, ok := errors.AsType[*Refusal](stop(t.Context(), m.sys, "a stop")); !ok || r.Kind != RefusedLocked {
		t.Errorf("beside a deploy: %v", r)
	}
	m.must(unlock())
	if units := m.units(); !units[serviceUnit].Active || !units[socketUnit].Active {
		t.Errorf("a refused stop left %+v", units)
	}
	m.must(stop(t.Context(), m.sys, "a stop"))
	if units := m.units(); units[serviceUnit].Active || units[socketUnit].Active || units[handoverUnit].Active {
		t.Errorf("after a stop there is %+v", units)
	}
}

// The staged folder has the modes of the files that it stands for, and gives way to its link.
func TestStage(t *testing.T) {
	m := newMachine(t)
	_, _, err := m.deploy("AIzaSyTest1")
	m.must(err)
	w := m.want("AIzaSyOther")
	facts, err := collect(t.Context(), &m.sys.reader, w)
	m.must(err)
	p, err := Diff(facts, w, readTestSettings)
	m.must(err)
	m.carry(p, 0, false)
	for name, mode := range map[string]os.FileMode{"": 0o750, "/adapter.env": 0o640, "/keys": 0o600, "/tokens": 0o640} {
		st, err := m.sys.state(nextConfig + name)
		m.must(err)
		if mode == 0o600 && !facts.Credentials {
			mode = 0o640
		}
		if st.Mode != mode {
			t.Errorf("%s%s has mode %o", nextConfig, name, st.Mode)
		}
	}
	if text, err := m.sys.readText(keysFile); err != nil || text != "AIzaSyTest1\n" {
		t.Errorf("keys in force %q, %v", text, err)
	}
	m.must(errors.Join(undo(t.Context(), newLike(m.sys))...))
	if target, err := os.Readlink(m.sys.at(nextConfig)); err != nil || target != restConfig {
		t.Errorf("%s leads to %q, %v", filepath.Base(nextConfig), target, err)
	}
}

// older is a server whose running adapter hands over to another release, with other settings and units.
func (m *machine) older() {
	m.Helper()
	_, _, err := m.deploy("AIzaSyOld")
	m.must(err)
	for _, path := range []string{serviceFile, handoverFile, nginxMain} {
		m.put(path, "# mine\n")
	}
	m.put(settingsFile, "PORT="+m.port()+"\n")
	m.must(m.sys.writeLink(currentLink, "releases/0-000000000000"))
	m.must(os.Remove(m.sys.at("/usr/local/bin/gca")))
	m.must(os.Chmod(m.sys.at(tokensFile), 0o666))
}
