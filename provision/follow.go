package provision

import (
	"context"
	"errors"
	"time"

	"github.com/gemini-claude-adapter/gca/provision/converge"
)

// follow goes on with an unfinished deploy: what happened meanwhile is shown from its beginning, and its end is verified
// and committed as if this laptop had begun it.
func (d *deploy) follow(ctx context.Context, a *agent, running converge.Running) error {
	takeOver, err := d.tellRunning(running)
	switch {
	case err != nil:
		return err
	case running.Attached && !takeOver && d.looks < maxLooks:
		return d.lookAgain(ctx, a)
	case running.Attached && !takeOver:
		return Occupied(running)
	}
	d.ui.Phase(PhaseFollow, running.Release)
	plan, err := a.Attach()
	if ended(err) {
		return nil
	}
	if err != nil {
		return err
	}
	d.begun = true
	defer a.live(ctx)()
	d.reachBy(plan.Site)
	d.result.Release = running.Release
	applied, err := a.Follow(d.events(plan.Steps))
	if err == nil && running.State == converge.RunUndoing { // it had been applied before, and cannot be committed any more
		err = a.RolledBack()
	}
	var back *converge.RolledBackError
	if running.State == converge.RunUndoing && errors.As(err, &back) && len(back.FailedUndo) == 0 {
		d.begun = false
		d.ui.Warn(back.Error())
		return nil
	}
	if err != nil {
		return err
	}
	return d.finish(ctx, a, plan.Steps, applied, versionOf(running.Release))
}

// Occupied is the error of a deploy that another laptop is at, or this one from another terminal.
func Occupied(running converge.Running) error {
	message := "another laptop is at this server's deploy: it was begun from " + running.By
	if running.Yours {
		message = "a deploy of this server is at work already: it was begun from " + running.By + ", which is yours: perhaps in another terminal"
	}
	return &Error{Kind: KindLocked, Message: message,
		Hint: "let it end there; to go on from here, run this again at a terminal, without --yes, and say yes"}
}

// tellRunning tells the person once, and returns whether to take another laptop's place.
func (d *deploy) tellRunning(running converge.Running) (takeOver bool, err error) {
	if d.looks > 0 {
		return false, nil
	}
	return d.ui.Running(running)
}

// maxLooks is how often another look is taken at a deploy that another laptop listens to: it may have been this one, at the
// other end of a cut that nobody told the server of.
const maxLooks = 5

func (d *deploy) lookAgain(ctx context.Context, a *agent) error {
	d.looks++
	select {
	case <-time.After(converge.AliveInterval):
		return a.Cancel()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// ended reports whether a deploy came to its end before it could be attached to.
func ended(err error) bool {
	var refusal *converge.Refusal
	return errors.As(err, &refusal)
}

// ErrNothingToAbort is what Abort returns when no deploy is under way. Nothing was changed.
var ErrNothingToAbort = errors.New("no deploy is under way on this server: there is nothing to put back")

// Abort puts an unfinished deploy back. Of the options it needs those that name the server and the release. Its errors are
// those of [Deploy], or ErrNothingToAbort.
func Abort(ctx context.Context, opts Options, ui UI) error {
	d := &deploy{Options: opts, ui: ui}
	return d.connected(ctx, func() error {
		for {
			aborted, err := d.abortRound(ctx)
			if err != nil || aborted {
				return err
			}
		}
	})
}

// abortRound is one conversation with an agent. One that waited for another laptop to let go is not the last.
func (d *deploy) abortRound(ctx context.Context) (aborted bool, err error) {
	a, err := d.meetUnfinished(ctx)
	if err != nil {
		return false, orCause(ctx, err)
	}
	if aborted, err = d.abort(ctx, a); err == nil {
		err = a.part()
	}
	if err != nil {
		return false, d.explain(ctx, err, a)
	}
	return aborted, nil
}

// meetUnfinished is meet for a server that nothing is sent to.
func (d *deploy) meetUnfinished(ctx context.Context) (*agent, error) {
	a, found, err := d.look(ctx)
	switch {
	case a != nil || err != nil:
		return a, err
	case found.release():
		return d.start(ctx)
	}
	if locked := found.locked(); locked != nil {
		return nil, locked
	}
	return nil, ErrNothingToAbort
}

func (d *deploy) abort(ctx context.Context, a *agent) (aborted bool, err error) {
	hello, err := a.Hello()
	if err != nil {
		return false, err
	}
	if hello.Running == nil {
		d.tellLast(hello)
		return false, errors.Join(a.Cancel(), ErrNothingToAbort)
	}
	takeOver, err := d.tellRunning(*hello.Running)
	switch {
	case err != nil:
		return false, err
	case hello.Running.Attached && !takeOver && d.looks < maxLooks:
		return false, d.lookAgain(ctx, a)
	case hello.Running.Attached && !takeOver:
		return false, Occupied(*hello.Running)
	}
	return true, d.putBack(a)
}

// putBack goes on with an unfinished deploy only to have it undone.
func (d *deploy) putBack(a *agent) error {
	d.begun = true
	if _, err := a.Attach(); err != nil {
		return err
	}
	err := errors.Join(a.Rollback("called off by gca deploy --abort"), a.RolledBack())
	var back *converge.RolledBackError
	if errors.As(err, &back) && len(back.FailedUndo) == 0 {
		return nil
	}
	return err
}
