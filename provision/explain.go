package provision

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/gemini-claude-adapter/gca/provision/converge"
	"github.com/gemini-claude-adapter/gca/provision/remote"
)

// orCause prefers the context's cause, which an ended context's errors are only echoes of.
func orCause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// explain gives an error of the conversation its kind.
func (d *deploy) explain(ctx context.Context, err error, agent *remote.Process) error {
	var refusal *converge.Refusal
	var back *converge.RolledBackError
	var known *Error
	rolledBack, told := errors.As(err, &back), errors.As(err, &known)
	switch {
	case rolledBack && len(back.FailedUndo) > 0:
		return &Error{Kind: KindRollbackFailed, Message: "the deploy failed, and undoing it failed too", Err: back}
	case ctx.Err() != nil && (rolledBack || told && known.Kind == KindRolledBack):
		return &Error{Kind: KindInterrupted, Message: "interrupted: everything was put back"}
	case told:
		return known
	case rolledBack:
		return &Error{Kind: KindRolledBack, Message: "the deploy failed", Err: back, Hint: "mend that, then deploy again; on the server: journalctl -u gemini-adapter"}
	case d.committed:
		return &Error{Kind: KindPartial, Message: "the server did not confirm the end of the deploy, but has most likely kept it", Err: err, Hint: "deploy again to see"}
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &refusal) && refusal.Kind == converge.RefusedLocked:
		return &Error{Kind: KindLocked, Message: "the deploy did not start", Err: refusal}
	case errors.As(err, &refusal) && refusal.Kind == converge.RefusedUndo:
		return &Error{Kind: KindRollbackFailed, Message: "the deploy did not start", Err: refusal}
	case errors.As(err, &refusal):
		return refused(refusal)
	case errors.Is(err, converge.ErrNoAgent) && agent.Stderr() != "":
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(agent.Stderr()))
	}
	return err
}
