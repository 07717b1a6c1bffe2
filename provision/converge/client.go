package converge

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// Client is the laptop's side of a conversation with an agent. Its methods are
// called in the order of the conversation, from one goroutine. To leave is a
// detach ([Client.Detach]): what runs on the server goes on; to have it undone, say so ([Client.Rollback]).
type Client struct {
	wire  *wire
	close func() error
}

// NewClient talks over an agent's stdout (r) and stdin (w).
func NewClient(r io.Reader, w io.WriteCloser) *Client { return &Client{newWire(r, w), w.Close} }

// ErrNoAgent means that what answers is not an agent: the stream ended, or said other things.
var ErrNoAgent = errors.New("the agent did not answer on the server")

// maxNoise is how many lines a login shell may print before the agent speaks.
const maxNoise = 200

// Hello waits for the agent's first word, which may be a refusal: a [*Refusal]. What the server's shell prints before
// that is passed over.
func (c *Client) Hello() (Hello, error) {
	for range maxNoise {
		line, err := c.wire.line()
		if err != nil {
			return Hello{}, fmt.Errorf("%w: %w", ErrNoAgent, err)
		}
		m, err := decode(line)
		if err != nil {
			continue
		}
		switch m := m.(type) {
		case PlanMessage:
			if m.Refused != nil {
				return Hello{}, m.Refused
			}
		case Hello:
			if m.Proto != Proto {
				return Hello{}, fmt.Errorf("the agent on the server speaks protocol %d, this gca speaks %d", m.Proto, Proto)
			}
			return m, nil
		}
	}
	return Hello{}, ErrNoAgent
}

// SendWant sends the wanted state, with its secrets. In [ModePlan] the agent's plan ends the conversation.
func (c *Client) SendWant(w Want) error { return c.wire.send(newWantMessage(w)) }

// Attach joins the deploy that is under way, in place of a want, and takes it over from whoever listens to it. The plan is
// that deploy's; [Client.Follow] is next. A [*Refusal] means that it has ended meanwhile.
func (c *Client) Attach() (PlanMessage, error) {
	if err := c.wire.send(attachMessage{}); err != nil {
		return PlanMessage{}, err
	}
	return c.Plan()
}

// Alive is a sign of life, which a laptop gives every [AliveInterval] from [Client.Apply] or [Client.Attach] on, from any
// goroutine: one that gives none counts as gone, for its connection may have been cut without a word.
func (c *Client) Alive() error { return c.wire.send(aliveMessage{}) }

// AliveInterval is between two signs of life.
const AliveInterval = 3 * time.Second

// Detach leaves the server to itself: what runs there goes on, waits for a commit, and is put back without one.
func (c *Client) Detach() error { return c.close() }

// Plan waits for the agent's plan. A refusal is a [*Refusal].
func (c *Client) Plan() (PlanMessage, error) {
	for {
		m, err := c.next()
		if err != nil {
			return PlanMessage{}, err
		}
		if plan, ok := m.(PlanMessage); ok {
			if plan.Refused != nil {
				return PlanMessage{}, plan.Refused
			}
			return plan, nil
		}
	}
}

// Events are told while a plan is applied, one at a time. Each may be nil.
type Events struct {
	Plan     func(PlanMessage) // by [Agent.Local] alone
	Step     func(StepEvent)
	Progress func(ProgressEvent)
	Undo     func(UndoEvent) // it is being put back; what follows are no steps any more
}

func (e Events) tell(m Message) {
	switch m := m.(type) {
	case PlanMessage:
		call(e.Plan, m)
	case StepEvent:
		call(e.Step, m)
	case ProgressEvent:
		call(e.Progress, m)
	case UndoEvent:
		call(e.Undo, m)
	}
}

func call[M Message](f func(M), m M) {
	if f != nil {
		f(m)
	}
}

// Applied is the end of a plan that worked out. It still has to be committed.
type Applied struct {
	Changed     int      // steps that changed something
	ClientToken Secret   // made by this run, or empty
	AdminToken  Secret   // likewise
	Site        Site     // how the server is reached now; by [Agent.Local] alone
	Notes       []string // what could not be tidied up; by [Agent.Local] alone
}

// Apply lets the server carry the plan out. A [*RolledBackError] means that it went back by itself, a [*Refusal] that
// nothing was begun, a [*TakenOverError] that another laptop listens now.
func (c *Client) Apply(events Events) (Applied, error) {
	if err := c.wire.send(applyMessage{}); err != nil {
		return Applied{}, err
	}
	return c.Follow(events)
}

// Follow tells the events of the deploy that was attached to, from its beginning on, until it is applied. Its errors are
// those of [Client.Apply].
func (c *Client) Follow(events Events) (Applied, error) {
	for {
		m, err := c.next()
		if err != nil {
			return Applied{}, err
		}
		switch m := m.(type) {
		case PlanMessage:
			if m.Refused != nil {
				return Applied{}, m.Refused
			}
		case appliedMessage:
			return m.applied(), nil
		default:
			events.tell(m)
		}
	}
}

// Proven tells that a new login has got in since everything was applied. It is for a login of which that is known, although
// nothing can be run by it; where something can, that is [Agent.Prove].
func (c *Client) Proven() error { return c.wire.send(provenMessage{}) }

// Commit makes the change last. Where the plan has [ArmedStep] it takes a new login's proof before. The notes tell what could not be tidied up.
func (c *Client) Commit() (notes []string, err error) { return c.end(commitMessage{}) }

// Cancel ends a conversation whose plan was not applied.
func (c *Client) Cancel() error {
	_, err := c.end(cancelMessage{})
	return err
}

// Rollback undoes what was applied. While [Client.Apply] runs it may be called
// from another goroutine, and Apply then returns the error. The reason must hold no secret.
func (c *Client) Rollback(reason string) error { return c.wire.send(rollbackMessage{reason}) }

// ErrCommitted means that a rollback came too late.
var ErrCommitted = errors.New("the deploy had been committed already, and stays")

// RolledBack waits for the end of a rollback and returns its error: a [*RolledBackError], or ErrCommitted.
func (c *Client) RolledBack() error {
	for {
		m, err := c.next()
		if err != nil {
			return err
		}
		if _, done := m.(doneMessage); done {
			return ErrCommitted
		}
	}
}

func (c *Client) end(m Message) ([]string, error) {
	if err := c.wire.send(m); err != nil {
		return nil, err
	}
	for {
		m, err := c.next()
		if err != nil {
			return nil, err
		}
		if done, ok := m.(doneMessage); ok {
			return done.Notes, nil
		}
	}
}

// next answers what it does not know, and turns the agent's rollback into an error.
func (c *Client) next() (Message, error) {
	m, err := c.wire.receive()
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("the agent ended in the middle of the deploy: %w", io.ErrUnexpectedEOF)
	}
	if err != nil {
		return nil, err
	}
	switch m := m.(type) {
	case unknownMessage:
		return m, c.wire.send(unsupportedMessage{m.name})
	case unsupportedMessage:
		return nil, fmt.Errorf("the agent does not expect %q now", m.MessageType)
	case RolledBack:
		_ = c.wire.send(heardMessage{}) // where this does not arrive, the next hello tells it once more
		return nil, &RolledBackError{m}
	case takenOverMessage:
		return nil, &TakenOverError{m.By}
	}
	return m, nil
}

// TakenOverError means that another laptop has attached to the deploy, and is the one to finish it.
type TakenOverError struct{ By string } // its IP address, or empty

func (e *TakenOverError) Error() string {
	from := ""
	if e.By != "" {
		from = " from " + e.By
	}
	return "another laptop" + from + " has taken this deploy over"
}

// RolledBackError is a deploy that was undone.
type RolledBackError struct{ RolledBack }

func (e *RolledBackError) Error() string {
	text := e.Reason
	if e.Title != "" {
		text = e.Title + ": " + text
	}
	for _, line := range e.Log {
		text += "\n  " + line
	}
	if len(e.FailedUndo) == 0 {
		text += "\neverything was put back"
		if e.Hint != "" {
			text += "\nhint: " + e.Hint
		}
		return text
	}
	text += "\nnot everything could be put back:"
	for _, failed := range e.FailedUndo {
		text += "\n- " + failed
	}
	return text + "\nhint: look at " + journalDir + " on the server, then deploy again"
}
