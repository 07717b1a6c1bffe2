// Package provision deploys: it brings a server over SSH to where the adapter answers through Nginx, or leaves it as it was.
//
// The flow of one deploy, in one connection:
//
//	connect ──> look ──> (upload) ──> plan ──> apply ──> verify ──> commit
//	                                    │         └─────────┴──> rolled back
//	                                    └ up to date: verify, done
//
// A server that has the wanted release is met by its agent at the first exec (meet.go); what changes, and how it is undone,
// is the agent's (package converge).
package provision

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/gemini-claude-adapter/gca/provision/converge"
	"github.com/gemini-claude-adapter/gca/provision/payload"
	"github.com/gemini-claude-adapter/gca/provision/remote"
)

// Options say what to deploy, and where.
type Options struct {
	Host      remote.Host
	SSH       remote.Options
	Payload   payload.Payload
	Version   string            // of the payload; part of the release's name on the server
	Templates map[string]string // text by file name, all of converge.TemplateNames
	BaseURL   string            // GEMINI_BASE_URL to set; "" leaves the server's
}

// UI is the person's side of a deploy. All callbacks must be set; they run one at a time, but for Warn, which an interruption
// calls from a goroutine of its own.
type UI struct {
	Phase    func(phase Phase, detail string)
	Uploaded func(done, total int64)
	// Changing is called once it is certain that something will change, before anything is sent. Its error ends the deploy.
	Changing func() error
	// Keys returns the content of the keys file, "" to keep the have keys that the server has already. It is called once.
	Keys func(have int) (string, error)
	// Plan shows what would be done and returns whether to do it.
	Plan     func(steps []converge.StepInfo, notes []string) (bool, error)
	Step     func(step converge.StepInfo, event converge.StepEvent)
	Progress func(text string)
	Warn     func(text string)
	// Try makes one real call from here, with a token that this run made.
	Try func(ctx context.Context, url, token string) error
}

// Phase is how far a deploy has come.
type Phase string

// The phases, in their order.
const (
	PhaseConnect Phase = "connect"
	PhaseUpload  Phase = "upload"
	PhasePlan    Phase = "plan"
	PhaseApply   Phase = "apply"
	PhaseVerify  Phase = "verify"
)

// Result is what a deploy came to.
type Result struct {
	URL         string
	Release     string
	Changed     int    // steps that changed something; 0 is up to date
	ClientToken string // made by this run, or ""
}

// ErrDeclined is what Deploy returns when the person said no to the plan. Nothing was changed.
var ErrDeclined = errors.New("nothing was changed")

// fewKeys is the number of keys below which a person is warned: a free key is out of quota within minutes of work.
const fewKeys = 3

// backTime bounds the wait for a server that puts itself back: longer than the default drain of a restart. A second Ctrl-C
// ends it earlier.
const backTime = 15 * time.Minute

type deploy struct {
	Options
	ui        UI
	conn      *remote.Conn
	keys      string // content of the keys file to send, once asked
	keyCount  int    // on the server after this deploy
	asked     bool
	committed bool // the commit was sent: from here on the server keeps what was done

	talk    context.Context // the life of the agent's streams, longer than that of the deploy: it must hear of a rollback
	endTalk context.CancelFunc
}

// Deploy brings the server to the wanted state. The error is an *Error, a *remote.Error, ErrDeclined, one of UI's, or wraps
// the context's cause. On any of them the server is as it was, but for an *Error of KindPartial, whose Result counts, and of
// KindRollbackFailed and KindUnknown.
func Deploy(ctx context.Context, opts Options, ui UI) (result Result, err error) {
	d := &deploy{Options: opts, ui: ui}
	d.talk, d.endTalk = context.WithCancel(context.WithoutCancel(ctx))
	defer d.endTalk()
	ui.Phase(PhaseConnect, opts.Host.String())
	if d.conn, err = remote.Dial(ctx, opts.Host, opts.SSH); err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, d.conn.Close()) }()
	interrupt := context.AfterFunc(ctx, d.endTalk)
	defer interrupt()
	agent, client, err := d.meetAgent(ctx)
	if err != nil {
		return Result{}, orCause(ctx, err)
	}
	result, err = d.converse(ctx, client, interrupt)
	if err == nil {
		err = d.part(agent)
	}
	if err != nil {
		return result, d.explain(ctx, err, agent)
	}
	return result, d.try(ctx, result)
}

// part ends the agent's process after the commit.
func (d *deploy) part(agent *remote.Process) error {
	if err := agent.Stdin.Close(); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("cannot end the talk with the agent: %w", err)
	}
	if err := agent.Wait(); err != nil {
		return fmt.Errorf("the agent on the server ended badly: %w", err)
	}
	return nil
}

// converse talks with the agent from its hello to the commit. interrupt disarms what ends the talk with ctx.
func (d *deploy) converse(ctx context.Context, agent *converge.Client, interrupt func() bool) (Result, error) {
	hello, err := agent.Hello()
	if err != nil {
		return Result{}, err
	}
	if err := d.askKeys(hello.Keys); err != nil {
		return Result{}, err
	}
	d.ui.Phase(PhasePlan, hello.OS)
	want := d.want()
	if err := agent.SendWant(want); err != nil {
		return Result{}, err
	}
	plan, err := agent.Plan()
	if err != nil {
		return Result{}, err
	}
	if d.keyCount < fewKeys {
		d.ui.Warn(fmt.Sprintf("few Gemini keys: %d; with three or more, from different Google projects, one can rest while another works", d.keyCount))
	}
	if agreed, err := d.ui.Plan(plan.Steps, plan.Notes); err != nil || !agreed {
		return Result{}, errors.Join(err, agent.Cancel(), declined(err))
	}
	result := Result{URL: d.url(), Release: want.Release()}
	if len(plan.Steps) == 0 {
		return d.confirm(ctx, agent, result)
	}
	interrupt()
	return d.carryOut(ctx, agent, plan.Steps, result)
}

// askKeys asks once for the keys, as early as it is known how many the server has.
func (d *deploy) askKeys(have int) (err error) {
	if d.asked {
		return nil
	}
	d.asked = true
	d.keys, err = d.ui.Keys(have)
	if d.keyCount = have; d.keys != "" {
		d.keyCount = strings.Count(strings.TrimSpace(d.keys), "\n") + 1
	}
	return err
}

// confirm ends a deploy that had nothing to do.
func (d *deploy) confirm(ctx context.Context, agent *converge.Client, result Result) (Result, error) {
	d.ui.Phase(PhaseVerify, result.URL)
	if failed := awaitHealth(ctx, result.URL, d.Version); failed != nil {
		failed.Kind = KindFailed
		return Result{}, errors.Join(orCause(ctx, failed), agent.Cancel())
	}
	_, err := agent.Commit()
	return result, err
}

// carryOut applies the plan and looks at it from here. An interruption is told to the agent, and its rollback awaited.
func (d *deploy) carryOut(ctx context.Context, agent *converge.Client, steps []converge.StepInfo, result Result) (Result, error) {
	d.ui.Phase(PhaseApply, fmt.Sprintf("%d steps", len(steps)))
	var rollback error
	told := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(told)
		d.ui.Warn(puttingBack)
		time.AfterFunc(backTime, d.endTalk)
		rollback = agent.Rollback("interrupted at the laptop")
	})
	applied, err := agent.Apply(d.events(steps))
	if !stop() {
		<-told
		if err == nil { // the word came too late to stop a step
			err = agent.RolledBack()
		}
		return Result{}, d.heard(errors.Join(err, rollback), &Error{Kind: KindRolledBack, Message: "interrupted"})
	}
	if err != nil {
		return Result{}, err
	}
	result.Changed, result.ClientToken = applied.Changed, applied.ClientToken.Reveal()
	d.ui.Phase(PhaseVerify, result.URL)
	if failed := d.verify(ctx, steps, result.URL); failed != nil {
		return Result{}, d.goBack(agent, failed)
	}
	d.committed = true
	notes, err := agent.Commit()
	for _, note := range notes {
		d.ui.Warn(note)
	}
	return result, err
}

// verify looks from outside: does SSH still let somebody in, and does the adapter answer?
func (d *deploy) verify(ctx context.Context, steps []converge.StepInfo, url string) *Error {
	if slices.ContainsFunc(steps, func(s converge.StepInfo) bool { return s.Kind == converge.KindFirewall }) {
		if err := sshAnswers(ctx, d.Host.Addr()); err != nil {
			return &Error{Kind: KindRolledBack, Message: "SSH does not answer a new connection any more", Err: orCause(ctx, err),
				Hint: "look at the firewall that the server had before: ufw show added, nft list ruleset"}
		}
	}
	return awaitHealth(ctx, url, d.Version)
}

// goBack has the agent undo everything, because of failed.
func (d *deploy) goBack(agent *converge.Client, failed *Error) error {
	if errors.Is(failed.Err, context.Canceled) {
		d.ui.Warn(puttingBack)
	}
	time.AfterFunc(backTime, d.endTalk)
	return d.heard(errors.Join(agent.Rollback(failed.Message), agent.RolledBack()), failed)
}

const puttingBack = "interrupted: the server is putting itself back, which takes some seconds"

// heard adds to failed what was heard of the rollback that it caused.
func (d *deploy) heard(back error, failed *Error) error {
	var rolledBack *converge.RolledBackError
	switch {
	case !errors.As(back, &rolledBack):
		failed.Kind, failed.Err = KindUnknown, nil
		failed.Message += ", and the server's word that it has put itself back did not arrive"
		failed.Hint = "it goes on by itself: deploy again in a while (exit code 8 means not yet), and what is left is undone first"
		return failed
	case len(rolledBack.FailedUndo) > 0:
		return back
	}
	failed.Message += ", so everything was put back"
	return failed
}

func declined(err error) error {
	if err != nil {
		return nil
	}
	return ErrDeclined
}

func (d *deploy) want() converge.Want {
	settings := []converge.Setting{{Name: "HOST", Value: "127.0.0.1"}, {Name: "PORT", Value: "8000", Default: true}}
	if d.BaseURL != "" {
		settings = append(settings, converge.Setting{Name: "GEMINI_BASE_URL", Value: d.BaseURL})
	}
	return converge.Want{Version: d.Version, SHA256: d.Payload.SHA256, Templates: d.Templates, Settings: settings, Keys: converge.NewSecret(d.keys)}
}

func (d *deploy) events(steps []converge.StepInfo) converge.Events {
	byID := make(map[string]converge.StepInfo)
	for _, step := range steps {
		byID[step.ID] = step
	}
	return converge.Events{
		Step:     func(e converge.StepEvent) { d.ui.Step(byID[e.ID], e) },
		Progress: func(e converge.ProgressEvent) { d.ui.Progress(e.Text) },
	}
}

func (d *deploy) url() string {
	if name := d.Host.Name(); net.ParseIP(name) != nil && strings.Contains(name, ":") {
		return "http://[" + name + "]"
	}
	return "http://" + d.Host.Name()
}

// try makes the first real call. The adapter stands whatever comes of it, so a failure is partial.
func (d *deploy) try(ctx context.Context, result Result) error {
	if result.ClientToken == "" {
		return nil
	}
	if err := d.ui.Try(ctx, result.URL, result.ClientToken); err != nil {
		return &Error{Kind: KindPartial, Message: "the adapter is up, but its first answer failed", Err: err}
	}
	return nil
}
