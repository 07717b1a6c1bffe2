package converge

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// engine plans and carries out one want on a server whose lock it holds.
type engine struct {
	agent  Agent
	sys    *system
	tell   func(Message) // everything that happens, in order; it must not block
	tokens madeTokens    // by this run
}

// calledOff is the end of a plan that is no fault of the step at hand.
type calledOff struct{ reason string }

func (e calledOff) Error() string { return e.reason }

// errShutdown is a worker that is told to end. What cannot be put back now stays in the journal for the next deploy, since
// a server that shuts down starts nothing any more.
var errShutdown = errors.New("the server shut down, or the deploy was stopped there, before its commit")

// plan takes back a deploy that died, looks at the server, and compares.
func (e *engine) plan(ctx context.Context, want Want, look planner) (Plan, error) {
	died, err := unfinished(&e.sys.reader)
	if err != nil {
		return Plan{}, err
	}
	notes := sweep(e.sys)
	if died {
		e.sys.early = nil // what was seen before is about to change
		what := "an earlier deploy died half-way; it was taken back first"
		if destroying(&e.sys.reader) {
			what = "a destroy was cut short; what it had yet to put back was put back first"
		}
		if err := errors.Join(undo(ctx, e.sys)...); err != nil {
			return Plan{}, refuse(RefusedUndo, "put right what is named above (its journal is in "+journalDir+"/failed-… on the server), then deploy again",
				"an earlier deploy died half-way, and could not be taken back whole: %v", err)
		}
		notes = append(notes, what)
	}
	plan, err := look(ctx, &e.sys.reader, want)
	plan.notes, plan.tookBack = append(notes, plan.notes...), died
	if err != nil && died {
		told := *asRefusal(RefusedServer, err)
		told.TookBack = true
		return plan, &told
	}
	return plan, err
}

// compare is all that a plan takes; a reader cannot write.
func (a Agent) compare(ctx context.Context, s *reader, want Want) (Plan, error) {
	if err := want.Validate(); err != nil {
		return Plan{}, err
	}
	facts, err := collect(ctx, s, want)
	if err != nil {
		return Plan{}, err
	}
	if err := a.collectCertificate(ctx, s, want, &facts); err != nil {
		return Plan{}, err
	}
	return Diff(facts, want, a.ReadSettings)
}

// run carries the plan out with a journal that has just begun, and returns its last word, which is not told yet: done or
// rolled back. keep is asked once everything is applied; its error puts everything back, as a failed step and an ended ctx do.
func (e *engine) run(ctx context.Context, journal *Journal, plan Plan, want Want, keep func(context.Context) error) Message {
	for _, step := range plan.steps {
		if err := e.step(ctx, journal, step); err != nil {
			return e.back(ctx, want, stepFailure(ctx, step, err), journal.close())
		}
	}
	e.tell(appliedMessage{len(plan.steps), e.tokens.client.Reveal(), e.tokens.admin.Reveal()})
	if err := keep(ctx); err != nil {
		return e.back(ctx, want, failureOf(err), journal.close())
	}
	notes, err := journal.seal(want.Release(), time.Now())
	if err != nil {
		return e.back(ctx, want, failureOf(fmt.Errorf("seal the journal: %w", err)), journal.close())
	}
	return doneMessage{Notes: append(notes, prune(e.sys, want.Release())...)}
}

func (e *engine) step(ctx context.Context, journal *Journal, step Step) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	start := time.Now()
	e.tell(StepEvent{ID: step.id, State: StepStart})
	w := newWatch(step.id, e.tell)
	r := &run{sys: e.sys, watch: w, certs: e.agent.Certificates}
	err := carryOut(withWatch(ctx, w), journal, step, r)
	w.close()
	e.tokens.add(r.tokens)
	event := StepEvent{ID: step.id, State: StepDone, Seconds: time.Since(start).Seconds()}
	if err != nil {
		event.State, event.Note = StepFailed, failureOf(err).Reason
	}
	e.tell(event)
	return err
}

// carryOut is the only place where a step is let loose: first what it takes to go back, then the change.
func carryOut(ctx context.Context, journal *Journal, step Step, r *run) error {
	rev, err := step.op.before(ctx, r)
	if err != nil {
		return err
	}
	if err := journal.intent(step.id, rev); err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	if err := step.op.apply(ctx, r); err != nil {
		return err
	}
	if err := step.op.check(ctx, r); err != nil {
		return err
	}
	return journal.done(step.id)
}

// back undoes what was applied, whatever became of ctx, which is asked only why it ended.
func (e *engine) back(ctx context.Context, want Want, told RolledBack, more ...error) RolledBack {
	e.tell(UndoEvent{Reason: told.Reason})
	w := newWatch("", e.tell)
	undoing := withWatch(context.WithoutCancel(ctx), w)
	var errs []error
	if errors.Is(context.Cause(ctx), errShutdown) {
		errs = undoOrLeave(undoing, e.sys)
	} else {
		errs = undo(undoing, e.sys)
	}
	w.close()
	if len(errs) == 0 {
		more = append(more, leave(e.sys, want))
	}
	for _, err := range append(errs, more...) {
		if err != nil {
			told.FailedUndo = append(told.FailedUndo, err.Error())
		}
	}
	return told
}
