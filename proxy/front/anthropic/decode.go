// Package anthropic speaks Anthropic's Messages API: POST /v1/messages as Claude Code and Anthropic's SDKs use it.
package anthropic

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// Codec is the Messages API. New makes one that remembers tools and uses memory again; the zero value does not.
type Codec struct {
	Interleaved bool // the client's beta of that name lets it think between calls, for more tokens in all than one answer has

	tools  *front.Known[*tools]
	arenas *front.Arenas
}

// New makes a codec.
func New() Codec { return Codec{tools: front.NewKnown[*tools](), arenas: &front.Arenas{}} }

var _ front.Codec = Codec{}

// ToolIDPrefix is "toolu_".
func (Codec) ToolIDPrefix() string { return "toolu_" }

// Decode reads the body of POST /v1/messages. What has no counterpart in Gemini, such as cache_control, betas and fields
// that nobody knows, is left out without an error.
func (c Codec) Decode(body []byte) (*front.Call, error) {
	return c.decode(body, func(d *decoder) error {
		if err := d.req.checkTurn(c.Interleaved); err != nil {
			return err
		}
		if err := d.decode(); err != nil {
			return err
		}
		d.call.MaxTokens, d.call.Prewarm = *d.req.maxTokens, *d.req.maxTokens == 0
		return d.call.SetContents(d.contents())
	})
}

// DecodePrompt reads the body of POST /v1/messages/count_tokens, which needs neither max_tokens nor a message. The call's
// history is as it came, not normalised.
func (c Codec) DecodePrompt(body []byte) (*front.Call, error) {
	return c.decode(body, func(d *decoder) error {
		if err := d.decode(); err != nil {
			return err
		}
		d.call.Request.Contents = d.contents()
		return nil
	})
}

// decode reads a body, and has finish make the call of it.
func (c Codec) decode(body []byte, finish func(*decoder) error) (*front.Call, error) {
	return c.arenas.Decode(func(arena *front.Arena) (func(*front.Call) error, error) {
		m := front.OwnOf[memory](arena)
		d := &m.decoder
		d.req, d.arena = &m.request, arena
		if err := m.parse(body, arena, c.tools); err != nil {
			return nil, err
		}
		return func(call *front.Call) error {
			d.call = call
			return finish(d)
		}, d.req.check()
	})
}

// decode makes the call but for its limit and its history.
func (d *decoder) decode() error {
	r, call := d.req, d.call
	call.Model, call.Stream, call.SingleCall, call.TellsStop = r.model, r.stream, r.choice.noneElse, true
	call.Conversation, call.LeftOut = r.conversation, r.leftOut
	call.Request.SetPlain(r.plain)
	d.config()
	d.thinking()
	if err := d.tools(); err != nil {
		return err
	}
	d.system()
	return nil
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
	for i, s := range r.stops {
		if s != "" && strings.TrimSpace(s) == "" {
			return front.Invalidf(fmt.Sprintf("stop_sequences.%d", i), "each stop sequence must contain non-whitespace")
		}
	}
	if err := r.thinking.check(); err != nil {
		return err
	}
	return front.CheckStops("stop_sequences", r.stops)
}

// minBudget is the smallest budget_tokens (Anthropic API docs, extended thinking).
const minBudget = 1024

// check finds what is wrong with a budget. Types that nobody knows are no error: the next client may have one.
func (t *thinking) check() error {
	switch {
	case t.kind == "enabled" && t.budget == nil:
		return front.Invalidf("thinking.budget_tokens", "expected a whole number")
	case t.kind == "enabled" && *t.budget < minBudget:
		return front.Invalidf("thinking.budget_tokens", "expected %d or more", minBudget)
	}
	return nil
}

// checkTurn finds what a request for an answer lacks.
func (r *request) checkTurn(interleaved bool) error {
	switch {
	case len(r.messages) == 0:
		return front.Invalidf("messages", "expected an array with at least one message")
	case r.maxTokens == nil:
		return front.Invalidf("max_tokens", "expected a whole number")
	case *r.maxTokens < 0:
		return front.Invalidf("max_tokens", "expected 0 or more")
	case *r.maxTokens > 0 && r.thinking.kind == "enabled" && *r.thinking.budget >= *r.maxTokens && !interleaved:
		return front.Invalidf("thinking.budget_tokens", "expected less than max_tokens, which must be greater")
	}
	return nil
}

type decoder struct {
	req     *request
	call    *front.Call
	carried map[string]bool // ids in call.Carried
	noted   int             // so many of these
	arena   *front.Arena

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
	config.Temperature, config.TopP, config.TopK, config.StopSequences = r.temperature, r.topP, r.topK, r.stops
	if r.topK != nil && *r.topK == 0 {
		config.TopK = nil
	}
	if r.schema != nil {
		config.ResponseMimeType = "application/json"
		config.ResponseJSONSchema = front.CleanOutput(r.schema)
	}
}

func (d *decoder) thinking() {
	t := front.Thinking{Effort: d.req.effort}
	for i := range d.req.messages {
		if m := &d.req.messages[i]; m.role == "system" && m.effort != "" && m.number > d.req.lastPrompt {
			t.Effort = m.effort
		}
	}
	switch d.req.thinking.kind {
	case "disabled":
		t.Mode = front.ThinkingOff
	case "enabled":
		t.Mode, t.Budget = front.ThinkingBudget, *d.req.thinking.budget
	case "adaptive", "between_tools":
		t.Mode = front.ThinkingAdaptive
	}
	asked := t.Mode == front.ThinkingAdaptive || t.Mode == front.ThinkingBudget
	d.call.Thinking, d.call.ShowThoughts = t, asked && d.req.thinking.display != "omitted"
}

// attribution begins a system block that says which client this is; its hash changes with every request, which would break
// Gemini's prompt cache.
const attribution = `"x-anthropic-billing-header:`

// system makes the system instruction: the field's blocks, then messages of role system at the head.
func (d *decoder) system() {
	blocks := d.req.system
	for len(d.req.messages) > 0 && d.req.messages[0].role == "system" {
		if m := d.req.messages[0]; !d.req.cleared(m) {
			blocks = append(blocks, m.content...)
		}
		d.req.messages = d.req.messages[1:]
	}
	d.noteSystem(blocks)
	for i := range blocks {
		if b := &blocks[i]; !b.text.Empty() && !bytes.HasPrefix(b.text, []byte(attribution)) {
			d.open = append(d.open, gemini.Part{Text: b.text})
		}
	}
	if wishes := d.req.searchWishes(); wishes != "" {
		d.open = append(d.open, gemini.Part{Text: gemini.Quote(wishes)})
	}
	if len(d.open) > 0 {
		d.call.Request.SystemInstruction = d.arena.Contents.New(d.content(""))
	}
}

// cleared reports whether a system message is shown no more: it was for the turn of one user message, and there is a later
// one.
func (r *request) cleared(m message) bool {
	return m.role == "system" && m.clearAt == "next_user_message" && m.number < r.lastUser
}

func (d *decoder) contents() []gemini.Content {
	contents := d.arena.Contents.Make(len(d.req.messages))[:0]
	for i := range d.req.messages {
		m := &d.req.messages[i]
		if m.role != "system" {
			d.noteLeftOut(m.content)
		}
		switch {
		case d.req.cleared(*m):
		case m.role == "system":
			d.noteSystem(m.content)
			contents = append(contents, systemMessage(m.content))
		case m.role == "assistant":
			contents = append(contents, d.assistant(m.content))
		default:
			contents = append(contents, d.user(m.content))
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
