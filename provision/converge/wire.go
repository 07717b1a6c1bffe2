package converge

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// The wire is one JSON object a line, "type" first. The conversation:
//
//	agent:  hello, or a plan with a refusal, which ends the conversation
//	laptop: want, cancel, or, where hello says that a deploy is running, attach
//	agent:  plan, with steps or with a refusal, which ends the conversation;
//	        so does the plan of a want in plan mode, and in doctor mode
//	laptop: apply (with steps only), commit (without steps, which is as much
//	        as to leave without a word) or cancel; after attach nothing
//	agent:  plan with a refusal, if the worker came to another plan or cannot
//	        begin; else
//	        step and progress …, then applied, or undo, more progress and
//	        rolled_back, which ends it
//	laptop: proven, where the plan has ArmedStep and the login is one that
//	        cannot be made anew in full; then commit, or rollback, which may
//	        also come earlier; and alive, every
//	        three seconds from apply or attach on, for one that says nothing
//	        counts as gone
//	agent:  done or rolled_back; taken_over at any time, which ends it
//	laptop: heard, once it knows of a rollback
//
// Up to apply it is the front that answers, from then on the worker, through
// the front. The end of the laptop's stream is a detach: what runs goes on, and
// waits for a commit.
//
// The front talks to the worker in the same words: want, plan, apply as above,
// or attach; and peek, which is answered with running. Others who may talk to it
// say proven or expired (see deadman.go), which are answered with done.
//
// A message of a type that the other side does not know, or does not expect
// now, is answered with unsupported and passed over.

// Proto is the version of the wire. The laptop sends its own binary, so both sides have the same.
const Proto = 1

// maxLine bounds a message in bytes.
const maxLine = 8 << 20

// Message is anything that goes over the wire.
type Message interface{ messageType() string }

// Hello is what the agent says first: who it is, and what it sees without looking closely.
type Hello struct {
	Proto     int      `json:"proto"`
	OS        string   `json:"os"`                // in words
	Keys      int      `json:"keys"`              // Gemini keys on the server; 1 where its settings cannot be read, of which the plan tells
	Installed bool     `json:"installed"`         // an adapter is there
	Release   string   `json:"release,omitempty"` // in force
	Running   *Running `json:"running,omitempty"` // the deploy that is under way, to attach to
	Site      Site     `json:"site,omitzero"`     // how it is reached, as its settings say
	Last      string   `json:"last,omitempty"`    // how the last deploy was put back, where no laptop heard of it
}

// wantMessage is a Want on its way; here alone its secrets are in the clear.
type wantMessage struct {
	Mode      Mode              `json:"mode,omitempty"`
	Scope     Scope             `json:"scope,omitempty"`
	Version   string            `json:"version"`
	SHA256    string            `json:"sha256"`
	Templates map[string]string `json:"templates"`
	Settings  []Setting         `json:"settings"`
	Env       string            `json:"env,omitempty"`
	Keys      string            `json:"keys,omitempty"`
	Tokens    string            `json:"tokens,omitempty"`
	State     []StateFile       `json:"state,omitempty"`
	Roots     string            `json:"roots,omitempty"`
	Certs     []StateFile       `json:"certificates,omitempty"`
	Firewall  FirewallMode      `json:"firewall,omitempty"`
	AllowFrom []string          `json:"allow_from,omitempty"`
	Harden    bool              `json:"harden,omitempty"`
	KeyLogin  bool              `json:"key_login,omitempty"`
	Risks     []string          `json:"risks,omitempty"`
	KeepOld   bool              `json:"keep_old,omitempty"`
	Reached   string            `json:"reached,omitempty"`
	Client    string            `json:"client,omitempty"`
	SSHPort   int               `json:"ssh_port,omitempty"`
}

func newWantMessage(w Want) wantMessage {
	return wantMessage{
		Mode: w.Mode, Scope: w.Scope, Version: w.Version, SHA256: w.SHA256, Templates: w.Templates, Settings: w.Settings,
		Env: w.Env.Reveal(), Keys: w.Keys.Reveal(), Tokens: w.Tokens.Reveal(),
		Firewall: w.Firewall, AllowFrom: w.AllowFrom, Harden: w.Harden, KeyLogin: w.KeyLogin, Risks: w.Risks,
		State: w.State, Roots: w.Roots, Certs: w.Certificates, KeepOld: w.KeepOld, Reached: w.Reached, Client: w.Client, SSHPort: w.SSHPort,
	}
}

func (m wantMessage) want() Want {
	return Want{
		Mode: m.Mode, Scope: m.Scope, Version: m.Version, SHA256: m.SHA256, Templates: m.Templates, Settings: m.Settings,
		Env: NewSecret(m.Env), Keys: NewSecret(m.Keys), Tokens: NewSecret(m.Tokens),
		Firewall: m.Firewall, AllowFrom: m.AllowFrom, Harden: m.Harden, KeyLogin: m.KeyLogin, Risks: m.Risks,
		State: m.State, Roots: m.Roots, Certificates: m.Certs, KeepOld: m.KeepOld, Reached: m.Reached, Client: m.Client, SSHPort: m.SSHPort,
	}
}

// PlanMessage answers a want: what would be done, or why nothing can be.
type PlanMessage struct {
	Steps []StepInfo `json:"steps"`
	Notes []string   `json:"notes,omitempty"`
	Site  Site       `json:"site,omitzero"` // how the server is reached afterwards
	// Closed is the one of the notes that says how a firewall, which is left alone, keeps clients out; or empty.
	Closed string `json:"closed,omitempty"`
	// TookBack means that a deploy of before, which died, was taken back for this plan, whatever becomes of the plan.
	TookBack bool      `json:"took_back,omitempty"`
	Findings []Finding `json:"findings,omitempty"` // where something is to be done, or in doctor mode
	Time     time.Time `json:"time,omitzero"`      // by the server's clock, as this was sent
	Refused  *Refusal  `json:"refused,omitempty"`
}

// StepState is how far a step has come.
type StepState string

// The states of a step.
const (
	StepStart  StepState = "start"
	StepDone   StepState = "done"
	StepFailed StepState = "failed"
)

// StepEvent tells of a step's beginning and end.
type StepEvent struct {
	ID      string    `json:"id"`
	State   StepState `json:"state"`
	Seconds float64   `json:"seconds,omitempty"`
	Note    string    `json:"note,omitempty"` // of a failed step: why
}

// ProgressEvent is a line about the step that runs. Text says everything; the rest says it in parts.
type ProgressEvent struct {
	ID    string `json:"id"`
	Text  string `json:"text"`
	Wait  *Wait  `json:"wait,omitempty"`
	Stall *Stall `json:"stall,omitempty"`
}

// Wait tells what a step waits for.
type Wait struct {
	What    string `json:"what"`             // "the dpkg lock"
	Holder  string `json:"holder,omitempty"` // "unattended-upgr (pid 1519)"
	Seconds int    `json:"seconds"`          // so far
}

// Stall tells of a step that has said nothing for a while.
type Stall struct {
	Command string    `json:"command,omitempty"` // that runs; empty where no command does
	Since   time.Time `json:"since,omitzero"`    // it runs
	Last    string    `json:"last,omitempty"`    // line that the step said
	Seconds int       `json:"seconds"`           // of silence
}

// UndoEvent tells that a deploy is being put back, and why.
type UndoEvent struct {
	Reason string `json:"reason"`
}

type appliedMessage struct {
	Changed     int    `json:"changed"`
	ClientToken string `json:"client_token,omitempty"`
	AdminToken  string `json:"admin_token,omitempty"`
}

func (m appliedMessage) applied() Applied {
	return Applied{Changed: m.Changed, ClientToken: NewSecret(m.ClientToken), AdminToken: NewSecret(m.AdminToken)}
}

// RolledBack tells that everything was undone, or what was not.
type RolledBack struct {
	Step       string   `json:"step,omitempty"`  // id of the step that failed; empty where none did
	Title      string   `json:"title,omitempty"` // of that step
	Reason     string   `json:"reason"`          // one line
	Log        []string `json:"log,omitempty"`   // the last lines of the command or service that failed
	Hint       string   `json:"hint,omitempty"`  // the cure: what to type or look at next
	FailedUndo []string `json:"failed_undo,omitempty"`
}

type (
	applyMessage   struct{}
	peekMessage    struct{}
	provenMessage  struct{} // a new login has got in since the firewall and sshd were changed
	expiredMessage struct{} // none has, and the time for it is up
	heardMessage   struct{}
	runningMessage struct {
		Running *Running `json:"running"`
	}
	attachMessage struct {
		By string `json:"by,omitempty"`
	}
	takenOverMessage struct {
		By string `json:"by,omitempty"`
	}
	cancelMessage   struct{}
	aliveMessage    struct{}
	commitMessage   struct{}
	rollbackMessage struct {
		Reason string `json:"reason"`
	}
	doneMessage struct {
		Notes []string `json:"notes,omitempty"`
	}
	unsupportedMessage struct {
		MessageType string `json:"message_type"`
	}
	// unknownMessage is a line whose type is none of ours.
	unknownMessage struct{ name string }
)

func (Hello) messageType() string              { return "hello" }
func (wantMessage) messageType() string        { return "want" }
func (PlanMessage) messageType() string        { return "plan" }
func (StepEvent) messageType() string          { return "step" }
func (ProgressEvent) messageType() string      { return "progress" }
func (appliedMessage) messageType() string     { return "applied" }
func (RolledBack) messageType() string         { return "rolled_back" }
func (UndoEvent) messageType() string          { return "undo" }
func (applyMessage) messageType() string       { return "apply" }
func (attachMessage) messageType() string      { return "attach" }
func (peekMessage) messageType() string        { return "peek" }
func (provenMessage) messageType() string      { return "proven" }
func (expiredMessage) messageType() string     { return "expired" }
func (heardMessage) messageType() string       { return "heard" }
func (runningMessage) messageType() string     { return "running" }
func (takenOverMessage) messageType() string   { return "taken_over" }
func (cancelMessage) messageType() string      { return "cancel" }
func (aliveMessage) messageType() string       { return "alive" }
func (commitMessage) messageType() string      { return "commit" }
func (rollbackMessage) messageType() string    { return "rollback" }
func (doneMessage) messageType() string        { return "done" }
func (unsupportedMessage) messageType() string { return "unsupported" }
func (m unknownMessage) messageType() string   { return m.name }

// errLine is a line that is no message at all; what follows it cannot be trusted.
var errLine = errors.New("the other side sent a line that is no message")

func encode(m Message) ([]byte, error) {
	body, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	name, err := json.Marshal(m.messageType())
	if err != nil {
		return nil, err
	}
	line := append([]byte(`{"type":`), name...)
	if !bytes.Equal(body, []byte("{}")) {
		line = append(line, ',')
	}
	line = append(append(line, body[1:]...), '\n')
	if len(line) > maxLine {
		return nil, fmt.Errorf("a %s message of %d bytes: at most %d", m.messageType(), len(line), maxLine)
	}
	return line, nil
}

func decode(line []byte) (Message, error) {
	var head struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(line, &head); err != nil || head.Type == "" {
		return nil, errLine
	}
	switch head.Type {
	case "hello":
		return decodeAs[Hello](line)
	case "want":
		return decodeAs[wantMessage](line)
	case "plan":
		return decodeAs[PlanMessage](line)
	case "step":
		return decodeAs[StepEvent](line)
	case "progress":
		return decodeAs[ProgressEvent](line)
	case "applied":
		return decodeAs[appliedMessage](line)
	case "rolled_back":
		return decodeAs[RolledBack](line)
	case "undo":
		return decodeAs[UndoEvent](line)
	case "peek":
		return peekMessage{}, nil
	case "proven":
		return provenMessage{}, nil
	case "expired":
		return expiredMessage{}, nil
	case "heard":
		return heardMessage{}, nil
	case "running":
		return decodeAs[runningMessage](line)
	case "attach":
		return decodeAs[attachMessage](line)
	case "taken_over":
		return decodeAs[takenOverMessage](line)
	case "apply":
		return applyMessage{}, nil
	case "cancel":
		return cancelMessage{}, nil
	case "alive":
		return aliveMessage{}, nil
	case "commit":
		return commitMessage{}, nil
	case "rollback":
		return decodeAs[rollbackMessage](line)
	case "done":
		return decodeAs[doneMessage](line)
	case "unsupported":
		return decodeAs[unsupportedMessage](line)
	}
	return unknownMessage{head.Type}, nil
}

func decodeAs[M Message](line []byte) (Message, error) {
	var m M
	if err := json.Unmarshal(line, &m); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", errLine, m.messageType(), err)
	}
	return m, nil
}

// wire is one side of the conversation. Sending is safe from several goroutines, receiving is not.
type wire struct {
	lines *bufio.Reader

	mu  sync.Mutex
	out io.Writer
}

func newWire(r io.Reader, w io.Writer) *wire {
	return &wire{lines: bufio.NewReaderSize(r, 64<<10), out: w}
}

func (w *wire) send(m Message) error {
	line, err := encode(m)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err = w.out.Write(line)
	return err
}

// receive returns the next message. At the end of the stream the error is io.EOF.
func (w *wire) receive() (Message, error) {
	line, err := w.line()
	if err != nil {
		return nil, err
	}
	return decode(line)
}

func (w *wire) line() ([]byte, error) {
	var line []byte
	for {
		part, err := w.lines.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > maxLine:
			return nil, fmt.Errorf("%w: it is longer than %d bytes", errLine, maxLine)
		case err == nil:
			return line, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}
