package manage

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gemini-claude-adapter/gca/manage/alerts"
	"github.com/gemini-claude-adapter/gca/proxy/control"
)

// Recent is the traffic of the last minutes.
type Recent struct {
	Seconds  int64   `json:"seconds"`
	Requests int64   `json:"requests"`
	Errors   int64   `json:"errors"`
	TTFTMS   float64 `json:"mean_ttft_ms,omitempty"` // until the first content, of the answers that had some
}

// recentTime is how far back it goes at most.
const recentTime = 10 * time.Minute

// recentTraffic compares what the adapter has counted with the oldest of the looks of the last minutes that saw the same
// process, or with its start, where that is not longer ago. Nil is that neither is there.
func recentTraffic(known *alerts.State, now *control.Stats, at time.Time) *Recent {
	before := alerts.Sample{Time: now.Started}
	if at.Sub(now.Started) > recentTime {
		if known == nil {
			return nil
		}
		i := slices.IndexFunc(known.Samples, func(s alerts.Sample) bool {
			return s.Started.Equal(now.Started) && at.Sub(s.Time) <= recentTime && at.After(s.Time)
		})
		if i < 0 {
			return nil
		}
		before = known.Samples[i]
	}
	r := &Recent{int64(at.Sub(before.Time) / time.Second), now.Requests - before.Requests, now.Errors - before.Errors, 0}
	if n := now.Totals.TTFT.Count - before.TTFT.Count; n > 0 {
		r.TTFTMS = max(0, now.Totals.TTFT.MS-before.TTFT.MS) / float64(n)
	}
	return r
}

func (r *Recent) line() string {
	over := count(r.Seconds, "second")
	if r.Seconds >= 60 {
		over = count((r.Seconds+30)/60, "minute")
	}
	text := fmt.Sprintf("%s, %s in the last %s", count(r.Requests, "request"), count(r.Errors, "error"), over)
	if r.TTFTMS > 0 {
		text += fmt.Sprintf(", first token after %s", (time.Duration(r.TTFTMS * float64(time.Millisecond))).Round(time.Millisecond))
	}
	return text
}

// judgeMachine looks at what the adapter needs to go on.
func (r *Report) judgeMachine(now time.Time) {
	r.Room = readRoom()
	r.Problems = append(r.Problems, r.Room.Problems()...)
	last, err := ReadLastBackup()
	if err != nil {
		what, cure, _ := strings.Cut(err.Error(), "\nhint: ")
		r.problem(firstLine(what), orElse(cure, "sudo gemini-manage backup"))
		return
	}
	r.Backup = &last
	r.Problems = append(r.Problems, last.Problems(now)...)
}

// judgeAlerts takes in what only the alerts know, since it takes more than one look.
func (r *Report) judgeAlerts(ctx context.Context, known *alerts.State, now time.Time) {
	timer, err := readUnit(ctx, AlertsTimer)
	if err != nil {
		return // systemd was asked before, and answered
	}
	r.Alerts = reportAlerts(known, alertSettings, timer.Active, now)
	for _, rule := range r.Alerts.Rules {
		if rule.Firing && slices.Contains([]alerts.Rule{alerts.Errors, alerts.Quota, alerts.Spend}, rule.Rule) {
			r.problem(rule.What, rule.Cure)
		}
	}
	r.Problems = append(r.Problems, alertTrouble(known, timer.Active, now)...)
}

// line says in one line who is told, and of what.
func (r *AlertsReport) line() string {
	var ways, firing []string
	for _, l := range r.Channels {
		if l.Missing == "" {
			ways = append(ways, l.Channel)
		}
	}
	for _, rule := range r.Rules {
		if rule.Firing {
			firing = append(firing, string(rule.Rule))
		}
	}
	text := "told by " + strings.Join(ways, ", ")
	switch {
	case len(r.Channels) == 0:
		text = "nobody is told: no channel is set"
	case len(ways) == 0:
		text = "nobody is told: no channel is complete"
	}
	if len(firing) > 0 {
		text += "; firing: " + strings.Join(firing, ", ")
	}
	return text
}
