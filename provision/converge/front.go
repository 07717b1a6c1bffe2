package converge

import (
	"context"
	"errors"
	"io"
	"os"
	"reflect"
	"slices"
	"time"
)

// front is one conversation in the SSH session of a laptop. It looks and plans; what changes the server is a worker's. The
// end of the laptop's stream before it says "apply" ends the conversation, and takes nothing away.
type front struct {
	agent  Agent
	reader *reader
	wire   *wire
}

func (a Agent) front(ctx context.Context, r *reader, in io.Reader, out io.Writer) error {
	f := &front{agent: a, reader: r, wire: newWire(in, out)}
	if welcome, err := f.hello(); err != nil || !welcome {
		return gone(err)
	}
	f.reader.askEarly(ctx)
	m, err := f.next("want", "attach", "cancel")
	if err != nil {
		return gone(err)
	}
	switch m := m.(type) {
	case attachMessage:
		return f.attach()
	case cancelMessage:
		return f.cancelled()
	case wantMessage:
		want := a.complete(r, m.want())
		switch want.Mode {
		case ModePlan:
			return f.wire.send(a.show(ctx, r, want))
		case ModeDoctor:
			return f.wire.send(a.findings(ctx, r, want))
		}
		return f.deploy(ctx, writer(r), want)
	}
	return nil
}

// gone is nil for the end of the stream, which is a laptop's right, and for a laptop that makes no sense, which cannot be told.
func gone(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, errLine) {
		return nil
	}
	return err
}

// next waits for one of the accepted types; others are answered and passed over.
func (f *front) next(accepted ...string) (Message, error) {
	for {
		m, err := f.wire.receive()
		if err != nil {
			return nil, err
		}
		name := m.messageType()
		if slices.Contains(accepted, name) {
			return m, nil
		}
		if _, ours := m.(unsupportedMessage); ours { // the laptop is older than a message of ours
			continue
		}
		if err := f.wire.send(unsupportedMessage{name}); err != nil {
			return nil, err
		}
	}
}

// hello speaks first: who the server is or, where no want can help, why not to go on.
func (f *front) hello() (welcome bool, err error) {
	facts, err := f.look()
	if err == nil {
		err = facts.plainSettings()
	}
	if err != nil {
		return false, f.unwelcome(asRefusal(RefusedServer, err))
	}
	s, err := f.agent.ReadSettings(facts.settingsFiles(Want{}))
	if err != nil {
		s.Keys = 1 // the plan says what is wrong, unless the want mends it; to be asked for keys would hide that
	}
	last, err := f.reader.readText(lastWord)
	if err != nil {
		return false, err
	}
	return true, f.wire.send(Hello{Proto: Proto, OS: facts.OS.String(), Keys: s.Keys,
		Installed: facts.path(currentLink).Kind != PathAbsent, Release: facts.release(), Running: f.underWay(), Site: facts.site(s, Want{}), Last: last})
}

// underWay tells this laptop whether the deploy that is under way was begun where it is itself.
func (f *front) underWay() *Running {
	r := peek(f.reader)
	if r != nil && r.By != "" {
		r.Yours = r.By == f.agent.complete(f.reader, Want{}).Client
	}
	return r
}

// unwelcome refuses before the laptop has said what it is here for. One that only looks says nothing more; one that meant to
// deploy cancels, which takes its release away.
func (f *front) unwelcome(r *Refusal) error {
	if err := f.refuse(r); err != nil || r.Kind == RefusedUser {
		return err
	}
	if _, err := f.next("cancel"); err != nil {
		return err
	}
	return f.cancelled()
}

// look collects only as root: another user cannot read the settings, let alone change them.
func (f *front) look() (Facts, error) {
	root, err := f.reader.lookup(rootUser, rootUser)
	if err != nil {
		return Facts{}, err
	}
	if os.Geteuid() != root.uid {
		return Facts{}, refuse(RefusedUser, "gca deploy root@HOST", "the login user of this connection is not root")
	}
	return collectFiles(f.reader, Want{})
}

// show is a plan that nothing comes of. All that it can do is in the hands of a reader, which cannot write.
func (a Agent) show(ctx context.Context, r *reader, want Want) PlanMessage {
	plan, err := a.survey(ctx, r, want)
	if err != nil {
		return PlanMessage{Steps: []StepInfo{}, Refused: asRefusal(RefusedServer, err)}
	}
	return PlanMessage{Steps: plan.Whole(), Notes: append(besides(r), plan.notes...), Site: plan.site, Findings: plan.findings, Time: serverTime()}
}

// findings is a look at the server, with no means to write either.
func (a Agent) findings(ctx context.Context, r *reader, want Want) PlanMessage {
	found, err := a.diagnose(ctx, r, want)
	if err != nil {
		return PlanMessage{Steps: []StepInfo{}, Refused: asRefusal(RefusedServer, err)}
	}
	return PlanMessage{Steps: []StepInfo{}, Findings: found, Time: serverTime()}
}

// besides says why a server may look different to the next deploy.
func besides(r *reader) []string {
	running, found, err := unsettled(r)
	switch {
	case err != nil:
		return []string{err.Error()}
	case running != nil && running.AtWork():
		return []string{found[0].What + "; the plan is for the server as it is at this moment"}
	case running != nil:
		return []string{found[0].What + "\nhint: " + found[0].Cure}
	case len(found) > 0:
		return []string{found[0].What + ", which this plan does not know of"}
	}
	return nil
}

func (f *front) deploy(ctx context.Context, s *system, want Want) error {
	plan, err := f.plan(ctx, s, want)
	if err != nil {
		return f.refuse(err)
	}
	if err := f.wire.send(PlanMessage{Steps: plan.Steps(), Notes: plan.notes, Site: plan.site, Closed: plan.closed, TookBack: plan.tookBack, Findings: plan.findings, Time: serverTime()}); err != nil {
		return err
	}
	word := "apply"
	if len(plan.steps) == 0 {
		word = "commit"
	}
	m, err := f.next(word, "cancel")
	if err != nil {
		return gone(err)
	}
	switch m.(type) {
	case applyMessage:
		return f.handOver(ctx, s, plan, want)
	case cancelMessage:
		return f.cancelled()
	}
	return f.wire.send(doneMessage{})
}

// cancelled is for a laptop that meant to deploy, and does not any more: one that only looks cannot cancel.
func (f *front) cancelled() error {
	return errors.Join(f.leaveUnwanted(), f.wire.send(doneMessage{}))
}

func (f *front) refuse(err error) error {
	return f.wire.send(PlanMessage{Steps: []StepInfo{}, Refused: asRefusal(RefusedServer, err)})
}

// plan is what is shown. The lock is held for this moment alone, since nobody knows how long a person thinks about a plan;
// the worker will compare again.
func (f *front) plan(ctx context.Context, s *system, want Want) (plan Plan, err error) {
	unlock, err := takeLock(s, time.Now(), want.purpose("plan of"))
	if err != nil {
		return Plan{}, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	plan, err = (&engine{agent: f.agent, sys: s}).plan(ctx, want, f.agent.survey)
	if err != nil {
		return Plan{}, errors.Join(err, leave(s, want))
	}
	return plan, forgetWord(s)
}

// leaveUnwanted takes the release of this agent away again where no deploy came of it. One that is under way may be using it.
func (f *front) leaveUnwanted() error {
	s := writer(f.reader)
	want := Want{SHA256: f.agent.SHA256, Version: f.agent.Version}
	unlock, err := takeLock(s, time.Now(), "the end of a deploy that was not wanted")
	if r, ok := errors.AsType[*Refusal](err); ok && r.Kind == RefusedLocked {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(leave(s, want), unlock())
}

// sameSteps reports whether what was shown is what would run.
func sameSteps(shown, now []StepInfo) bool {
	return len(shown) == len(now) && (len(now) == 0 || reflect.DeepEqual(shown, now))
}
