package manage

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/control"
)

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
		p.line("", "keys and traffic are left out: only a login that may become root sees them")
		p.line("", "cure: %s", "sudo gemini-manage status")
	}
	if r.Certificate != nil {
		p.line("certificate", "%s", r.Certificate.line(now))
	}
	if r.Backup != nil {
		p.line("backup", "%s", r.Backup.Line(now))
	}
	if room := r.Room.Line(); room != "" {
		p.line("machine", "%s", room)
	}
	if r.Alerts != nil {
		p.line("alerts", "%s", r.Alerts.line())
	}
	printProblems(p, r.Problems)
	return p.err
}

func printProblems(p *printer, all []Problem) {
	name := "problems"
	for _, problem := range all {
		p.line(name, "%s", problem.What)
		p.line("", "cure: %s", problem.Cure)
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
	if r.Recent != nil {
		p.line("recent", "%s", r.Recent.line())
	}
	if a.Saved > 0 {
		p.line("", "%s that clients never saw, another key served", count(a.Saved, "failure"))
	}
	if a.Fallbacks > 0 {
		p.line("", "%s of another model, by MODEL_FALLBACK", count(a.Fallbacks, "answer"))
	}
}

// printer keeps the first write error, so that a screen of lines is checked once.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(name, format string, args ...any) {
	p.write("%-11s %s\n", name, fmt.Sprintf(format, args...))
}

func (p *printer) write(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
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
