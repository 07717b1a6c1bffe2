package alerts

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/control"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
)

const (
	errorWindow = 10 * time.Minute
	fewest      = 20 // requests of it that say something
	maxNamed    = 3  // models in one sentence
)

// verdict is what a look says of a rule.
type verdict struct {
	rule   Rule
	known  bool
	atOnce bool // it is told at the first look, since it is over already
	Trouble
}

// judge compares a look with the rules. What is said of errors and restarts depends on the looks before, which s remembers.
func (s *State) judge(l Look, set Settings) []verdict {
	all := make([]verdict, 0, len(Rules()))
	add := func(rule Rule, known bool, t Trouble) {
		all = append(all, verdict{rule: rule, known: known, Trouble: t})
	}
	answers := l.Entrance != nil && l.Entrance.Problem == ""
	add(NoKeys, answers, noKeys(l.Entrance))
	add(FewKeys, answers && l.Entrance.Active > 0, fewKeys(l.Entrance, set.MinKeys))
	add(Health, l.Entrance != nil, health(l.Entrance))
	failed, known := s.failed(l)
	add(Errors, known, failed.trouble(set.ErrorPercent))
	add(Quota, l.Stats != nil, quota(l.Stats))
	add(Certificate, l.Cert != nil, ending(l.Cert, l.Time, set.CertDays))
	add(Renewal, l.Cert != nil, renewal(l.Cert))
	add(Disk, len(l.Disks) > 0, full(l.Disks, set.DiskPercent))
	add(Backup, l.Backup != nil, deref(l.Backup))
	add(Restart, l.Service != nil, s.restarted(l.Service))
	all[len(all)-1].atOnce = true
	add(Spend, l.Stats != nil, spent(l.Stats, set.SpendMicro))
	return all
}

func deref(t *Trouble) Trouble {
	if t == nil {
		return Trouble{}
	}
	return *t
}

func noKeys(e *Entrance) Trouble {
	if e == nil || e.Active > 0 {
		return Trouble{}
	}
	return Trouble{fmt.Sprintf("no key is active, of %d: requests fail", e.Total), "gemini-manage keys list"}
}

// fewKeys asks for no more than there are.
func fewKeys(e *Entrance, least int) Trouble {
	if e == nil || e.Active >= min(least, e.Total) {
		return Trouble{}
	}
	return Trouble{fmt.Sprintf("%d of %d keys are active", e.Active, e.Total), "gemini-manage keys list"}
}

func health(e *Entrance) Trouble {
	if e == nil || e.Problem == "" {
		return Trouble{}
	}
	return Trouble{"the adapter does not answer: " + e.Problem, "gemini-manage status; gemini-manage doctor"}
}

// failures are those of some time.
type failures struct {
	requests, errors int64
	over             time.Duration
}

// failed counts what failed since the oldest look in the window that saw this process.
func (s *State) failed(l Look) (failures, bool) {
	if l.Stats == nil {
		return failures{}, false
	}
	for _, before := range s.Samples {
		if before.Started.Equal(l.Stats.Started) && l.Time.Sub(before.Time) <= errorWindow+time.Minute && l.Time.After(before.Time) {
			return failures{l.Stats.Requests - before.Requests, l.Stats.Errors - before.Errors, l.Time.Sub(before.Time)}, true
		}
	}
	return failures{}, false
}

func (f failures) trouble(percent int) Trouble {
	if f.requests < fewest || f.errors*100 < f.requests*int64(percent) {
		return Trouble{}
	}
	return Trouble{fmt.Sprintf("%d of %d requests failed in the last %d minutes", f.errors, f.requests, int(f.over.Round(time.Minute)/time.Minute)), "gemini-manage error-logs"}
}

// quota looks at what Google allows in a day, for each model by all projects together. Half of it must be gone before it is
// foretold that it will not last.
func quota(s *control.Stats) Trouble {
	if s == nil {
		return Trouble{}
	}
	gone := 1 - float64(keys.NextDay(s.Now).Sub(s.Now))/float64(24*time.Hour) // of the day
	var short []string
	for _, d := range dayQuotas(s) {
		share := float64(d.used) / float64(d.limit)
		switch {
		case share >= 1:
			short = append(short, fmt.Sprintf("%s is used up (%d requests)", d.model, d.limit))
		case share >= 0.5 && share > gone:
			short = append(short, fmt.Sprintf("%s will not last (%d of %d requests)", d.model, d.used, d.limit))
		}
	}
	if len(short) == 0 {
		return Trouble{}
	}
	if more := len(short) - maxNamed; more > 0 {
		short = append(short[:maxNamed], fmt.Sprintf("%d more models", more))
	}
	return Trouble{fmt.Sprintf("today's quota of %s; it begins anew at %s", strings.Join(short, ", of "), keys.NextDay(s.Now).UTC().Format("15:04 UTC")),
		"gemini-manage keys add, with a key of another Google project; or MODEL_FALLBACK"}
}

type dayQuota struct {
	model       string
	limit, used int64
}

// dayQuotas sums the quotas of the projects, each once, whose keys may serve.
func dayQuotas(s *control.Stats) []dayQuota {
	sums := map[string]dayQuota{}
	seen := map[string]bool{}
	for i, key := range s.KeyStats {
		project := cmp.Or(key.Project, key.ID)
		if i < len(s.Keys) {
			project = cmp.Or(s.Keys[i].Group, project)
			if s.Keys[i].State == "disabled" {
				continue
			}
		}
		for _, q := range key.Quotas {
			id := project + " " + q.Model
			if q.Name != "requests_per_day" || q.Limit <= 0 || seen[id] {
				continue
			}
			seen[id] = true
			sum := sums[q.Model]
			sums[q.Model] = dayQuota{q.Model, sum.limit + q.Limit, sum.used + min(q.Used, q.Limit)}
		}
	}
	var all []dayQuota
	for _, sum := range sums {
		all = append(all, sum)
	}
	slices.SortFunc(all, func(a, b dayQuota) int { return cmp.Compare(a.model, b.model) })
	return all
}

// ending judges a short-lived certificate, which always ends soon, by the last third of its life.
func ending(c *Cert, now time.Time, days int) Trouble {
	if c == nil {
		return Trouble{}
	}
	left := c.NotAfter.Sub(now)
	if left >= min(time.Duration(days)*24*time.Hour, c.NotAfter.Sub(c.NotBefore)/3) {
		return Trouble{}
	}
	text := "the certificate ends at " + minute(c.NotAfter)
	if left <= 0 {
		text = "the certificate ended at " + minute(c.NotAfter) + ", and clients refuse it"
	}
	return Trouble{text, "gemini-manage cert status; sudo gemini-manage cert renew"}
}

func renewal(c *Cert) Trouble {
	if c == nil {
		return Trouble{}
	}
	return c.Renewal
}

func full(all []Volume, percent int) Trouble {
	for _, d := range all {
		if d.Used() >= percent {
			return Trouble{fmt.Sprintf("%d%% of the disk at %s is used, %.1f GB are left", d.Used(), d.Path, float64(d.Free)/(1<<30)),
				"sudo du -xh --max-depth 3 / | sort -h | tail -n 20"}
		}
	}
	return Trouble{}
}

func (s *State) restarted(now *Service) Trouble {
	switch {
	case now == nil || s.Checked.IsZero():
		return Trouble{}
	case now.Boot != s.Boot && s.Boot != "" && now.Boot != "":
		return Trouble{"the server started anew", "journalctl --boot -1 --lines 50, unless that was you"}
	case now.Restarts > s.Restarts:
		return Trouble{fmt.Sprintf("systemd had to restart the adapter (%d times since it was started by hand)", now.Restarts), "gemini-manage error-logs"}
	}
	return Trouble{}
}

func spent(s *control.Stats, most int64) Trouble {
	if s == nil || most <= 0 || s.Today.Total.CostUSD*1e6 < float64(most) {
		return Trouble{}
	}
	return Trouble{fmt.Sprintf("today's use comes to $%.2f at the prices of a paid key, and $%.2f is the mark", s.Today.Total.CostUSD, float64(most)/1e6),
		"gemini-manage usage"}
}

func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
