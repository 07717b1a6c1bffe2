package anthropic

import (
	"strings"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// The messages of a conversation, block by block.

func (d *decoder) assistant(blocks []block) []gemini.Part {
	var parts []gemini.Part
	var told telling
	for i := range blocks {
		b := &blocks[i]
		if b.isServerTool() {
			told.add(b)
			told.ids = append(told.ids, d.carry(b.encrypted)...)
			continue
		}
		parts = told.end(parts)
		switch b.kind {
		case "thinking":
			d.carry(b.signature)
		case "redacted_thinking":
		case "tool_use":
			parts = append(parts, gemini.Part{FunctionCall: &gemini.FunctionCall{
				Name: d.call.Tools.Upstream(b.name), Args: front.Object(b.input), ClientID: b.id,
			}})
		default:
			parts = append(parts, b.parts()...)
		}
	}
	return d.ours(told.end(parts))
}

func (d *decoder) user(blocks []block) []gemini.Part {
	var parts []gemini.Part
	for i := range blocks {
		b := &blocks[i]
		if b.kind == "tool_result" {
			parts = append(parts, gemini.Part{FunctionResponse: d.result(b)})
			continue
		}
		parts = append(parts, b.parts()...)
	}
	return parts
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
		case !b.isKnown() && b.kind != "tool_reference" && len(b.parts()) == 0:
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
	var output []gemini.Part
	for _, c := range b.content {
		if c.kind == "tool_reference" {
			output = append(output, gemini.Part{Text: gemini.Quote("Loaded tool: " + d.call.Tools.Upstream(c.toolName))})
			continue
		}
		output = append(output, c.parts()...)
	}
	return front.Result(b.toolUseID, output, b.isError)
}

// parts makes texts and media of a block. Blocks of other types become what text they have.
func (b *block) parts() []gemini.Part {
	switch b.kind {
	case "image", "document":
		return b.sourceParts()
	case "search_result":
		return []gemini.Part{{Text: b.citedText()}}
	case "tool_addition", "tool_removal", "tool_use":
		return nil
	}
	var parts []gemini.Part
	if b.text != nil {
		parts = append(parts, gemini.Part{Text: b.text})
	}
	for _, c := range b.content {
		parts = append(parts, c.parts()...)
	}
	if b.object != nil {
		parts = append(parts, gemini.Part{Text: gemini.Quote(strings.Join(nonEmpty(resultWords(b.object)), "\n"))})
	}
	return parts
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
	for _, c := range s.content {
		parts = append(parts, c.parts()...)
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
