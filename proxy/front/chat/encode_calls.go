package chat

import (
	"strconv"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// A call is {"id","type","function":{"name","arguments"}} in the list tool_calls, or the same with custom and input. The
// deprecated shape is "function_call":{"name","arguments"} alone, and there is one at most.

// outcall is a call on its way to the client.
type outcall struct {
	ev     *gemini.Event
	name   string
	object string // function, custom or function_call
	field  string // arguments or input
	text   []byte // what is passed to the tool
	quoted bool   // text is a string literal without its quotes
}

func (e *encoder) outcall(ev *gemini.Event) outcall {
	c := outcall{ev: ev, name: e.call.Tools.Client(ev.Call.Name), object: "function", field: "arguments"}
	switch {
	case e.call.Tools.Custom(c.name):
		input := front.CustomInput(ev.Call.Args)
		c.object, c.field, c.text, c.quoted = "custom", "input", input[1:len(input)-1], true
		return c
	case e.legacy:
		c.object = "function_call"
	}
	c.text = front.Object(ev.Call.Args)
	return c
}

// toolCall passes on a whole call: in a stream first its name, then what is passed in pieces.
func (e *encoder) toolCall(dst []byte, ev *gemini.Event) []byte {
	c := e.outcall(ev)
	index := e.calls
	e.calls++
	if !e.call.Stream {
		e.collect(&c, index)
		return dst
	}
	dst = e.openCall(e.start(dst, "null"), index)
	dst = e.appendHead(dst, &c)
	dst = c.appendField(append(dst, ','), nil)
	dst = e.closeCall(e.appendSignature(append(dst, '}'), ev.Signature))
	for len(c.text) > 0 {
		var piece []byte
		piece, c.text = front.Slice(c.text, front.SliceSize)
		dst = c.appendObject(e.openCall(dst, index))
		dst = e.closeCall(append(c.appendField(dst, piece), '}'))
	}
	return dst
}

// collect adds a call to those of a whole answer.
func (e *encoder) collect(c *outcall, index int) {
	dst := e.toolCalls
	if !e.legacy {
		if index > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '{')
	}
	dst = c.appendField(append(e.appendHead(dst, c), ','), c.text)
	dst = e.appendSignature(append(dst, '}'), c.ev.Signature)
	if !e.legacy {
		dst = append(dst, '}')
	}
	e.toolCalls = dst
}

// appendCalls appends the calls of a whole answer to its message.
func (e *encoder) appendCalls(dst []byte) []byte {
	switch {
	case e.calls == 0:
		return dst
	case e.legacy:
		return append(append(dst, ','), e.toolCalls...)
	}
	return append(append(append(dst, `,"tool_calls":[`...), e.toolCalls...), ']')
}

// openCall begins a chunk with fields of a call.
func (e *encoder) openCall(dst []byte, index int) []byte {
	if e.legacy {
		return e.delta(dst, "")
	}
	dst = e.delta(dst, `"tool_calls":[{"index":`)
	return append(strconv.AppendInt(dst, int64(index), 10), ',')
}

// closeCall ends the chunk.
func (e *encoder) closeCall(dst []byte) []byte {
	if !e.legacy {
		dst = append(dst, "}]"...)
	}
	return e.endChunk(append(dst, '}'), "null")
}

// appendHead appends a call's fields up to its name.
func (e *encoder) appendHead(dst []byte, c *outcall) []byte {
	if !e.legacy {
		dst = gemini.AppendQuoted(append(dst, `"id":`...), c.ev.Call.ClientID)
		dst = append(append(append(dst, `,"type":"`...), c.object...), `",`...)
	}
	return gemini.AppendQuoted(append(c.appendObject(dst), `"name":`...), c.name)
}

func (c *outcall) appendObject(dst []byte) []byte {
	return append(append(append(dst, '"'), c.object...), `":{`...)
}

// appendField appends a piece of what is passed.
func (c *outcall) appendField(dst, piece []byte) []byte {
	dst = append(append(append(dst, '"'), c.field...), `":`...)
	if c.quoted {
		return append(append(append(dst, '"'), piece...), '"')
	}
	return gemini.AppendQuoted(dst, piece)
}

// appendSignature hands the client a thought signature the way Google's own OpenAI layer does.
func (e *encoder) appendSignature(dst []byte, signature string) []byte {
	if signature == "" || e.legacy {
		return dst
	}
	dst = append(dst, `,"extra_content":{"google":{"thought_signature":`...)
	return append(gemini.AppendQuoted(dst, signature), '}', '}')
}
