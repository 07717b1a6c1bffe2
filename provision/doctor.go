package provision

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gemini-claude-adapter/gca/provision/converge"
)

// Report is what a look at a server found.
type Report struct {
	Host     string
	Findings []converge.Finding // none is well
}

// Doctor looks at a server, before a deploy and after one, and leaves it as it is. Of the options it needs what a plan needs.
// A server that cannot be deployed to is a finding; the error is one of not getting to look at it, as that of [Deploy].
func Doctor(ctx context.Context, opts Options, ui UI) (Report, error) {
	opts.DryRun = true
	d := &deploy{Options: opts, ui: ui, asked: true} // keys are not asked for
	report := Report{Host: opts.Host.String()}
	err := d.connected(ctx, func() (err error) {
		defer d.sweep(ctx)
		report.Findings, err = d.diagnose(ctx)
		return err
	})
	return report, err
}

func (d *deploy) diagnose(ctx context.Context) ([]converge.Finding, error) {
	a, err := d.meet(ctx)
	var refused *Error
	if errors.As(err, &refused) && refused.Kind == KindRefused {
		return []converge.Finding{refused.finding()}, nil
	}
	if err != nil {
		return nil, orCause(ctx, err)
	}
	found, err := d.converse(ctx, a)
	var refusal *converge.Refusal
	if errors.As(err, &refusal) && refusal.Kind != converge.RefusedServer && refusal.Kind != converge.RefusedUser {
		return []converge.Finding{refusal.Finding()}, nil
	}
	if err == nil {
		err = a.part()
	}
	if err != nil {
		return nil, d.explain(ctx, err, a)
	}
	return found, nil
}

// converse has the agent look, and looks from here.
func (d *deploy) converse(ctx context.Context, a *agent) ([]converge.Finding, error) {
	hello, err := a.Hello()
	if err != nil {
		return nil, err
	}
	d.tellLast(hello)
	d.reachBy(hello.Site)
	want := d.want(!hello.Installed)
	want.Mode = converge.ModeDoctor
	if err := a.SendWant(want); err != nil {
		return nil, err
	}
	plan, err := a.Plan()
	if err != nil {
		return nil, err
	}
	d.address(&plan)
	for _, note := range plan.Notes {
		d.ui.Warn(note)
	}
	found := append(plan.Findings, clockFindings(plan, time.Now())...)
	if hello.Installed && !broken(found) {
		found = append(found, d.lookFromOutside(ctx, versionOf(hello.Release))...)
	}
	return found, nil
}

// broken reports whether it is known already that the adapter does not answer.
func broken(found []converge.Finding) bool {
	for _, f := range found {
		if f.Level == converge.LevelFail && f.ID != converge.FindingUnfinished {
			return true
		}
	}
	return false
}

// clockFindings compares the server's clock with the one here, which the plan's way is nothing beside.
func clockFindings(plan converge.PlanMessage, now time.Time) []converge.Finding {
	if ahead, matters := converge.Skew(plan.Time, now); matters {
		return []converge.Finding{converge.ClockFinding(ahead)}
	}
	return nil
}

const outsideTime = 10 * time.Second // for an adapter that serves to answer from here

// lookFromOutside asks the adapter as its clients do.
func (d *deploy) lookFromOutside(ctx context.Context, version string) []converge.Finding {
	ctx, cancel := context.WithTimeout(ctx, outsideTime)
	defer cancel()
	doors := d.doors()
	err := askHealth(ctx, doors[0].client, doors[0].url, version)
	if err == nil {
		return nil
	}
	what := fmt.Sprintf("the adapter answers on the server, and not at %s from here: %v", doors[0].url, unheard(err))
	if inside := doors[len(doors)-1]; len(d.site.From) > 0 && nothingCame(err) && askHealth(ctx, inside.client, inside.url, version) == nil {
		return []converge.Finding{{ID: "web-port", Level: converge.LevelWarn, What: what,
			Means: "clients are let in from " + strings.Join(d.site.From, ", ") + " alone (--allow-from), and this machine is not among them", Cure: d.letIn()}}
	}
	return []converge.Finding{{ID: "web-port", Level: converge.LevelFail,
		What:  what,
		Means: "clients get no answer where they come the same way",
		Cure:  "open TCP port " + d.webPort() + " in your provider's firewall; on the server: ufw status, nft list ruleset"}}
}

// finding is the refusal of a server before anything is sent to it.
func (e *Error) finding() converge.Finding {
	if refusal, ok := errors.AsType[*converge.Refusal](e.Err); ok {
		return refusal.Finding()
	}
	return converge.Finding{ID: "server", Level: converge.LevelRefuse, What: e.Message, Means: "a deploy does not begin", Cure: e.Hint}
}
