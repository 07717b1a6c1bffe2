package chat

import (
	"encoding/json"
	"strings"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// request is what is read of a body of POST /v1/chat/completions. Everything that has no counterpart in Gemini is skipped.
type request struct {
	model         string
	messages      []message
	maxTokens     *int
	maxCompletion *int
	temperature   *float64
	topP          *float64
	n             *int
	seed          *int32
	stops         []string
	stream        bool
	includeUsage  bool
	tools         *declared // nil if there are none
	choice        choice
	functions     []front.Tool // the deprecated form of tools
	functionCall  choice       // the deprecated form of choice
	noParallel    bool
	builtIn       front.BuiltIn
	format        format
	effort        string
	google        *gemini.ThinkingConfig
	cacheKey      string
	user          string
	leftOut       front.LeftOut
	plain         bool // gemini.Walker.Plain
}

type message struct {
	role       string
	name       string // of the function, with role function
	content    []gemini.Part
	hasContent bool
	refusal    gemini.Text
	calls      []toolCall
	callID     string
	signature  []byte   // of the answer as a whole
	leftOut    []string // types of parts
}

type toolCall struct {
	id        string
	name      string
	args      json.RawMessage
	signature []byte
}

// choice is tool_choice: a mode, or with kind function, custom or allowed_tools the tools that it names.
type choice struct {
	kind   string
	mode   string // allowed_tools: auto or required
	names  []string
	listed int           // allowed_tools: how many there are, whatever runs them
	hosted front.BuiltIn // allowed_tools: those that Google runs
}

// named reports whether the choice is of certain tools.
func (c *choice) named() bool {
	return c.kind == "function" || c.kind == "custom" || c.kind == "allowed_tools"
}

type format struct {
	kind   string
	said   bool // json_schema is there
	name   string
	schema json.RawMessage
}

// reader is the walk through a request's body.
type reader struct {
	*gemini.Walker
	arena    *front.Arena
	messages []message
	parts    []gemini.Part // of the message that is being read
	open     []toolCall    // likewise
	calls    gemini.Slab[toolCall]
	known    *front.Known[*declared]
}

// memory is what an arena has for this protocol: what is read of a request, and what it is made of.
type memory struct {
	reader  reader
	request request
	decoder decoder
}

// Reset forgets the request.
func (m *memory) Reset() (size int) {
	r, d := &m.reader, &m.decoder
	size = gemini.Recycle(&r.messages) + gemini.Recycle(&r.parts) + gemini.Recycle(&r.open) + r.calls.Reset() + gemini.Recycle(&d.open)
	*m = memory{
		reader:  reader{messages: r.messages, parts: r.parts, open: r.open, calls: r.calls},
		decoder: decoder{open: d.open},
	}
	return size
}

func (m *memory) parse(body []byte, arena *front.Arena, known *front.Known[*declared]) error {
	w, r := &m.reader, &m.request
	w.Walker, w.arena, w.known = &arena.Walker, arena, known
	w.Start(body)
	w.Object("an object", func(name []byte) { r.field(w, string(name)) })
	r.plain, r.messages = w.Plain(), w.messages
	return w.Done()
}

func (r *request) field(w *reader, name string) {
	switch name {
	case "model":
		r.model = w.String()
	case "messages":
		w.Array("an array of messages", func(int) {
			m := readMessage(w)
			for _, kind := range m.leftOut {
				r.leftOut.Add(kind)
			}
			w.messages = append(w.messages, m)
		})
	case "max_completion_tokens":
		r.maxCompletion = w.Int()
	case "max_tokens":
		r.maxTokens = w.Int()
	case "temperature":
		r.temperature = w.Float()
	case "top_p":
		r.topP = w.Float()
	case "stream":
		r.stream = w.Bool()
	case "stream_options":
		w.Object("an object", func(name []byte) {
			if string(name) == "include_usage" {
				r.includeUsage = w.Bool()
				return
			}
			w.Skip()
		})
	case "reasoning_effort":
		r.effort = w.String()
	case "prompt_cache_key":
		r.cacheKey = w.String()
	case "user":
		r.user = w.String()
	default:
		r.toolField(w, name)
	}
}

// toolField reads what is about tools.
func (r *request) toolField(w *reader, name string) {
	switch name {
	case "tools":
		r.declare(w.known.Read(w.Walker, readTools))
	case "tool_choice":
		r.choice = readChoice(w.Walker)
	case "parallel_tool_calls":
		r.noParallel = w.Kind() == 'f'
		w.Bool()
	case "functions":
		w.Array("an array of functions", func(int) {
			var d declaration
			w.Object("an object", func(name []byte) { d.detail(w.Walker, string(name)) })
			if d.Name == "" {
				w.Fail(w.Path()+".name", "expected the name of the function")
			}
			r.functions = append(r.functions, d.Tool)
		})
	case "function_call":
		r.functionCall = readFunctionCall(w.Walker)
	case "web_search_options":
		r.builtIn.Search = w.Object("an object", func([]byte) { w.Skip() }) || r.builtIn.Search
	default:
		r.option(w.Walker, name)
	}
}

// option reads the fields that are rare.
func (r *request) option(w *gemini.Walker, name string) {
	switch name {
	case "n":
		r.n = w.Int()
	case "seed":
		r.seed = readSeed(w)
	case "stop":
		r.stops = readStops(w)
	case "response_format":
		r.format = readFormat(w)
	case "google":
		r.readGoogle(w)
	case "extra_body":
		w.Object("an object", func(name []byte) {
			if string(name) == "google" {
				r.readGoogle(w)
				return
			}
			w.Skip()
		})
	case "modalities":
		w.Array("an array of strings", func(int) {
			if kind := w.String(); kind != "text" {
				r.leftOut.Add("modalities." + kind)
			}
		})
	case "logprobs", "top_logprobs", "logit_bias", "audio", "store", "presence_penalty", "frequency_penalty", "prediction":
		r.leftOut.Field(w, strings.Clone(name))
	default:
		w.Skip()
	}
}

// readGoogle reads the extension of Google's own OpenAI layer.
func (r *request) readGoogle(w *gemini.Walker) {
	w.Object("an object", func(name []byte) {
		switch string(name) {
		case "thinking_config":
			r.google = readThinking(w, &r.leftOut)
		case "cached_content":
			if w.Raw() != nil {
				w.Fail(w.Path(), "cached content is not supported, send the content itself: equal beginnings are cached anyway")
			}
		default:
			w.Skip()
		}
	})
}
