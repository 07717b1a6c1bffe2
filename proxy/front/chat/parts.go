package chat

import (
	"strings"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// check finds what is wrong with a part of a known type; parts of other types are dropped.
func (p *part) check() (field, problem string) {
	switch p.kind {
	case "":
		return ".type", "expected the type of the part"
	case "text":
		if p.text == nil {
			return ".text", "expected a string"
		}
	case "image_url":
		switch {
		case p.url == nil:
			return ".image_url.url", "expected a data URL"
		case !strings.HasPrefix(string(p.url), `"data:`):
			return ".image_url.url", "addresses are not fetched, send the image as a data URL"
		}
		_, problem = p.media()
		return ".image_url.url", problem
	case "input_audio":
		if p.data == nil || p.format == "" {
			return ".input_audio", "expected data and format"
		}
		_, problem = p.media()
		return ".input_audio.data", problem
	case "file":
		if p.fileData == nil {
			return ".file", "file references are not supported, send file_data"
		}
		_, problem = p.media()
		return ".file.file_data", problem
	}
	return "", ""
}

// media is the inline form of an image, a sound or a file; the problem says why there is none.
func (p *part) media() (blob *gemini.Blob, problem string) {
	switch p.kind {
	case "input_audio":
		return front.Inline("audio/"+p.format, p.data.String())
	case "image_url", "file":
		url := p.url
		if p.kind == "file" {
			url = p.fileData
		}
		mimeType, data, ok := front.DataURL(url.String())
		if !ok {
			return nil, "expected a data URL with base64"
		}
		return front.Inline(mimeType, data)
	}
	return nil, ""
}

// toGemini makes the part that Gemini gets; ok is false for parts that are dropped.
func (p *part) toGemini() (out gemini.Part, ok bool) {
	if p.kind == "text" || p.kind == "refusal" {
		return gemini.Part{Text: p.text}, p.text != nil
	}
	blob, problem := p.media()
	return gemini.Part{InlineData: blob}, blob != nil && problem == ""
}
