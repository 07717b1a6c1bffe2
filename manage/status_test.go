package manage

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/manage/alerts"
	"github.com/gemini-claude-adapter/gca/manage/client"
	"github.com/gemini-claude-adapter/gca/provision/converge"
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
            keys and traffic are left out: only a login that may become root sees them
            cure: sudo gemini-manage status
`)
	f(Report{State: "active", Health: "healthy", Active: 3, Total: 3}, `
service     active, release unknown
health      healthy
keys        3 active of 3
            keys and traffic are left out: only a login that may become root sees them
            cure: sudo gemini-manage status
`)
}

// TestReport_Print_screen: everything that there is to say.
func TestReport_Print_screen(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	adapter := &control.Status{Started: now.Add(-75 * time.Hour), Requests: 81234, Errors: 12, OpenStreams: 3, Saved: 40, Keys: []control.Key{
		{ID: "k-9f8e7d6c-1111", Label: "tokyo-free-tier-one", State: "active", Requests: 40617, Failures: 20},
		{ID: "k-1a2b3c4d-2222", State: "disabled", Reason: "Google says that it is not valid", Failures: 3},
	}}
	known := &alerts.State{Checked: now, Lines: []alerts.Line{{Channel: "mail"}, {Channel: "telegram", Problem: "the bot was blocked by the user", Since: now.Add(-time.Hour), Queue: []alerts.Notice{{}}}}}
	r := Report{State: "active", Release: "1.0.0-0123456789ab", Health: "degraded", Active: 1, Total: 2, Adapter: adapter,
		Certificate: &CertReport{Name: "adapter.example.com", NotAfter: now.AddDate(0, 0, 60)},
		Recent:      &Recent{600, 410, 2, 412.4},
		Backup:      &LastBackup{Made: now.Add(-6 * time.Hour), Tried: now.Add(-6 * time.Hour), File: "gemini-adapter-tokyo-20261130T060000Z.tar.gz", Size: 412_000},
		Room:        Room{[]DiskRoom{{"/", 40 << 30, 2 << 30}}, &MemoryRoom{1 << 30, 400 << 20}}, Alerts: reportAlerts(known, unread, "active", now)}
	r.problem("1 of 2 keys are active", keyCure(r.Adapter))
	r.Problems = append(append(r.Problems, r.Room.Problems()...), alertTrouble(known, "active", now)...)
	var got strings.Builder
	if err := r.Print(&got, now); err != nil {
		t.Fatal(err)
	}
	want := `
service     active, release 1.0.0-0123456789ab, up 75h0m0s
health      degraded
keys        1 active of 2
            k-9f8e7d6c-1111 (tokyo-free-tier-one) active    40617 requests, 20 failures
            k-1a2b3c4d-2222          disabled  0 requests, 3 failures: Google says that it is not valid
requests    81234 answered, 12 errors, 3 open streams
recent      410 requests, 2 errors in the last 10 minutes, first token after 412ms
            40 failures that clients never saw, another key served
certificate adapter.example.com, until 2027-01-29 12:00 UTC (60 days left)
backup      6 hours ago, 412 kB in gemini-adapter-tokyo-20261130T060000Z.tar.gz
machine     / 95% used, 2.0 GB free; memory 400 MB free of 1.0 GB
alerts      told by mail, telegram
problems    1 of 2 keys are active
            cure: gemini-manage keys test says why; gemini-manage keys add, then keys remove, replaces it
            the disk of / is 95% full
            cure: sudo du -xh --max-depth 3 / | sort -h | tail -n 20
            alerts do not arrive by telegram since 2026-11-30 11:00 UTC: the bot was blocked by the user
            cure: sudo gemini-manage alerts test
`
	if "\n"+got.String() != want {
		t.Errorf("got:\n%s", got.String())
	}
}

// TestReport_Print_down: without an adapter there is still what the machine says.
func TestReport_Print_down(t *testing.T) {
	r := Report{State: "failed", Release: "1.0.0-0123456789ab", Room: Room{Disks: []DiskRoom{{"/", 40 << 30, 20 << 30}}}, Backup: &LastBackup{}}
	r.problem("the service is failed (failed)", "sudo gemini-manage start")
	var got strings.Builder
	if err := r.Print(&got, time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	want := `
service     failed, release 1.0.0-0123456789ab
backup      none yet
machine     / 50% used, 20.0 GB free
problems    the service is failed (failed)
            cure: sudo gemini-manage start
`
	if "\n"+got.String() != want || r.Healthy() {
		t.Errorf("got:\n%s", got.String())
	}
}

func TestRecentTraffic(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	started := now.Add(-time.Hour)
	stats := &control.Stats{Status: control.Status{Started: started, Requests: 100, Errors: 10}, Totals: control.Totals{TTFT: control.Sum{Count: 60, MS: 9000}}}
	f := func(known *alerts.State, want string) {
		t.Helper()
		got := "nothing"
		if r := recentTraffic(known, stats, now); r != nil {
			got = r.line()
		}
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	sample := func(ago time.Duration, started time.Time) alerts.Sample {
		return alerts.Sample{Time: now.Add(-ago), Started: started, Requests: 60, Errors: 9, TTFT: control.Sum{Count: 50, MS: 8000}}
	}
	f(nil, "nothing")
	f(&alerts.State{}, "nothing")
	f(&alerts.State{Samples: []alerts.Sample{sample(30*time.Minute, started), sample(8*time.Minute, started), sample(time.Minute, started)}}, "40 requests, 1 error in the last 8 minutes, first token after 100ms")
	f(&alerts.State{Samples: []alerts.Sample{sample(8*time.Minute, started.Add(-time.Hour))}}, "nothing")
	stats.Started = now.Add(-20 * time.Second)
	f(nil, "100 requests, 10 errors in the last 20 seconds, first token after 150ms")
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
	lines := strings.Split(strings.ReplaceAll(got.String(), "rate\n            limited", "rate limited"), "\n")
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

// An adapter that is degraded while all its keys are active says why.
func TestReport_judgeKeys(t *testing.T) {
	f := func(active int, reasons []string, want string) {
		t.Helper()
		r := Report{Adapter: &control.Status{}}
		for _, reason := range reasons {
			r.Adapter.Keys = append(r.Adapter.Keys, control.Key{State: "active", Reason: reason})
		}
		r.judgeKeys(client.Health{Status: "degraded", ActiveKeys: active, TotalKeys: 2})
		if len(r.Problems) != 1 || r.Problems[0].What != want {
			t.Errorf("%+v", r.Problems)
		}
	}
	f(1, []string{"", "invalid"}, "1 of 2 keys are active")
	f(2, []string{"", "throttled for some models"}, "for some models 1 of 2 keys rest, and come back by themselves")
	f(2, nil, "for some models not all keys serve, or did not a moment ago")
}

// What is wrong with the settings is said with the command that mends it.
func TestReport_wrongSettings(t *testing.T) {
	f := func(said, what, cure string) {
		t.Helper()
		var r Report
		r.wrongSettings(wrongSettings + said)
		if want := (Problem{"the adapter does not start with its settings: " + what, cure}); len(r.Problems) != 1 || r.Problems[0] != want {
			t.Errorf("got %q, want %q", r.Problems, want)
		}
	}
	f(`adapter.env line 3: REQUEST_TIMEOUT="fourtyfive": expected a time`, `adapter.env line 3: REQUEST_TIMEOUT="fourtyfive": expected a time`, "sudo gemini-manage config edit")
	f("adapter.env line 3: A\nadapter.env line 4: B", "adapter.env line 3: A; adapter.env line 4: B", "sudo gemini-manage config edit")
	f("/etc/gemini-adapter/keys: line 2: unknown field x\nhint: stay", "/etc/gemini-adapter/keys: line 2: unknown field x", "sudo nano /etc/gemini-adapter/keys")
	f("no Gemini API keys are configured\nhint: GEMINI_API_KEYS=KEY1 gca serve", "no Gemini API keys are configured", "sudo gemini-manage keys add")
}

// A deploy that has not ended is what status says first, and all that it says while that is at work.
func TestReport_judgeDeploy(t *testing.T) {
	since := time.Date(2026, 11, 30, 15, 4, 0, 0, time.UTC)
	f := func(running converge.Running, atWork bool, what, cure string) {
		t.Helper()
		r := Report{State: "active", Health: "healthy"}
		if got := r.judgeDeploy(t.Context(), &running); got != atWork || r.Healthy() {
			t.Errorf("at work: %v, healthy: %v", got, r.Healthy())
		}
		var got strings.Builder
		if err := r.Print(&got, since); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(got.String(), "\nproblems    "+what+"\n            cure: "+cure) {
			t.Errorf("got:\n%s", got.String())
		}
	}
	f(converge.Running{State: converge.RunApplying, Since: since, Done: 30, Total: 44}, true,
		"a deploy is at work since 15:04 (UTC), step 31 of 44", "wait for it, then look again\n")
	f(converge.Running{State: converge.RunApplied, Since: since, Done: 44, Total: 44, Until: since.Add(15 * time.Minute)}, false,
		"an unfinished deploy waits to be finished: at 15:19 (UTC) it is put back", "gca deploy HOST   # finishes it, and gca deploy --abort HOST puts it back")
}

// unread are settings that this user may not read.
func unread() (alerts.Settings, alerts.Ways, error) {
	return alerts.Settings{}, alerts.Ways{}, os.ErrPermission
}
