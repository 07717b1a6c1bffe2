package manage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gemini-claude-adapter/gca/manage/alerts"
	"github.com/gemini-claude-adapter/gca/manage/client"
	"github.com/gemini-claude-adapter/gca/provision/converge"
	"github.com/gemini-claude-adapter/gca/proxy/config"
	"github.com/gemini-claude-adapter/gca/proxy/control"
)

const (
	currentRelease = "/opt/gemini-adapter/current"
	configDir      = "/etc/gemini-adapter"
)

// Report is what `status` shows; its JSON form is schema 1.
type Report struct {
	Schema   int             `json:"schema"`
	State    string          `json:"state"`   // systemd's: active, inactive, failed, activating, deactivating; active during a handover
	Release  string          `json:"release"` // version-sha of the installed release
	Health   string          `json:"health"`  // healthy, degraded, unhealthy; "" when nothing answers
	Active   int             `json:"active_keys"`
	Total    int             `json:"total_keys"`
	Adapter  *control.Status `json:"adapter,omitempty"` // absent when it is not running or not for this user
	Problems []Problem       `json:"problems"`

	Certificate *CertReport `json:"certificate,omitempty"` // absent where Nginx does not answer

	Recent *Recent       `json:"recent,omitempty"` // absent where nobody has looked yet
	Backup *LastBackup   `json:"backup,omitempty"` // absent where it cannot be read
	Room   Room          `json:"room"`
	Alerts *AlertsReport `json:"alerts,omitempty"`

	Handover bool            `json:"handover"`         // a restart is under way: one adapter serves, another finishes its answers
	Ending   *control.Status `json:"ending,omitempty"` // of the one that finishes its answers
}

// Problem is something that keeps the adapter from being healthy, and the command that cures or explains it.
type Problem struct {
	What string `json:"what"`
	Cure string `json:"cure"`
}

// Healthy reports whether nothing is wrong.
func (r *Report) Healthy() bool { return len(r.Problems) == 0 }

// Status looks at the service, the adapter's control socket, the way through Nginx, which is where clients come in, and at
// what the adapter needs to go on: certificate, backup, disk and memory, alerts. What does not answer is a problem, and keeps
// nothing else from being shown.
func Status(ctx context.Context) (*Report, error) {
	u, err := readUnit(ctx, ServiceUnit)
	if err != nil {
		return nil, err
	}
	running := converge.UnderWay()
	if u.Load == "not-found" && running == nil {
		return nil, ErrNotInstalled
	}
	behind, err := readUnit(ctx, HandoverUnit)
	if err != nil {
		return nil, err
	}
	r := &Report{Schema: 1, State: u.Active, Problems: []Problem{}, Handover: behind.Active != "inactive" && behind.Active != "failed"}
	if target, err := os.Readlink(currentRelease); err == nil {
		r.Release = filepath.Base(target)
	}
	now := time.Now()
	if r.judgeDeploy(ctx, running) {
		return r, nil
	}
	known, alertsErr := loadAlerts(alertsDir)
	if up := r.judgeService(ctx, u, behind); up {
		r.askAdapter(ctx, u.Active != "active", known, now)
		r.judgeEntrance(ctx, true)
	} else {
		r.judgeEntrance(ctx, false)
	}
	r.judgeState()
	r.judgeMachine(now)
	if err := r.judgeRuns(ctx, now); err != nil {
		r.problem(firstLine(err.Error()), "systemctl list-timers --all")
	}
	if alertsErr != nil {
		r.problem(firstLine(alertsErr.Error()), "sudo rm "+alertsFile+"   # they begin anew")
	} else {
		r.judgeAlerts(ctx, known, now)
	}
	return r, nil
}

// judgeDeploy says whether a deploy is at work, whose half-way state is no trouble of its own. To who is not root the deploy says
// nothing, but its unit is seen.
func (r *Report) judgeDeploy(ctx context.Context, running *converge.Running) (atWork bool) {
	if running != nil {
		found := running.Finding()
		r.problem(found.What, found.Cure)
		return running.AtWork()
	}
	if os.Geteuid() == 0 {
		return false
	}
	u, err := readUnit(ctx, converge.WorkerUnit)
	if atWork = err == nil && u.Active == "active"; atWork {
		r.problem("a deploy is at work, or waits to be finished", "sudo gemini-manage status   # says which")
	}
	return atWork
}

// judgeService says whether an adapter serves: the main one, or the one that stands in for it.
func (r *Report) judgeService(ctx context.Context, u, behind unit) (up bool) {
	r.judgeSettings(ctx)
	switch {
	case u.Active == "active":
		return true
	case behind.Active == "active":
		r.State = "active"
		if u.failing() {
			r.problem(ServiceUnit+" does not start ("+u.Sub+"); the adapter that stood in for it during the restart goes on serving",
				"gemini-manage error-logs says why; mend that, then: gemini-manage restart")
		}
		return true
	}
	r.problem("the service is "+u.Active+" ("+u.Sub+")", "sudo gemini-manage start")
	return false
}

// judgeSettings says what is wrong with the settings, whether or not an adapter of before still goes on. It comes before what follows
// from it. Only root sees them.
func (r *Report) judgeSettings(ctx context.Context) {
	if err := checkSettings(ctx); err != nil && !errors.Is(err, ErrNotRoot) {
		r.wrongSettings(err.Error())
	}
}

// wrongSettings tells of settings by what the release says of them.
func (r *Report) wrongSettings(said string) {
	said, _, _ = strings.Cut(strings.TrimPrefix(said, wrongSettings), "\nhint: ")
	cure := converge.SettingsCure(said)
	if strings.HasPrefix(said, config.ErrNoKeys.Error()) {
		cure = "gemini-manage keys add"
	}
	r.problem("the adapter does not start with its settings: "+strings.ReplaceAll(said, "\n", "; "), "sudo "+cure)
}

// askAdapter takes what the running adapter says of itself; standsIn is the one of a handover serving for the main one.
func (r *Report) askAdapter(ctx context.Context, standsIn bool, known *alerts.State, now time.Time) {
	serving, other := control.Socket, control.HandoverSocket
	if standsIn {
		serving, other = other, serving
	}
	stats, err := control.Client{Path: serving}.Stats(ctx, 0)
	switch {
	case err == nil:
		r.Adapter = &stats.Status
		r.Recent = recentTraffic(known, &stats, now)
		r.judgeEgresses()
	case !errors.Is(err, control.ErrDenied):
		r.problem(err.Error(), "sudo gemini-manage restart")
	}
	if ending, err := (control.Client{Path: other}).Status(ctx); r.Handover && err == nil && ending.Draining {
		r.Ending = &ending
	}
}

// judgeState says whether what the adapter learns outlasts it: it goes on in memory alone where it cannot be saved. Only root sees that.
func (r *Report) judgeState() {
	if os.Geteuid() != 0 {
		return
	}
	found, err := converge.UnsavedState()
	if err != nil {
		r.problem(firstLine(err.Error()), "sudo gemini-manage doctor")
	}
	for _, f := range found {
		r.problem("the state cannot be saved: "+f.What, "sudo gemini-manage doctor --fix")
	}
}

// judgeEntrance comes in as clients do. That nobody answers where no adapter runs is said already.
func (r *Report) judgeEntrance(ctx context.Context, up bool) {
	e, err := findEntrance(ctx, plainEntrance, secureEntrance)
	var health client.Health
	if err == nil {
		health, err = e.health(ctx)
	}
	if e != nil && (e.name == "" || e.leaf != nil) {
		r.Certificate, err = certificateOf(ctx, e, err)
	}
	if r.Certificate != nil {
		r.Problems = append(r.Problems, r.Certificate.Problems...)
	}
	if err != nil || !up {
		if up {
			r.problem("requests through Nginx fail: "+firstLine(err.Error()), "systemctl status nginx")
		}
		return
	}
	r.Health, r.Active, r.Total = health.Status, health.ActiveKeys, health.TotalKeys
	if health.Status != "healthy" {
		r.judgeKeys(health)
	}
}

// judgeKeys says what is the matter with the keys of an adapter that is not healthy. One that rests for some models alone counts as
// active.
func (r *Report) judgeKeys(health client.Health) {
	resting := 0
	if r.Adapter != nil {
		for _, key := range r.Adapter.Keys {
			if key.Reason != "" {
				resting++
			}
		}
	}
	switch {
	case health.ActiveKeys < health.TotalKeys:
		r.problem(fmt.Sprintf("%d of %d keys are active", health.ActiveKeys, health.TotalKeys), keyCure(r.Adapter))
	case resting > 0:
		r.problem(fmt.Sprintf("for some models %d of %d keys rest, and come back by themselves", resting, health.TotalKeys), "gemini-manage keys list")
	default:
		r.problem("for some models not all keys serve, or did not a moment ago", "sudo gemini-manage keys list")
	}
}

// keyCure tells keys that come back by themselves from those that Google refuses for good.
func keyCure(adapter *control.Status) string {
	if adapter != nil && slices.ContainsFunc(adapter.Keys, func(key control.Key) bool { return key.State == "disabled" }) {
		return "gemini-manage keys test says why; gemini-manage keys add, then keys remove, replaces it"
	}
	return "gemini-manage logs"
}

// count is "1 request", "2 requests".
func count[N int | int64 | uint64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func (r *Report) problem(what, cure string) {
	r.Problems = append(r.Problems, Problem{What: what, Cure: cure})
}

// KeyRank puts keys that are out first, then those that rest, for all models or for some.
func KeyRank(key control.Key) int {
	switch {
	case key.State == "disabled":
		return 0
	case key.State == "resting":
		return 1
	case key.Reason != "":
		return 2
	}
	return 3
}

// judgeEgresses tells which ways out to Gemini do not work.
func (r *Report) judgeEgresses() {
	for _, e := range r.Adapter.Egresses {
		if what, cure, _ := strings.Cut(e.Problem, "\nhint: "); what != "" {
			r.problem("the way out to Gemini, "+e.Name+": "+what, cure)
		}
	}
}
