package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gemini-claude-adapter/gca/manage"
	"github.com/gemini-claude-adapter/gca/provision"
	"github.com/gemini-claude-adapter/gca/provision/cert"
	"github.com/gemini-claude-adapter/gca/provision/converge"
	"github.com/gemini-claude-adapter/gca/provision/payload"
)

// changeHere changes this server, and shows the steps and the tokens that had to be made.
func changeHere(io *streams, change func(manage.Machine) (converge.Applied, error)) error {
	applied, err := applyHere(io, change)
	if err != nil {
		return unchanged(io, err)
	}
	return errors.Join(tellChanged(io, applied.Changed), tellTokens(io, applied.ClientToken, applied.AdminToken))
}

// applyHere changes this server, and shows the steps: all of them first, then each as it is done.
func applyHere(io *streams, change func(manage.Machine) (converge.Applied, error)) (converge.Applied, error) {
	self, err := payload.Self()
	if err != nil {
		return converge.Applied{}, err
	}
	templates, err := templateTexts()
	if err != nil {
		return converge.Applied{}, err
	}
	show := &stepLines{io: io, titles: make(map[string]string)}
	applied, err := change(manage.Machine{
		Agent:     converge.Agent{Version: version, SHA256: self.SHA256, ReadSettings: readSettings, Certificates: cert.Authority{}},
		Templates: templates,
		Events:    converge.Events{Plan: show.plan, Step: show.step, Progress: show.progress},
	})
	if err != nil {
		return converge.Applied{}, ofChange(err)
	}
	for _, note := range applied.Notes {
		show.line("  ! " + note)
	}
	return applied, show.broken
}

// tellChanged says how a change ended that went well.
func tellChanged(io *streams, steps int) error {
	said := "nothing had to be changed"
	if steps > 0 {
		said = fmt.Sprintf("done in %s; the adapter answers", count(steps, "step"))
	}
	_, err := fmt.Fprintln(io.err, said)
	return err
}

// tellTokens shows the tokens that a change had to make, since they are kept nowhere.
func tellTokens(io *streams, client, admin converge.Secret) error {
	var b strings.Builder
	if !client.Empty() {
		fmt.Fprintf(&b, "Client token, shown this once: %s\n", client.Reveal())
	}
	if !admin.Empty() {
		fmt.Fprintf(&b, "Admin token, shown this once: %s\n", admin.Reveal())
	}
	_, err := fmt.Fprint(io.out, b.String())
	return err
}

// stepLines shows a plan that is applied on this machine, a line a step. It keeps the first error of a write, since a change
// must not stop for a screen that has gone.
type stepLines struct {
	io     *streams
	titles map[string]string
	broken error
}

func (s *stepLines) plan(plan converge.PlanMessage) {
	for _, step := range plan.Steps {
		s.titles[step.ID] = step.Title
	}
	for _, note := range plan.Notes {
		s.line("  ! " + note)
	}
	for _, step := range plan.Steps {
		s.line("  + " + step.Title)
	}
}

func (s *stepLines) step(e converge.StepEvent) {
	switch e.State {
	case converge.StepDone:
		s.line(fmt.Sprintf("  ✓ %s  %.1fs", s.titles[e.ID], e.Seconds))
	case converge.StepFailed:
		s.line("  ✗ " + s.titles[e.ID] + ": putting everything back")
	}
}

func (s *stepLines) progress(e converge.ProgressEvent) { s.line("    " + e.Text) }

func (s *stepLines) line(text string) {
	if _, err := fmt.Fprintln(s.io.err, visible(text)); s.broken == nil {
		s.broken = err
	}
}

// ofChange gives an error of a change on this machine the exit code that the same one has in a deploy.
func ofChange(err error) error {
	var refusal *converge.Refusal
	var back *converge.RolledBackError
	switch {
	case errors.Is(err, manage.ErrSettings):
		return &usageError{err.Error()}
	case errors.As(err, &refusal):
		kind := provision.KindRefused
		switch refusal.Kind {
		case converge.RefusedLocked:
			kind = provision.KindLocked
		case converge.RefusedUndo:
			kind = provision.KindRollbackFailed
		}
		return &provision.Error{Kind: kind, Message: "nothing was changed", Err: refusal}
	case errors.As(err, &back) && len(back.FailedUndo) > 0:
		return &provision.Error{Kind: provision.KindRollbackFailed, Message: "the change failed, and undoing it failed too", Err: back}
	case errors.As(err, &back):
		return &provision.Error{Kind: provision.KindRolledBack, Message: "the change failed, and everything was put back", Err: back, Hint: "gemini-manage error-logs shows what the adapter said"}
	}
	return err
}

// asRefused gives the error of an archive its exit code.
func asRefused(name string, err error) error {
	var wrong *manage.ArchiveError
	if !errors.As(err, &wrong) {
		return err
	}
	if name == "-" {
		name = "standard input"
	}
	return &provision.Error{Kind: provision.KindRefused, Message: name, Err: wrong}
}
