// Package provision deploys: it brings a server over SSH to where the adapter answers through Nginx, or leaves it as it was.
//
// The flow of one deploy, in one connection:
//
//	connect ──> look ──> (upload) ──> plan ──> apply ──> verify ──> commit
//	                                    │         └─────────┴──> rolled back
//	                                    └ up to date: verify, done
//
// A server that has the wanted release is met by its agent at the first exec; what changes, and how it is undone, is the
// agent's (package converge).
package provision

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

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

// UI is the person's side of a deploy. All callbacks run on Deploy's goroutine or one at a time; Keys and Plan must be set.
type UI struct {
	Phase    func(phase Phase, detail string)
	Uploaded func(done, total int64)
	// Keys returns the content of the keys file, "" to keep the have keys that the server has already.
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
	Keys        int    // on the server now, as far as the deploy knows
}

// ErrDeclined is what Deploy returns when the person said no to the plan. Nothing was changed.
var ErrDeclined = errors.New("nothing was changed")

// fewKeys is the number of keys below which a person is warned: a free key is out of quota within minutes of work.
const fewKeys = 3

type deploy struct {
	Options
	ui   UI
	conn *remote.Conn
}

// Deploy brings the server to the wanted state. The error is an *Error, a *remote.Error, ErrDeclined, one of UI's, or wraps
// the context's cause; on any of them, but for an *Error of KindPartial or KindRollbackFailed, the server is as it was.
func Deploy(ctx context.Context, opts Options, ui UI) (result Result, err error) {
	d := &deploy{Options: opts, ui: ui}
	ui.Phase(PhaseConnect, opts.Host.String())
	if d.conn, err = remote.Dial(ctx, opts.Host, opts.SSH); err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, d.conn.Close()) }()
	agent, client, err := d.meetAgent(ctx)
	if err != nil {
		return Result{}, err
	}
	result, err = d.converse(ctx, client)
	if closeErr := agent.Stdin.Close(); err == nil && closeErr != nil && !errors.Is(closeErr, io.EOF) {
		err = fmt.Errorf("cannot end the talk with the agent: %w", closeErr)
	}
	waitErr := agent.Wait()
	if err == nil && waitErr != nil {
		err = fmt.Errorf("the agent on the server ended badly: %w", waitErr)
	}
	if err != nil {
		return result, d.explain(ctx, err, agent)
	}
	return result, d.try(ctx, result)
}

func (d *deploy) agentPath() string { return converge.ReleaseDir(d.Version, d.Payload.SHA256) + "/gca" }

// meetAgent starts the agent of the wanted release, and sends the binary first where it is missing.
func (d *deploy) meetAgent(ctx context.Context) (*remote.Process, *converge.Client, error) {
	p, err := d.conn.Start(ctx, probeLine(d.agentPath()))
	if err != nil {
		return nil, nil, err
	}
	out := bufio.NewReaderSize(p.Stdout, 64<<10)
	line, err := firstWord(out)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("the server said nothing that makes sense: %w", err), p.Wait())
	}
	if line != nil {
		return p, converge.NewClient(io.MultiReader(bytes.NewReader(line), out), p.Stdin), nil
	}
	found, err := readProbe(out)
	if err == nil {
		err = p.Wait()
	}
	if err != nil {
		return nil, nil, err
	}
	if refused := found.refuse(d.Payload); refused != nil {
		return nil, nil, refused
	}
	if err := d.upload(ctx); err != nil {
		return nil, nil, err
	}
	if p, err = d.conn.Start(ctx, "exec "+d.agentPath()+" agent"); err != nil {
		return nil, nil, err
	}
	return p, converge.NewClient(p.Stdout, p.Stdin), nil
}

// maxNoise is how many lines a login shell may print before the server's answer.
const maxNoise = 200

// firstWord returns the agent's first line, or nil when the probe speaks instead.
func firstWord(r *bufio.Reader) ([]byte, error) {
	for range maxNoise {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return nil, err
		}
		switch text := strings.TrimSpace(string(line)); {
		case text == probeMark:
			return nil, nil
		case strings.HasPrefix(text, "{"):
			return line, nil
		}
	}
	return nil, errors.New("too many lines before the answer")
}

func (d *deploy) upload(ctx context.Context) (err error) {
	d.ui.Phase(PhaseUpload, fmt.Sprintf("gca %s, %.1f MB", d.Version, float64(d.Payload.Size)/1e6))
	dir := converge.ReleaseDir(d.Version, d.Payload.SHA256)
	if err := d.conn.Run(ctx, remote.Cmd{Line: "umask 022; mkdir -p " + dir}); err != nil {
		return fmt.Errorf("cannot make %s on the server: %w", dir, err)
	}
	defer func() {
		if err != nil && ctx.Err() == nil {
			_ = d.conn.Run(ctx, remote.Cmd{Line: "rmdir -p " + dir}) // as far as they are empty
		}
	}()
	f, err := os.Open(d.Payload.Path)
	if err != nil {
		return fmt.Errorf("cannot read the binary to send: %w", err)
	}
	defer func() { _ = f.Close() }()
	file := remote.File{Path: d.agentPath(), Mode: 0o755, Size: d.Payload.Size, Progress: d.ui.Uploaded}
	sum, err := hex.DecodeString(d.Payload.SHA256)
	if err != nil || copy(file.SHA256[:], sum) != len(file.SHA256) {
		return fmt.Errorf("BUG: %q is no SHA-256", d.Payload.SHA256)
	}
	return d.conn.Upload(ctx, f, file)
}

// converse talks with the agent from its hello to the commit.
func (d *deploy) converse(ctx context.Context, agent *converge.Client) (Result, error) {
	hello, err := agent.Hello()
	if err != nil {
		return Result{}, err
	}
	keys, err := d.ui.Keys(hello.Keys)
	if err != nil {
		return Result{}, err
	}
	d.ui.Phase(PhasePlan, hello.OS)
	want := d.want(keys)
	if err := agent.SendWant(want); err != nil {
		return Result{}, err
	}
	plan, err := agent.Plan()
	if err != nil {
		return Result{}, err
	}
	result := Result{URL: d.url(), Release: want.Release(), Keys: hello.Keys}
	if keys != "" {
		result.Keys = strings.Count(strings.TrimSpace(keys), "\n") + 1
	}
	if result.Keys < fewKeys {
		d.ui.Warn(fmt.Sprintf("%d Gemini keys are few: with three or more, from different Google projects, one can rest while another works", result.Keys))
	}
	return d.carryOut(ctx, agent, plan, result)
}

func (d *deploy) carryOut(ctx context.Context, agent *converge.Client, plan converge.PlanMessage, result Result) (Result, error) {
	if agreed, err := d.ui.Plan(plan.Steps, plan.Notes); err != nil || !agreed {
		return Result{}, errors.Join(err, agent.Cancel(), declined(err))
	}
	if len(plan.Steps) > 0 {
		d.ui.Phase(PhaseApply, fmt.Sprintf("%d steps", len(plan.Steps)))
		applied, err := agent.Apply(d.events(plan.Steps))
		if err != nil {
			return Result{}, err
		}
		result.Changed, result.ClientToken = applied.Changed, applied.ClientToken.Reveal()
	}
	d.ui.Phase(PhaseVerify, result.URL)
	if err := awaitHealth(ctx, result.URL, d.Version); err != nil {
		if len(plan.Steps) == 0 {
			err.Kind = KindFailed
			return Result{}, errors.Join(err, agent.Cancel())
		}
		back := errors.Join(agent.Rollback(err.Message), agent.RolledBack())
		err.Message += ", so everything was put back"
		return Result{}, errors.Join(err, back)
	}
	notes, err := agent.Commit()
	for _, note := range notes {
		d.ui.Warn(note)
	}
	return result, err
}

func declined(err error) error {
	if err != nil {
		return nil
	}
	return ErrDeclined
}

func (d *deploy) want(keys string) converge.Want {
	settings := []converge.Setting{{Name: "HOST", Value: "127.0.0.1"}, {Name: "PORT", Value: "8000", Default: true}}
	if d.BaseURL != "" {
		settings = append(settings, converge.Setting{Name: "GEMINI_BASE_URL", Value: d.BaseURL})
	}
	return converge.Want{Version: d.Version, SHA256: d.Payload.SHA256, Templates: d.Templates, Settings: settings, Keys: converge.NewSecret(keys)}
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

// explain gives an error of the conversation its kind.
func (d *deploy) explain(ctx context.Context, err error, agent *remote.Process) error {
	var refusal *converge.Refusal
	var back *converge.RolledBackError
	var known *Error
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &back) && len(back.FailedUndo) > 0:
		return &Error{Kind: KindRollbackFailed, Message: "the deploy failed, and undoing it failed too", Err: back}
	case errors.As(err, &known):
		return known
	case errors.As(err, &back):
		return &Error{Kind: KindRolledBack, Message: "the deploy failed", Err: back, Hint: "mend that, then deploy again; on the server: journalctl -u gemini-adapter"}
	case errors.As(err, &refusal) && refusal.Kind == converge.RefusedLocked:
		return &Error{Kind: KindLocked, Message: "the deploy did not start", Err: refusal}
	case errors.As(err, &refusal):
		return &Error{Kind: KindRefused, Message: "nothing was changed", Err: refusal}
	case errors.Is(err, converge.ErrNoAgent) && agent.Stderr() != "":
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(agent.Stderr()))
	}
	return err
}
