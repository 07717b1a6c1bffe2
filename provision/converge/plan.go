package converge

import "context"

// Kind is the sort of thing that a step changes.
type Kind string

// The kinds of steps.
const (
	KindPackage  Kind = "package"
	KindUser     Kind = "user"
	KindDir      Kind = "dir"
	KindFile     Kind = "file"
	KindLink     Kind = "link"
	KindSSH      Kind = "ssh"
	KindUnit     Kind = "unit"
	KindNginx    Kind = "nginx"
	KindFirewall Kind = "firewall"
	KindToken    Kind = "token"
	KindState    Kind = "state"
	KindSwap     Kind = "swap"
	KindSysctl   Kind = "sysctl"
	KindCheck    Kind = "check"
	KindCert     Kind = "certificate"
)

// Group is the part of a server that a step is about, for who would rather read eight lines than thirty-five.
type Group string

// The groups, in the order in which a plan has them.
const (
	GroupSwap     Group = "swap"
	GroupPackages Group = "packages"
	GroupSettings Group = "settings"
	GroupAdapter  Group = "adapter"
	GroupNginx    Group = "nginx"
	GroupSystem   Group = "system"
	GroupFail2ban Group = "fail2ban"
	GroupFirewall Group = "firewall"
	GroupSSH      Group = "ssh"
)

// Step is one change of a plan. What runs is made anew, by the worker, and its sums are those that were shown.
type Step struct {
	id     string
	kind   Kind
	group  Group
	title  string
	sum    string
	op     operation
	before *string // text of a file without secrets
	after  *string
}

// Info is what a person gets to see of the step, without the texts of files.
func (s Step) Info() StepInfo {
	return StepInfo{ID: s.id, Kind: s.kind, Group: s.group, Title: s.title, Sum: s.sum}
}

// StepInfo describes a step.
type StepInfo struct {
	ID    string `json:"id"` // "kind:name", unique in its plan
	Kind  Kind   `json:"kind"`
	Group Group  `json:"group"`
	Title string `json:"title"` // has no secret
	// Sum is a SHA-256, in hexadecimal digits, of all that the step does and of what it replaces, secrets included: steps
	// with the same sum do the same to the same.
	Sum string `json:"sum"`
	// Before and After are the whole texts of a file without secrets, in a plan made to be shown whole ([Plan.Whole]).
	// Before is empty where the file is to be made; both are nil for everything else.
	Before *string `json:"before,omitempty"`
	After  *string `json:"after,omitempty"`
}

// Plan is the ordered list of changes, made by [Diff] alone.
type Plan struct {
	steps []Step
	notes []string
	site  Site

	closed string // the one of the notes that says how a firewall keeps clients out, or empty

	findings []Finding // of a plan with steps
	exits    []Exit    // ways to Gemini that the adapter would have

	tookBack bool // a deploy that died, before the server was looked at
}

// Steps describes the steps in the order in which they run; none means that the server is as it should be.
func (p Plan) Steps() []StepInfo {
	infos := make([]StepInfo, 0, len(p.steps))
	for _, s := range p.steps {
		infos = append(infos, s.Info())
	}
	return infos
}

// Whole is Steps with the texts of the files that change, as far as they hold no secret.
func (p Plan) Whole() []StepInfo {
	infos := p.Steps()
	for i, s := range p.steps {
		infos[i].Before, infos[i].After = s.before, s.after
	}
	return infos
}

// Notes are things that the plan leaves alone and a person should know of.
func (p Plan) Notes() []string { return p.notes }

// run is what the operations of one applied plan share.
type run struct {
	sys    *system
	watch  *watch     // nil where nobody listens
	tokens madeTokens // by this step
	certs  CertSource
}

// progress tells a line about the step.
func (r *run) progress(text string) { r.watch.say(text) }

// wait tells what the step waits for; it may be told again as time goes by.
func (r *run) wait(what Wait) { r.watch.wait(what) }

// operation is what a step does. All methods are called from one goroutine, in this order.
type operation interface {
	// before reads what the reversal needs; it changes nothing that a person would miss.
	before(ctx context.Context, r *run) (reversal, error)
	// apply makes the change. It may be repeated.
	apply(ctx context.Context, r *run) error
	// check reports why the change is not in effect.
	check(ctx context.Context, r *run) error
}

// reversal takes a step back. What is in undo runs when it is the step's turn,
// last step first; what is in settle runs after all of that, when every file is
// what it was: the restarts and reloads.
type reversal struct {
	Undo   []action `json:"undo,omitempty"`
	Settle []action `json:"settle,omitempty"`
}
