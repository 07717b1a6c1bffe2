package gemini

import (
	"encoding/json"
	"fmt"
	"strings"
)

// What one chunk may hold. A part has a token at least, of which a segment has 65,536 at most; the pages that answers rest on
// are some dozens.
const (
	maxParts  = 1 << 16
	maxGround = 4096
)

// Decoder turns the chunks of an answer into events. The zero value is ready; one goroutine may use it.
type Decoder struct {
	w     Walker
	parts int    // of the chunk so far, and responses
	room  []byte // for chunks to come
}

// roomSize is for half a dozen chunks as they usually are.
const roomSize = 2 << 10

// keep copies a chunk, for the events to own.
func (d *Decoder) keep(data []byte) []byte {
	if len(data) > roomSize/4 {
		return append([]byte(nil), data...)
	}
	if cap(d.room)-len(d.room) < len(data) {
		d.room = make([]byte, 0, roomSize)
	}
	from := len(d.room)
	d.room = append(d.room, data...)
	return d.room[from:len(d.room):len(d.room)]
}

// Chunk decodes one chunk, which is a whole GenerateContentResponse or an array of them, and appends its events: parts in
// their order, then usage, then the end or a checkpoint. The events own their bytes. It is lenient, since Google's answers vary: unknown
// fields and kinds of parts are skipped, a value of an unexpected type counts as absent. An error object in the chunk is
// returned as *APIError; any other error says that the chunk is not JSON.
func (d *Decoder) Chunk(data []byte, dst []Event) ([]Event, error) {
	d.w.lenient, d.parts = true, 0
	d.w.reset(d.keep(data))
	var apiErr *APIError
	if d.w.Kind() == '[' {
		d.w.Array("", func(int) { dst = d.response(dst, &apiErr) })
	} else {
		dst = d.response(dst, &apiErr)
	}
	if err := d.w.Done(); err != nil {
		return dst, fmt.Errorf("cannot read a chunk of Gemini's answer: %w", err)
	}
	if apiErr != nil {
		return dst, apiErr
	}
	return dst, nil
}

// full ends the walk of a chunk that has too many parts.
func (d *Decoder) full() bool {
	if d.parts++; d.parts > maxParts+1 {
		d.w.Fail("", "too many parts")
	}
	return d.w.err != nil
}

func (d *Decoder) response(dst []Event, apiErr **APIError) []Event {
	w := &d.w
	if d.full() {
		return dst
	}
	var usage, finish, blocked Event
	w.Object("", func(name []byte) {
		switch string(name) {
		case "candidates":
			w.Array("", func(i int) {
				if i > 0 {
					w.Skip() // one answer is all that is ever asked for
					return
				}
				dst, finish = d.candidate(dst)
			})
		case "promptFeedback":
			blocked = d.feedback()
		case "usageMetadata":
			usage = d.usage()
		case "error":
			if raw := w.Raw(); raw != nil && *apiErr == nil {
				*apiErr = parseErrorObject(0, raw)
			}
		default:
			w.Skip()
		}
	})
	for _, ev := range [...]*Event{&usage, &finish, &blocked} {
		if ev.Kind != 0 {
			dst = append(dst, *ev)
		}
	}
	return dst
}

// candidate appends what an answer says; end is its end or a checkpoint, of kind 0 when there is neither.
func (d *Decoder) candidate(dst []Event) (_ []Event, end Event) {
	w := &d.w
	var finish Event
	var ground Grounding
	w.Object("", func(name []byte) {
		switch string(name) {
		case "content":
			w.Object("", func(name []byte) {
				if string(name) != "parts" {
					w.Skip()
					return
				}
				w.Array("", func(int) { dst = d.part(dst) })
			})
		case "finishReason":
			finish.Finish = FinishReason(w.String())
		case "finishMessage":
			finish.Message = w.String()
		case "continuationToken":
			finish.Continuation = w.String()
		case "groundingMetadata":
			d.grounding(&ground)
		case "urlContextMetadata":
			d.urlContext(&ground)
		default:
			w.Skip()
		}
	})
	if len(ground.Queries)+len(ground.Sources)+len(ground.Supports)+len(ground.URLs) > 0 {
		g := ground
		dst = append(dst, Event{Kind: EventGrounding, Grounding: &g})
	}
	switch {
	case finish.Finish.Class() != FinishIncomplete:
		finish.Kind = EventFinish
	case finish.Continuation != "":
		finish = Event{Kind: EventCheckpoint, Continuation: finish.Continuation}
	default:
		return dst, Event{}
	}
	return dst, finish
}

func (d *Decoder) part(dst []Event) []Event {
	w := &d.w
	if d.full() {
		return dst
	}
	var p Part
	ev := Event{}
	w.Object("", func(name []byte) {
		switch string(name) {
		case "text":
			p.Text = w.Text()
		case "thought":
			p.Thought = w.Bool()
		case "thoughtSignature":
			p.ThoughtSignature = w.String()
		case "functionCall":
			p.FunctionCall = d.call()
		case "inlineData":
			p.InlineData = d.blob()
		case "executableCode":
			ev.Code = d.code()
		case "codeExecutionResult":
			ev.CodeResult = d.codeResult()
		case "toolCall":
			p.ToolCall = d.object()
		case "toolResponse":
			p.ToolResponse = d.object()
		default:
			w.Skip()
		}
	})
	ev.Text, ev.Signature = p.Text, p.ThoughtSignature
	switch {
	case ev.Code != nil:
		ev.Kind = EventCode
	case ev.CodeResult != nil:
		ev.Kind = EventCodeResult
	case p.ToolCall != nil:
		ev.Kind, ev.Server = EventServerCall, p.ToolCall
	case p.ToolResponse != nil:
		ev.Kind, ev.Server = EventServerResult, p.ToolResponse
	case p.FunctionCall != nil:
		ev.Kind, ev.Call = EventCall, p.FunctionCall
	case p.InlineData != nil && !p.Thought:
		ev.Kind, ev.Blob = EventImage, p.InlineData
	case p.Text == nil || (p.Text.Empty() && p.ThoughtSignature == ""):
		return dst
	case p.Thought:
		ev.Kind = EventThought
	default:
		ev.Kind = EventText
	}
	return append(dst, ev)
}

// call is nil without a name: nobody can answer it.
func (d *Decoder) call() *FunctionCall {
	w := &d.w
	call := &FunctionCall{Args: json.RawMessage(`{}`)}
	if !w.Object("", func(name []byte) {
		switch string(name) {
		case "id":
			call.ID = w.String()
		case "name":
			call.Name = w.String()
		case "args":
			if w.Expect("{", "") {
				call.Args = w.Raw()
			}
		default:
			w.Skip()
		}
	}) || call.Name == "" {
		return nil
	}
	return call
}

func (d *Decoder) blob() *Blob {
	w := &d.w
	blob := &Blob{}
	if !w.Object("", func(name []byte) {
		switch string(name) {
		case "mimeType":
			blob.MimeType = w.String()
		case "data":
			blob.Data = w.String()
		default:
			w.Skip()
		}
	}) {
		return nil
	}
	return blob
}

func (d *Decoder) usage() Event {
	w := &d.w
	ev := Event{Kind: EventUsage}
	count := func(to *int) {
		if n, ok := w.whole(); ok && n > 0 {
			*to = n
		}
	}
	if !w.Object("", func(name []byte) {
		switch string(name) {
		case "promptTokenCount":
			count(&ev.Usage.Prompt)
		case "cachedContentTokenCount":
			count(&ev.Usage.Cached)
		case "candidatesTokenCount":
			count(&ev.Usage.Candidates)
		case "thoughtsTokenCount":
			count(&ev.Usage.Thoughts)
		case "toolUsePromptTokenCount":
			count(&ev.Usage.ToolUse)
		case "totalTokenCount":
			count(&ev.Usage.Total)
		default:
			w.Skip()
		}
	}) {
		return Event{}
	}
	return ev
}

func (d *Decoder) feedback() Event {
	w := &d.w
	ev := Event{Kind: EventFinish, PromptBlocked: true}
	w.Object("", func(name []byte) {
		switch string(name) {
		case "blockReason":
			ev.Finish = FinishReason(w.String())
		case "blockReasonMessage":
			ev.Message = w.String()
		default:
			w.Skip()
		}
	})
	if ev.Finish == "" || strings.HasSuffix(string(ev.Finish), "_UNSPECIFIED") {
		return Event{}
	}
	return ev
}
