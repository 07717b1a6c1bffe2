package manage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gemini-claude-adapter/gca/manage/client"
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

// Status looks at the service, the adapter's control socket, and the way through Nginx, which is where clients come in.
func Status(ctx context.Context) (*Report, error) {
	u, err := readUnit(ctx, ServiceUnit)
	if err != nil {
		return nil, err
	}
	if u.Load == "not-found" {
		return nil, ErrNotInstalled
	}
	behind, err := readUnit(ctx, HandoverUnit)
	if err != nil {
		return nil, err
	}
	serving, other := control.Socket, control.HandoverSocket
	down := u
	standsIn := u.Active != "active" && behind.Active == "active"
	if standsIn {
		u.Active, serving, other = "active", other, serving
	}
	r := &Report{Schema: 1, State: u.Active, Problems: []Problem{}, Handover: behind.Active != "inactive" && behind.Active != "failed"}
	if target, err := os.Readlink(currentRelease); err == nil {
		r.Release = filepath.Base(target)
	}
	if standsIn && down.failing() {
		r.problem(ServiceUnit+" does not start ("+down.Sub+"); the adapter that stood in for it during the restart goes on serving",
			"gemini-manage error-logs says why; mend that, then: gemini-manage restart")
	}
	if u.Active != "active" {
		r.problem("the service is "+u.Active+" ("+u.Sub+")", "sudo gemini-manage start")
		if err := checkSettings(ctx); err != nil && !errors.Is(err, ErrNotRoot) {
			r.problem(strings.TrimPrefix(strings.ReplaceAll(err.Error(), "\n", " "), "the settings are not right, so nothing was started or stopped: "), "mend "+configDir+"/adapter.env")
		}
		return r, nil
	}
	status, err := control.Client{Path: serving}.Status(ctx)
	switch {
	case err == nil:
		r.Adapter = &status
		r.judgeEgresses()
	case !errors.Is(err, control.ErrDenied):
		r.problem(err.Error(), "sudo gemini-manage restart")
	}
	if ending, err := (control.Client{Path: other}).Status(ctx); r.Handover && err == nil && ending.Draining {
		r.Ending = &ending
	}
	r.judgeEntrance(ctx)
	return r, nil
}

// judgeEntrance comes in as clients do.
func (r *Report) judgeEntrance(ctx context.Context) {
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
	if err != nil {
		r.problem("requests through Nginx fail: "+firstLine(err.Error()), "systemctl status nginx")
		return
	}
	r.Health, r.Active, r.Total = health.Status, health.ActiveKeys, health.TotalKeys
	if health.Status != "healthy" {
		r.problem(fmt.Sprintf("%d of %d keys are active", health.ActiveKeys, health.TotalKeys), keyCure(r.Adapter))
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

// Print writes the report for a person.
func (r *Report) Print(w io.Writer, now time.Time) error {
	p := &printer{w: w}
	p.line("service", "%s, release %s%s", r.State, orUnknown(r.Release), uptime(r.Adapter, now))
	if r.Handover {
		p.line("restart", "under way%s", finishing(r.Ending))
	}
	if r.Health != "" {
		p.line("health", "%s", r.Health)
		p.line("keys", "%d active of %d", r.Active, r.Total)
	}
	if r.Adapter != nil {
		r.printAdapter(p, now)
	} else if r.State == "active" {
		p.line("", "keys and traffic are left out for this user; see all: sudo gemini-manage status")
	}
	if r.Certificate != nil {
		p.line("certificate", "%s", r.Certificate.line(now))
	}
	printProblems(p, r.Problems)
	return p.err
}

func printProblems(p *printer, all []Problem) {
	name := "problems"
	for _, problem := range all {
		p.line(name, "%s\n%12scure: %s", problem.What, "", problem.Cure)
		name = ""
	}
}

func finishing(ending *control.Status) string {
	if ending == nil {
		return ""
	}
	return ": the one before takes no new requests, and has " + count(ending.OpenStreams, "open stream") + " to finish"
}

// maxListed is how many keys are listed; of more, those come first that are away.
const maxListed = 16

// printAdapter tells how the keys stand and what was served.
func (r *Report) printAdapter(p *printer, now time.Time) {
	listed := r.Adapter.Keys
	if len(listed) > maxListed {
		listed = slices.SortedStableFunc(slices.Values(listed), func(a, b control.Key) int { return cmp.Compare(KeyRank(a), KeyRank(b)) })[:maxListed]
	}
	for _, key := range listed {
		p.line("", "%-24s %-9s %s, %s%s", named(key), key.State, count(key.Requests, "request"), count(key.Failures, "failure"), why(key, now))
	}
	if more := len(r.Adapter.Keys) - len(listed); more > 0 {
		p.line("", "and %s: gemini-manage keys list", count(more, "more key"))
	}
	a := r.Adapter
	waiting := ""
	if a.Waiting > 0 {
		waiting = fmt.Sprintf(", %d waiting for a key", a.Waiting)
	}
	p.line("requests", "%d answered, %s, %s%s", a.Requests, count(a.Errors, "error"), count(a.OpenStreams, "open stream"), waiting)
	if a.Saved > 0 {
		p.line("", "%s that clients never saw, another key served", count(a.Saved, "failure"))
	}
	if a.Fallbacks > 0 {
		p.line("", "%s of another model, by MODEL_FALLBACK", count(a.Fallbacks, "answer"))
	}
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

// printer keeps the first write error, so that a screen of lines is checked once.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(name, format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, "%-11s "+format+"\n", append([]any{name}, args...)...)
	}
}

func named(key control.Key) string {
	if key.Label == "" {
		return key.ID
	}
	return key.ID + " (" + key.Label + ")"
}

func why(key control.Key, now time.Time) string {
	text := ""
	if key.Reason != "" {
		text = ": " + key.Reason
	}
	if key.Until.After(now) {
		text += ", back in " + key.Until.Sub(now).Round(time.Second).String()
	}
	return text
}

func uptime(status *control.Status, now time.Time) string {
	if status == nil {
		return ""
	}
	return ", up " + now.Sub(status.Started).Round(time.Second).String()
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

func firstLine(s string) string {
	for i := range len(s) {
		if s[i] == '\n' {
			return s[:i]
		}
	}
	return s
}
