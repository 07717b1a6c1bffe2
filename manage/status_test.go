package manage

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/control"
)

func TestReport_Print(t *testing.T) {
	now := time.Unix(10_000, 0)
	f := func(r Report, want string) {
		t.Helper()
		var got strings.Builder
		if err := r.Print(&got, now); err != nil {
			t.Fatal(err)
		}
		if got.String() != strings.TrimPrefix(want, "\n") {
			t.Errorf("got:\n%s\nwant:%s", got.String(), want)
		}
	}
	f(Report{State: "active", Release: "0.1.0-abc", Health: "degraded", Active: 1, Total: 2,
		Adapter: &control.Status{Started: now.Add(-time.Hour), Requests: 7, Errors: 1, OpenStreams: 2, Keys: []control.Key{
			{ID: "k1-1111", State: "active", Requests: 7},
			{ID: "k2-2222", Label: "spare", State: "resting", Reason: "quota a minute", Until: now.Add(12 * time.Second), Failures: 3},
		}},
		Problems: []Problem{{"1 of 2 keys are active", "gemini-manage logs"}}}, `
service     active, release 0.1.0-abc, up 1h0m0s
health      degraded
keys        1 active of 2
            k1-1111                  active    7 requests, 0 failures
            k2-2222 (spare)          resting   0 requests, 3 failures: quota a minute, back in 12s
requests    7 answered, 1 error, 2 open streams
problems    1 of 2 keys are active
            cure: gemini-manage logs
`)
	f(Report{State: "active", Health: "healthy", Active: 3, Total: 3, Handover: true, Ending: &control.Status{OpenStreams: 1}}, `
service     active, release unknown
restart     under way: the one before takes no new requests, and has 1 open stream to finish
health      healthy
keys        3 active of 3
            keys and traffic are left out for this user; see all: sudo gemini-manage status
`)
	f(Report{State: "active", Health: "healthy", Active: 3, Total: 3}, `
service     active, release unknown
health      healthy
keys        3 active of 3
            keys and traffic are left out for this user; see all: sudo gemini-manage status
`)
}

func TestReport_Print_manyKeys(t *testing.T) {
	now := time.Unix(10_000, 0)
	a := &control.Status{Started: now, Waiting: 2, Saved: 1, Fallbacks: 3}
	for i := range 40 {
		a.Keys = append(a.Keys, control.Key{ID: fmt.Sprintf("k%02d", i), State: "active"})
	}
	a.Keys[30].State, a.Keys[30].Reason = "disabled", "invalid"
	a.Keys[20].Reason, a.Keys[20].Until = "rate limited for some models", now.Add(time.Minute)
	a.Keys[25].State, a.Keys[25].Reason = "resting", "failing"
	a.Egresses = []control.Egress{{Name: "direct", Up: true}, {Name: "socks5://x:1", Problem: "the proxy does not work\nhint: mend it"}}
	r := Report{State: "active", Health: "degraded", Active: 38, Total: 40, Adapter: a}
	r.judgeEgresses()
	var got strings.Builder
	if err := r.Print(&got, now); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(got.String(), "\n")
	for i, want := range map[int]string{
		3: "k30                      disabled  0 requests, 0 failures: invalid", 4: "k25                      resting", 5: "k20                      active    0 requests, 0 failures: rate limited for some models, back in 1m0s",
		6: "k00", 19: "and 24 more keys: gemini-manage keys list", 20: "0 answered, 0 errors, 0 open streams, 2 waiting for a key",
		21: "1 failure that clients never saw, another key served", 22: "3 answers of another model, by MODEL_FALLBACK",
		23: "the way out to Gemini, socks5://x:1: the proxy does not work", 24: "cure: mend it",
	} {
		if !strings.Contains(lines[i], want) {
			t.Errorf("line %d is %q, want %q", i, lines[i], want)
		}
	}
}

func TestKeyCure(t *testing.T) {
	f := func(state, want string) {
		t.Helper()
		if got := keyCure(&control.Status{Keys: []control.Key{{State: "active"}, {State: state}}}); !strings.Contains(got, want) {
			t.Errorf("%s: %s", state, got)
		}
	}
	f("resting", "gemini-manage logs")
	f("disabled", "gemini-manage keys test")
}

func TestParseUnit(t *testing.T) {
	got := parseUnit("LoadState=loaded\nActiveState=active\nSubState=running\nNRestarts=2\nOther=x\n")
	if got != (unit{"loaded", "active", "running", 2}) {
		t.Errorf("got %+v", got)
	}
}

func TestUnit_failing(t *testing.T) {
	f := func(u unit, want bool) {
		t.Helper()
		if u.failing() != want {
			t.Errorf("%+v: got %v", u, !want)
		}
	}
	f(unit{Active: "active", Sub: "running", Restarts: 3}, false)
	f(unit{Active: "deactivating", Sub: "stop-sigterm", Restarts: 3}, false)
	f(unit{Active: "activating", Sub: "start"}, false)
	f(unit{Active: "activating", Sub: "start", Restarts: 1}, true)
	f(unit{Active: "activating", Sub: "auto-restart"}, true)
	f(unit{Active: "activating", Sub: "auto-restart-queued"}, true)
	f(unit{Active: "failed", Sub: "failed"}, true)
}
