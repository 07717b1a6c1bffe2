package converge

import (
	"context"
	"errors"
	"os/signal"
	"slices"
	"syscall"
	"time"
)

// Local brings this server to want in this process: under the lock, with the journal, and through the health checks of the
// plan, as a deploy does. The plan is told to events first. An ended ctx, as any failure, puts everything back, which the
// error tells: a [*RolledBackError], or a [*Refusal] where nothing was begun. Meanwhile a lost terminal is no reason to die.
func (a Agent) Local(ctx context.Context, want Want, events Events) (Applied, error) {
	defer endure()()
	return a.local(ctx, newSystem("/"), want, events)
}

// endure lets this process live on where its terminal is gone, until what it returns is called.
func endure() func() {
	signal.Ignore(syscall.SIGPIPE, syscall.SIGHUP)
	setUmask(0o022)
	return func() { signal.Reset(syscall.SIGPIPE, syscall.SIGHUP) }
}

func (a Agent) local(ctx context.Context, s *system, want Want, events Events) (applied Applied, err error) {
	want = a.complete(&s.reader, want)
	return a.alone(ctx, s, want, want.purpose("a change on the server itself, with"), events, a.compare)
}

// planner looks at the server, and says what is to be done there.
type planner func(context.Context, *reader, Want) (Plan, error)

// alone plans and carries out in this process.
func (a Agent) alone(ctx context.Context, s *system, want Want, purpose string, events Events, look planner) (applied Applied, err error) {
	unlock, err := takeLock(s, time.Now(), purpose)
	if err != nil {
		return Applied{}, asRefusal(RefusedServer, err)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	e := &engine{agent: a, sys: s}
	e.tell = func(m Message) {
		if m, ok := m.(appliedMessage); ok {
			applied = m.applied()
		}
		events.tell(m)
	}
	plan, err := e.plan(ctx, want, look)
	if err != nil {
		return Applied{}, asRefusal(RefusedServer, err)
	}
	e.tell(PlanMessage{Steps: plan.Steps(), Notes: plan.notes, Site: plan.site})
	if len(plan.steps) == 0 {
		return Applied{Site: plan.site}, nil
	}
	journal, err := begin(s)
	if err != nil {
		return Applied{}, err
	}
	// All that there is to look at from here are the plan's own checks, which have passed by now.
	keep := func(ctx context.Context) error { return context.Cause(ctx) }
	switch end := e.run(ctx, journal, plan, want, keep).(type) {
	case RolledBack:
		return Applied{}, &RolledBackError{end}
	case doneMessage:
		applied.Notes, applied.Site = end.Notes, plan.site
		if err := e.unguard(ctx, plan); err != nil {
			applied.Notes = append(applied.Notes, "the timer that guarded this could not be disarmed, and finds nothing to do: "+err.Error())
		}
	}
	return applied, nil
}

// unguard disarms the timer of a plan that is carried out, and committed.
func (e *engine) unguard(ctx context.Context, plan Plan) error {
	if !slices.ContainsFunc(plan.steps, func(s Step) bool { return s.id == guardStepID }) {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	// One that has gone off waits for the lock, which is still ours.
	return errors.Join(e.sys.systemctl(ctx, "stop", deadManService), e.sys.disarm(ctx))
}
