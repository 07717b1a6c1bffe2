// Package chat speaks OpenAI's Chat Completions API.
package chat

import (
	"strings"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// Codec is the Chat Completions API.
type Codec struct{}

var _ front.Codec = Codec{}

// ToolIDPrefix is "call_".
func (Codec) ToolIDPrefix() string { return "call_" }

// Decode reads the body of POST /v1/chat/completions. What has no counterpart in Gemini, such as logprobs, penalties and
// fields that nobody knows, is left out without an error.
func (Codec) Decode(body []byte) (*front.Call, error) {
	req, err := parse(body)
	if err != nil {
		return nil, front.AsError(err)
	}
	if err := req.check(); err != nil {
		return nil, err
	}
	d := decoder{req: req, call: &front.Call{
		Model: req.model, Stream: req.stream, IncludeUsage: req.includeUsage, Request: &gemini.Request{},
		SingleCall: req.noParallel,
	}}
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
	case r.legacy != "":
		return front.Invalidf(r.legacy, "the deprecated function interface is not supported, use tools and tool_choice")
	case r.n != nil && *r.n != 1:
		return front.Invalidf("n", "expected 1: there is one answer a request")
	case r.maxCompletion != nil && *r.maxCompletion < 1:
		return front.Invalidf("max_completion_tokens", "expected 1 or more")
	case r.maxTokens != nil && *r.maxTokens < 1:
		return front.Invalidf("max_tokens", "expected 1 or more")
	case r.temperature != nil && (*r.temperature < 0 || *r.temperature > 2):
		return front.Invalidf("temperature", "expected 0 to 2")
	case r.topP != nil && (*r.topP < 0 || *r.topP > 1):
		return front.Invalidf("top_p", "expected 0 to 1")
	case (r.choice.kind == "function" || r.choice.kind == "allowed_tools") && len(r.choice.names) == 0:
		return front.Invalidf("tool_choice", "expected the name of a function")
	}
	return nil
}

type decoder struct {
	req  *request
	call *front.Call
}

func (d *decoder) config() {
	r := d.req
	config := &gemini.GenerationConfig{Temperature: r.temperature, TopP: r.topP, StopSequences: r.stops}
	if r.seed != nil {
		seed := int32(*r.seed & (1<<31 - 1))
		config.Seed = &seed
	}
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
		google.ThinkingLevel = strings.ToUpper(google.ThinkingLevel)
		if google.ThinkingLevel != "" {
			google.ThinkingBudget = nil // Google refuses both together
		}
		t.Explicit, d.call.ShowThoughts = google, google.IncludeThoughts
	}
	d.call.Thinking = t
}

func (d *decoder) tools() error {
	var tools []front.Tool
	for _, t := range d.req.tools {
		tools = append(tools, front.Tool{Name: t.name, Description: t.description, Schema: t.schema})
		d.call.StrictTools = d.call.StrictTools || t.strict
	}
	choice := front.ToolChoice{Names: d.req.choice.names, Param: "tool_choice"}
	switch kind := d.req.choice.kind; {
	case kind == "none":
		choice.Mode = front.ModeNone
	case kind == "auto":
		choice.Mode = front.ModeAuto
	case kind == "required", kind == "function", kind == "allowed_tools" && d.req.choice.mode == "required":
		choice.Mode = front.ModeAny
	case kind == "allowed_tools":
		choice.Mode = front.ModeValidated
	}
	return d.call.SetTools(tools, choice)
}

func isSystem(role string) bool { return role == "system" || role == "developer" }

// system makes the system instruction of the messages at the head.
func (d *decoder) system() {
	var parts []gemini.Part
	for len(d.req.messages) > 0 && isSystem(d.req.messages[0].role) {
		for _, t := range texts(d.req.messages[0].content) {
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
	for _, m := range d.req.messages {
		c := gemini.Content{Role: gemini.RoleUser}
		switch {
		case isSystem(m.role):
			if text := front.Join(texts(m.content)); !text.Empty() {
				c.Parts = []gemini.Part{{Text: text.Wrap("<system-message>\n", "\n</system-message>")}}
			}
		case m.role == "assistant":
			c.Role = gemini.RoleModel
			c.Parts = append(parts(m.content), d.calls(m.calls)...)
		case m.role == "tool":
			c.Parts = []gemini.Part{{FunctionResponse: result(m)}}
		default:
			c.Parts = parts(m.content)
		}
		contents = append(contents, c)
	}
	return contents
}

// calls makes an assistant's calls, and keeps the signatures that came back with them.
func (d *decoder) calls(calls []toolCall) []gemini.Part {
	var out []gemini.Part
	for _, c := range calls {
		args := []byte(c.args)
		if len(args) > 0 && args[0] == '"' {
			args = []byte(gemini.Text(args).String())
		}
		out = append(out, gemini.Part{FunctionCall: &gemini.FunctionCall{
			Name: d.call.Tools.Upstream(c.name), Args: front.Object(args), ClientID: c.id,
		}})
		if records, ok := front.Unseal(c.signature); ok {
			d.call.Carried = append(d.call.Carried, records...)
		} else if c.signature != "" {
			d.call.Carried = append(d.call.Carried, front.Record{ClientID: c.id, Signature: c.signature})
		}
	}
	return out
}

func parts(content []part) []gemini.Part {
	var out []gemini.Part
	for i := range content {
		if p, ok := content[i].toGemini(); ok {
			out = append(out, p)
		}
	}
	return out
}

func texts(content []part) []gemini.Text {
	var out []gemini.Text
	for _, p := range content {
		if p.kind == "text" {
			out = append(out, p.text)
		}
	}
	return out
}

// result makes a tool's result: its texts are the output, a line each, its media are parts beside it.
func result(m message) *gemini.FunctionResponse {
	r := &gemini.FunctionResponse{ClientID: m.callID}
	for _, p := range parts(m.content) {
		if p.Text == nil {
			r.Parts = append(r.Parts, p)
		}
	}
	text := front.Join(texts(m.content))
	if text.Empty() && len(r.Parts) > 0 {
		text = gemini.Quote("see attached")
	}
	r.Response = front.ToolResult(text, false)
	return r
}
