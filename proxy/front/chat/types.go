package chat

import (
	"encoding/json"

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
	seed          *int
	stops         []string
	stream        bool
	includeUsage  bool
	tools         []tool
	choice        choice
	noParallel    bool
	format        format
	effort        string
	google        *gemini.ThinkingConfig
	legacy        string // the field of the deprecated function interface that is in use
}

type message struct {
	role       string
	content    []part
	hasContent bool
	calls      []toolCall
	callID     string
}

type part struct {
	kind     string
	text     gemini.Text // text and refusal
	url      gemini.Text // image_url
	data     gemini.Text // input_audio
	format   string
	fileData gemini.Text
	fileID   string
}

type toolCall struct {
	id        string
	kind      string
	name      string
	args      json.RawMessage // as received: a string literal, or an object
	signature string
}

type tool struct {
	kind        string
	name        string
	description gemini.Text
	schema      json.RawMessage
	strict      bool
}

// choice is tool_choice: a mode, or with kind function or allowed_tools the tools that it names.
type choice struct {
	kind  string
	mode  string // allowed_tools: auto or required
	names []string
}

type format struct {
	kind   string
	schema json.RawMessage
}

func parse(body []byte) (*request, error) {
	w := gemini.NewWalker(append([]byte(nil), body...))
	r := &request{}
	w.Object("an object", func(name []byte) { r.field(w, string(name)) })
	return r, w.Done()
}

func (r *request) field(w *gemini.Walker, name string) {
	switch name {
	case "model":
		r.model = w.String()
	case "messages":
		w.Array("an array of messages", func(int) { r.messages = append(r.messages, readMessage(w)) })
	case "max_completion_tokens":
		r.maxCompletion = w.Int()
	case "max_tokens":
		r.maxTokens = w.Int()
	case "temperature":
		r.temperature = w.Float()
	case "top_p":
		r.topP = w.Float()
	case "n":
		r.n = w.Int()
	case "seed":
		r.seed = w.Int()
	case "stop":
		r.stops = readStrings(w, "a string or an array of strings")
	case "stream":
		r.stream = w.Bool()
	case "tools":
		w.Array("an array of tools", func(int) { r.tools = append(r.tools, readTool(w)) })
	case "tool_choice":
		r.choice = readChoice(w)
	default:
		r.option(w, name)
	}
}

// option reads the fields that are rare.
func (r *request) option(w *gemini.Walker, name string) {
	switch name {
	case "stream_options":
		w.Object("an object", func(name []byte) {
			if string(name) == "include_usage" {
				r.includeUsage = w.Bool()
				return
			}
			w.Skip()
		})
	case "parallel_tool_calls":
		r.noParallel = w.Kind() == 'f'
		w.Bool()
	case "response_format":
		r.format = readFormat(w)
	case "reasoning_effort":
		r.effort = w.String()
	case "functions", "function_call":
		if w.Raw() != nil {
			r.legacy = name
		}
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
	default:
		w.Skip()
	}
}

// readGoogle reads the extension of Google's own OpenAI layer.
func (r *request) readGoogle(w *gemini.Walker) {
	w.Object("an object", func(name []byte) {
		if string(name) != "thinking_config" {
			w.Skip()
			return
		}
		config := &gemini.ThinkingConfig{}
		if w.Object("an object", func(name []byte) {
			switch string(name) {
			case "include_thoughts":
				config.IncludeThoughts = w.Bool()
			case "thinking_budget":
				config.ThinkingBudget = w.Int()
			case "thinking_level":
				config.ThinkingLevel = w.String()
			default:
				w.Skip()
			}
		}) {
			r.google = config
		}
	})
}
