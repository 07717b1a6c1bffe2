// Package chat speaks OpenAI's Chat Completions API.
package chat

import (
	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// Codec is the Chat Completions API.
type Codec struct{ tools *front.Known[declared] }

// New makes a codec that remembers tools; the zero value does not.
func New() Codec { return Codec{front.NewKnown[declared]()} }

var _ front.Codec = Codec{}

// ToolIDPrefix is "call_".
func (Codec) ToolIDPrefix() string { return "call_" }

// Decode reads the body of POST /v1/chat/completions. What has no counterpart in Gemini, such as logprobs, penalties and
// fields that nobody knows, is left out without an error.
func (c Codec) Decode(body []byte) (*front.Call, error) {
	req, err := parse(body, c.tools)
	if err != nil {
		return nil, front.AsError(err)
	}
	if err := req.check(); err != nil {
		return nil, err
	}
	legacy := len(req.tools) == 0 && (len(req.functions) > 0 || req.functionCall.kind != "")
	d := decoder{req: req, legacy: legacy, call: &front.Call{
		Model: req.model, Stream: req.stream, IncludeUsage: req.includeUsage, Request: &gemini.Request{},
		LeftOut: req.leftOut, SingleCall: req.noParallel || legacy, Own: asked{legacy: legacy}, BuiltIn: req.builtIn, Conversation: req.cacheKey,
	}}
	d.call.Request.SetPlain(req.plain)
	if d.call.Conversation == "" {
		d.call.Conversation = req.user
	}
	d.config()
	d.thinking()
	if err := d.tools(); err != nil {
		return nil, err
	}
	d.system()
	if err := d.call.SetContents(d.contents()); err != nil {
		return nil, err
	}
	return d.call, nil
}

// check finds what the whole request lacks or must not have.
func (r *request) check() error {
	switch {
	case r.model == "":
		return front.Invalidf("model", "expected the name of a model")
	case len(r.messages) == 0:
		return front.Invalidf("messages", "expected an array with at least one message")
	case r.n != nil && *r.n != 1:
		err := front.Invalidf("n", "expected 1: there is one answer a request")
		err.Code = "unsupported_value"
		return err
	case r.maxCompletion != nil && *r.maxCompletion < 1:
		return front.Invalidf("max_completion_tokens", "expected 1 or more")
	case r.maxTokens != nil && *r.maxTokens < 1:
		return front.Invalidf("max_tokens", "expected 1 or more")
	case r.temperature != nil && (*r.temperature < 0 || *r.temperature > 2):
		return front.Invalidf("temperature", "expected 0 to 2")
	case r.topP != nil && (*r.topP < 0 || *r.topP > 1):
		return front.Invalidf("top_p", "expected 0 to 1")
	case r.format.kind == "json_schema" && !r.format.said:
		return front.Invalidf("response_format.json_schema", "expected an object with a name and a schema")
	case r.format.kind == "json_schema" && r.format.name == "":
		return front.Invalidf("response_format.json_schema.name", "expected the name of the schema")
	case r.choice.named() && !hasNames(r.choice):
		return front.Invalidf("tool_choice", "expected the name of a tool")
	case r.functionCall.named() && !hasNames(r.functionCall):
		return front.Invalidf("function_call", "expected the name of a function")
	}
	return front.CheckStops("stop", r.stops)
}

func hasNames(c choice) bool {
	for _, name := range c.names {
		if name == "" {
			return false
		}
	}
	return len(c.names) > 0 || c.kind == "allowed_tools" && c.listed > 0
}

// asked is what the encoder of an answer must know of its request.
type asked struct {
	legacy bool // functions were declared, not tools: a call goes back in that deprecated shape
}

type decoder struct {
	req    *request
	legacy bool
	call   *front.Call
}

func (d *decoder) config() {
	r := d.req
	config := &gemini.GenerationConfig{Temperature: r.temperature, TopP: r.topP, StopSequences: r.stops, Seed: r.seed}
	switch r.format.kind {
	case "json_object":
		config.ResponseMimeType = "application/json"
	case "json_schema":
		config.ResponseMimeType = "application/json"
		config.ResponseJSONSchema = front.CleanOutput(r.format.schema)
	}
	d.call.Request.GenerationConfig = config
	if r.maxCompletion != nil {
		d.call.MaxTokens = *r.maxCompletion
	} else if r.maxTokens != nil {
		d.call.MaxTokens = *r.maxTokens
	}
}

func (d *decoder) thinking() {
	t := front.Thinking{Effort: d.req.effort}
	if t.Effort == "none" {
		t = front.Thinking{Mode: front.ThinkingOff}
	}
	d.call.ShowThoughts = t.Effort != ""
	if google := d.req.google; google != nil {
		t.Explicit, d.call.ShowThoughts = google, google.IncludeThoughts
	}
	d.call.Thinking = t
}

func (d *decoder) tools() error {
	var tools []front.Tool
	for _, t := range d.req.tools {
		tools = append(tools, t.Tool)
		d.call.StrictTools = d.call.StrictTools || t.strict
	}
	tools = append(tools, d.req.functions...)
	if c := &d.req.choice; c.kind == "allowed_tools" {
		if d.call.BuiltIn = d.call.BuiltIn.Both(c.hosted); len(c.names) == 0 {
			tools = nil // none of the client's own
		}
	}
	if d.legacy {
		return d.call.SetTools(tools, d.req.functionCall.toGemini("function_call"))
	}
	return d.call.SetTools(tools, d.req.choice.toGemini("tool_choice"))
}

// toGemini makes the choice in Gemini's words; param is the field that it stood in.
func (c *choice) toGemini(param string) front.ToolChoice {
	choice := front.ToolChoice{Names: c.names, Param: param}
	switch {
	case c.kind == "none":
		choice.Mode = front.ModeNone
	case c.kind == "auto":
		choice.Mode = front.ModeAuto
	case c.kind == "allowed_tools" && c.mode != "required":
		choice.Mode = front.ModeValidated
	case c.kind != "":
		choice.Mode = front.ModeAny
	}
	return choice
}

func isSystem(role string) bool { return role == "system" || role == "developer" }

// system makes the system instruction of the messages at the head. The last message always stays, since Gemini wants
// something to answer.
func (d *decoder) system() {
	var parts []gemini.Part
	for len(d.req.messages) > 1 && isSystem(d.req.messages[0].role) {
		for _, t := range front.Texts(d.req.messages[0].content) {
			if !t.Empty() {
				parts = append(parts, gemini.Part{Text: t})
			}
		}
		d.req.messages = d.req.messages[1:]
	}
	if len(parts) > 0 {
		d.call.Request.SystemInstruction = &gemini.Content{Parts: parts}
	}
}

func (d *decoder) contents() []gemini.Content {
	var contents []gemini.Content
	for i := range d.req.messages {
		m := &d.req.messages[i]
		c := gemini.Content{Role: gemini.RoleUser, Parts: m.content}
		switch {
		case isSystem(m.role):
			c.Parts = nil
			if text := front.Join(front.Texts(m.content)); !text.Empty() {
				c.Parts = []gemini.Part{{Text: text.Wrap("<system-message>\n", "\n</system-message>")}}
			}
		case m.role == "assistant":
			c = gemini.Content{Role: gemini.RoleModel, Parts: d.said(m)}
		case m.role == "tool":
			c.Parts = []gemini.Part{{FunctionResponse: front.Result(m.callID, m.content, false)}}
		case m.role == "function":
			c.Parts = []gemini.Part{{FunctionResponse: front.Result(m.name, m.content, false)}}
		}
		contents = append(contents, c)
	}
	return contents
}

// said makes an assistant's message, and keeps the signatures that came back with its calls.
func (d *decoder) said(m *message) []gemini.Part {
	parts := m.content
	if len(parts) == 0 && !m.refusal.Empty() {
		parts = []gemini.Part{{Text: m.refusal}}
	}
	if len(m.calls) > 0 && m.calls[0].signature == "" {
		m.calls[0].signature = m.signature // clients that keep one only for the message as a whole
	}
	for _, c := range m.calls {
		parts = append(parts, gemini.Part{FunctionCall: &gemini.FunctionCall{
			Name: d.call.Tools.Upstream(c.name), Args: front.Object(c.args), ClientID: c.id,
		}})
		if records, ok := front.Unseal(c.signature); ok {
			d.call.Carried = append(d.call.Carried, records...)
		} else if c.signature != "" {
			d.call.Carried = append(d.call.Carried, front.Record{ClientID: c.id, Signature: c.signature})
		}
	}
	return parts
}
