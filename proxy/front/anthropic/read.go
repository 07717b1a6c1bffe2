package anthropic

import (
	"net/url"

	"github.com/gemini-claude-adapter/gca/proxy/front"
)

// readContent reads a string or an array of blocks. what is "" where other values are no error.
func readContent(w *reader, what string, depth int) ([]block, contentKind) {
	switch w.Kind() {
	case '"':
		return w.blocks.Keep(block{kind: "text", text: w.Text()}), contentBlocks
	case '[':
		if depth >= maxDepth {
			w.Skip()
			return nil, contentOther
		}
		from := len(w.open)
		w.Array(what, func(int) {
			b := readBlock(w, depth+1)
			w.open = append(w.open, b)
		})
		blocks := w.blocks.Keep(w.open[from:]...)
		clear(w.open[from:])
		w.open = w.open[:from]
		return blocks, contentBlocks
	case 'n':
		w.Skip()
		return nil, contentAbsent
	}
	w.Skip()
	if what != "" {
		w.Fail(w.Path(), "expected "+what)
	}
	return nil, contentOther
}

func readBlock(w *reader, depth int) block {
	var b block
	if w.Kind() == '"' {
		return block{kind: "text", text: w.Text()}
	}
	object := false
	odd := w.Softly(func() {
		object = w.Object("a content block", func(name []byte) { b.field(w, string(name), depth) })
	})
	switch {
	case !object:
		w.Fail(w.Path(), "expected a content block")
	case !b.isKnown(): // whatever stands in it
	case odd != nil:
		w.Fail(odd.Path, odd.Problem)
	default:
		if field, problem := b.check(); problem != "" {
			w.Fail(w.Path()+field, problem)
		}
	}
	return b
}

// isKnown reports whether the block is held to its form: it has no type, or one of those that every client sends.
func (b *block) isKnown() bool {
	switch b.kind {
	case "", "text", "image", "document", "search_result", "thinking", "redacted_thinking", "tool_use", "tool_result",
		"tool_addition":
		return true
	}
	return false
}

func (b *block) field(w *reader, name string, depth int) {
	switch name {
	case "type":
		b.kind = w.String()
	case "text":
		b.text = w.Text()
	case "signature":
		b.signature = w.Unquoted()
	case "id":
		b.id = w.String()
	case "name":
		b.name = w.String()
	case "input":
		b.input = w.Raw()
	case "tool_use_id":
		b.toolUseID = w.String()
	case "content":
		b.readContent(w, depth)
	case "is_error":
		b.isError = w.Bool()
	case "source":
		if w.Kind() == '"' {
			b.text = w.Text()
			return
		}
		b.source = readSource(w, depth)
	default:
		b.rareField(w, name)
	}
}

// readEnabled reads {"enabled":true}. In texts of answers a list stands there.
func readEnabled(w *reader) (enabled bool) {
	if w.Kind() != '{' {
		w.Skip()
		return false
	}
	w.Object("", func(name []byte) {
		on := w.Kind() == 't'
		w.Skip()
		enabled = enabled || on && string(name) == "enabled"
	})
	return enabled
}

func (b *block) readContent(w *reader, depth int) {
	if w.Kind() == '{' {
		b.object, b.body = w.Raw(), contentOther
		return
	}
	b.content, b.body = readContent(w, "", depth)
	for i := range b.content {
		if len(b.encrypted) == 0 {
			b.encrypted = b.content[i].encrypted
		}
	}
}

func (b *block) rareField(w *reader, name string) {
	switch name {
	case "title":
		b.title = w.Text()
	case "context":
		b.context = w.Text()
	case "url":
		b.url = w.Text()
	case "tool_name":
		b.toolName = w.String()
	case "citations":
		b.cites = readEnabled(w)
	case "encrypted_content":
		b.encrypted = w.Unquoted()
	case "tool":
		if w.Kind() != '{' {
			w.Skip()
			return
		}
		w.Object("", func(name []byte) {
			if string(name) == "definition" && w.Kind() == '{' {
				t := readTool(w)
				b.tool = &t
				return
			}
			w.Skip()
		})
	default:
		w.Skip()
	}
}

// check finds what a block of a known type lacks.
func (b *block) check() (field, problem string) {
	switch b.kind {
	case "":
		return ".type", "expected the type of the block"
	case "text":
		if b.text == nil {
			return ".text", "expected a string"
		}
	case "tool_use":
		if b.id == "" {
			return ".id", "expected the id of the tool call"
		}
		if b.name == "" {
			return ".name", "expected the name of the tool"
		}
		if len(b.input) > 0 && b.input[0] != '{' {
			return ".input", "expected an object"
		}
	case "tool_result":
		if b.toolUseID == "" {
			return ".tool_use_id", "expected the id of the tool call"
		}
		if b.body == contentOther {
			return ".content", "expected a string or an array of blocks"
		}
	case "image", "document":
		return b.checkSource()
	}
	return "", ""
}

func (b *block) checkSource() (field, problem string) {
	if b.source == nil {
		return ".source", "expected an object"
	}
	switch s := b.source; s.kind {
	case "base64":
		if s.data == nil {
			return ".source.data", "expected base64"
		}
		blob, problem := front.Inline(s.mediaType, s.data.String())
		switch problem {
		case "":
		case front.NoImage:
			return ".source.media_type", problem
		default:
			return ".source.data", problem
		}
		if b.kind == "document" {
			if s.mediaType, problem = front.FileType(blob.MimeType, ""); problem != "" {
				return ".source.media_type", problem
			}
		}
	case "text":
		if s.data == nil {
			return ".source.data", "expected a string"
		}
	case "content":
		if s.body != contentBlocks {
			return ".source.content", "expected a string or an array of blocks"
		}
	case "url":
		if !isWebAddress(s.url) {
			return ".source.url", "expected an http or https address"
		}
	case "file":
		return ".source.file_id", "file references are not supported, send the data as base64"
	default:
		return ".source.type", "expected base64, text, content or url"
	}
	return "", ""
}

func isWebAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

func readSource(w *reader, depth int) *source {
	s := &source{}
	if !w.Object("an object", func(name []byte) {
		switch string(name) {
		case "type":
			s.kind = w.String()
		case "media_type":
			s.mediaType = w.String()
		case "data":
			s.data = w.Text()
		case "url":
			s.url = w.String()
			s.param = w.Path()
		case "content":
			s.content, s.body = readContent(w, "", depth)
		default:
			w.Skip()
		}
	}) {
		return nil
	}
	return s
}

func readChoice(w *reader) choice {
	var c choice
	w.Object("an object", func(name []byte) {
		switch string(name) {
		case "type":
			c.kind = w.String()
			switch c.kind {
			case "auto", "any", "none", "tool":
			default:
				w.Fail(w.Path(), "expected auto, any, none or tool")
			}
		case "name":
			c.name = w.String()
		case "disable_parallel_tool_use":
			c.noneElse = w.Bool()
		default:
			w.Skip()
		}
	})
	return c
}

func readThinking(w *reader) thinking {
	var t thinking
	w.Object("an object", func(name []byte) {
		switch string(name) {
		case "type":
			t.kind = w.String()
		case "budget_tokens":
			t.budget = w.Int()
		case "display":
			t.display = w.String()
		default:
			w.Skip()
		}
	})
	return t
}
