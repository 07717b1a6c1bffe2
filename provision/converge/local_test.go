package converge

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLocal(t *testing.T) {
	m := newMachine(t)
	_, _, err := m.deploy("AIzaSyTest1")
	m.must(err)
	before := m.tree()
	want := func(level string) Want {
		w := m.want("")
		w.Settings = append(w.Settings, Setting{Name: "LOG_LEVEL", Value: level})
		return w
	}

	interrupted, interrupt := context.WithCancelCause(t.Context())
	_, err = m.agent().local(interrupted, m.sys, want("debug"), Events{Step: func(e StepEvent) {
		if e.ID == "file:"+settingsFile && e.State == StepDone {
			interrupt(errors.New("interrupted"))
		}
	}})
	m.back(err, "interrupted")
	m.same(before, "interrupted")

	unlock, err := takeLock(m.sys, testTime, "deploy of 1.2.2-aaaaaaaaaaaa from 203.0.113.8")
	m.must(err)
	_, err = m.agent().local(t.Context(), m.sys, want("debug"), Events{})
	if r, ok := errors.AsType[*Refusal](err); !ok || r.Kind != RefusedLocked || !strings.Contains(r.Message, "1.2.2-aaaaaaaaaaaa from 203.0.113.8") {
		t.Errorf("beside a deploy: %v", err)
	}
	m.must(unlock())
	m.same(before, "locked")

	var told []string
	applied, err := m.agent().local(t.Context(), m.sys, want("debug"), Events{
		Plan: func(p PlanMessage) { told = append(told, p.Steps[0].ID) },
		Step: func(e StepEvent) { told = append(told, e.ID+" "+string(e.State)) },
	})
	m.must(err)
	if applied.Changed == 0 || len(told) != 1+2*applied.Changed || told[0]+" start" != told[1] || len(applied.Notes) > 0 {
		t.Errorf("%+v, told %q", applied, told)
	}
	if text, err := m.sys.readText(settingsFile); err != nil || !strings.Contains(text, "LOG_LEVEL=debug\n") {
		t.Errorf("%s is %q, %v", settingsFile, text, err)
	}
	if died, err := unfinished(&m.sys.reader); died || err != nil {
		t.Errorf("the journal is still open: %v", err)
	}
	after := m.tree()
	if applied, err = m.agent().local(t.Context(), m.sys, want("debug"), Events{}); err != nil || applied.Changed != 0 {
		t.Errorf("once more: %+v, %v", applied, err)
	}
	m.same(after, "once more")

	// A sick service: the health check fails, and the settings of before are back.
	_, err = m.agent().local(t.Context(), m.sys, func() Want { w := want("warn"); w.Keys = NewSecret("malformed"); return w }(), Events{})
	if back, ok := errors.AsType[*RolledBackError](err); !ok || back.Step != "check:settings" || len(back.FailedUndo) > 0 {
		t.Errorf("%v", err)
	}
	m.same(after, "malformed")
}

// A restore that also moves the adapter to a port where nothing answers: afterwards the old files are there, and the socket
// listens where it did.
func TestLocal_StateAndPort(t *testing.T) {
	m := newMachine(t)
	_, _, err := m.deploy("AIzaSyTest1")
	m.must(err)
	m.put(stateDir+"/state.db", "before")
	before := m.tree()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	m.must(err)
	_, port, err := net.SplitHostPort(closed.Addr().String())
	m.must(errors.Join(err, closed.Close()))
	listens := func() string {
		text, err := os.ReadFile(filepath.Join(filepath.Dir(m.sys.root), "sockets", socketUnit+".listens"))
		m.must(err)
		return string(text)
	}
	was := listens()
	w := m.want("")
	w.Scope, w.Settings = ScopeAdapter, []Setting{{Name: "PORT", Value: port}}
	w.State = []StateFile{{Name: "state.db", Mode: 0o600, Content: []byte("restored")}}
	interrupted, interrupt := context.WithCancelCause(t.Context())
	_, err = m.agent().local(interrupted, m.sys, w, Events{Step: func(e StepEvent) {
		if e.ID == "unit:gemini-adapter" && e.State == StepDone {
			if now := listens(); now != "127.0.0.1:"+port+"\n" {
				t.Errorf("the socket listens at %q, not on port %s", now, port)
			}
			interrupt(errors.New("interrupted"))
		}
	}})
	m.back(err, "interrupted")
	m.same(before, "restore taken back")
	if now := listens(); now != was {
		t.Errorf("the socket listens at %q, not at %q as before", now, was)
	}
}

// A restore leaves a database alone that the adapter set aside as damaged, for no backup has what is in it.
func TestStateStep_setAside(t *testing.T) {
	m := newMachine(t)
	_, _, err := m.deploy("AIzaSyTest1")
	m.must(err)
	aside := stateDir + "/state.db.damaged-20261101T000000Z"
	for path, text := range map[string]string{stateDir + "/state.db": "now", stateDir + "/old.db": "goes", aside: "what is left", aside + "-wal": "of it"} {
		m.put(path, text)
	}
	st, r := stateStep{[]StateFile{{Name: "state.db", Mode: 0o600, Content: []byte("restored")}}}, &run{sys: m.sys}
	rev, err := st.before(t.Context(), r)
	m.must(err)
	for _, a := range rev.Undo {
		if strings.Contains(a.Path, "damaged") {
			t.Errorf("the undo is about %s", a.Path)
		}
	}
	m.must(st.apply(t.Context(), r))
	m.must(st.check(t.Context(), r))
	for path, want := range map[string]string{stateDir + "/state.db": "restored", stateDir + "/old.db": "", aside: "what is left", aside + "-wal": "of it"} {
		if text, err := m.sys.readText(path); err != nil || text != want {
			t.Errorf("%s is %q, %v", path, text, err)
		}
	}
}
