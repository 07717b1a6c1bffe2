// Package chat speaks OpenAI's Chat Completions API.
package chat

import (
	"cmp"
	"slices"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// Codec is the Chat Completions API. New makes one that remembers tools and uses memory again; the zero value does not.
type Codec struct {
	tools  *front.Known[*declared]
	arenas *front.Arenas
}

// New makes a codec.
func New() Codec { return Codec{tools: front.NewKnown[*declared](), arenas: &front.Arenas{}} }

var _ front.Codec = Codec{}

// ToolIDPrefix is "call_".
func (Codec) ToolIDPrefix() string { return "call_" }

// Decode reads the body of POST /v1/chat/completions. What has no counterpart in Gemini, such as logprobs, penalties and
// fields that nobody knows, is left out without an error.
func (c Codec) Decode(body []byte) (*front.Call, error) {
	return c.arenas.Decode(func(arena *front.Arena) (func(*front.Call) error, error) {
		m := front.OwnOf[memory](arena)
		d := &m.decoder
		d.req, d.arena = &m.request, arena
		if err := m.parse(body, arena, c.tools); err != nil {
			return nil, err
		}
		return d.decode, d.req.check()
	})
}

// decode fills the call.
func (d *decoder) decode(call *front.Call) error {
	r := d.req
	d.call = call
	d.legacy = (r.tools == nil || len(r.tools.list) == 0) && (len(r.functions) > 0 || r.functionCall.kind != "")
	call.Model, call.Stream, call.IncludeUsage = r.model, r.stream, r.includeUsage
	call.LeftOut, call.SingleCall, call.BuiltIn = r.leftOut, r.noParallel || d.legacy, r.builtIn
	call.Own, call.Conversation = asked{legacy: d.legacy}, cmp.Or(r.cacheKey, r.user)
	call.Request.SetPlain(r.plain)
	d.config()
	d.thinking()
	if err := d.tools(); err != nil {
		return err
	}
	d.system()
	return call.SetContents(d.contents())
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
	arena  *front.Arena

	open []gemini.Part // of the content that is being made
}

// content makes a content of what was put into open.
func (d *decoder) content(role string) gemini.Content {
	c := gemini.Content{Role: role, Parts: d.arena.Parts.Keep(d.open...)}
	d.open = d.open[:0]
	return c
}

func (d *decoder) config() {
	r, config := d.req, d.call.Request.GenerationConfig
	config.Temperature, config.TopP, config.StopSequences, config.Seed = r.temperature, r.topP, r.stops, r.seed
	switch r.format.kind {
	case "json_object":
		config.ResponseMimeType = "application/json"
	case "json_schema":
		config.ResponseMimeType = "application/json"
		config.ResponseJSONSchema = front.CleanOutput(r.format.schema)
	}
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
	functions := d.functions()
	if c := &d.req.choice; c.kind == "allowed_tools" {
		if d.call.BuiltIn = d.call.BuiltIn.Both(c.hosted); len(c.names) == 0 {
			functions = front.NewToolset(nil) // none of the client's own
		}
	}
	if d.legacy {
		return d.call.Declare(functions, d.req.functionCall.toGemini("function_call"))
	}
	return d.call.Declare(functions, d.req.choice.toGemini("tool_choice"))
}

// functions are those of tools, and of its deprecated form.
func (d *decoder) functions() *front.Toolset {
	tools := d.req.tools
	if tools == nil {
		return front.NewToolset(d.req.functions)
	}
	d.call.StrictTools = tools.strict
	if len(d.req.functions) > 0 {
		return front.NewToolset(slices.Concat(tools.list, d.req.functions))
	}
	return tools.functions
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
	for len(d.req.messages) > 1 && isSystem(d.req.messages[0].role) {
		for _, p := range d.req.messages[0].content {
			if !p.Text.Empty() {
				d.open = append(d.open, gemini.Part{Text: p.Text})
			}
		}
		d.req.messages = d.req.messages[1:]
	}
	if len(d.open) > 0 {
		d.call.Request.SystemInstruction = d.arena.Contents.New(d.content(""))
	}
}

func (d *decoder) contents() []gemini.Content {
	contents := d.arena.Contents.Make(len(d.req.messages))
	for i := range d.req.messages {
		m, c := &d.req.messages[i], &contents[i]
		c.Role = gemini.RoleUser
		switch {
		case isSystem(m.role):
			if text := d.arena.Join(m.content); !text.Empty() {
				c.Parts = d.arena.Parts.Keep(gemini.Part{Text: text.Wrap("<system-message>\n", "\n</system-message>")})
			}
		case m.role == "assistant":
			*c = d.said(m)
		case m.role == "tool":
			c.Parts = d.arena.Parts.Keep(gemini.Part{FunctionResponse: d.arena.Result(m.callID, m.content, false)})
		case m.role == "function":
			c.Parts = d.arena.Parts.Keep(gemini.Part{FunctionResponse: d.arena.Result(m.name, m.content, false)})
		default:
			c.Parts = m.content
		}
	}
	return contents
}

// said makes an assistant's message, and keeps the signatures that came back with its calls.
func (d *decoder) said(m *message) gemini.Content {
	d.open = append(d.open, m.content...)
	if len(m.content) == 0 && !m.refusal.Empty() {
		d.open = append(d.open, gemini.Part{Text: m.refusal})
	}
	if len(m.calls) > 0 && len(m.calls[0].signature) == 0 {
		m.calls[0].signature = m.signature // clients that keep one only for the message as a whole
	}
	for i := range m.calls {
		c := &m.calls[i]
		d.open = append(d.open, gemini.Part{FunctionCall: d.arena.Calls.New(gemini.FunctionCall{
			Name: d.call.Tools.Upstream(c.name), Args: d.arena.Object(c.args), ClientID: c.id,
		})})
		if _, ours := d.call.Carry(c.signature); !ours && len(c.signature) > 0 {
			d.call.Carried = append(d.call.Carried, front.Record{ClientID: c.id, Signature: string(c.signature)})
		}
	}
	return d.content(gemini.RoleModel)
}
