package responses

import (
	"encoding/json"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// request is what is read of a body of POST /v1/responses. Everything that has no counterpart in Gemini is skipped.
type request struct {
	model        string
	instructions gemini.Text
	input        []item
	tools        toolSet
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

// parse reads a body. It is copied, since most of what is read aliases it.
func parse(body []byte) (*request, error) {
	w := gemini.NewWalker(body)
	r := &request{}
	w.Object("an object", func(name []byte) { r.field(w, string(name)) })
	return r, w.Done()
}

func (r *request) field(w *gemini.Walker, name string) {
	switch name {
	case "model":
		r.model = w.String()
	case "instructions":
		r.instructions = w.Text()
		r.echo.instructions = json.RawMessage(r.instructions)
	case "input":
		r.readInput(w)
	case "tools":
		r.echo.tools = w.Span(func() {
			w.Array("an array of tools", func(int) { r.tools.read(w) })
		})
	case "tool_choice":
		r.echo.choice = w.Span(func() { r.choice = readChoice(w) })
	case "parallel_tool_calls":
		r.noParallel = w.Kind() == 'f'
		w.Bool()
	case "reasoning":
		r.readReasoning(w)
	case "text":
		r.echo.text = w.Span(func() { r.readText(w) })
	case "max_output_tokens":
		r.maxTokens = w.Int()
	case "temperature":
		r.temperature = w.Float()
	case "top_p":
		r.topP = w.Float()
	case "stream":
		r.stream = w.Bool()
	default:
		r.option(w, name)
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
			r.tools.leftOut.Add(name)
		}
	case "top_logprobs", "store", "max_tool_calls":
		r.tools.leftOut.Field(w, name)
	default:
		w.Skip()
	}
}

func (r *request) readInput(w *gemini.Walker) {
	if w.Kind() == '"' {
		r.input = []item{{kind: "message", role: "user", content: []gemini.Part{{Text: w.Text()}}}}
		return
	}
	w.Array("a string or an array of items", func(int) {
		it := readItem(w)
		if it.kind == "message" || it.kind == "function_call_output" {
			for _, kind := range it.fault.leftOut {
				r.tools.leftOut.Add(kind)
			}
		}
		r.input = append(r.input, it)
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
