package responses

import (
	"cmp"
	"encoding/json"
	"strconv"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// status is that of a response, or of one of its items.
type status string

const (
	inProgress status = "in_progress"
	completed  status = "completed"
	incomplete status = "incomplete"
	failed     status = "failed"
)

// state is what a response object says of how things stand.
type state struct {
	status     status
	incomplete string       // the reason, with status incomplete
	failure    *front.Error // with status failed
}

// event begins an event of a stream, after the opening ones.
func (e *encoder) event(dst []byte, kind string) []byte {
	dst = e.start(dst)
	dst = append(append(append(dst, "event: "...), kind...), "\ndata: {\"type\":\""...)
	dst = append(append(dst, kind...), `","sequence_number":`...)
	dst = strconv.AppendInt(dst, int64(e.seq), 10)
	e.seq++
	return dst
}

// about begins an event of the item begun last.
func (e *encoder) about(dst []byte, kind string) []byte {
	dst = append(append(append(e.event(dst, kind), `,"item_id":"`...), e.id...), `","output_index":`...)
	return strconv.AppendInt(dst, int64(e.items-1), 10)
}

// itemEvent begins an event that holds the item begun last.
func (e *encoder) itemEvent(dst []byte, kind string) []byte {
	dst = append(e.event(dst, kind), `,"output_index":`...)
	return append(strconv.AppendInt(dst, int64(e.items-1), 10), `,"item":`...)
}

// beginOutput makes room for the next finished item and returns where it will begin.
func (e *encoder) beginOutput() int {
	if len(e.output) > 0 {
		e.output = append(e.output, ',')
	}
	return len(e.output)
}

// itemDone tells of the finished item at that place.
func (e *encoder) itemDone(dst []byte, at int) []byte {
	if !e.call.Stream {
		return dst
	}
	dst = append(e.itemEvent(dst, "response.output_item.done"), e.output[at:]...)
	return append(dst, "}\n\n"...)
}

// start writes the opening events once.
func (e *encoder) start(dst []byte) []byte {
	if e.started {
		return dst
	}
	e.started = true
	dst = e.responseEvent(dst, "response.created", state{status: inProgress})
	return e.responseEvent(dst, "response.in_progress", state{status: inProgress})
}

// responseEvent writes an event with the response object.
func (e *encoder) responseEvent(dst []byte, kind string, s state) []byte {
	dst = append(e.event(dst, kind), `,"response":`...)
	return append(e.appendResponse(dst, s), "}\n\n"...)
}

// appendPart appends a message's content part; text is a JSON string without its quotes.
func appendPart(dst, text []byte, annotations [][]byte) []byte {
	dst = append(append(append(dst, `{"type":"output_text","text":"`...), text...), `","annotations":[`...)
	for i, a := range annotations {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, a...)
	}
	return append(dst, `],"logprobs":[]}`...)
}

func appendSummary(dst, text []byte) []byte {
	return append(append(append(dst, `{"type":"summary_text","text":"`...), text...), `"}`...)
}

// appendResponse appends the response object. Fields of the request are repeated in it; the long ones, instructions and
// tools, at its end only: a stream would carry them three times over, and with every sign of life.
func (e *encoder) appendResponse(dst []byte, s state) []byte {
	r := e.asked
	ended := s.status != inProgress
	dst = append(append(append(dst, `{"id":"resp_`...), e.meta.ID...), `","object":"response","created_at":`...)
	dst = append(strconv.AppendInt(dst, e.meta.Created.Unix(), 10), `,"status":"`...)
	dst = append(append(dst, s.status...), `","background":false,"error":`...)
	dst = appendFailure(dst, s.failure)
	dst = append(dst, `,"incomplete_details":`...)
	if s.incomplete == "" {
		dst = append(dst, "null"...)
	} else {
		dst = append(append(append(dst, `{"reason":"`...), s.incomplete...), `"}`...)
	}
	if e.call.Stream && !ended {
		dst = append(dst, `,"instructions":null`...)
	} else {
		dst = appendRaw(append(dst, `,"instructions":`...), r.echo.instructions, "null")
	}
	dst = gemini.AppendQuoted(append(dst, `,"model":`...), e.call.Model)
	dst = append(dst, `,"output":[`...)
	if ended {
		dst = append(dst, e.output...)
	}
	dst = append(e.appendSettings(append(dst, ']'), ended), `,"usage":`...)
	if !ended || s.failure != nil {
		return append(dst, "null}"...)
	}
	return append(appendUsage(dst, e.usage), '}')
}

// appendSettings appends what the answer repeats of its request's settings.
func (e *encoder) appendSettings(dst []byte, ended bool) []byte {
	r := e.asked
	dst = strconv.AppendBool(append(dst, `,"parallel_tool_calls":`...), !r.noParallel)
	dst = front.AppendOptional(append(dst, `,"previous_response_id":null,"reasoning":{"effort":`...), r.reasoning.effort)
	dst = front.AppendOptional(append(dst, `,"summary":`...), r.reasoning.summary)
	dst = appendFloat(append(dst, `},"service_tier":"default","store":false,"temperature":`...), r.temperature)
	dst = appendFloat(append(dst, `,"top_p":`...), r.topP)
	dst = append(dst, `,"max_output_tokens":`...)
	if r.maxTokens == nil {
		dst = append(dst, "null"...)
	} else {
		dst = strconv.AppendInt(dst, int64(*r.maxTokens), 10)
	}
	dst = appendRaw(append(dst, `,"text":`...), r.echo.text, `{"format":{"type":"text"}}`)
	dst = appendRaw(append(dst, `,"tool_choice":`...), r.echo.choice, `"auto"`)
	if e.call.Stream && !ended {
		dst = append(dst, `,"tools":[]`...)
	} else {
		dst = appendRaw(append(dst, `,"tools":`...), r.echo.tools, "[]")
	}
	dst = gemini.AppendQuoted(append(dst, `,"truncation":`...), cmp.Or(r.truncation, "disabled"))
	dst = appendRaw(append(dst, `,"metadata":`...), r.echo.metadata, "{}")
	return dst
}

func appendRaw(dst []byte, raw json.RawMessage, absent string) []byte {
	if len(raw) == 0 {
		return append(dst, absent...)
	}
	return append(dst, raw...)
}

// appendFloat appends a setting whose default is 1.
func appendFloat(dst []byte, f *float64) []byte {
	if f == nil {
		return append(dst, '1')
	}
	return strconv.AppendFloat(dst, *f, 'f', -1, 64)
}

// appendUsage writes the counters as OpenAI counts: the input with what came from the cache, the output with thoughts.
func appendUsage(dst []byte, u gemini.Usage) []byte {
	input, output := u.Prompt+u.ToolUse, u.Candidates+u.Thoughts
	dst = strconv.AppendInt(append(dst, `{"input_tokens":`...), int64(input), 10)
	dst = strconv.AppendInt(append(dst, `,"input_tokens_details":{"cached_tokens":`...), int64(min(u.Cached, u.Prompt)), 10)
	dst = strconv.AppendInt(append(dst, `,"cache_write_tokens":0},"output_tokens":`...), int64(output), 10)
	dst = strconv.AppendInt(append(dst, `,"output_tokens_details":{"reasoning_tokens":`...), int64(u.Thoughts), 10)
	return append(strconv.AppendInt(append(dst, `},"total_tokens":`...), int64(input+output), 10), '}')
}

// appendFailure appends a response's error in codes that Codex knows (codex-rs, codex-api).
func appendFailure(dst []byte, e *front.Error) []byte {
	if e == nil {
		return append(dst, "null"...)
	}
	dst = append(append(append(dst, `{"code":"`...), failureCode(e)...), `","message":`...)
	return append(gemini.AppendQuoted(dst, front.OpenAIMessage(e)), '}')
}

func failureCode(e *front.Error) string {
	switch e.Kind {
	case front.Overflow:
		return "context_length_exceeded"
	case front.RateLimited:
		if e.NoRetry {
			return "insufficient_quota"
		}
		return "rate_limit_exceeded"
	case front.Overloaded:
		return "server_is_overloaded"
	case front.Invalid, front.TooLarge, front.NotFound, front.Forbidden, front.Region, front.Unauthorized:
		return "invalid_prompt" // what asking again does not help against
	}
	return "server_error"
}
