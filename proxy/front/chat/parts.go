package chat

import (
	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// part is a content part as it is read.
type part struct {
	kind     string
	text     gemini.Text // text and refusal
	url      *string     // image_url
	detail   string
	audio    *string // input_audio
	format   string
	file     *string // file_data
	filename string
}

// readPart reads a part; ok is false for one of a kind that is left out, which is named unless it is the thought of a model.
func readPart(w *gemini.Walker) (out gemini.Part, ok bool, leftOut string) {
	if w.Kind() == '"' {
		return gemini.Part{Text: w.Text()}, true, ""
	}
	var p part
	if !w.Object("a content part", func(name []byte) { p.read(w, string(name)) }) {
		w.Fail(w.Path(), "expected a content part")
		return out, false, ""
	}
	out, field, problem := p.toGemini()
	if problem != "" {
		w.Fail(w.Path()+field, problem)
	}
	if out.FileData != nil {
		out.FileData.Param = w.Path() + field
	}
	if ok = out.Text != nil || out.InlineData != nil || out.FileData != nil; !ok && !p.isThought() {
		leftOut = p.kind
	}
	return out, ok, leftOut
}

func (p *part) isThought() bool {
	return p.kind == "thinking" || p.kind == "redacted_thinking" || p.kind == "reasoning"
}

func (p *part) read(w *gemini.Walker, name string) {
	switch name {
	case "type":
		p.kind = w.String()
	case "text", "refusal":
		p.text = w.Text()
	case "image_url":
		if w.Kind() == '"' {
			p.url = optional(w)
			return
		}
		w.Object("an object", func(name []byte) {
			switch string(name) {
			case "url":
				p.url = optional(w)
			case "detail":
				p.detail = w.String()
			default:
				w.Skip()
			}
		})
	case "input_audio":
		w.Object("an object", func(name []byte) {
			switch string(name) {
			case "data":
				p.audio = optional(w)
			case "format":
				p.format = w.String()
			default:
				w.Skip()
			}
		})
	case "file":
		w.Object("an object", func(name []byte) {
			switch string(name) {
			case "file_data":
				p.file = optional(w)
			case "filename":
				p.filename = w.String()
			default:
				w.Skip()
			}
		})
	default:
		w.Skip()
	}
}

// optional reads a string; null is nil.
func optional(w *gemini.Walker) *string {
	if w.Kind() == 'n' {
		w.Skip()
		return nil
	}
	s := w.String()
	return &s
}

// toGemini makes the part that Gemini gets: of unknown kinds their text, if they have one. field is where a medium stands, or
// what is wrong.
func (p *part) toGemini() (out gemini.Part, field, problem string) {
	switch p.kind {
	case "":
		return out, ".type", "expected the type of the part"
	case "text", "refusal":
		if p.text == nil {
			return out, "." + p.kind, "expected a string"
		}
		return gemini.Part{Text: p.text}, "", ""
	case "image_url":
		field = ".image_url.url"
		if p.url == nil {
			return out, field, "expected a data URL or an address"
		}
		out, problem = front.OpenAIImage(*p.url, p.detail)
		return out, field, problem
	case "input_audio":
		if p.audio == nil {
			return out, ".input_audio.data", "expected base64"
		}
		out, field, problem = front.OpenAISound(*p.audio, p.format)
		return out, ".input_audio." + field, problem
	case "file":
		if p.file == nil {
			return out, ".file", "file references are not supported, send file_data"
		}
		out, problem = front.OpenAIFile(*p.file, p.filename)
		return out, ".file.file_data", problem
	}
	if p.isThought() {
		return out, "", ""
	}
	return gemini.Part{Text: p.text}, "", ""
}
