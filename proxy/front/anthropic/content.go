package anthropic

import (
	"encoding/json"
	"strings"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// The messages of a conversation, block by block.

func (d *decoder) assistant(blocks []block) gemini.Content {
	var told telling
	for i := range blocks {
		b := &blocks[i]
		if b.isServerTool() {
			told.add(b)
			records, _ := d.call.Carry(b.encrypted) // anybody else's is left out
			for _, r := range records {
				told.ids = append(told.ids, r.ClientID)
			}
			continue
		}
		d.open = told.end(d.open)
		switch b.kind {
		case "thinking":
			d.call.Carry(b.signature) // likewise
		case "redacted_thinking":
		case "tool_use":
			d.open = append(d.open, gemini.Part{FunctionCall: d.arena.Calls.New(gemini.FunctionCall{
				Name: d.call.Tools.Upstream(b.name), Args: b.arguments(), ClientID: b.id,
			})})
		default:
			d.open = b.appendParts(d.open)
		}
	}
	d.open = told.end(d.open)
	d.ours(d.open)
	return d.content(gemini.RoleModel)
}

// arguments are the input of a tool_use: an object, as check has it.
func (b *block) arguments() json.RawMessage {
	if len(b.input) > 0 && b.input[0] == '{' {
		return b.input
	}
	return front.Object(b.input)
}

func (d *decoder) user(blocks []block) gemini.Content {
	for i := range blocks {
		b := &blocks[i]
		if b.kind == "tool_result" {
			d.open = append(d.open, gemini.Part{FunctionResponse: d.result(b)})
			continue
		}
		d.open = b.appendParts(d.open)
	}
	return d.content(gemini.RoleUser)
}

// noteLeftOut tells of blocks that come to nothing: of unknown types without a text, and of what Gemini has no counterpart for.
func (d *decoder) noteLeftOut(blocks []block) {
	for i := range blocks {
		b := &blocks[i]
		switch {
		case b.cites:
			d.call.LeftOut.Add("citations")
		case b.isServerTool():
			continue
		case !b.isKnown() && b.kind != "tool_reference" && len(b.appendParts(nil)) == 0:
			d.call.LeftOut.Add(b.kind)
		}
		d.noteLeftOut(b.content)
		if b.source != nil {
			d.noteLeftOut(b.source.content)
		}
	}
}

// noteSystem tells of what stands in a system prompt and is no text.
func (d *decoder) noteSystem(blocks []block) {
	for _, b := range blocks {
		if b.text == nil {
			d.call.LeftOut.Add("system." + b.kind)
		}
	}
}

func (d *decoder) result(b *block) *gemini.FunctionResponse {
	if len(b.content) == 1 && b.content[0].kind == "text" && b.content[0].content == nil && b.content[0].object == nil {
		return d.arena.Responses.New(gemini.FunctionResponse{ClientID: b.toolUseID, Response: front.ToolResult(b.content[0].text, b.isError)})
	}
	var output []gemini.Part
	for i := range b.content {
		c := &b.content[i]
		if c.kind == "tool_reference" {
			output = append(output, gemini.Part{Text: gemini.Quote("Loaded tool: " + d.call.Tools.Upstream(c.toolName))})
			continue
		}
		output = c.appendParts(output)
	}
	return d.arena.Result(b.toolUseID, output, b.isError)
}

// appendParts makes texts and media of a block. Blocks of other types become what text they have.
func (b *block) appendParts(dst []gemini.Part) []gemini.Part {
	switch b.kind {
	case "image", "document":
		return append(dst, b.sourceParts()...)
	case "search_result":
		return append(dst, gemini.Part{Text: b.citedText()})
	case "tool_addition", "tool_removal", "tool_use":
		return dst
	}
	if b.text != nil {
		dst = append(dst, gemini.Part{Text: b.text})
	}
	for i := range b.content {
		dst = b.content[i].appendParts(dst)
	}
	if b.object != nil {
		dst = append(dst, gemini.Part{Text: gemini.Quote(strings.Join(nonEmpty(resultWords(b.object)), "\n"))})
	}
	return dst
}

func (b *block) sourceParts() []gemini.Part {
	s := b.source
	switch s.kind {
	case "base64":
		blob, problem := front.Inline(s.mediaType, s.data.String())
		if problem != "" {
			return nil // parse refused it
		}
		return b.headed(gemini.Part{InlineData: blob})
	case "url":
		return b.headed(gemini.Part{FileData: &gemini.FileData{FileURI: s.url, Param: s.param}})
	case "text":
		return []gemini.Part{{Text: b.titled(s.data)}}
	}
	var parts []gemini.Part
	for i := range s.content {
		parts = s.content[i].appendParts(parts)
	}
	return b.headed(parts...)
}

// headed puts a document's title and context before its parts.
func (b *block) headed(parts ...gemini.Part) []gemini.Part {
	if head := b.titled(nil); head != nil {
		return append([]gemini.Part{{Text: head}}, parts...)
	}
	return parts
}

// titled puts a document's title and context before its text.
func (b *block) titled(text gemini.Text) gemini.Text {
	var head strings.Builder
	if !b.title.Empty() {
		head.WriteString("Title: " + b.title.String() + "\n")
	}
	if !b.context.Empty() {
		head.WriteString("Context: " + b.context.String() + "\n")
	}
	if head.Len() == 0 {
		return text
	}
	return text.Wrap(head.String()+"\n", "")
}

// citedText is a search result in words.
func (b *block) citedText() gemini.Text {
	var texts []gemini.Text
	for _, c := range b.content {
		texts = append(texts, c.text)
	}
	head := "Title: " + b.title.String() + "\nSource: " + b.text.String()
	if len(texts) == 0 {
		return gemini.Quote(head)
	}
	return front.Join(texts).Wrap(head+"\n\n", "")
}
