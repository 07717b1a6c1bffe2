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
		show.line("  ! " + hanging(io.lang.Text(note)))
	}
	return applied, show.broken
}

// tellChanged says how a change ended that went well.
func tellChanged(io *streams, steps int) error {
	said := io.lang.Say("nothing had to be changed")
	if steps > 0 {
		said = io.lang.Say("done in %s; the adapter answers", io.lang.Count(steps, "step"))
	}
	_, err := fmt.Fprintln(io.err, said)
	return err
}

// tellTokens shows the tokens that a change had to make, since they are kept nowhere.
func tellTokens(io *streams, client, admin converge.Secret) error {
	var b strings.Builder
	if !client.Empty() {
		b.WriteString(io.lang.Say("Client token, shown this once: %s", client.Reveal()) + "\n")
	}
	if !admin.Empty() {
		b.WriteString(io.lang.Say("Admin token, shown this once: %s", admin.Reveal()) + "\n")
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
		s.titles[step.ID] = s.io.lang.Text(step.Title)
	}
	for _, note := range plan.Notes {
		s.line("  ! " + hanging(s.io.lang.Text(note)))
	}
	for _, step := range plan.Steps {
		s.line("  + " + s.titles[step.ID])
	}
}

func (s *stepLines) step(e converge.StepEvent) {
	switch e.State {
	case converge.StepDone:
		s.line(fmt.Sprintf("  ✓ %s  %.1fs", s.titles[e.ID], e.Seconds))
	case converge.StepFailed:
		s.line("  ✗ " + s.titles[e.ID] + s.io.lang.Say(": putting everything back"))
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
		return &provision.Error{Kind: kind, Message: refusal.Changed(), Err: refusal}
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
