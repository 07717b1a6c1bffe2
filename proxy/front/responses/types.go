package responses

import (
	"encoding/json"
	"strings"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// request is what is read of a body of POST /v1/responses. Everything that has no counterpart in Gemini is skipped.
type request struct {
	model        string
	instructions gemini.Text
	input        []item
	tools        *declared // nil if there are none
	leftOut      front.LeftOut
	choice       choice
	noParallel   bool
	reasoning    reasoning
	format       format
	maxTokens    *int
	temperature  *float64
	topP         *float64
	stream       bool
	includeUsage bool // of Chat Completions, for those who read the answer there
	encrypted    bool // include has reasoning.encrypted_content
	background   bool
	previous     string // previous_response_id
	conversation string // the id of a stored conversation
	prompt       bool   // a prompt template is named
	truncation   string
	cacheKey     string
	user         string
	echo         echo
}

// reasoning is what the client asked of the model's thinking.
type reasoning struct {
	effort  string
	summary string // auto, concise, detailed, none, or ""
}

// format is text.format.
type format struct {
	kind   string
	name   string
	schema json.RawMessage
}

// echo holds, as they came, the fields of a request that its answer repeats.
type echo struct {
	instructions, tools, choice, text, metadata json.RawMessage
}

// reader is the walk through a request's body.
type reader struct {
	*gemini.Walker
	arena *front.Arena
	items []item
	parts []gemini.Part // of the item that is being read
	known *front.Known[*declared]
}

// memory is what an arena has for this protocol: what is read of a request, and what it is made of.
type memory struct {
	reader  reader
	decoder decoder
	order   gemini.Slab[*item]
}

// Reset forgets the request.
func (m *memory) Reset() (size int) {
	r, d := &m.reader, &m.decoder
	size = gemini.Recycle(&r.items) + gemini.Recycle(&r.parts) + gemini.Recycle(&d.open) + m.order.Reset()
	*m = memory{
		reader:  reader{items: r.items, parts: r.parts},
		decoder: decoder{open: d.open},
		order:   m.order,
	}
	return size
}

func (m *memory) parse(body []byte, arena *front.Arena, known *front.Known[*declared]) error {
	w, r := &m.reader, m.decoder.req
	w.Walker, w.arena, w.known = &arena.Walker, arena, known
	w.Start(body)
	w.Object("an object", func(name []byte) { r.field(w, string(name)) })
	r.input = w.items
	return w.Done()
}

func (r *request) field(w *reader, name string) {
	switch name {
	case "model":
		r.model = w.String()
	case "instructions":
		r.instructions = w.Text()
		r.echo.instructions = json.RawMessage(r.instructions)
	case "input":
		r.readInput(w)
	case "tools":
		r.echo.tools = w.Span(func() { r.tools = w.known.Read(w.Walker, readTools) })
		for _, kind := range r.tools.leftOut {
			r.leftOut.Add(kind)
		}
	case "tool_choice":
		r.echo.choice = w.Span(func() { r.choice = readChoice(w.Walker) })
	case "parallel_tool_calls":
		r.noParallel = w.Kind() == 'f'
		w.Bool()
	case "reasoning":
		r.readReasoning(w.Walker)
	case "text":
		r.echo.text = w.Span(func() { r.readText(w.Walker) })
	case "max_output_tokens":
		r.maxTokens = w.Int()
	case "temperature":
		r.temperature = w.Float()
	case "top_p":
		r.topP = w.Float()
	case "stream":
		r.stream = w.Bool()
	default:
		r.option(w.Walker, name)
	}
}

// option reads the fields that are rare.
func (r *request) option(w *gemini.Walker, name string) {
	switch name {
	case "include":
		w.Array("an array of strings", func(int) {
			r.encrypted = w.String() == "reasoning.encrypted_content" || r.encrypted
		})
	case "prompt_cache_key":
		r.cacheKey = w.String()
	case "user":
		r.user = w.String()
	case "metadata":
		if w.Expect("{", "an object") {
			r.echo.metadata = w.Raw()
		}
	case "stream_options":
		w.Object("an object", func(name []byte) {
			if string(name) == "include_usage" {
				r.includeUsage = w.Bool()
				return
			}
			w.Skip()
		})
	case "background":
		r.background = w.Bool()
	case "previous_response_id":
		r.previous = w.String()
	case "conversation":
		r.readConversation(w)
	case "prompt":
		r.prompt = w.Raw() != nil
	case "truncation":
		if r.truncation = w.String(); r.truncation != "" && r.truncation != "disabled" {
			r.leftOut.Add(strings.Clone(name))
		}
	case "top_logprobs", "store", "max_tool_calls":
		r.leftOut.Field(w, strings.Clone(name))
	default:
		w.Skip()
	}
}

func (r *request) readInput(w *reader) {
	if w.Kind() == '"' {
		w.items = append(w.items[:0], item{kind: "message", role: "user", content: w.arena.Parts.Keep(gemini.Part{Text: w.Text()})})
		return
	}
	w.Array("a string or an array of items", func(int) {
		it := readItem(w)
		if it.kind == "message" || it.kind == "function_call_output" {
			for _, kind := range it.fault.leftOut {
				r.leftOut.Add(kind)
			}
		}
		w.items = append(w.items, it)
	})
}

func (r *request) readReasoning(w *gemini.Walker) {
	w.Object("an object", func(name []byte) {
		switch string(name) {
		case "effort":
			r.reasoning.effort = w.String()
		case "summary", "generate_summary":
			if summary := w.String(); summary != "" {
				r.reasoning.summary = summary
			}
		default:
			w.Skip()
		}
	})
}

func (r *request) readText(w *gemini.Walker) {
	w.Object("an object", func(name []byte) {
		if string(name) != "format" {
			w.Skip()
			return
		}
		w.Object("an object", func(name []byte) {
			switch string(name) {
			case "type":
				r.format.kind = w.String()
				switch r.format.kind {
				case "text", "json_object", "json_schema":
				default:
					w.Fail(w.Path(), "expected text, json_object or json_schema")
				}
			case "name":
				r.format.name = w.String()
			case "schema":
				if w.Expect("{", "a JSON Schema object") {
					r.format.schema = w.Raw()
				}
			default:
				w.Skip()
			}
		})
	})
}

// readConversation reads an id, or an object with one.
func (r *request) readConversation(w *gemini.Walker) {
	if w.Kind() == '"' {
		r.conversation = w.String()
		return
	}
	w.Object("an id or an object with an id", func(name []byte) {
		if string(name) == "id" {
			r.conversation = w.String()
			return
		}
		w.Skip()
	})
}
