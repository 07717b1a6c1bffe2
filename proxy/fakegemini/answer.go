package fakegemini

import (
	"encoding/json"
	"fmt"
	"time"
)

// Answer is what the fake says to one request. It is plain data, so that it can also come over the admin path. Of Error,
// Raw and Chunks one is set; an Answer with none of them is an empty stream.
type Answer struct {
	Delay    Duration  `json:"delay,omitempty"`    // before the first byte
	Error    *APIError `json:"error,omitempty"`    // answered with its own HTTP status
	Raw      *Raw      `json:"raw,omitempty"`      // answered byte for byte
	Chunks   []Chunk   `json:"chunks,omitempty"`   // the stream; folded into one for generateContent
	Gate     string    `json:"gate,omitempty"`     // lock-step: chunk n+1 waits for the n-th Arrived of this gate
	Fault    Fault     `json:"fault,omitzero"`     // what goes wrong with its bytes
	NoFinish bool      `json:"noFinish,omitempty"` // the stream ends without a finish reason
	Thoughts int       `json:"thoughts,omitempty"` // tokens of thought that no thought part shows
	ToolUse  int       `json:"toolUse,omitempty"`  // tokens that server-side tools gave the model to read
}

// Raw is an answer outside of the protocol.
type Raw struct {
	Status      int    `json:"status"`
	ContentType string `json:"contentType,omitempty"`
	Body        string `json:"body"`
}

// Chunk is one piece of a stream. Of Parts (which may be empty), Raw, Error and Cut one is meant. Usage and the last
// chunk's finish reason are filled in where they are absent.
type Chunk struct {
	Delay          Duration        `json:"delay,omitempty"` // before this chunk
	Parts          []Part          `json:"parts,omitempty"`
	FinishReason   string          `json:"finishReason,omitempty"`
	FinishMessage  string          `json:"finishMessage,omitempty"`
	Usage          *Usage          `json:"usage,omitempty"`
	PromptFeedback *PromptFeedback `json:"promptFeedback,omitempty"` // then the chunk has no candidate
	Grounding      json.RawMessage `json:"grounding,omitempty"`
	URLContext     json.RawMessage `json:"urlContext,omitempty"`
	Token          string          `json:"continuationToken,omitempty"` // a checkpoint, or beside finishReason CONTINUATION
	Bare           bool            `json:"bare,omitempty"`              // candidates: [], only usage
	Raw            string          `json:"raw,omitempty"`               // written as it is, frame and all
	Error          *APIError       `json:"error,omitempty"`             // an error inside the stream
	Cut            bool            `json:"cut,omitempty"`               // the connection is closed hard, in place of this chunk
}

// Usage is usageMetadata. Candidates exclude thoughts; total is the sum of all but the cached ones.
type Usage struct {
	Prompt     int `json:"promptTokenCount"`
	Cached     int `json:"cachedContentTokenCount,omitempty"`
	Candidates int `json:"candidatesTokenCount,omitempty"`
	Thoughts   int `json:"thoughtsTokenCount,omitempty"`
	ToolUse    int `json:"toolUsePromptTokenCount,omitempty"`
	Total      int `json:"totalTokenCount"`
}

// PromptFeedback tells why a prompt was blocked.
type PromptFeedback struct {
	BlockReason string `json:"blockReason"`
}

// Duration is a time.Duration that reads and writes as text ("250ms").
type Duration time.Duration

func (d Duration) std() time.Duration { return time.Duration(d) }

// MarshalText writes "250ms".
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what time.ParseDuration takes.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = Duration(v)
	return err
}

// Reply is an answer of chunks.
func Reply(chunks ...Chunk) Answer { return Answer{Chunks: chunks} }

// Say is an answer of text, one chunk a piece.
func Say(pieces ...string) Answer {
	a := Answer{}
	for _, p := range pieces {
		a.Chunks = append(a.Chunks, Text(p))
	}
	return a
}

// Fail is an answer of an error.
func Fail(e *APIError) Answer { return Answer{Error: e} }

// RawAnswer is an answer outside of the protocol, for instance an HTML page with status 502.
func RawAnswer(status int, contentType, body string) Answer {
	return Answer{Raw: &Raw{Status: status, ContentType: contentType, Body: body}}
}

// LockStep returns the answer with a gate: a name of its own for each answer. generateContent, which has one chunk only,
// pays no heed to it.
func (a Answer) LockStep(gate string) Answer { a.Gate = gate; return a }

// After returns the answer with a delay before its first byte.
func (a Answer) After(d time.Duration) Answer { a.Delay = Duration(d); return a }

// Unfinished returns the answer without a finish reason at its end.
func (a Answer) Unfinished() Answer { a.NoFinish = true; return a }

// Text is a chunk of text.
func Text(s string) Chunk { return Chunk{Parts: []Part{{Text: &s}}} }

// Thought is a chunk of thought.
func Thought(s string) Chunk { return Chunk{Parts: []Part{{Text: &s, Thought: true}}} }

// Call is one function call with its arguments as the text of a JSON object; "" leaves args out.
func Call(name, args string) FunctionCall {
	c := FunctionCall{Name: name}
	if args != "" {
		c.Args = Object(args)
	}
	return c
}

// Calls is a chunk of function calls, parallel when there are several.
func Calls(calls ...FunctionCall) Chunk {
	c := Chunk{}
	for _, call := range calls {
		c.Parts = append(c.Parts, Part{FunctionCall: &call})
	}
	return c
}

// Image is a chunk of inline media; data is base64.
func Image(mimeType, data string) Chunk {
	return Chunk{Parts: []Part{{InlineData: &Blob{MimeType: mimeType, Data: Bytes(data)}}}}
}

// Finish is a chunk that ends the answer without any part: {"content":{"role":"model"}} and the reason.
func Finish(reason string) Chunk { return Chunk{FinishReason: reason} }

// Block is a chunk that says the prompt was blocked.
func Block(reason string) Chunk { return Chunk{PromptFeedback: &PromptFeedback{BlockReason: reason}} }

// Hangup is the cut of the connection.
func Hangup() Chunk { return Chunk{Cut: true} }

// RawChunk is bytes in the stream, frame and all.
func RawChunk(s string) Chunk { return Chunk{Raw: s} }

// StreamError is an error inside a stream.
func StreamError(e *APIError) Chunk { return Chunk{Error: e} }

// Wait returns the chunk with a delay before it.
func (c Chunk) Wait(d time.Duration) Chunk { c.Delay = Duration(d); return c }

// Ends returns the chunk with a finish reason.
func (c Chunk) Ends(reason string) Chunk { c.FinishReason = reason; return c }

// Checkpoint returns the chunk with a continuation token in the middle of an answer.
func (c Chunk) Checkpoint(token string) Chunk { c.Token = token; return c }

// Continues returns the chunk as the end of a segment that goes on with the token.
func (c Chunk) Continues(token string) Chunk {
	c.Token, c.FinishReason = token, finishContinuation
	return c
}

// With returns the chunk with usage of its own.
func (c Chunk) With(u Usage) Chunk { c.Usage = &u; return c }

// check refuses an answer that contradicts itself.
func (a Answer) check() error {
	set := 0
	for _, is := range []bool{a.Error != nil, a.Raw != nil, len(a.Chunks) > 0} {
		if is {
			set++
		}
	}
	if set > 1 {
		return fmt.Errorf("an answer is an error, raw bytes or chunks, not several of them")
	}
	if a.Raw != nil && (a.Raw.Status < 200 || a.Raw.Status > 599) {
		return fmt.Errorf("status %d of a raw answer is out of 200 to 599", a.Raw.Status)
	}
	for i, c := range a.Chunks {
		if err := c.check(); err != nil {
			return fmt.Errorf("chunk %d: %w", i, err)
		}
	}
	return nil
}

func (c Chunk) check() error {
	set := 0
	for _, is := range []bool{len(c.Parts) > 0, c.Raw != "", c.Error != nil, c.Cut, c.PromptFeedback != nil, c.Bare} {
		if is {
			set++
		}
	}
	if set > 1 {
		return fmt.Errorf("a chunk is parts, raw bytes, an error, a block, bare or a cut, not several of them")
	}
	if c.Token != "" && (c.Raw != "" || c.Error != nil || c.Cut || c.PromptFeedback != nil || c.Bare) {
		return fmt.Errorf("a continuation token goes with a candidate")
	}
	for _, p := range c.Parts {
		if p.FunctionCall != nil && len(p.FunctionCall.Args) > 0 && !json.Valid(p.FunctionCall.Args) {
			return fmt.Errorf("args of %s are not JSON", p.FunctionCall.Name)
		}
	}
	return nil
}
