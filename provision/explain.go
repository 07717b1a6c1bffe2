package provision

import (
	"context"
	"errors"
	"fmt"
	"io"
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
func (d *deploy) explain(ctx context.Context, err error, a *agent) error {
	var refusal *converge.Refusal
	var back *converge.RolledBackError
	var known *Error
	var taken *converge.TakenOverError
	switch {
	case errors.As(err, &back) && len(back.FailedUndo) > 0:
		return &Error{Kind: KindRollbackFailed, Message: "the deploy failed, and undoing it failed too", Err: back}
	case errors.As(err, &known):
		return known
	case errors.As(err, &back):
		return failed(back)
	case errors.As(err, &refusal):
		told := *refusal
		told.Hint = converge.ForHost(told.Hint, d.Named)
		return refused(&told)
	case errors.Is(err, converge.ErrCommitted):
		return &Error{Kind: KindFailed, Message: "it was too late to put the deploy back", Err: err}
	case errors.As(err, &taken):
		return &Error{Kind: KindLocked, Message: "the deploy goes on without this laptop", Err: taken}
	case d.begun:
		return d.detached(ctx, err)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	err = orLost(a.process, err)
	switch {
	case errors.Is(err, converge.ErrNoAgent) && a.process.Stderr() != "":
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(a.process.Stderr()))
	}
	return err
}

// orLost prefers the loss of the connection, which a conversation takes for an early end of the other side.
func orLost(p *remote.Process, err error) error {
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.ErrClosedPipe) {
		return err
	}
	var lost *remote.Error
	if errors.As(p.Wait(), &lost) {
		return lost
	}
	return err
}

// detached is the end of this side alone: what was begun goes on.
func (d *deploy) detached(ctx context.Context, err error) error {
	e := &Error{Kind: KindCut, Message: "the server goes on by itself, for it needs no connection", Err: err,
		Hint: d.Command + "\n      shows what happened meanwhile, and finishes; without that the server puts everything back after 15 minutes, and with" +
			"\n      " + d.AbortCommand + "\n      at once"}
	if ctx.Err() != nil {
		e.Kind, e.Err, e.Message = KindInterrupted, nil, "interrupted here: "+e.Message
	}
	return e
}

// failed is a deploy that the server itself called off.
func failed(back *converge.RolledBackError) error {
	e := &Error{Kind: KindRolledBack, Message: "the deploy failed", Err: back}
	if back.Hint == "" {
		e.Hint = "mend that, then deploy again; on the server: journalctl -u gemini-adapter"
	}
	return e
}

// refused is a refusal as a deploy ends with it.
func refused(refusal *converge.Refusal) *Error {
	switch refusal.Kind {
	case converge.RefusedLocked:
		return &Error{Kind: KindLocked, Message: "the deploy did not start", Err: refusal}
	case converge.RefusedUndo:
		return &Error{Kind: KindRollbackFailed, Message: "the deploy did not start", Err: refusal}
	}
	return &Error{Kind: KindRefused, Message: refusal.Changed(), Err: refusal}
}
