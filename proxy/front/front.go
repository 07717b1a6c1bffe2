// Package front defines what a client protocol is: a Codec that decodes a client's request into a Call around a
// gemini.Request, and an Encoder that turns Gemini's events into the bytes of the client's answer. Everything here is
// pure: no I/O, no clock, no randomness but what Meta brings.
//
// The order on a request: Codec.Decode, then Prepare for the model that will serve it, then events through the Encoder.
package front

import (
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// Codec is one client protocol. Its methods are safe for concurrent use.
type Codec interface {
	// Decode reads a request body; the Call's history is normalised (Normalise). Errors are *Error of kind Invalid (or a nearer kind) that name the field; a request
	// that Google would refuse for its form is refused here, so that it costs no upstream call. body is the Call's from then on: texts alias it.
	Decode(body []byte) (*Call, error)
	// Encoder makes the encoder of one answer. It is called once a request, after Prepare.
	Encoder(call *Call, meta Meta) Encoder
	// Error gives the status and body of a failure that is known before the answer began.
	Error(e *Error, requestID string) (status int, body []byte)
	// ToolIDPrefix starts the ids that the client gets for tool calls ("toolu_", "call_").
	ToolIDPrefix() string
}

// Call is a decoded request: what the client asked, in Gemini's words, and what the answer's encoder must know of it.
type Call struct {
	Model        string // as the client named it; answers repeat it
	Target       string // the Gemini model that serves it, set by Prepare
	Stream       bool
	IncludeUsage bool // Chat Completions: a usage chunk at the end of a stream
	SingleCall   bool // the client allows no parallel tool calls: only the first one is passed on
	// Conversation is the client's own hint at which requests belong together, "" if there is none.
	Conversation string

	Request      *gemini.Request
	Thinking     Thinking
	ShowThoughts bool // the client wants to see thought summaries
	MaxTokens    int  // the client's own limit, 0 if none
	// Prewarm is Anthropic's max_tokens 0: nothing is asked of Google, the answer is an EventFinish of
	// gemini.FinishMaxTokens alone.
	Prewarm bool

	Carried []Record // signatures that the request itself carried, oldest first
	Tools   ToolNames
	BuiltIn BuiltIn // tools that Google runs itself; Prepare declares those that go with the model and the functions
	// TellsStop: the client learns which stop sequence ended its answer. Gemini does not say, so none is left to it.
	TellsStop bool
	// Stops are the stop sequences that the proxy looks for itself: Gemini takes five at most. Set by Prepare.
	Stops []string
	// Room is how many tokens of the answer, without its thoughts, are passed on where the model may write more than the
	// client wants; 0 is all. Set by Prepare.
	Room int
	// Limits is what is known of the model that Prepare is called for, beyond its family.
	Limits Limits
	// Schemas remembers what became of the schemas of other requests; Prepare and Repair use it unless it is nil.
	Schemas *Schemas
	// LeftOut is what the answer will be without.
	LeftOut LeftOut
	// StrictTools: the client wants arguments held to the schema; Prepare asks for it where the model can.
	StrictTools bool

	// Own is what the codec keeps of the request for its own encoder; nobody else looks at it.
	Own any

	repaired     repair          // in which ways Repair mended Request
	refusedBlock uint64          // the functions that it declared anew
	stubbed      bool            // the functions are stubs for a history with calls, the client declared none
	decoded      *gemini.Request // what Decode made, so that Prepare can start afresh for another model
	declared     *Toolset        // the functions, nil if they are stubs
	arena        *Arena          // where it lies
}

// newCall makes the call of a request that is decoded in an arena.
func newCall(arena *Arena) *Call {
	made := &struct {
		call    Call
		request gemini.Request
		config  gemini.GenerationConfig
	}{}
	made.request.GenerationConfig = &made.config
	made.call.arena, made.call.Request, made.call.Carried = arena, &made.request, arena.carried
	return &made.call
}

// memory is where what becomes of the call lies.
func (c *Call) memory() *Arena {
	if c.arena == nil {
		c.arena = &Arena{}
	}
	return c.arena
}

// Settle says that the request is not made again, for whichever model: what it was made of serves others from now on. What the
// answer's encoder needs stays.
func (c *Call) Settle() {
	if c.arena == nil {
		return
	}
	c.arena.carried = c.Carried
	c.arena.Release()
	c.arena, c.Carried = nil, nil
	for _, r := range []*gemini.Request{c.Request, c.decoded} {
		if r != nil {
			r.Contents, r.SystemInstruction = nil, nil
		}
	}
}

// Release says that the request is over, settled or not.
func (c *Call) Release() {
	c.Settle()
	c.Request, c.decoded, c.Own = nil, nil, nil
}

// BuiltIn says which tools of Google's own the client asked for.
type BuiltIn struct {
	Search bool // Google Search, which grounds the answer
	Fetch  bool // reading pages whose addresses stand in the prompt
	Code   bool // running Python
}

// Thinking is what the client asked of the model's thinking, before it is fitted to the model.
type Thinking struct {
	Mode   ThinkingMode
	Budget int    // tokens, with ThinkingBudget
	Effort string // "", minimal, low, medium, high, xhigh, max
	// Explicit is a client's own thinkingConfig in Google's words; it goes out as it is.
	Explicit *gemini.ThinkingConfig
}

// ThinkingMode is the client's switch.
type ThinkingMode uint8

const (
	ThinkingDefault ThinkingMode = iota // nothing said
	ThinkingOff
	ThinkingAdaptive
	ThinkingBudget
)

// IDLength is the number of characters of Meta.ID.
const IDLength = 24

// Meta is what an answer needs from outside.
type Meta struct {
	ID      string    // random part of the message id, [A-Za-z0-9]{IDLength}
	Created time.Time // when the request arrived
	Request string    // the request's id, as the client finds it in the answer's head
}

// Encoder writes one answer. Stream and non-stream are the same encoder: with Call.Stream each method appends the frames
// that it causes, without it only End appends, the whole body. The methods are called from one goroutine; after End or Fail
// none is called again.
type Encoder interface {
	// Event appends what ev adds to the answer. Calls arrive with ClientID set.
	Event(dst []byte, ev *gemini.Event) []byte
	// Ping appends the protocol's heartbeat, after the opening frames if there were none yet.
	Ping(dst []byte) []byte
	// End appends the end of an answer whose verdict is gemini.Whole. Every other one ends with Fail or Codec.Error.
	End(dst []byte) []byte
	// Fail appends the protocol's own error event. Nothing may follow it. It is for streams only: a failure before the
	// answer began, and of an answer in one piece, is Codec.Error's.
	Fail(dst []byte, e *Error) []byte
}

// Record is what must be remembered of one tool call so that it can be replayed: which part of which model's answer the
// client's id stands for.
type Record struct {
	ClientID   string `json:"c"`
	Name       string `json:"n,omitempty"`
	UpstreamID string `json:"u,omitempty"` // functionCall.id, when the model gave one
	Signature  string `json:"s,omitempty"`
	Model      string `json:"m"` // the Gemini model that made the call
	// Before and After are what tools of Google's own did right before and after the call: JSON arrays of toolCall and
	// toolResponse parts as they came, "" for none. They must come back in their places.
	Before string `json:"b,omitempty"`
	After  string `json:"a,omitempty"`
}

// Lookup finds the Record of a tool call by the client's id. Safe for concurrent use.
type Lookup func(clientID string) (Record, bool)
