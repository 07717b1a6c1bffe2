package manage

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gemini-claude-adapter/gca/provision/converge"
	"github.com/gemini-claude-adapter/gca/proxy/config"
	"github.com/gemini-claude-adapter/gca/proxy/control"
)

// envOld is where the settings of before the last change are kept.
const envOld = config.EnvFile + ".old"

// errNotLive is a change that the running adapter cannot take, or that there is none to take it.
var errNotLive = errors.New("this takes a restart")

// change puts the text of adapter.env in force that to makes of the one that is there: by the running adapter itself where that
// can take it, and else by the steps of want.
func (m Machine) change(ctx context.Context, to func(env string) (string, error), want converge.Want) (converge.Applied, error) {
	applied, err := m.changeLive(ctx, hereSecrets(), to)
	if errors.Is(err, errNotLive) {
		return m.apply(ctx, want)
	}
	return applied, err
}

// changeLive has the running adapter take the text, and tells that as the two steps that it is. The error is errNotLive where
// nothing was done.
func (m Machine) changeLive(ctx context.Context, files secretFiles, to func(env string) (string, error)) (converge.Applied, error) {
	steps := []converge.StepInfo{
		{ID: "file:" + EnvFile, Title: "write " + EnvFile},
		{ID: "reload:" + ServiceUnit, Title: "have the running adapter take it, without a restart"},
	}
	begun := time.Now()
	r, err := files.change(ctx, config.EnvFile, "gemini-manage config", func(now config.Texts) (string, error) {
		text, err := to(now.Env)
		if err != nil {
			return "", err
		}
		if err := files.mayTake(ctx, now, text); err != nil {
			return "", err
		}
		if m.Events.Plan != nil {
			m.Events.Plan(converge.PlanMessage{Steps: steps})
		}
		return text, files.write(envOld, now.Env)
	})
	var refused *control.Refusal
	switch {
	case errors.As(err, &refused):
		return converge.Applied{}, &settingsError{err}
	case err != nil:
		return converge.Applied{}, err
	}
	for _, step := range steps {
		if m.Events.Step != nil {
			m.Events.Step(converge.StepEvent{ID: step.ID, State: converge.StepDone, Seconds: time.Since(begun).Seconds()})
		}
	}
	applied := converge.Applied{Changed: len(steps)}
	if len(r.Restart) > 0 { // somebody wrote them into the file before
		applied.Notes = []string{fmt.Sprintf("not in force yet: %s; gemini-manage reload says what that takes", strings.Join(r.Restart, ", "))}
	}
	return applied, nil
}

// mayTake is errNotLive unless the running adapter can take the settings as they are to be. Tokens that would be missing are made
// by a restart's steps.
func (f secretFiles) mayTake(ctx context.Context, now config.Texts, env string) error {
	before, err := now.Parse()
	if err != nil {
		return errNotLive
	}
	now.Env = env
	after, err := now.Parse()
	if err != nil {
		return &settingsError{err}
	}
	if len(before.Restarting(after)) > 0 || !after.Clients() || !after.HasAdmin() {
		return errNotLive
	}
	if _, err := first(f.adapters, func(one control.Client) (control.Status, error) { return one.Status(ctx) }); err != nil {
		return errNotLive
	}
	return nil
}
