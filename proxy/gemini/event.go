package gemini

import "encoding/json"

// EventKind is the closed set of things that happen in an answer.
type EventKind uint8

const (
	EventText         EventKind = iota + 1 // Text, Signature
	EventThought                           // Text, Signature
	EventCall                              // Call, Signature
	EventImage                             // Blob, Signature
	EventUsage                             // Usage: totals so far, the last one counts as a whole
	EventFinish                            // Finish, Message, PromptBlocked, StopSequence, Continuation
	EventCode                              // Code, Signature: the model wrote code, which Google runs
	EventCodeResult                        // CodeResult, Signature
	EventServerCall                        // Server, Signature: Google runs a tool of its own
	EventServerResult                      // Server, Signature
	EventGrounding                         // Grounding: what the answer rests on; see Grounding.Add
	EventCheckpoint                        // Continuation: the answer can be resumed from here
)

// Event is one thing that an answer's stream said. A thought signature is a field of the part that it came with; an empty
// text may carry one and opens no output.
type Event struct {
	Kind          EventKind
	Text          Text
	Signature     string
	Call          *FunctionCall
	Blob          *Blob
	Usage         Usage
	Finish        FinishReason
	Message       string // Google's words beside the finish reason
	PromptBlocked bool   // Finish is promptFeedback.blockReason: there was no candidate at all
	StopSequence  string // Finish is STOP because this text came; only the proxy knows that, Google does not say
	Continuation  string // token to go on with, opaque
	Code          *ExecutableCode
	CodeResult    *CodeResult
	Server        json.RawMessage // toolCall or toolResponse as it came
	Grounding     *Grounding
}

// Size is about how many bytes the event keeps in memory, with its share of the chunk that it came in.
func (ev *Event) Size() int {
	const overhead = 512
	n := overhead + len(ev.Text) + len(ev.Signature) + len(ev.Message) + len(ev.Server)
	if ev.Call != nil {
		n += len(ev.Call.Args)
	}
	if ev.Blob != nil {
		n += len(ev.Blob.Data)
	}
	if ev.Code != nil {
		n += len(ev.Code.Code)
	}
	if ev.CodeResult != nil {
		n += len(ev.CodeResult.Output)
	}
	if ev.Grounding != nil {
		n += overhead * (len(ev.Grounding.Sources) + len(ev.Grounding.Supports))
	}
	return n
}

// ExecutableCode is code that the model had Google run.
type ExecutableCode struct {
	ID       string
	Language string // PYTHON
	Code     Text
}

// CodeResult is what that code did.
type CodeResult struct {
	ID      string
	Outcome string // OUTCOME_OK, OUTCOME_FAILED, OUTCOME_DEADLINE_EXCEEDED
	Output  Text
}

// Grounding is groundingMetadata and urlContextMetadata: what was searched and read for the answer.
type Grounding struct {
	Queries  []string
	Sources  []Source
	Supports []Support
	URLs     []RetrievedURL
}

// Add keeps of what was searched and of what was read the last news: Google tells of them in different chunks.
func (g *Grounding) Add(news *Grounding) {
	if len(news.URLs) > 0 {
		g.URLs = news.URLs
	}
	if len(news.Queries)+len(news.Sources)+len(news.Supports) > 0 {
		g.Queries, g.Sources, g.Supports = news.Queries, news.Sources, news.Supports
	}
}

// Source is a page; Title may be "".
type Source struct{ URI, Title string }

// Support says which sources back a stretch of the answer. Start and End count bytes of UTF-8 in the whole answer's text;
// they may run past its end (recorded traffic).
type Support struct {
	Start, End int
	Text       string // of the stretch
	Sources    []int  // indexes into Sources, perhaps out of range
}

// RetrievedURL is a page that Google read; Status is URL_RETRIEVAL_STATUS_SUCCESS or the like.
type RetrievedURL struct{ URL, Status string }

// FinishReason is Google's word for why the answer ended. Unknown values are possible.
type FinishReason string

// Usage counts tokens, absent counters being 0. Prompt includes Cached; Candidates excludes Thoughts.
type Usage struct {
	Prompt     int `json:"promptTokenCount"`
	Cached     int `json:"cachedContentTokenCount"`
	Candidates int `json:"candidatesTokenCount"`
	Thoughts   int `json:"thoughtsTokenCount"`
	ToolUse    int `json:"toolUsePromptTokenCount"`
	Total      int `json:"totalTokenCount"`
}

// Billed is how many tokens that are, in and out.
func (u *Usage) Billed() int64 { return int64(u.Prompt + u.ToolUse + u.Candidates + u.Thoughts) }
