package anthropic

import (
	"strconv"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// An answer is a row of blocks, of which one at most is open. A stream writes each step as a frame; a whole answer collects
// the blocks and is written at its end. Both go through the same steps.

// openBlock is the block that is being written.
type openBlock uint8

const (
	openNone openBlock = iota
	openText
	openThinking
)

type encoder struct {
	call    *front.Call
	meta    front.Meta
	started bool
	open    openBlock
	blocks  int    // begun so far
	content []byte // of a whole answer: the blocks, separated by commas
	texts   []span // of content: the text blocks
	told    []byte // of a stream that may be cited: its texts, JSON without quotes
	block   int    // where in told the open text begins
	calls   int
	served  served
	records front.Recorder
	pings   int
	guess   int // of the prompt's tokens, until Google has counted them
	usage   gemini.Usage
	finish  gemini.Event
}

// Encoder makes the encoder of one answer.
func (Codec) Encoder(call *front.Call, meta front.Meta) front.Encoder {
	return &encoder{call: call, meta: meta, guess: call.Request.EstimateTokens(), records: front.Recorder{Model: call.Target}}
}

func (e *encoder) Event(dst []byte, ev *gemini.Event) []byte {
	switch ev.Kind {
	case gemini.EventText:
		e.records.Note(ev)
		return e.delta(dst, openText, ev.Text)
	case gemini.EventThought:
		return e.thought(dst, ev.Text)
	case gemini.EventCall:
		return e.toolUse(dst, ev)
	case gemini.EventImage:
		image := front.ImageText(ev.Blob)
		return e.delta(dst, openText, image)
	case gemini.EventUsage:
		e.usage = ev.Usage
	case gemini.EventFinish:
		e.finish = *ev
	default:
		return e.server(dst, ev)
	}
	return dst
}

// takesThinking reports whether the client knows thinking blocks, be they shown or as carriers alone.
func (e *encoder) takesThinking() bool {
	mode := e.call.Thinking.Mode
	return mode == front.ThinkingAdaptive || mode == front.ThinkingBudget
}

// thought writes a thought. A client that wants it left out gets an empty block.
func (e *encoder) thought(dst []byte, text gemini.Text) []byte {
	switch {
	case e.call.ShowThoughts:
		return e.delta(dst, openThinking, text)
	case e.takesThinking() && e.open != openThinking:
		return e.begin(e.close(dst), openThinking)
	}
	return dst
}

// delta adds text to the open block of that kind, or to a new one.
func (e *encoder) delta(dst []byte, kind openBlock, text gemini.Text) []byte {
	if text.Empty() {
		return dst
	}
	if e.open != kind {
		dst = e.close(dst)
		dst = e.begin(dst, kind)
	}
	if !e.call.Stream {
		e.content = append(e.content, text[1:len(text)-1]...)
		return dst
	}
	if kind == openText {
		e.note(text)
	}
	dst = e.frameDelta(dst, deltaHeads[kind])
	return append(append(dst, text...), "}}\n\n"...)
}

// deltaHeads begin the delta of a block, up to its text.
var deltaHeads = [...]string{
	openText:     `{"type":"text_delta","text":`,
	openThinking: `{"type":"thinking_delta","thinking":`,
}

func (e *encoder) begin(dst []byte, kind openBlock) []byte {
	e.open = kind
	switch {
	case e.call.Stream && kind == openText:
		e.block = len(e.told)
		return append(e.frameStart(dst), "{\"type\":\"text\",\"text\":\"\"}}\n\n"...)
	case e.call.Stream:
		return append(e.frameStart(dst), "{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}}\n\n"...)
	case kind == openText:
		e.fold(`{"type":"text","text":"`)
		e.texts = append(e.texts, span{from: len(e.content) - len(`{"type":"text","text":"`)})
	default:
		e.fold(`{"type":"thinking","thinking":"`)
	}
	return dst
}

// close ends the open block. A thinking block gets its signature last, and never goes without one.
func (e *encoder) close(dst []byte, carried ...front.Record) []byte {
	kind := e.open
	e.open = openNone
	switch kind {
	case openText:
		if !e.call.Stream {
			e.content = append(e.content, `"}`...)
			e.texts[len(e.texts)-1].to = len(e.content)
			return dst
		}
		dst = e.citeOpen(dst)
	case openThinking:
		if record, ok := e.records.Server(e.serverID(searchID, 0)); ok && len(carried) == 0 {
			carried = append(carried, record)
		}
		signature := front.Seal(e.call.Target, carried...)
		if !e.call.Stream {
			e.content = append(e.content, `","signature":"`...)
			e.content = append(append(e.content, signature...), `"}`...)
			return dst
		}
		dst = e.frameDelta(dst, `{"type":"signature_delta","signature":"`)
		dst = append(append(dst, signature...), "\"}}\n\n"...)
	default:
		return dst
	}
	return e.frameStop(dst)
}

// toolUse writes a whole call. What must come back with it rides in the thinking block before it, an empty one if need be.
func (e *encoder) toolUse(dst []byte, ev *gemini.Event) []byte {
	e.calls++
	record, _ := e.records.Note(ev)
	var carried []front.Record
	if e.takesThinking() && (record.Signature != "" || record.Before != "") {
		carried = []front.Record{record}
		if e.open != openThinking {
			dst = e.begin(e.close(dst), openThinking)
		}
	}
	dst = e.close(dst, carried...)
	return e.use(dst, "tool_use", ev.Call.ClientID, e.call.Tools.Client(ev.Call.Name), front.Object(ev.Call.Args))
}

// use writes the block of a tool that is used, with its input.
func (e *encoder) use(dst []byte, kind, id, name string, input []byte) []byte {
	if !e.call.Stream {
		e.fold(`{"type":"`)
		e.content = appendUse(e.content, kind, id, name)
		e.content = append(append(e.content, input...), '}')
		return dst
	}
	dst = append(e.frameStart(dst), `{"type":"`...)
	dst = append(appendUse(dst, kind, id, name), "{}}}\n\n"...)
	for len(input) > 0 {
		var piece []byte
		piece, input = front.Slice(input, front.SliceSize)
		dst = e.frameDelta(dst, `{"type":"input_json_delta","partial_json":`)
		dst = append(gemini.AppendQuoted(dst, piece), "}}\n\n"...)
	}
	return e.frameStop(dst)
}

func appendUse(dst []byte, kind, id, name string) []byte {
	dst = append(append(dst, kind...), `","id":`...)
	dst = append(gemini.AppendQuoted(dst, id), `,"name":`...)
	return append(gemini.AppendQuoted(dst, name), `,"input":`...)
}

// whole writes a block that comes in one piece.
func (e *encoder) whole(dst, block []byte) []byte {
	if !e.call.Stream {
		e.fold(string(block))
		return dst
	}
	dst = append(append(e.frameStart(dst), block...), "}\n\n"...)
	return e.frameStop(dst)
}

// fold begins a block of a whole answer.
func (e *encoder) fold(head string) {
	if e.blocks > 0 {
		e.content = append(e.content, ',')
	}
	e.blocks++
	e.content = append(e.content, head...)
}

// frameStart begins the frame that begins the next block.
func (e *encoder) frameStart(dst []byte) []byte {
	dst = e.start(dst)
	dst = append(dst, "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":"...)
	dst = strconv.AppendInt(dst, int64(e.blocks), 10)
	e.blocks++
	return append(dst, `,"content_block":`...)
}

// frameDelta begins a delta of the block begun last.
func (e *encoder) frameDelta(dst []byte, head string) []byte {
	dst = append(dst, "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":"...)
	dst = strconv.AppendInt(dst, int64(e.blocks-1), 10)
	return append(append(dst, `,"delta":`...), head...)
}

func (e *encoder) frameStop(dst []byte) []byte {
	dst = append(dst, "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":"...)
	return append(strconv.AppendInt(dst, int64(e.blocks-1), 10), "}\n\n"...)
}

// start writes message_start once.
func (e *encoder) start(dst []byte) []byte {
	if e.started {
		return dst
	}
	e.started = true
	usage := e.usage
	if usage.Prompt == 0 {
		usage.Prompt = e.guess
	}
	usage.Candidates, usage.Thoughts = 1, 0
	dst = append(dst, "event: message_start\ndata: {\"type\":\"message_start\",\"message\":"...)
	dst = e.head(dst)
	dst = append(dst, `,"content":[],"stop_reason":null,"stop_sequence":null,"usage":`...)
	return append(appendUsage(dst, usage, 0, 0), "}}\n\n"...)
}

// head begins the message object.
func (e *encoder) head(dst []byte) []byte {
	dst = append(append(dst, `{"id":"msg_`...), e.meta.ID...)
	dst = append(dst, `","type":"message","role":"assistant","model":`...)
	return gemini.AppendQuoted(dst, e.call.Model)
}

// pingsPerDelta: with a ping every ten seconds, clients that do not count pings as signs of life see one every 40.
const pingsPerDelta = 4

func (e *encoder) Ping(dst []byte) []byte {
	if !e.call.Stream {
		return dst
	}
	dst = append(e.start(dst), "event: ping\ndata: {\"type\":\"ping\"}\n\n"...)
	e.pings++
	if e.open != openNone && e.pings%pingsPerDelta == 0 {
		dst = append(e.frameDelta(dst, deltaHeads[e.open]), "\"\"}}\n\n"...)
	}
	return dst
}

func (e *encoder) Fail(dst []byte, failure *front.Error) []byte {
	_, kind := statusOf(failure.Kind)
	dst = append(dst, "event: error\ndata: "...)
	return append(appendError(dst, kind, failure, e.meta.Request), "\n\n"...)
}

func (e *encoder) End(dst []byte) []byte {
	reason := front.Ending(e.call, &e.finish, e.usage, e.calls)
	if e.finish.PromptBlocked {
		text := gemini.Quote("Request blocked by Gemini (" + string(e.finish.Finish) + ").")
		dst = e.delta(dst, openText, text)
	}
	dst = e.close(dst)
	if !e.call.Stream {
		return e.message(dst, reason)
	}
	dst = e.pairs(e.codeEnd(dst))
	dst = append(e.start(dst), "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{"...)
	dst = append(e.stop(dst, reason), `},"usage":`...)
	dst = append(e.appendTotals(dst), "}\n\n"...)
	return append(dst, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"...)
}

// message writes an answer in one piece. What Google's own tools did comes first.
func (e *encoder) message(dst []byte, reason front.EndReason) []byte {
	e.codeEnd(nil)
	said := e.cited()
	e.content, e.blocks = nil, 0
	e.pairs(nil)
	dst = append(e.head(dst), `,"content":[`...)
	dst = append(dst, e.content...)
	if len(e.content) > 0 && len(said) > 0 {
		dst = append(dst, ',')
	}
	dst = append(append(dst, said...), `],`...)
	dst = append(e.stop(dst, reason), `,"usage":`...)
	return append(e.appendTotals(dst), '}')
}

func (e *encoder) appendTotals(dst []byte) []byte {
	return appendUsage(dst, e.usage, len(e.queries()), len(e.pages()))
}

// stop writes the fields that tell why the answer ended.
func (e *encoder) stop(dst []byte, reason front.EndReason) []byte {
	words := "end_turn"
	switch reason {
	case front.EndCalls:
		words = "tool_use"
	case front.EndLength:
		words = "max_tokens"
	case front.EndRefusal:
		words = "refusal"
	case front.EndStop:
		words = "stop_sequence"
	case front.EndWindow:
		words = "model_context_window_exceeded"
	}
	dst = append(append(append(dst, `"stop_reason":"`...), words...), `","stop_sequence":`...)
	if reason == front.EndStop {
		dst = gemini.AppendQuoted(dst, e.finish.StopSequence)
	} else {
		dst = append(dst, "null"...)
	}
	dst = append(dst, `,"stop_details":`...)
	if reason != front.EndRefusal {
		return append(dst, "null"...)
	}
	dst = append(dst, `{"type":"refusal","category":null,"explanation":`...)
	return append(gemini.AppendQuoted(dst, "Blocked by Gemini: "+string(e.finish.Finish)), '}')
}

// appendUsage writes the counters as Anthropic counts: input without what came from the cache, output with thoughts.
func appendUsage(dst []byte, u gemini.Usage, searches, fetches int) []byte {
	cached := min(u.Cached, u.Prompt)
	dst = append(dst, `{"input_tokens":`...)
	dst = strconv.AppendInt(dst, int64(u.Prompt+u.ToolUse-cached), 10)
	dst = append(dst, `,"cache_creation_input_tokens":0,"cache_read_input_tokens":`...)
	dst = strconv.AppendInt(dst, int64(cached), 10)
	dst = append(dst, `,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":`...)
	dst = strconv.AppendInt(dst, int64(u.Candidates+u.Thoughts), 10)
	dst = append(dst, `,"output_tokens_details":{"thinking_tokens":`...)
	dst = strconv.AppendInt(dst, int64(u.Thoughts), 10)
	dst = append(dst, `},"server_tool_use":{"web_search_requests":`...)
	dst = strconv.AppendInt(dst, int64(searches), 10)
	dst = append(dst, `,"web_fetch_requests":`...)
	dst = strconv.AppendInt(dst, int64(fetches), 10)
	return append(dst, `},"service_tier":"standard"}`...)
}
