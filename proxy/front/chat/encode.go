package chat

import (
	"strconv"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// An answer is one message. A stream writes each step as a chunk; a whole answer collects the message's fields and is
// written at its end. Both go through the same steps.

type encoder struct {
	call      *front.Call
	legacy    bool
	meta      front.Meta
	started   bool
	said      bool // there is content
	calls     int
	usage     gemini.Usage
	finish    gemini.Event
	grounding gemini.Grounding

	// content and reasoning are literals without their quotes, content of a stream only where citations may follow
	content   []byte
	reasoning []byte
	toolCalls []byte // of a whole answer, without brackets
}

// Encoder makes the encoder of one answer.
func (Codec) Encoder(call *front.Call, meta front.Meta) front.Encoder {
	own, _ := call.Own.(asked)
	return &encoder{call: call, legacy: own.legacy, meta: meta}
}

func (e *encoder) Event(dst []byte, ev *gemini.Event) []byte {
	switch ev.Kind {
	case gemini.EventText:
		return e.say(dst, ev.Text)
	case gemini.EventThought:
		return e.think(dst, ev.Text)
	case gemini.EventCall:
		return e.toolCall(dst, ev)
	case gemini.EventImage:
		return e.say(dst, front.ImageText(ev.Blob))
	case gemini.EventCode, gemini.EventCodeResult:
		return e.say(dst, front.CodeText(ev))
	case gemini.EventGrounding:
		if e.cites() {
			e.grounding.Add(ev.Grounding)
		}
	case gemini.EventUsage:
		e.usage = ev.Usage
	case gemini.EventFinish:
		e.finish = *ev
	}
	return dst
}

// say adds to the content.
func (e *encoder) say(dst []byte, text gemini.Text) []byte {
	if text.Empty() {
		return dst
	}
	e.said = true
	if !e.call.Stream || e.cites() {
		e.content = append(e.content, text[1:len(text)-1]...)
	}
	return e.textDelta(dst, `"content":`, text)
}

// cites reports whether citations may follow: only answers of a model that may look things up have them.
func (e *encoder) cites() bool { return e.call.BuiltIn.Search || e.call.BuiltIn.Fetch }

// think adds to the reasoning, for clients that asked for it.
func (e *encoder) think(dst []byte, text gemini.Text) []byte {
	if !e.call.ShowThoughts || text.Empty() {
		return dst
	}
	if !e.call.Stream {
		e.reasoning = append(e.reasoning, text[1:len(text)-1]...)
	}
	return e.textDelta(dst, `"reasoning_content":`, text)
}

func (e *encoder) textDelta(dst []byte, field string, text gemini.Text) []byte {
	if !e.call.Stream {
		return dst
	}
	dst = e.delta(e.start(dst, `""`), field)
	return e.endChunk(append(append(dst, text...), '}'), "null")
}

// start writes the chunk with the role once; content is its content, "" or null.
func (e *encoder) start(dst []byte, content string) []byte {
	if e.started {
		return dst
	}
	e.started = true
	dst = append(e.delta(dst, `"role":"assistant","content":`), content...)
	return e.endChunk(append(dst, `,"refusal":null}`...), "null")
}

// head begins a chunk or a whole answer.
func (e *encoder) head(dst []byte, object string) []byte {
	dst = append(append(dst, `{"id":"chatcmpl-`...), e.meta.ID...)
	dst = append(append(dst, `","object":"`...), object...)
	dst = strconv.AppendInt(append(dst, `","created":`...), e.meta.Created.Unix(), 10)
	return gemini.AppendQuoted(append(dst, `,"model":`...), e.call.Model)
}

// delta begins a chunk up to the first field of its delta.
func (e *encoder) delta(dst []byte, field string) []byte {
	dst = e.head(append(dst, "data: "...), "chat.completion.chunk")
	return append(append(dst, `,"choices":[{"index":0,"delta":{`...), field...)
}

// endChunk ends a chunk after its delta.
func (e *encoder) endChunk(dst []byte, finishReason string) []byte {
	dst = append(dst, `,"logprobs":null,"finish_reason":`...)
	dst = append(append(dst, finishReason...), "}]"...)
	if e.call.IncludeUsage {
		dst = append(dst, `,"usage":null`...)
	}
	return append(dst, "}\n\n"...)
}

func (e *encoder) Ping(dst []byte) []byte {
	if !e.call.Stream {
		return dst
	}
	return append(e.start(dst, `""`), ": keep-alive\n\n"...)
}

func (e *encoder) Fail(dst []byte, failure *front.Error) []byte {
	return append(front.AppendOpenAIError(append(dst, "data: "...), failure), "\n\n"...)
}

func (e *encoder) End(dst []byte) []byte {
	if !e.call.Stream {
		return e.whole(dst)
	}
	dst = e.start(dst, `""`)
	if refusal := e.refusal(); refusal != "" {
		dst = gemini.AppendQuoted(e.delta(dst, `"refusal":`), refusal)
		dst = e.endChunk(append(dst, '}'), "null")
	}
	if cited := e.annotations(); len(cited) > 0 {
		dst = append(append(e.delta(dst, `"annotations":[`), cited...), "]}"...)
		dst = e.endChunk(dst, "null")
	}
	dst = e.endChunk(e.delta(dst, "}"), e.finishReason())
	if e.call.IncludeUsage {
		dst = e.head(append(dst, "data: "...), "chat.completion.chunk")
		dst = append(appendUsage(append(dst, `,"choices":[],"usage":`...), e.usage), "}\n\n"...)
	}
	return append(dst, "data: [DONE]\n\n"...)
}

func (e *encoder) whole(dst []byte) []byte {
	dst = append(e.head(dst, "chat.completion"), `,"choices":[{"index":0,"message":{"role":"assistant","content":`...)
	if len(e.content) == 0 && e.calls > 0 {
		dst = append(dst, "null"...)
	} else {
		dst = append(append(append(dst, '"'), e.content...), '"')
	}
	dst = front.AppendOptional(append(dst, `,"refusal":`...), e.refusal())
	if len(e.reasoning) > 0 {
		dst = append(append(append(dst, `,"reasoning_content":"`...), e.reasoning...), '"')
	}
	dst = e.appendCalls(dst)
	dst = append(append(dst, `,"annotations":[`...), e.annotations()...)
	dst = append(dst, `]},"logprobs":null,"finish_reason":`...)
	dst = append(append(dst, e.finishReason()...), `}],"usage":`...)
	return append(appendUsage(dst, e.usage), `,"service_tier":"default","system_fingerprint":null}`...)
}

// refusal is what is said when the prompt was blocked, or the answer before it said anything.
func (e *encoder) refusal() string {
	switch {
	case e.finish.PromptBlocked:
		return "Request blocked by Gemini (" + string(e.finish.Finish) + ")."
	case !e.said && e.calls == 0 && e.finish.Finish.Class() == gemini.FinishRefusal:
		return "Answer blocked by Gemini (" + string(e.finish.Finish) + ")."
	}
	return ""
}

// finishReason is the JSON literal.
func (e *encoder) finishReason() string {
	switch front.Ending(e.call, &e.finish, e.usage, e.calls) {
	case front.EndCalls:
		if e.legacy {
			return `"function_call"`
		}
		return `"tool_calls"`
	case front.EndLength, front.EndWindow:
		return `"length"`
	case front.EndRefusal:
		return `"content_filter"`
	}
	return `"stop"`
}

// annotations are the pages that the content cites, each for each stretch it backs, as elements of an array.
func (e *encoder) annotations() []byte {
	if len(e.grounding.Supports) == 0 {
		return nil
	}
	var dst []byte
	content := gemini.Text(`"` + string(e.content) + `"`).String()
	for _, c := range front.Citations(content, &e.grounding) {
		for _, source := range c.Sources {
			if len(dst) > 0 {
				dst = append(dst, ',')
			}
			dst = append(dst, `{"type":"url_citation","url_citation":{"start_index":`...)
			dst = strconv.AppendInt(dst, int64(c.RuneStart), 10)
			dst = strconv.AppendInt(append(dst, `,"end_index":`...), int64(c.RuneEnd), 10)
			dst = gemini.AppendQuoted(append(dst, `,"url":`...), source.URI)
			dst = append(gemini.AppendQuoted(append(dst, `,"title":`...), source.Title), '}', '}')
		}
	}
	return dst
}

// appendUsage writes the counters as OpenAI counts: the prompt with what came from the cache, the completion with thoughts.
func appendUsage(dst []byte, u gemini.Usage) []byte {
	prompt, completion := u.Prompt+u.ToolUse, u.Candidates+u.Thoughts
	dst = strconv.AppendInt(append(dst, `{"prompt_tokens":`...), int64(prompt), 10)
	dst = strconv.AppendInt(append(dst, `,"completion_tokens":`...), int64(completion), 10)
	dst = strconv.AppendInt(append(dst, `,"total_tokens":`...), int64(prompt+completion), 10)
	dst = strconv.AppendInt(append(dst, `,"prompt_tokens_details":{"cached_tokens":`...), int64(min(u.Cached, u.Prompt)), 10)
	dst = append(dst, `,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":`...)
	dst = strconv.AppendInt(dst, int64(u.Thoughts), 10)
	return append(dst, `,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}`...)
}
