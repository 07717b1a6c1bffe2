package converge

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// letGo waits until the worker knows that its laptop has left.
func (m *machine) letGo() {
	m.Helper()
	for r := peek(&m.sys.reader); r == nil || r.Attached; r = peek(&m.sys.reader) {
		if r == nil {
			m.Fatal("no deploy is under way")
		}
	}
}

// A deploy that is at work is all that a doctor says; one that waits for a laptop comes first, with when it is put back; and one that
// died is none that goes on.
func TestDiagnose_underWay(t *testing.T) {
	m := newMachine(t)
	f := func(when, id string, alone bool, what ...string) {
		t.Helper()
		found, err := m.agent().diagnose(t.Context(), &m.sys.reader, m.want(""))
		m.must(err)
		if len(found) == 0 || found[0].ID != id || found[0].Level != LevelFail || alone && len(found) != 1 {
			t.Errorf("%s: %+v", when, found)
			return
		}
		for _, want := range what {
			if !strings.Contains(found[0].Text(), want) {
				t.Errorf("%s: want %q in %q", when, want, found[0].Text())
			}
		}
	}
	c, laptop, ended := m.dial()
	m.applied(c)
	r := peek(&m.sys.reader)
	for from, yours := range map[string]bool{"203.0.113.9 50001 192.0.2.1 22": true, "203.0.113.10 50001 192.0.2.1 22": false} {
		a := m.agent()
		a.Connection = from
		second, stream, gone := m.startAs(a)
		hello, err := second.Hello()
		m.must(errors.Join(err, stream.Close(), <-gone))
		if hello.Running == nil || hello.Running.Yours != yours || !hello.Running.Attached {
			t.Errorf("from %s: %+v", from, hello.Running)
		}
	}
	f("while a laptop is at it", findingDeploy, true, "a deploy is at work since "+r.Since.UTC().Format(clockTime)+" (UTC), step ", "wait for it")
	m.must(errors.Join(laptop.Close(), <-ended))
	m.letGo()
	f("once the laptop died", FindingUnfinished, false, "an unfinished deploy waits to be finished: at "+r.Until.Format(clockTime)+" (UTC) it is put back",
		"gca deploy HOST ", "gca deploy --abort HOST ")
	c, laptop, ended = m.dial()
	_, err := c.Attach()
	m.must(err)
	_, err = c.Follow(Events{})
	m.must(errors.Join(err, c.Rollback("no")))
	m.back(c.RolledBack(), "no")
	m.must(errors.Join(laptop.Close(), <-ended, m.lastWorker()))

	journal, err := openJournal(m.sys)
	m.must(errors.Join(err, journal.close()))
	f("after a death", FindingUnfinished, false, "died half-way", "gca deploy HOST")
	unlock, err := takeLock(m.sys, time.Now(), "gemini-manage restart")
	m.must(err)
	found, err := m.agent().diagnose(t.Context(), &m.sys.reader, m.want(""))
	if slices.ContainsFunc(found, func(f Finding) bool { return f.ID == FindingUnfinished }) {
		t.Errorf("while somebody else keeps a journal: %+v", found)
	}
	m.must(errors.Join(err, unlock()))
}

// What is half-way is no news of a server; of what waits, a person knows until when.
func TestRunning_Finding(t *testing.T) {
	since := time.Date(2026, 11, 30, 15, 4, 0, 0, time.UTC)
	f := func(r Running, atWork bool, want string) {
		t.Helper()
		r.Since, r.Total = since, 44
		if got := r.Finding().What; got != want || r.AtWork() != atWork {
			t.Errorf("%v %q, want %v %q", r.AtWork(), got, atWork, want)
		}
	}
	f(Running{State: RunApplying, Done: 30}, true, "a deploy is at work since 15:04 (UTC), step 31 of 44")
	f(Running{State: RunApplied, Done: 44, Attached: true}, true, "a deploy is at work since 15:04 (UTC), step 44 of 44")
	f(Running{State: RunUndoing, Done: 44}, true, "a deploy that began at 15:04 (UTC) is being put back")
	f(Running{State: RunApplied, Until: since.Add(15 * time.Minute)}, false, "an unfinished deploy waits to be finished: at 15:19 (UTC) it is put back")
	f(Running{State: RunApplied}, false, "an unfinished deploy waits to be finished, or is put back soon")
}

// Until is when the first of the two goes off that put a deploy back.
func TestHub_until(t *testing.T) {
	left := func(h *hub) time.Duration { return time.Until(h.state().Until).Round(time.Minute) }
	armed := Plan{steps: []Step{{id: ArmedStep}}}
	h := newHub(armed, Want{}, testTime, 15*time.Minute)
	h.tell(StepEvent{ID: ArmedStep, State: StepDone})
	h.tell(appliedMessage{})
	if got := left(h); got != deadManTime {
		t.Errorf("before a new login got in: %s", got)
	}
	h.change(func() { h.proven = true })
	if got := left(h); got != 15*time.Minute {
		t.Errorf("after it: %s", got)
	}
	h = newHub(Plan{}, Want{}, testTime, 15*time.Minute)
	h.tell(appliedMessage{})
	if got := left(h); got != 15*time.Minute {
		t.Errorf("where nothing shuts anybody out: %s", got)
	}
}
