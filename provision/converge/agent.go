package converge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// commitTime is how long an applied plan waits for its commit.
const commitTime = 3 * time.Minute

// keptReleases is how many releases stay on a server, the current one among them.
const keptReleases = 3

// Agent is the server's side of one deploy.
type Agent struct {
	Version      string // of the running binary
	SHA256       string // of the running binary, 64 hexadecimal digits
	ReadSettings SettingsReader
	Connection   string        // SSH_CONNECTION of the session that started it (sshd's "client port server port"); may be empty
	CommitTime   time.Duration // how long an applied plan waits for its commit; 0 is 15 minutes
}

// Run talks to the laptop over in and out until the deploy is committed, refused,
// cancelled or undone. Each of these ends without an error; an error is one that
// the laptop could not be told.
func (a Agent) Run(ctx context.Context, in io.Reader, out io.Writer) error {
	// A lost connection shows as a failed write, not as the agent's death in mid-air.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer stop()
	setUmask(0o022)
	return a.run(ctx, newSystem("/"), in, out)
}

func (a Agent) run(ctx context.Context, s *system, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	t := &talk{agent: a, sys: s, wire: newWire(in, out), inbox: make(chan Message), cancel: cancel}
	if welcome, err := t.hello(); err != nil || !welcome {
		return err
	}
	go t.listen(ctx)
	return t.converse(ctx)
}

// talk is one conversation.
type talk struct {
	agent  Agent
	sys    *system
	wire   *wire
	inbox  chan Message
	cancel context.CancelCauseFunc
	run    *run
}

var errLaptopGone = errors.New("the connection to the laptop ended before its commit")

// laptopSaysNo is the laptop's own wish to go back.
type laptopSaysNo struct{ reason string }

func (e laptopSaysNo) Error() string { return e.reason }

// hello speaks first: who the server is or, where no want can help, why not to go on.
func (t *talk) hello() (welcome bool, err error) {
	f, err := t.look()
	if err == nil {
		err = f.plainSettings()
	}
	if err != nil {
		return false, t.turnAway(asRefusal(RefusedServer, err))
	}
	s, err := t.agent.ReadSettings(f.settingsFiles(Want{}))
	if err != nil {
		s.Keys = 1 // the plan says what is wrong, unless the want mends it; to be asked for keys would hide that
	}
	return true, t.wire.send(Hello{Proto: Proto, OS: f.OS.String(), Keys: s.Keys})
}

func (t *talk) turnAway(r *Refusal) error {
	var err error
	if r.Kind != RefusedUser {
		err = t.leaveUnwanted()
	}
	return errors.Join(err, t.wire.send(PlanMessage{Steps: []StepInfo{}, Refused: r}))
}

// look collects only as root: another user cannot read the settings, let alone change them.
func (t *talk) look() (Facts, error) {
	root, err := t.sys.lookup(rootUser, rootUser)
	if err != nil {
		return Facts{}, err
	}
	if os.Geteuid() != root.uid {
		return Facts{}, refuse(RefusedUser, "gca deploy root@HOST", "the login user of this connection is not root")
	}
	return collectFiles(&t.sys.reader, Want{})
}

// listen is the only reader. A rollback and the end of the stream cancel
// whatever runs, at the next step's beginning.
func (t *talk) listen(ctx context.Context) {
	for {
		m, err := t.wire.receive()
		switch m := m.(type) {
		case nil:
			if !errors.Is(err, io.EOF) {
				err = errors.Join(errLaptopGone, err)
			} else {
				err = errLaptopGone
			}
			t.cancel(err)
			return
		case rollbackMessage:
			t.cancel(laptopSaysNo{m.Reason})
			return
		case wantMessage, applyMessage, cancelMessage, commitMessage:
			select {
			case t.inbox <- m:
			case <-ctx.Done():
				return
			}
		case unsupportedMessage: // the laptop is older than a message of ours
		default:
			if t.wire.send(unsupportedMessage{m.messageType()}) != nil {
				t.cancel(errLaptopGone)
				return
			}
		}
	}
}

// next waits for one of the accepted types; others are answered and passed over.
func (t *talk) next(ctx context.Context, accepted ...string) (Message, error) {
	for {
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case m := <-t.inbox:
			if slices.Contains(accepted, m.messageType()) {
				return m, nil
			}
			if err := t.wire.send(unsupportedMessage{m.messageType()}); err != nil {
				return nil, errLaptopGone
			}
		}
	}
}

func (t *talk) converse(ctx context.Context) error {
	m, err := t.next(ctx, "want")
	if err != nil {
		return t.leaveUnwanted()
	}
	wm := m.(wantMessage)
	want := wm.want()
	unlock, err := takeLock(t.sys, time.Now())
	if err != nil {
		return t.wire.send(PlanMessage{Steps: []StepInfo{}, Refused: asRefusal(RefusedServer, err)})
	}
	err = t.locked(ctx, want)
	return errors.Join(err, unlock())
}

func (t *talk) locked(ctx context.Context, want Want) error {
	plan, err := t.plan(ctx, want)
	if err != nil {
		return t.refuse(want, asRefusal(RefusedServer, err))
	}
	if err := t.wire.send(PlanMessage{Steps: plan.Steps(), Notes: plan.notes}); err != nil {
		return errors.Join(err, t.leave(want))
	}
	word := "apply"
	if len(plan.steps) == 0 {
		word = "commit"
	}
	m, err := t.next(ctx, word, "cancel")
	if err != nil {
		return t.leave(want)
	}
	switch m.(type) {
	case applyMessage:
		return t.apply(ctx, plan, want)
	case cancelMessage:
		if err := t.leave(want); err != nil {
			return err
		}
	}
	return t.wire.send(doneMessage{})
}

func (t *talk) refuse(want Want, r *Refusal) error {
	return errors.Join(t.leave(want), t.wire.send(PlanMessage{Steps: []StepInfo{}, Refused: r}))
}

// leaveUnwanted ends a conversation that never had a want. A deploy that is under way may be using this very release.
func (t *talk) leaveUnwanted() error {
	unlock, err := takeLock(t.sys, time.Now())
	if r, ok := errors.AsType[*Refusal](err); ok && r.Kind == RefusedLocked {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(t.leave(Want{SHA256: t.agent.SHA256, Version: t.agent.Version}), unlock())
}

// leave takes the uploaded release away again from a server that has no adapter. The lock must be held.
func (t *talk) leave(want Want) error {
	current, err := t.sys.look(currentLink)
	if err != nil || current.Kind != PathAbsent || !sha256Pattern.MatchString(want.SHA256) || !versionPattern.MatchString(want.Version) {
		return err
	}
	if err := os.RemoveAll(t.sys.at(ReleaseDir(want.Version, want.SHA256))); err != nil {
		return err
	}
	return errors.Join(removeIfEmpty(t.sys.at(releasesDir)), removeIfEmpty(filepath.Dir(t.sys.at(releasesDir))))
}

// plan takes back a deploy that died, looks at the server, and compares.
func (t *talk) plan(ctx context.Context, want Want) (Plan, error) {
	if err := want.Validate(); err != nil {
		return Plan{}, err
	}
	died, err := unfinished(t.sys)
	if err != nil {
		return Plan{}, err
	}
	notes := sweep(t.sys)
	if died {
		if err := errors.Join(undo(ctx, t.sys)...); err != nil {
			return Plan{}, refuse(RefusedUndo, "put right what is named above (its journal is in "+journalDir+"/failed-… on the server), then deploy again",
				"an earlier deploy died half-way, and could not be taken back whole: %v", err)
		}
		notes = append(notes, "an earlier deploy died half-way; it was taken back first")
	}
	facts, err := collect(ctx, &t.sys.reader, want)
	if err != nil {
		return Plan{}, err
	}
	plan, err := Diff(facts, want, t.agent.ReadSettings)
	plan.notes = append(notes, plan.notes...)
	return plan, err
}

// apply carries the plan out and waits for the laptop's commit.
func (t *talk) apply(ctx context.Context, plan Plan, want Want) error {
	journal, err := openJournal(t.sys)
	if err != nil {
		return t.back(RolledBack{Reason: err.Error()}, want)
	}
	t.run = &run{sys: t.sys}
	err = t.carry(ctx, journal, plan, want)
	return errors.Join(err, journal.close())
}

// carry is apply with an open journal.
func (t *talk) carry(ctx context.Context, journal *Journal, plan Plan, want Want) error {
	for _, step := range plan.steps {
		if err := t.step(ctx, journal, step); err != nil {
			return t.back(rollbackOf(step, err), want)
		}
	}
	if err := t.wire.send(appliedMessage{len(plan.steps), t.run.token.Reveal()}); err != nil {
		return t.back(RolledBack{Reason: errLaptopGone.Error()}, want)
	}
	waiting, stop := context.WithTimeoutCause(ctx, commitTime, fmt.Errorf("no commit within %s", commitTime))
	defer stop()
	if _, err := t.next(waiting, "commit"); err != nil {
		return t.back(rollbackOf(Step{}, err), want)
	}
	notes, err := journal.seal(want.Release(), time.Now())
	if err != nil {
		return t.back(RolledBack{Reason: "seal the journal: " + err.Error()}, want)
	}
	return t.wire.send(doneMessage{Notes: append(notes, prune(t.sys, want.Release())...)})
}

func (t *talk) step(ctx context.Context, journal *Journal, step Step) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	start := time.Now()
	t.run.progress = func(text string) {
		if t.wire.send(ProgressEvent{ID: step.id, Text: text}) != nil {
			t.cancel(errLaptopGone)
		}
	}
	if err := t.wire.send(StepEvent{ID: step.id, State: StepStart}); err != nil {
		return errLaptopGone
	}
	err := t.carryOut(ctx, journal, step)
	event := StepEvent{ID: step.id, State: StepDone, Seconds: time.Since(start).Seconds()}
	if err != nil {
		event.State, event.Note = StepFailed, err.Error()
	}
	if t.wire.send(event) != nil && err == nil {
		return errLaptopGone
	}
	return err
}

// carryOut is the only place where a step is let loose: first what it takes to go back, then the change.
func (t *talk) carryOut(ctx context.Context, journal *Journal, step Step) error {
	rev, err := step.op.before(ctx, t.run)
	if err != nil {
		return err
	}
	if err := journal.intent(step.id, rev); err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	if err := step.op.apply(ctx, t.run); err != nil {
		return err
	}
	if err := step.op.check(ctx, t.run); err != nil {
		return err
	}
	return journal.done(step.id)
}

// rollbackOf tells why to go back. A laptop that says so or is gone is no fault of the step at hand.
func rollbackOf(step Step, err error) RolledBack {
	_, saidNo := errors.AsType[laptopSaysNo](err)
	if saidNo || errors.Is(err, errLaptopGone) || step.id == "" {
		return RolledBack{Reason: err.Error()}
	}
	return RolledBack{Step: step.id, Reason: step.title + ": " + err.Error()}
}

// back undoes what was applied, whatever the state of the connection.
func (t *talk) back(told RolledBack, want Want) error {
	for _, err := range undo(context.Background(), t.sys) {
		told.FailedUndo = append(told.FailedUndo, err.Error())
	}
	err := t.leave(want)
	if sendErr := t.wire.send(told); sendErr != nil && len(told.FailedUndo) > 0 {
		err = errors.Join(err, errors.New("the rollback is incomplete, and the laptop is gone"))
	}
	return err
}

// prune removes the oldest releases, and says what it could not remove.
func prune(s *system, current string) []string {
	past, err := history(s)
	if err != nil {
		return []string{err.Error()}
	}
	keep := []string{current}
	for _, release := range slices.Backward(past) {
		if len(keep) < keptReleases && !slices.Contains(keep, release) {
			keep = append(keep, release)
		}
	}
	entries, err := os.ReadDir(s.at(releasesDir))
	if err != nil {
		return []string{err.Error()}
	}
	var notes []string
	for _, entry := range entries {
		if slices.Contains(keep, entry.Name()) {
			continue
		}
		if err := os.RemoveAll(s.at(releasesDir + "/" + entry.Name())); err != nil {
			notes = append(notes, err.Error())
		}
	}
	return notes
}
