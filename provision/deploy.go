// Package provision deploys: it brings a server over SSH to where the adapter answers through Nginx, or leaves it as it was.
//
// The flow of one deploy, in one connection:
//
//	connect ──> look ──> (upload) ──> plan ──> apply ──> verify ──> commit
//	                      │             │         └─────────┴──> rolled back
//	                      │             └ up to date: verify, done
//	                      └ an unfinished deploy is found: follow ──> verify ──> commit ──> look again
//
// A server that has the wanted release is met by its agent at the first exec (meet.go); what changes, and how it is undone,
// is the agent's (package converge). From apply on the server works by itself: a connection that ends, by a cut or by the
// person, undoes nothing, and the next deploy follows what goes on there (follow.go).
package provision

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gemini-claude-adapter/gca/provision/converge"
	"github.com/gemini-claude-adapter/gca/provision/payload"
	"github.com/gemini-claude-adapter/gca/provision/remote"
)

// Options say what to deploy, and where.
type Options struct {
	Host         remote.Host
	SSH          remote.Options
	Named        string            // the server, as commands name it, with what it takes to log in there
	Payloads     payload.Set       // of which the server gets the one for its platform
	Kept         payload.Kept      // binaries that servers have got from this machine
	Version      string            // of the payloads; part of the release's name on the server
	Templates    map[string]string // text by file name, all of converge.TemplateNames
	BaseURL      string            // GEMINI_BASE_URL to set; "" leaves the server's
	TLS          TLSOptions        // how clients are to reach it
	Command      string            // what the person types to do the same again, for hints
	AbortCommand string            // and to put an unfinished deploy back
	Firewall     converge.FirewallMode
	AllowFrom    []string // networks, each as converge.ParseNetwork has it
	Harden       bool     // sshd takes keys alone
	Risks        []string // that were accepted, of converge.Risks
	Upgrade      bool     // brings an adapter that is there to this release, and touches nothing else of its server
	DryRun       bool     // ends with the plan; the server is left as it is
	Seed         *Seed    // nil, or what a server without an adapter begins with
}

// Seed is what a backup holds: a server that has no adapter yet begins with it, and no keys are asked for.
type Seed struct {
	Env    converge.Secret // whole text of adapter.env
	Keys   converge.Secret // whole text of the keys file
	Tokens converge.Secret // whole text of the tokens file

	Certificates []converge.StateFile // for converge.CertDir
	Roots        string               // PEM of a private CA's roots, or ""
	Name         string               // TLS_NAME of Env, or ""
}

// UI is the person's side of a deploy. All callbacks must be set. They run one at a time, but for Silence and Connected,
// which may come from goroutines of their own.
type UI struct {
	Phase     func(phase Phase, detail string)
	Connected func(Connection)
	Uploaded  func(done, total int64)
	// Changing is called once it is certain that something will change, before anything is sent. Its error ends the deploy.
	Changing func() error
	// Keys returns the content of the keys file, "" to keep the have keys that the server has already. It is called once.
	Keys func(have int) (string, error)
	// Running tells of an unfinished deploy, which is followed next. Where another laptop listens to it, the answer says
	// whether to take its place (false where nobody can be asked; a person's no is the error Occupied); otherwise it does
	// not matter.
	Running func(converge.Running) (takeOver bool, err error)
	// Plan shows what would be done and returns whether to do it. With DryRun the answer does not matter.
	Plan     func(Plan) (bool, error)
	Step     func(step converge.StepInfo, event converge.StepEvent)
	Progress func(converge.ProgressEvent)
	// Silence tells that nothing has been heard from the server for a while.
	Silence func(host string, quiet time.Duration)
	Warn    func(text string)
	// Try makes one real call from here, with a token that this run made.
	Try func(ctx context.Context, dial Dialer, result Result) error
}

// Connection is how the server was reached.
type Connection struct {
	Via string        // in words: the login, the jumps, the key
	RTT time.Duration // there and back
}

// Phase is how far a deploy has come.
type Phase string

// The phases, in their order.
const (
	PhaseConnect Phase = "connect"
	PhaseUpload  Phase = "upload"
	PhaseFollow  Phase = "follow"
	PhasePlan    Phase = "plan"
	PhaseApply   Phase = "apply"
	PhaseVerify  Phase = "verify"
)

// Result is what a deploy came to.
type Result struct {
	URL         string
	Roots       string // PEM of the roots of a private CA that clients must trust, or ""
	Release     string
	Changed     int    // steps that changed something, those of an unfinished deploy among them; 0 is up to date
	Pending     int    // with DryRun: steps that a deploy would take
	Unfinished  bool   // with DryRun: an earlier deploy has not ended, so the server does not stay as it is
	ClientToken string // made by this run, or ""
	AdminToken  string // likewise
}

// ErrDeclined is what Deploy returns when the person said no to the plan. Nothing was changed.
var ErrDeclined = errors.New("nothing was changed")

// ErrDeclinedLate is ErrDeclined where the server had to finish something first.
var ErrDeclinedLate = errors.New("nothing of this plan was done; what an earlier deploy had left half-way was taken back")

// fewKeys is the number of keys below which a person is warned: a free key is out of quota within minutes of work.
const fewKeys = 3

type deploy struct {
	Options
	ui       UI
	payload  payload.Payload // once the server's platform is known
	conn     *remote.Conn
	keys     string // content of the keys file to send, once asked
	keyCount int    // on the server after this deploy
	asked    bool
	uploaded bool   // the release was sent by this run
	begun    bool   // the server is at work, and goes on without this laptop
	looks    int    // at a deploy that another laptop is at
	settled  bool   // nothing is to be done on the server, and the agent waits for nothing more
	closed   string // how a firewall of the server's own keeps clients out, or empty
	site     converge.Site
	door     door // that the adapter was heard at
	result   Result
}

// Deploy brings the server to the wanted state. The error is an *Error, a *remote.Error, ErrDeclined, ErrDeclinedLate, one of UI's, or wraps
// the context's cause. On any of them the server is as it was, but for an *Error of KindPartial, whose Result counts, of
// KindRollbackFailed, and of KindInterrupted and KindCut, after which the server goes on by itself.
func Deploy(ctx context.Context, opts Options, ui UI) (Result, error) {
	d := &deploy{Options: opts, ui: ui}
	d.reachBy(converge.Site{})
	err := d.connected(ctx, func() error {
		defer d.sweep(ctx)
		for {
			followed, err := d.round(ctx)
			if err != nil || !followed {
				return err
			}
		}
	})
	if err == nil {
		d.keep()
		err = d.try(ctx)
	}
	return d.result, err
}

// keep keeps what the server runs now, for the next upgrade to be told apart from it.
func (d *deploy) keep() {
	if d.DryRun {
		return
	}
	if err := d.Kept.Keep(d.payload); err != nil {
		d.ui.Warn("no copy of the binary could be kept, so the next upgrade sends a whole one: " + err.Error())
	}
}

// connected does something with a connection to the server.
func (d *deploy) connected(ctx context.Context, f func() error) (err error) {
	d.ui.Phase(PhaseConnect, d.Host.String())
	if d.conn, err = remote.Dial(ctx, d.Host, d.SSH); err != nil {
		return err
	}
	stop := d.watch(ctx)
	defer func() {
		stop()
		err = errors.Join(err, d.conn.Close())
	}()
	return f()
}

// round is one conversation with an agent, from its hello to the commit. One that followed an unfinished deploy is not the
// last: what this one wants is yet to be compared.
func (d *deploy) round(ctx context.Context) (followed bool, err error) {
	a, err := d.meet(ctx)
	if err != nil {
		return false, orCause(ctx, err)
	}
	hello, err := a.Hello()
	switch {
	case err != nil:
		err = d.unwelcome(err, a)
	case hello.Running != nil && !d.DryRun: // a plan is made beside it
		followed, err = true, d.follow(ctx, a, *hello.Running)
	default:
		err = d.converge(ctx, a, hello)
	}
	if err == nil && !d.settled { // to wait for a process that has nothing to do costs a round trip
		err = a.part()
	}
	if err != nil {
		return false, d.explain(ctx, err, a)
	}
	return followed, nil
}

// unwelcome answers a refusal in place of a hello: what was sent is not wanted any more.
func (d *deploy) unwelcome(err error, a *agent) error {
	if _, ok := errors.AsType[*converge.Refusal](err); ok {
		return errors.Join(err, d.cancel(a))
	}
	return err
}

// cancel has the agent take away what was sent for nothing. One who only looks has it change nothing; see sweep.
func (d *deploy) cancel(a *agent) error {
	if d.DryRun {
		return nil
	}
	return a.Cancel()
}

// converge has the agent compare, asks the person, and has the agent change what differs.
func (d *deploy) converge(ctx context.Context, a *agent, hello converge.Hello) error {
	d.tellLast(hello)
	d.reachBy(hello.Site)
	if err := d.prepare(hello); err != nil {
		return errors.Join(err, d.cancel(a))
	}
	d.ui.Phase(PhasePlan, hello.OS)
	want := d.want(!hello.Installed)
	if err := a.SendWant(want); err != nil {
		return err
	}
	asking, cancel := context.WithCancel(ctx)
	defer cancel()
	health := d.askEarly(asking, hello)
	plan, err := a.Plan()
	if err != nil {
		return err
	}
	if len(plan.Steps) > 0 {
		cancel()
	}
	d.reachBy(plan.Site)
	d.address(&plan)
	d.closed = plan.Closed
	switch {
	case d.keys == converge.StandInKey:
		d.ui.Warn("the server has no Gemini keys, and none were given: a deploy asks for them; this plan stands on one")
	case d.keyCount < fewKeys && !d.Upgrade:
		d.ui.Warn(fmt.Sprintf("few Gemini keys: %d; with three or more, from different Google projects, one can rest while another works", d.keyCount))
	}
	if len(plan.Steps) > 0 {
		for _, found := range append(plan.Findings, clockFindings(plan, time.Now())...) {
			d.ui.Warn(found.Text())
		}
	}
	agreed, err := d.ui.Plan(Plan{Host: d.Host.String(), Steps: plan.Steps, Notes: plan.Notes})
	d.result.Release = want.Release()
	switch {
	case err == nil && d.DryRun:
		d.result.Pending, d.result.Unfinished = len(plan.Steps), hello.Running != nil
		return nil
	case err != nil || !agreed:
		return errors.Join(err, d.cancel(a), declined(err, plan.TookBack))
	case len(plan.Steps) == 0:
		return d.confirm(ctx, a, health)
	}
	return d.apply(ctx, a, plan.Steps)
}

// prepare finds out what the want needs to be made.
func (d *deploy) prepare(hello converge.Hello) error {
	if d.Upgrade {
		return refusal(d.upgradable(hello.Installed, hello.Release))
	}
	return d.askKeys(hello.Keys, !hello.Installed)
}

func declined(err error, tookBack bool) error {
	switch {
	case err != nil:
		return nil
	case tookBack:
		return ErrDeclinedLate
	}
	return ErrDeclined
}

// askEarly has the adapter's answer travel while the agent compares, for where nothing differs it is all that is missing.
// A plan asks nothing: a question may start a service that a socket waits for.
func (d *deploy) askEarly(ctx context.Context, hello converge.Hello) (await func() *Error) {
	if d.DryRun || !hello.Installed {
		return func() *Error { return d.beginHealth(ctx, d.Version)() }
	}
	return d.beginHealth(ctx, d.Version)
}

// confirm ends a deploy that had nothing to do, when the adapter has answered. The agent holds nothing then, so it is left
// without a word.
func (d *deploy) confirm(ctx context.Context, a *agent, health func() *Error) error {
	d.ui.Phase(PhaseVerify, d.result.URL)
	if failed := health(); failed != nil {
		failed.Kind = KindFailed
		return errors.Join(orCause(ctx, failed), a.Cancel())
	}
	d.settled = true
	return nil
}

// apply carries the plan out and looks at it from here.
func (d *deploy) apply(ctx context.Context, a *agent, steps []converge.StepInfo) error {
	d.ui.Phase(PhaseApply, count(len(steps), "step"))
	d.begun = true
	defer a.live(ctx)()
	applied, err := a.Apply(d.events(steps))
	if err != nil {
		return err
	}
	return d.finish(ctx, a, steps, applied, d.Version)
}

// finish looks at what was applied from outside, and makes it last or has it undone.
func (d *deploy) finish(ctx context.Context, a *agent, steps []converge.StepInfo, applied converge.Applied, version string) error {
	d.ui.Phase(PhaseVerify, d.result.URL)
	if failed := d.verify(ctx, a, steps, version); failed != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return d.goBack(a, failed)
	}
	d.result.Changed += applied.Changed
	if token := applied.ClientToken.Reveal(); token != "" {
		d.result.ClientToken = token
	}
	if token := applied.AdminToken.Reveal(); token != "" {
		d.result.AdminToken = token
	}
	notes, err := a.Commit()
	for _, note := range notes {
		d.ui.Warn(note)
	}
	d.begun = err != nil
	return err
}

// goBack has the agent undo everything, because of failed.
func (d *deploy) goBack(a *agent, failed *Error) error {
	err := errors.Join(a.Rollback(failed.Message), a.RolledBack())
	var back *converge.RolledBackError
	if !errors.As(err, &back) || len(back.FailedUndo) > 0 {
		return err
	}
	failed.Message += ", so everything was put back"
	return failed
}

// tellLast passes on what a server did by itself since the last deploy.
func (d *deploy) tellLast(hello converge.Hello) {
	if hello.Last != "" {
		d.ui.Warn(hello.Last)
	}
}

func (d *deploy) events(steps []converge.StepInfo) converge.Events {
	byID := make(map[string]converge.StepInfo)
	for _, step := range steps {
		byID[step.ID] = step
	}
	return converge.Events{
		Step:     func(e converge.StepEvent) { d.ui.Step(byID[e.ID], e) },
		Progress: d.ui.Progress,
		Undo:     func(e converge.UndoEvent) { d.ui.Warn("everything is being put back: " + e.Reason) },
	}
}

// try makes the first real call. The adapter stands whatever comes of it, so a failure is partial.
func (d *deploy) try(ctx context.Context) error {
	if d.result.ClientToken == "" || d.door.inside {
		return nil
	}
	if err := d.ui.Try(ctx, d.door.dial, d.result); err != nil {
		return &Error{Kind: KindPartial, Message: "the adapter is up, but its first answer failed", Err: err}
	}
	return nil
}
