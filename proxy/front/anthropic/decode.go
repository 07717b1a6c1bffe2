// Package anthropic speaks Anthropic's Messages API: POST /v1/messages as Claude Code and Anthropic's SDKs use it.
package anthropic

import (
	"bytes"
	"strings"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// Codec is the Messages API.
type Codec struct{}

var _ front.Codec = Codec{}

// ToolIDPrefix is "toolu_".
func (Codec) ToolIDPrefix() string { return "toolu_" }

// Decode reads the body of POST /v1/messages. What has no counterpart in Gemini, such as cache_control, betas and fields
// that nobody knows, is left out without an error.
func (Codec) Decode(body []byte) (*front.Call, error) {
	req, err := read(body)
	if err != nil {
		return nil, err
	}
	if err := req.checkTurn(); err != nil {
		return nil, err
	}
	d, err := decode(req)
	if err != nil {
		return nil, err
	}
	d.call.MaxTokens, d.call.Prewarm = *req.maxTokens, *req.maxTokens == 0
	if err := d.call.SetContents(d.contents()); err != nil {
		return nil, err
	}
	return d.call, nil
}

// DecodePrompt reads the body of POST /v1/messages/count_tokens, which needs neither max_tokens nor a message. The call's
// history is as it came, not normalised.
func (Codec) DecodePrompt(body []byte) (*front.Call, error) {
	req, err := read(body)
	if err != nil {
		return nil, err
	}
	d, err := decode(req)
	if err != nil {
		return nil, err
	}
	d.call.Request.Contents = d.contents()
	return d.call, nil
}

func read(body []byte) (*request, error) {
	req, err := parse(body)
	if err != nil {
		return nil, front.AsError(err)
	}
	return req, req.check()
}

// decode makes the call but for its limit and its history.
func decode(req *request) (*decoder, error) {
	d := &decoder{req: req, call: &front.Call{
		Model: req.model, Stream: req.stream, Request: &gemini.Request{}, SingleCall: req.choice.noneElse,
	}}
	d.config()
	d.thinking()
	if err := d.tools(); err != nil {
		return nil, err
	}
	d.system()
	return d, nil
}

// check finds what the whole request lacks.
func (r *request) check() error {
	switch {
	case r.thread:
		return &front.Error{Kind: front.Invalid, Param: "thread", Code: "thread_unsupported_request",
			Message: "thread: server-side threads are not supported, send the whole conversation in messages"}
	case r.model == "":
		return front.Invalidf("model", "expected the name of a model")
	case !r.hasMessages:
		return front.Invalidf("messages", "expected an array with at least one message")
	case r.temperature != nil && (*r.temperature < 0 || *r.temperature > 2):
		return front.Invalidf("temperature", "expected 0 to 1")
	case r.topP != nil && (*r.topP < 0 || *r.topP > 1):
		return front.Invalidf("top_p", "expected 0 to 1")
	case r.topK != nil && *r.topK < 0:
		return front.Invalidf("top_k", "expected 0 or more")
	case r.choice.kind == "tool" && r.choice.name == "":
		return front.Invalidf("tool_choice.name", "expected the name of a tool")
	}
	return nil
}

// checkTurn finds what a request for an answer lacks.
func (r *request) checkTurn() error {
	switch {
	case len(r.messages) == 0:
		return front.Invalidf("messages", "expected an array with at least one message")
	case r.maxTokens == nil:
		return front.Invalidf("max_tokens", "expected a whole number")
	case *r.maxTokens < 0:
		return front.Invalidf("max_tokens", "expected 0 or more")
	}
	return nil
}

type decoder struct {
	req  *request
	call *front.Call
}

func (d *decoder) config() {
	r := d.req
	config := &gemini.GenerationConfig{Temperature: r.temperature, TopP: r.topP, TopK: r.topK, StopSequences: r.stops}
	if r.topK != nil && *r.topK == 0 {
		config.TopK = nil
	}
	if r.schema != nil {
		config.ResponseMimeType = "application/json"
		config.ResponseJSONSchema = front.CleanOutput(r.schema)
	}
	d.call.Request.GenerationConfig = config
}

func (d *decoder) thinking() {
	t := front.Thinking{Effort: d.req.effort}
	switch d.req.thinking.kind {
	case "disabled":
		t.Mode = front.ThinkingOff
	case "enabled":
		t.Mode = front.ThinkingAdaptive
		if b := d.req.thinking.budget; b != nil {
			t.Mode, t.Budget = front.ThinkingBudget, *b
		}
	case "adaptive", "between_tools":
		t.Mode = front.ThinkingAdaptive
	}
	asked := t.Mode == front.ThinkingAdaptive || t.Mode == front.ThinkingBudget
	d.call.Thinking, d.call.ShowThoughts = t, asked && d.req.thinking.display != "omitted"
}

// placeholder is declared by Claude Code for its own ends and must never be called.
const placeholder = "DeferredToolPlaceholder"

func (d *decoder) tools() error {
	declared := d.req.tools
	for _, m := range d.req.messages {
		for _, b := range m.content {
			if b.kind == "tool_addition" && b.tool != nil {
				declared = append(declared, *b.tool)
			}
		}
	}
	var tools []front.Tool
	for _, t := range declared {
		if t.name == placeholder {
			continue
		}
		schema, ok := t.parameters()
		if !ok {
			continue
		}
		tools = append(tools, front.Tool{Name: t.name, Description: t.description, Schema: schema})
		d.call.StrictTools = d.call.StrictTools || t.strict
	}
	choice := front.ToolChoice{Param: "tool_choice.name"}
	switch d.req.choice.kind {
	case "auto":
		choice.Mode = front.ModeAuto
	case "any":
		choice.Mode = front.ModeAny
	case "none":
		choice.Mode = front.ModeNone
	case "tool":
		choice.Mode, choice.Names = front.ModeAny, []string{d.req.choice.name}
	}
	return d.call.SetTools(tools, choice)
}

// attribution begins a system block that says which client this is; its hash changes with every request, which would break
// Gemini's prompt cache.
const attribution = `"x-anthropic-billing-header:`

// system makes the system instruction: the field's blocks, then messages of role system at the head.
func (d *decoder) system() {
	blocks := d.req.system
	for len(d.req.messages) > 0 && d.req.messages[0].role == "system" {
		blocks = append(blocks, d.req.messages[0].content...)
		d.req.messages = d.req.messages[1:]
	}
	var parts []gemini.Part
	for _, b := range blocks {
		if !b.text.Empty() && !bytes.HasPrefix(b.text, []byte(attribution)) {
			parts = append(parts, gemini.Part{Text: b.text})
		}
	}
	if len(parts) > 0 {
		d.call.Request.SystemInstruction = &gemini.Content{Parts: parts}
	}
}

func (d *decoder) contents() []gemini.Content {
	lastUser := -1
	for i, m := range d.req.messages {
		if m.role == "user" {
			lastUser = i
		}
	}
	var contents []gemini.Content
	for i, m := range d.req.messages {
		switch {
		case m.role == "system" && m.clearAt == "next_user_message" && i < lastUser:
		case m.role == "system":
			contents = append(contents, systemMessage(m.content))
		case m.role == "assistant":
			contents = append(contents, gemini.Content{Role: gemini.RoleModel, Parts: d.assistant(m.content)})
		default:
			contents = append(contents, gemini.Content{Role: gemini.RoleUser, Parts: d.user(m.content)})
		}
	}
	return contents
}

// systemMessage keeps a system message in its place, so that what stands before it stays cached.
func systemMessage(blocks []block) gemini.Content {
	var texts []gemini.Text
	for _, b := range blocks {
		if !b.text.Empty() {
			texts = append(texts, b.text)
		}
	}
	c := gemini.Content{Role: gemini.RoleUser}
	if len(texts) > 0 {
		c.Parts = []gemini.Part{{Text: front.Join(texts).Wrap("<system-message>\n", "\n</system-message>")}}
	}
	return c
}

func (d *decoder) assistant(blocks []block) []gemini.Part {
	var parts []gemini.Part
	for _, b := range blocks {
		switch b.kind {
		case "thinking":
			if records, ok := front.Unseal(b.signature); ok {
				d.call.Carried = append(d.call.Carried, records...)
			}
		case "redacted_thinking":
		case "tool_use":
			parts = append(parts, gemini.Part{FunctionCall: &gemini.FunctionCall{
				Name: d.call.Tools.Upstream(b.name), Args: front.Object(b.input), ClientID: b.id,
			}})
		case "server_tool_use":
			text := "[" + b.name + " " + string(b.input) + "]"
			parts = append(parts, gemini.Part{Text: gemini.Quote(text)})
		default:
			parts = append(parts, b.parts()...)
		}
	}
	return parts
}

func (d *decoder) user(blocks []block) []gemini.Part {
	var parts []gemini.Part
	for _, b := range blocks {
		if b.kind == "tool_result" {
			parts = append(parts, gemini.Part{FunctionResponse: d.result(b)})
			continue
		}
		parts = append(parts, b.parts()...)
	}
	return parts
}

// result makes a tool's result: its texts are the output, a line each, its media are parts beside it.
func (d *decoder) result(b block) *gemini.FunctionResponse {
	var texts []gemini.Text
	var media []gemini.Part
	for _, c := range b.content {
		if c.kind == "tool_reference" {
			texts = append(texts, gemini.Quote("Loaded tool: "+d.call.Tools.Upstream(c.toolName)))
			continue
		}
		for _, p := range c.parts() {
			if p.Text != nil {
				texts = append(texts, p.Text)
			} else {
				media = append(media, p)
			}
		}
	}
	text := front.Join(texts)
	if text.Empty() && len(media) > 0 {
		text = gemini.Quote("see attached")
	}
	return &gemini.FunctionResponse{
		ClientID: b.toolUseID, Response: front.ToolResult(text, b.isError), Parts: media,
	}
}

// parts makes texts and media of a block. Blocks of other types become what text they have.
func (b *block) parts() []gemini.Part {
	switch b.kind {
	case "image", "document":
		return b.sourceParts()
	case "search_result", "web_search_result":
		return []gemini.Part{{Text: b.citedText()}}
	case "tool_addition", "tool_removal":
		return nil
	case "text":
		return []gemini.Part{{Text: b.text}}
	}
	var parts []gemini.Part
	if b.text != nil {
		parts = append(parts, gemini.Part{Text: b.text})
	}
	for _, c := range b.content {
		parts = append(parts, c.parts()...)
	}
	return parts
}

func (b *block) sourceParts() []gemini.Part {
	s := b.source
	switch s.kind {
	case "base64":
		blob, problem := front.Inline(s.mediaType, s.data.String())
		if problem != "" {
			return nil // parse refused it
		}
		return []gemini.Part{{InlineData: blob}}
	case "text":
		return []gemini.Part{{Text: b.titled(s.data)}}
	}
	var parts []gemini.Part
	if b.title != nil {
		parts = append(parts, gemini.Part{Text: b.titled(nil)})
	}
	for _, c := range s.content {
		parts = append(parts, c.parts()...)
	}
	return parts
}

// titled puts a document's title and context before its text.
func (b *block) titled(text gemini.Text) gemini.Text {
	var head strings.Builder
	if b.title != nil {
		head.WriteString("Title: " + b.title.String() + "\n")
	}
	if b.context != nil {
		head.WriteString("Context: " + b.context.String() + "\n")
	}
	if head.Len() == 0 {
		return text
	}
	return text.Wrap(head.String()+"\n", "")
}

// citedText is a search result in words.
func (b *block) citedText() gemini.Text {
	address := b.text
	if b.url != nil {
		address = b.url
	}
	var texts []gemini.Text
	for _, c := range b.content {
		texts = append(texts, c.text)
	}
	head := "Title: " + b.title.String() + "\nSource: " + address.String()
	if len(texts) == 0 {
		return gemini.Quote(head)
	}
	return front.Join(texts).Wrap(head+"\n\n", "")
}
