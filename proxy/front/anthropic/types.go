package anthropic

import (
	"encoding/json"
	"strings"

	"github.com/gemini-claude-adapter/gca/proxy/front"
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
	tools       *tools
	choice      choice
	thinking    thinking
	effort      string
	schema      json.RawMessage
	thread      bool
	leftOut     front.LeftOut
	// conversation is metadata.user_id, which clients make one per session or per user.
	conversation string
	lastUser     int  // number of the last message of role user, -1 if none
	plain        bool // gemini.Walker.Plain
	lastPrompt   int  // of those, the last one that is more than results of tools
}

type message struct {
	number  int // its place in messages
	role    string
	content []block
	hasBody bool
	clearAt string
	effort  string // output_config of a system message, for its turn
}

// block is the union of the content blocks.
type block struct {
	kind      string
	text      gemini.Text // text; document and search_result: the source
	title     gemini.Text
	context   gemini.Text
	url       gemini.Text
	signature []byte
	id        string
	name      string
	input     json.RawMessage
	toolUseID string
	toolName  string
	content   []block
	body      contentKind
	object    json.RawMessage // content that is one object
	cites     bool            // citations are enabled
	encrypted []byte          // encrypted_content that an item of content, or the block itself, has
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
	url       string
	param     string // the path of url
	content   []block
	body      contentKind
}

type tool struct {
	kind        string
	name        string
	description gemini.Text
	schema      json.RawMessage
	strict      bool
	server      serverOptions
	width       int // of a computer's display, pixels
	height      int
}

// serverOptions is what Google's own tools cannot be told in fields of theirs.
type serverOptions struct {
	allowed, blocked []string
	location         []string // city, region, country, timezone, as far as given
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

// reader is the walk through a request's body.
type reader struct {
	*gemini.Walker
	open     []block // of the arrays of blocks that are being read, one behind the other
	blocks   gemini.Slab[block]
	messages []message
	tools    *front.Known[*tools]
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
	size = gemini.Recycle(&r.open) + r.blocks.Reset() + gemini.Recycle(&r.messages) + gemini.Recycle(&d.open)
	*m = memory{
		reader:  reader{open: r.open, blocks: r.blocks, messages: r.messages},
		decoder: decoder{open: d.open},
	}
	return size
}

func (m *memory) parse(body []byte, arena *front.Arena, tools *front.Known[*tools]) error {
	w, r := &m.reader, &m.request
	w.Walker, w.tools = &arena.Walker, tools
	w.Start(body)
	r.lastUser, r.lastPrompt = -1, -1
	w.Object("an object", func(name []byte) { r.field(w, string(name)) })
	r.plain, r.messages = w.Plain(), w.messages
	return w.Done()
}

func (r *request) field(w *reader, name string) {
	switch name {
	case "model":
		r.model = w.String()
	case "max_tokens":
		r.maxTokens = w.Int()
	case "messages":
		r.hasMessages = w.Array("an array of messages", func(i int) {
			m := readMessage(w)
			m.number = i
			r.noteUser(&m)
			w.messages = append(w.messages, m)
		})
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
		r.tools = w.tools.Read(w.Walker, readTools)
	case "tool_choice":
		r.choice = readChoice(w)
	default:
		r.option(w, name)
	}
}

// option reads the fields that no request needs.
func (r *request) option(w *reader, name string) {
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
	case "metadata":
		r.conversation = readUser(w)
	case "thread":
		raw := w.Raw()
		r.thread = raw != nil && string(raw) != "false"
	case "mcp_servers", "container":
		r.leftOut.Field(w.Walker, strings.Clone(name))
	default:
		w.Skip()
	}
}

// readUser reads metadata.user_id. It is a hint: whatever else stands there is no error.
func readUser(w *reader) (user string) {
	if w.Kind() != '{' {
		w.Skip()
		return ""
	}
	w.Object("", func(name []byte) {
		if string(name) == "user_id" && w.Kind() == '"' {
			user = w.String()
			return
		}
		w.Skip()
	})
	return user
}

func (r *request) readFormat(w *reader) {
	kind := ""
	found := w.Object("an object", func(name []byte) {
		switch string(name) {
		case "type":
			kind = w.String()
		case "schema":
			if w.Expect("{", "a JSON Schema object") {
				r.schema = w.Raw()
			}
		default:
			w.Skip()
		}
	})
	switch {
	case !found:
	case kind != "json_schema":
		w.Fail(w.Path()+".type", "expected json_schema")
	case r.schema == nil:
		w.Fail(w.Path()+".schema", "expected a JSON Schema object")
	}
}

func (r *request) noteUser(m *message) {
	if m.role != "user" {
		return
	}
	r.lastUser = m.number
	for i := range m.content {
		if m.content[i].kind != "tool_result" {
			r.lastPrompt = m.number
			return
		}
	}
}

func readMessage(w *reader) message {
	var m message
	if !w.Object("a message object", func(name []byte) { m.field(w, string(name)) }) {
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

func (m *message) field(w *reader, name string) {
	switch name {
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
	case "output_config":
		w.Object("an object", func(name []byte) {
			if string(name) == "effort" {
				m.effort = w.String()
				return
			}
			w.Skip()
		})
	default:
		w.Skip()
	}
}
