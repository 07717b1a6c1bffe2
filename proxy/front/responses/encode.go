package responses

import (
	"strconv"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// An answer is a row of items, of which one at most is open. Each finished item is kept, since the end of an answer repeats
// them all; a stream writes each step as an event beside that.

// openItem is the item that is being written.
type openItem uint8

const (
	openNone openItem = iota
	openMessage
	openReasoning
)

type encoder struct {
	call    *front.Call
	asked   *asked
	meta    front.Meta
	started bool
	seq     int // of the next event
	open    openItem
	items   int    // begun so far
	id      string // of the item begun last
	text    []byte // of the open item: a JSON string without its quotes
	output  []byte // the finished items, separated by commas
	calls   int
	said    bool // there is text
	usage   gemini.Usage
	finish  gemini.Event
	sources sources

	recorder front.Recorder // of what must come back with the calls
}

// Encoder makes the encoder of one answer.
func (Codec) Encoder(call *front.Call, meta front.Meta) front.Encoder {
	kept, ok := call.Own.(*asked)
	if !ok {
		panic("BUG: the call was not decoded by this codec")
	}
	return &encoder{
		call: call, asked: kept, meta: meta,
		sources: sources{wanted: call.BuiltIn.Search}, recorder: front.Recorder{Model: call.Target},
	}
}

func (e *encoder) Event(dst []byte, ev *gemini.Event) []byte {
	switch ev.Kind {
	case gemini.EventText:
		e.recorder.Note(ev)
		return e.say(dst, ev.Text)
	case gemini.EventThought:
		if e.call.ShowThoughts {
			return e.think(dst, ev.Text)
		}
	case gemini.EventCall:
		return e.toolCall(dst, ev)
	case gemini.EventImage:
		return e.say(dst, front.ImageText(ev.Blob))
	case gemini.EventCode, gemini.EventCodeResult:
		return e.say(dst, front.CodeText(ev))
	case gemini.EventServerCall:
		e.recorder.Note(ev)
		return e.serverCall(dst, ev)
	case gemini.EventServerResult:
		e.recorder.Note(ev)
	case gemini.EventGrounding:
		e.sources.grounding.Add(ev.Grounding)
	case gemini.EventUsage:
		e.usage = ev.Usage
	case gemini.EventFinish:
		e.finish = *ev
	}
	return dst
}

// say adds text to the open message, or to a new one.
func (e *encoder) say(dst []byte, text gemini.Text) []byte {
	if text.Empty() {
		return dst
	}
	if e.open != openMessage {
		dst = e.beginMessage(e.close(dst, completed))
	}
	e.said = true
	e.text = append(e.text, text[1:len(text)-1]...)
	if !e.call.Stream {
		return dst
	}
	dst = append(e.about(dst, "response.output_text.delta"), `,"content_index":0,"delta":`...)
	return append(append(dst, text...), ",\"logprobs\":[]}\n\n"...)
}

// think adds to the summary of the open reasoning item, or of a new one.
func (e *encoder) think(dst []byte, text gemini.Text) []byte {
	if text.Empty() {
		return dst
	}
	if e.open != openReasoning {
		dst = e.beginReasoning(e.close(dst, completed))
	}
	first := len(e.text) == 0
	e.text = append(e.text, text[1:len(text)-1]...)
	if !e.call.Stream {
		return dst
	}
	if first {
		dst = append(e.about(dst, "response.reasoning_summary_part.added"), `,"summary_index":0,"part":`...)
		dst = append(appendSummary(dst, nil), "}\n\n"...)
	}
	dst = append(e.about(dst, "response.reasoning_summary_text.delta"), `,"summary_index":0,"delta":`...)
	return append(append(dst, text...), "}\n\n"...)
}

// begin opens an item whose id has that prefix.
func (e *encoder) begin(open openItem, prefix string) {
	e.id = prefix + e.meta.ID + strconv.Itoa(e.items)
	e.items++
	e.open, e.text = open, e.text[:0]
}

func (e *encoder) beginMessage(dst []byte) []byte {
	e.begin(openMessage, "msg_")
	if !e.call.Stream {
		return dst
	}
	dst = e.itemEvent(dst, "response.output_item.added")
	dst = append(append(append(dst, `{"type":"message","id":"`...), e.id...), `","status":"in_progress","role":"assistant","content":[]`...)
	dst = append(e.about(append(dst, "}}\n\n"...), "response.content_part.added"), `,"content_index":0,"part":`...)
	return append(appendPart(dst, nil, nil), "}\n\n"...)
}

func (e *encoder) beginReasoning(dst []byte) []byte {
	e.begin(openReasoning, "rs_")
	if !e.call.Stream {
		return dst
	}
	dst = append(e.itemEvent(dst, "response.output_item.added"), `{"type":"reasoning","id":"`...)
	return append(append(dst, e.id...), "\",\"summary\":[]}}\n\n"...)
}

// close ends the open item. A reasoning item gets what must come back with the call after it, where the client carries such.
func (e *encoder) close(dst []byte, s status, carried ...front.Record) []byte {
	open := e.open
	e.open = openNone
	switch open {
	case openMessage:
		return e.endMessage(dst, s)
	case openReasoning:
		return e.endReasoning(dst, carried)
	}
	return dst
}

func (e *encoder) endMessage(dst []byte, s status) []byte {
	annotations := e.sources.annotations(e.text)
	if e.call.Stream {
		for i, a := range annotations {
			dst = append(e.about(dst, "response.output_text.annotation.added"), `,"content_index":0,"annotation_index":`...)
			dst = append(append(strconv.AppendInt(dst, int64(i), 10), `,"annotation":`...), a...)
			dst = append(dst, "}\n\n"...)
		}
		dst = append(e.about(dst, "response.output_text.done"), `,"content_index":0,"text":"`...)
		dst = append(append(dst, e.text...), "\",\"logprobs\":[]}\n\n"...)
		dst = append(e.about(dst, "response.content_part.done"), `,"content_index":0,"part":`...)
		dst = append(appendPart(dst, e.text, annotations), "}\n\n"...)
	}
	at := e.beginOutput()
	e.output = append(append(append(e.output, `{"type":"message","id":"`...), e.id...), `","status":"`...)
	e.output = append(append(e.output, s...), `","role":"assistant","content":[`...)
	e.output = append(appendPart(e.output, e.text, annotations), "]}"...)
	return e.itemDone(dst, at)
}

func (e *encoder) endReasoning(dst []byte, carried []front.Record) []byte {
	if e.call.Stream && len(e.text) > 0 {
		dst = append(e.about(dst, "response.reasoning_summary_text.done"), `,"summary_index":0,"text":"`...)
		dst = append(append(dst, e.text...), "\"}\n\n"...)
		dst = append(e.about(dst, "response.reasoning_summary_part.done"), `,"summary_index":0,"part":`...)
		dst = append(appendSummary(dst, e.text), "}\n\n"...)
	}
	at := e.beginOutput()
	e.output = append(append(append(e.output, `{"type":"reasoning","id":"`...), e.id...), `","summary":[`...)
	if len(e.text) > 0 {
		e.output = appendSummary(e.output, e.text)
	}
	e.output = append(e.output, ']')
	if e.asked.encrypted {
		e.output = append(e.output, `,"encrypted_content":"`...)
		e.output = append(append(e.output, front.Seal(e.call.Target, carried...)...), '"')
	}
	e.output = append(e.output, '}')
	return e.itemDone(dst, at)
}

// Ping is the progress event once more: Codex takes no comment for a sign of life.
func (e *encoder) Ping(dst []byte) []byte {
	switch {
	case !e.call.Stream:
		return dst
	case !e.started:
		return e.start(dst)
	}
	return e.responseEvent(dst, "response.in_progress", state{status: inProgress})
}

func (e *encoder) Fail(dst []byte, failure *front.Error) []byte {
	return e.responseEvent(e.start(dst), "response.failed", state{status: failed, failure: failure})
}

func (e *encoder) End(dst []byte) []byte {
	s := state{status: completed}
	switch front.Ending(e.call, &e.finish, e.usage, e.calls) {
	case front.EndLength, front.EndWindow:
		s = state{status: incomplete, incomplete: "max_output_tokens"}
	case front.EndRefusal:
		s = state{status: incomplete, incomplete: "content_filter"}
	}
	switch {
	case e.finish.PromptBlocked:
		dst = e.say(dst, gemini.Quote("Request blocked by Gemini ("+string(e.finish.Finish)+")."))
	case s.incomplete == "content_filter" && !e.said && e.calls == 0:
		dst = e.say(dst, gemini.Quote("Answer blocked by Gemini ("+string(e.finish.Finish)+")."))
	}
	dst = e.close(dst, s.status)
	dst = e.grounded(dst)
	if !e.call.Stream {
		return e.appendResponse(dst, s)
	}
	return e.responseEvent(e.start(dst), "response."+string(s.status), s)
}
