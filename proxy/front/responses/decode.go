// Package responses speaks OpenAI's Responses API, as Codex and OpenAI's SDKs do. Nothing is stored: a request brings the
// whole conversation, and what must come back with it travels in the encrypted_content of reasoning items.
package responses

import (
	"cmp"
	"slices"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// Codec is the Responses API. New makes one that remembers tools and uses memory again; the zero value does not.
type Codec struct {
	tools  *front.Known[*declared]
	arenas *front.Arenas
}

// New makes a codec.
func New() Codec { return Codec{tools: front.NewKnown[*declared](), arenas: &front.Arenas{}} }

var _ front.Codec = Codec{}

// ToolIDPrefix is "call_".
func (Codec) ToolIDPrefix() string { return "call_" }

// Error is the envelope and status of a failure. The request id goes into a header only.
func (Codec) Error(e *front.Error, requestID string) (status int, body []byte) {
	return front.OpenAIError(e)
}

// Decode reads the body of POST /v1/responses. What has no counterpart in Gemini, such as verbosity, items and tools of
// hosted kinds, and fields that nobody knows, is left out without an error.
func (c Codec) Decode(body []byte) (*front.Call, error) {
	return c.arenas.Decode(func(arena *front.Arena) (func(*front.Call) error, error) {
		m := front.OwnOf[memory](arena)
		d := &m.decoder
		d.asked = &asked{}
		d.req, d.arena, d.order = &d.asked.request, arena, &m.order
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
	call.Model, call.Stream, call.IncludeUsage, call.SingleCall = r.model, r.stream, r.includeUsage, r.noParallel
	call.Own, call.LeftOut, call.Conversation = d.asked, r.leftOut, cmp.Or(r.cacheKey, r.user)
	d.config()
	if err := d.tools(); err != nil {
		return err
	}
	d.system()
	if err := call.SetContents(d.contents()); err != nil {
		return front.Invalidf("input", "expected at least one item with content")
	}
	r.input = nil // it does not stay
	return nil
}

// asked is what the encoder of an answer must know of its request, for longer than there is the memory that the request is made in.
type asked struct {
	request
	declared *declared
}

// check finds what the whole request lacks or must not have.
func (r *request) check() error {
	if err := r.checkStored(); err != nil {
		return err
	}
	switch {
	case r.model == "":
		return front.Invalidf("model", "expected the name of a model")
	case len(r.input) == 0:
		return front.Invalidf("input", "expected a string or an array with at least one item")
	case r.maxTokens != nil && *r.maxTokens < 1:
		return front.Invalidf("max_output_tokens", "expected 1 or more")
	case r.temperature != nil && (*r.temperature < 0 || *r.temperature > 2):
		return front.Invalidf("temperature", "expected 0 to 2")
	case r.topP != nil && (*r.topP < 0 || *r.topP > 1):
		return front.Invalidf("top_p", "expected 0 to 1")
	case r.format.kind == "json_schema" && r.format.schema == nil:
		return front.Invalidf("text.format.schema", "expected a JSON Schema object")
	case r.format.kind == "json_schema" && r.format.name == "":
		return front.Invalidf("text.format.name", "expected the name of the schema")
	case slices.Contains(r.choice.names, ""), r.choice.kind == "allowed_tools" && r.choice.listed == 0:
		return front.Invalidf("tool_choice", "expected the name of a tool")
	}
	return nil
}

// checkStored refuses what builds on something that OpenAI would have stored.
func (r *request) checkStored() error {
	switch {
	case r.previous != "":
		return notFound("previous_response_id", "Previous response", r.previous)
	case r.conversation != "":
		return notFound("conversation", "Conversation", r.conversation)
	case r.prompt:
		return front.Invalidf("prompt", "prompt templates are not stored here, send the prompt itself as instructions and input")
	case r.background:
		return front.Invalidf("background", "expected false: nothing is stored here, so that an answer could not be asked for later")
	}
	return nil
}

// noStore is what helps the users of SDKs that leave out what OpenAI would have kept.
const noStore = "nothing is stored here, send the whole conversation in input, each item in full; many SDKs do so once they are told store: false"

// notFound says it in the words that clients know from OpenAI.
func notFound(param, what, id string) *front.Error {
	if len(id) > 100 {
		id = id[:100]
	}
	return &front.Error{
		Kind: front.Invalid, Param: param, Code: "previous_response_not_found",
		Message: what + " with id '" + id + "' not found: " + noStore,
	}
}

type decoder struct {
	req   *request
	call  *front.Call
	asked *asked
	arena *front.Arena
	order *gemini.Slab[*item]

	open []gemini.Part // of the content that is being made
}

func (d *decoder) config() {
	r, config := d.req, d.call.Request.GenerationConfig
	config.Temperature, config.TopP = r.temperature, r.topP
	switch r.format.kind {
	case "json_object":
		config.ResponseMimeType = "application/json"
	case "json_schema":
		config.ResponseMimeType = "application/json"
		config.ResponseJSONSchema = front.CleanOutput(r.format.schema)
	}
	if r.maxTokens != nil {
		d.call.MaxTokens = *r.maxTokens
	}
	d.call.Thinking = front.Thinking{Effort: r.reasoning.effort}
	if r.reasoning.effort == "none" {
		d.call.Thinking = front.Thinking{Mode: front.ThinkingOff}
	}
	d.call.ShowThoughts = r.reasoning.summary != "" && r.reasoning.summary != "none"
}

// declared are the tools of the request, with those that came in the course of the conversation.
func (d *decoder) declared() *declared {
	var found []tool
	for i := range d.req.input {
		found = append(found, d.req.input[i].found()...)
	}
	all := d.req.tools
	if all == nil {
		all = newDeclared(toolSet{})
	}
	if len(found) == 0 {
		return all
	}
	set := all.toolSet
	set.tools = slices.Concat(set.tools, found)
	return newDeclared(set)
}

func (d *decoder) tools() error {
	declared := d.declared()
	d.asked.declared = declared
	d.call.BuiltIn, d.call.StrictTools = declared.builtIn, declared.strict
	functions := declared.functions
	c := &d.req.choice
	if c.kind == "allowed_tools" {
		if d.call.BuiltIn = d.call.BuiltIn.Both(c.hosted); len(c.names) == 0 {
			functions = front.NewToolset(nil) // none of the client's own
		}
	}
	choice := front.ToolChoice{Names: c.names, Param: "tool_choice"}
	switch {
	case c.kind == "none":
		choice.Mode = front.ModeNone
	case c.kind == "auto":
		choice.Mode = front.ModeAuto
	case c.kind == "allowed_tools" && c.mode != "required":
		choice.Mode = front.ModeValidated
	case c.kind == "required", len(c.names) > 0:
		choice.Mode = front.ModeAny
	}
	return d.call.Declare(functions, choice)
}

func isSystem(it *item) bool {
	return it.kind == "message" && (it.role == "system" || it.role == "developer")
}

// system makes the system instruction of instructions and of the messages at the head. The last item always stays, since
// Gemini wants something to answer.
func (d *decoder) system() {
	d.add(d.req.instructions)
	for len(d.req.input) > 1 && isSystem(&d.req.input[0]) {
		for _, p := range d.req.input[0].content {
			d.add(p.Text)
		}
		d.req.input = d.req.input[1:]
	}
	if len(d.open) > 0 {
		d.call.Request.SystemInstruction = d.arena.Contents.New(gemini.Content{Parts: d.arena.Parts.Keep(d.open...)})
	}
}

// add adds a text to the system instruction.
func (d *decoder) add(t gemini.Text) {
	if !t.Empty() {
		d.open = append(d.open, gemini.Part{Text: t})
	}
}
