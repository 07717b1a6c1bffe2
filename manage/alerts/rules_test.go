package alerts

import (
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/control"
)

func TestJudge(t *testing.T) {
	f := func(rule Rule, change func(*Look), want string) {
		t.Helper()
		l := well(begun())
		change(&l)
		s := &State{Checked: begun().Add(-every), Boot: "boot-1"}
		for _, v := range s.judge(l, settings(t, "")) {
			switch {
			case v.rule != rule && v.What != "" && v.rule != FewKeys:
				t.Errorf("%s says %q too", v.rule, v.What)
			case v.rule == rule && (want == "") != (v.What == "") || v.rule == rule && !strings.Contains(v.What, want):
				t.Errorf("%s says %q, want %q", rule, v.What, want)
			case v.What != "" && v.Cure == "":
				t.Errorf("%s has no cure", v.rule)
			}
		}
	}
	f(FewKeys, func(l *Look) { l.Entrance.Active, l.Entrance.Total = 1, 1 }, "") // who has one key knows
	f(FewKeys, func(l *Look) { l.Entrance.Active = 2 }, "")
	f(NoKeys, func(l *Look) { l.Entrance.Active = 0 }, "no key is active")
	f(Certificate, func(l *Look) { // a short-lived one is well in its first two thirds
		l.Cert.NotBefore, l.Cert.NotAfter = l.Time.Add(-80*time.Hour), l.Time.Add(64*time.Hour)
	}, "")
	f(Certificate, func(l *Look) {
		l.Cert.NotBefore, l.Cert.NotAfter = l.Time.Add(-100*time.Hour), l.Time.Add(44*time.Hour)
	}, "ends at 2026-12-02 16:00 UTC")
	f(Certificate, func(l *Look) { l.Cert.NotAfter = l.Time.Add(-time.Hour) }, "clients refuse it")
	f(Disk, func(l *Look) { l.Disks = append(l.Disks, Volume{"/var", 1 << 40, 1 << 30}) }, "disk at /var is used, 1.0 GB are left")
	f(Spend, func(l *Look) { l.Stats.Today.Total.CostUSD = 1e6 }, "") // nobody set a mark
	day := func(limit, used int64) control.KeyStats {
		return control.KeyStats{ID: "k", Quotas: []control.Quota{{Model: "m", Name: "requests_per_day", Limit: limit, Used: used}, {Model: "m", Name: "requests_per_minute", Limit: 5, Used: 5}}}
	}
	f(Quota, func(l *Look) { l.Stats.KeyStats = []control.KeyStats{day(100, 45)} }, "") // no more than the day that is gone
	f(Quota, func(l *Look) { l.Stats.KeyStats = []control.KeyStats{day(100, 55)} }, "m will not last (55 of 100 requests); it begins anew at 08:00 UTC")
	f(Quota, func(l *Look) { l.Stats.KeyStats = []control.KeyStats{day(100, 100)} }, "m is used up")
	f(Quota, func(l *Look) { // keys of one project share what they have
		l.Stats.Keys = []control.Key{{ID: "a", Group: "g"}, {ID: "b", Group: "g"}, {ID: "c"}}
		l.Stats.KeyStats = []control.KeyStats{day(100, 80), day(100, 80), {ID: "c", Quotas: []control.Quota{{Model: "m", Name: "requests_per_day", Limit: 100, Used: 0}}}}
	}, "")
	f(Quota, func(l *Look) { // one that is out is none
		l.Stats.Keys = []control.Key{{ID: "a"}, {ID: "c", State: "disabled"}}
		l.Stats.KeyStats = []control.KeyStats{day(100, 80), {ID: "c", Quotas: []control.Quota{{Model: "m", Name: "requests_per_day", Limit: 100, Used: 0}}}}
	}, "m will not last")
}

func TestState_failed(t *testing.T) {
	started := begun().Add(-time.Hour)
	f := func(before Sample, requests, errors int64, want string) {
		t.Helper()
		l := well(begun())
		l.Stats.Started, l.Stats.Requests, l.Stats.Errors = started, requests, errors
		got, _ := (&State{Samples: []Sample{before}}).failed(l)
		if text := got.trouble(20).What; text != want {
			t.Errorf("got %q, want %q", text, want)
		}
	}
	at := begun().Add(-8 * time.Minute)
	f(Sample{Time: at, Started: started, Requests: 100, Errors: 0}, 200, 20, "20 of 100 requests failed in the last 8 minutes")
	f(Sample{Time: at, Started: started, Requests: 100, Errors: 0}, 200, 19, "")
	f(Sample{Time: at, Started: started, Requests: 100, Errors: 0}, 119, 19, "")                        // too few to say
	f(Sample{Time: at, Started: started.Add(-time.Hour), Requests: 100, Errors: 0}, 200, 100, "")       // another process counted
	f(Sample{Time: begun().Add(-time.Hour), Started: started, Requests: 100, Errors: 0}, 200, 100, "")  // too long ago
	f(Sample{Time: begun().Add(time.Minute), Started: started, Requests: 100, Errors: 0}, 200, 100, "") // the clock was set
}
