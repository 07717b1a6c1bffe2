package converge

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Diagnose looks at this server and changes nothing. A [*Refusal] means that it could not be looked at.
func (a Agent) Diagnose(ctx context.Context, want Want) ([]Finding, error) {
	return a.diagnose(ctx, newReader("/"), want)
}

// diagnose says all that is to be said of a server, before a deploy and after one.
func (a Agent) diagnose(ctx context.Context, s *reader, want Want) ([]Finding, error) {
	if err := want.Validate(); err != nil {
		return nil, err
	}
	running, found, err := unsettled(s)
	if err != nil || running != nil && running.AtWork() {
		return found, err
	}
	facts, err := collect(ctx, s, want)
	if err != nil {
		return nil, err
	}
	for _, refusal := range obstacles(facts, want) {
		found = append(found, refusal.Finding())
	}
	settings, err := a.ReadSettings(facts.settingsFiles(want))
	switch {
	case err != nil && facts.path(currentLink).Kind != PathAbsent:
		found = append(found, unreadable(err))
	case err != nil:
		found = append(found, asRefusal(RefusedSettings, err).Finding())
	default:
		if facts.path(currentLink).Kind == PathAbsent {
			settings.Keys = max(settings.Keys, 1) // a deploy asks for them
		}
		for _, refusal := range append(portsTaken(facts, settings), refuseTLS(facts, settings), refuseFirewall(facts, want, settings)) {
			if refusal != nil {
				found = append(found, refusal.Finding())
			}
		}
		found = append(found, reach(ctx, settings.Exits)...)
	}
	found = append(found, examine(facts)...)
	found = append(found, nginxSettings(ctx, s, facts)...)
	if facts.path(currentLink).Kind != PathAbsent {
		found = append(found, a.serving(ctx, s, facts, want, settings, err)...)
	}
	return inOrder(found), nil
}

// survey is compare for a plan that is to be shown: with a look at what may keep it from working, where there is something to do.
func (a Agent) survey(ctx context.Context, s *reader, want Want) (Plan, error) {
	plan, err := a.compare(ctx, s, want)
	if err != nil || len(plan.steps) == 0 {
		return plan, err
	}
	plan.findings = append(plan.findings, reach(ctx, plan.exits)...)
	for _, f := range plan.findings {
		if f.Level == LevelRefuse {
			return Plan{notes: plan.notes, tookBack: plan.tookBack}, f.refusal()
		}
	}
	return plan, nil
}

// settled is the time that both sides read their clocks by, to the second.
func serverTime() time.Time { return time.Now().UTC().Truncate(time.Second) }

// Skew is how far the server's clock, read then, is ahead of the one here, and whether that matters.
func Skew(server, here time.Time) (ahead time.Duration, matters bool) {
	ahead = server.Sub(here).Round(time.Second)
	return ahead, !server.IsZero() && ahead.Abs() > time.Minute
}

// ClockFinding is what a clock that is off comes to.
func ClockFinding(ahead time.Duration) Finding {
	side := "ahead of"
	if ahead < 0 {
		side = "behind"
	}
	return warning("clock", fmt.Sprintf("the server's clock is %s %s the one here", strings.TrimSuffix(ahead.Abs().String(), "0s"), side),
		"packages and certificates that are good for a time are refused, and daily budgets change at the wrong hour; one of the two clocks is wrong", "timedatectl set-ntp true && timedatectl").fixedBy("timedatectl", "set-ntp", "true")
}
