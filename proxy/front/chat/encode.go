package chat

import (
	"strconv"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// An answer is one message. A stream writes each step as a chunk; a whole answer collects the message's fields and is
// written at its end. Both go through the same steps.

type encoder struct {
	call    *front.Call
	meta    front.Meta
	started bool
	calls   int
	usage   gemini.Usage
	finish  gemini.Event

	// of a whole answer, without their quotes and brackets
	content   []byte
	reasoning []byte
	refusal   string
	toolCalls []byte
}

// Encoder makes the encoder of one answer.
func (Codec) Encoder(call *front.Call, meta front.Meta) front.Encoder {
	return &encoder{call: call, meta: meta}
}

func (e *encoder) Event(dst []byte, ev *gemini.Event) []byte {
	switch ev.Kind {
	case gemini.EventText:
		return e.say(dst, ev.Text)
	case gemini.EventThought:
		if e.call.ShowThoughts && !ev.Text.Empty() {
			return e.text(dst, &e.reasoning, `"reasoning_content":`, ev.Text)
		}
	case gemini.EventCall:
		return e.toolCall(dst, ev)
	case gemini.EventImage:
		return e.say(dst, gemini.Quote("![image](data:"+ev.Blob.MimeType+";base64,"+ev.Blob.Data+")"))
	case gemini.EventUsage:
		e.usage = ev.Usage
	case gemini.EventFinish:
		e.finish = *ev
	}
	return dst
}

func (e *encoder) say(dst []byte, text gemini.Text) []byte {
	if text.Empty() {
		return dst
	}
	return e.text(dst, &e.content, `"content":`, text)
}

// text adds to a text field of the message.
func (e *encoder) text(dst []byte, folded *[]byte, field string, text gemini.Text) []byte {
	if !e.call.Stream {
		*folded = append(*folded, text[1:len(text)-1]...)
		return dst
	}
	dst = e.delta(e.start(dst, `""`), field)
	return e.endChunk(append(append(dst, text...), '}'), "null")
}

// toolCall writes a whole call: first its name, then its arguments.
func (e *encoder) toolCall(dst []byte, ev *gemini.Event) []byte {
	index := e.calls
	e.calls++
	args := front.Object(ev.Call.Args)
	if !e.call.Stream {
		if index > 0 {
			e.toolCalls = append(e.toolCalls, ',')
		}
		e.toolCalls = e.appendCall(append(e.toolCalls, '{'), ev)
		e.toolCalls = append(gemini.AppendQuoted(e.toolCalls, args), '}')
		e.toolCalls = append(appendSignature(e.toolCalls, ev.Signature), '}')
		return dst
	}
	dst = e.delta(e.start(dst, "null"), `"tool_calls":[{"index":`)
	dst = append(strconv.AppendInt(dst, int64(index), 10), ',')
	dst = append(e.appendCall(dst, ev), `""}`...)
	dst = e.endChunk(append(appendSignature(dst, ev.Signature), "}]}"...), "null")
	dst = e.delta(dst, `"tool_calls":[{"index":`)
	dst = append(strconv.AppendInt(dst, int64(index), 10), `,"function":{"arguments":`...)
	return e.endChunk(append(gemini.AppendQuoted(dst, args), "}}]}"...), "null")
}

// appendCall appends a call's fields up to its arguments.
func (e *encoder) appendCall(dst []byte, ev *gemini.Event) []byte {
	dst = gemini.AppendQuoted(append(dst, `"id":`...), ev.Call.ClientID)
	dst = gemini.AppendQuoted(append(dst, `,"type":"function","function":{"name":`...), e.call.Tools.Client(ev.Call.Name))
	return append(dst, `,"arguments":`...)
}

// appendSignature hands the client a thought signature the way Google's own OpenAI layer does.
func appendSignature(dst []byte, signature string) []byte {
	if signature == "" {
		return dst
	}
	dst = append(dst, `,"extra_content":{"google":{"thought_signature":`...)
	return append(gemini.AppendQuoted(dst, signature), '}', '}')
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
	reason := front.Ending(e.call, &e.finish, e.usage, e.calls)
	if e.finish.PromptBlocked {
		e.refusal = "Request blocked by Gemini (" + string(e.finish.Finish) + ")."
	}
	if !e.call.Stream {
		return e.whole(dst, finishReason(reason))
	}
	dst = e.start(dst, `""`)
	if e.refusal != "" {
		dst = gemini.AppendQuoted(e.delta(dst, `"refusal":`), e.refusal)
		dst = e.endChunk(append(dst, '}'), "null")
	}
	dst = e.endChunk(e.delta(dst, "}"), finishReason(reason))
	if e.call.IncludeUsage {
		dst = e.head(append(dst, "data: "...), "chat.completion.chunk")
		dst = append(appendUsage(append(dst, `,"choices":[],"usage":`...), e.usage), "}\n\n"...)
	}
	return append(dst, "data: [DONE]\n\n"...)
}

func (e *encoder) whole(dst []byte, finishReason string) []byte {
	dst = append(e.head(dst, "chat.completion"), `,"choices":[{"index":0,"message":{"role":"assistant","content":`...)
	switch {
	case len(e.content) > 0:
		dst = append(append(append(dst, '"'), e.content...), '"')
	case e.calls > 0:
		dst = append(dst, "null"...)
	default:
		dst = append(dst, `""`...)
	}
	dst = front.AppendOptional(append(dst, `,"refusal":`...), e.refusal)
	if len(e.reasoning) > 0 {
		dst = append(append(append(dst, `,"reasoning_content":"`...), e.reasoning...), '"')
	}
	if e.calls > 0 {
		dst = append(append(append(dst, `,"tool_calls":[`...), e.toolCalls...), ']')
	}
	dst = append(dst, `,"annotations":[]},"logprobs":null,"finish_reason":`...)
	dst = append(append(dst, finishReason...), `}],"usage":`...)
	return append(appendUsage(dst, e.usage), `,"service_tier":"default","system_fingerprint":null}`...)
}

// finishReason is the JSON literal.
func finishReason(reason front.EndReason) string {
	switch reason {
	case front.EndCalls:
		return `"tool_calls"`
	case front.EndLength, front.EndWindow:
		return `"length"`
	case front.EndRefusal:
		return `"content_filter"`
	}
	return `"stop"`
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
