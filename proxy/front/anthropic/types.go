package anthropic

import (
	"encoding/json"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// request is what is read of a body of POST /v1/messages. Everything that has no counterpart in Gemini is skipped.
type request struct {
	model       string
	maxTokens   *int
	messages    []message
	hasMessages bool
	system      []block
	stream      bool
	stops       []string
	temperature *float64
	topP        *float64
	topK        *int
	tools       []tool
	choice      choice
	thinking    thinking
	effort      string
	schema      json.RawMessage
	thread      bool
}

type message struct {
	role    string
	content []block
	hasBody bool
	clearAt string
}

// block is the union of the content blocks.
type block struct {
	kind      string
	text      gemini.Text // text; document and search_result: the source
	title     gemini.Text
	context   gemini.Text
	url       gemini.Text
	signature string
	id        string
	name      string
	input     json.RawMessage
	toolUseID string
	toolName  string
	content   []block
	body      contentKind
	isError   bool
	source    *source
	tool      *tool // tool_addition
}

// contentKind is what stood at the key "content".
type contentKind uint8

const (
	contentAbsent contentKind = iota
	contentBlocks             // a string counts as one text block
	contentOther
)

type source struct {
	kind      string
	mediaType string
	data      gemini.Text
	content   []block
	body      contentKind
}

type tool struct {
	kind        string
	name        string
	description gemini.Text
	schema      json.RawMessage
	strict      bool
}

type choice struct {
	kind     string
	name     string
	noneElse bool // disable_parallel_tool_use
}

type thinking struct {
	kind    string
	budget  *int
	display string
}

// maxDepth bounds blocks within blocks; the protocol needs three levels.
const maxDepth = 6

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
	case "max_tokens":
		r.maxTokens = w.Int()
	case "messages":
		r.hasMessages = w.Array("an array of messages", func(int) { r.messages = append(r.messages, readMessage(w)) })
	case "system":
		r.system, _ = readContent(w, "a string or an array of text blocks", 0)
	case "stream":
		r.stream = w.Bool()
	case "stop_sequences":
		w.Array("an array of strings", func(int) { r.stops = append(r.stops, w.String()) })
	case "temperature":
		r.temperature = w.Float()
	case "top_p":
		r.topP = w.Float()
	case "top_k":
		r.topK = w.Int()
	case "tools":
		w.Array("an array of tools", func(int) { r.tools = append(r.tools, readTool(w)) })
	case "tool_choice":
		r.choice = readChoice(w)
	default:
		r.option(w, name)
	}
}

// option reads the fields that no request needs.
func (r *request) option(w *gemini.Walker, name string) {
	switch name {
	case "thinking":
		r.thinking = readThinking(w)
	case "output_config":
		w.Object("an object", func(name []byte) {
			switch string(name) {
			case "effort":
				r.effort = w.String()
			case "format":
				r.readFormat(w)
			default:
				w.Skip()
			}
		})
	case "output_format":
		r.readFormat(w)
	case "thread":
		r.thread = w.Raw() != nil
	default:
		w.Skip()
	}
}

func (r *request) readFormat(w *gemini.Walker) {
	w.Object("an object", func(name []byte) {
		if string(name) != "schema" {
			w.Skip()
			return
		}
		if w.Expect("{", "a JSON Schema object") {
			r.schema = w.Raw()
		}
	})
}

func readMessage(w *gemini.Walker) message {
	var m message
	if !w.Object("a message object", func(name []byte) {
		switch string(name) {
		case "role":
			m.role = w.String()
			if m.role != "user" && m.role != "assistant" && m.role != "system" {
				w.Fail(w.Path(), "expected user, assistant or system")
			}
		case "content":
			var kind contentKind
			m.content, kind = readContent(w, "a string or an array of blocks", 0)
			m.hasBody = kind != contentAbsent
		case "clear_at":
			m.clearAt = w.String()
		default:
			w.Skip()
		}
	}) {
		w.Fail(w.Path(), "expected a message object")
		return m
	}
	if m.role == "" {
		w.Fail(w.Path()+".role", "expected user, assistant or system")
	}
	if !m.hasBody && m.role != "system" {
		w.Fail(w.Path()+".content", "expected a string or an array of blocks")
	}
	return m
}
