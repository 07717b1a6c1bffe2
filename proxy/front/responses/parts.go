package responses

import (
	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

const noFiles = "file references are not supported, send the file itself or its address"

// part is one element of a message's content, or of a tool's output.
type part struct {
	kind     string
	text     gemini.Text // text and refusal
	url      gemini.Text // image_url, file_url
	urlField string
	detail   string
	fileData gemini.Text
	filename string
	fileID   string
	audio    gemini.Text // base64
	format   string
}

// parts reads content: a text, or an array of parts. ok is false where there is none.
func (f *fault) parts(w *reader) (parts []gemini.Part, ok bool) {
	switch w.Kind() {
	case '"':
		return w.arena.Parts.Keep(gemini.Part{Text: w.Text()}), true
	case 'n':
		w.Skip()
		return nil, false
	case '[':
		w.parts = w.parts[:0]
		w.Array("an array", func(int) {
			if p, ok := f.part(w.Walker); ok {
				w.parts = append(w.parts, p)
			}
		})
		return w.arena.Parts.Keep(w.parts...), true
	}
	w.Skip()
	f.note(w.Path(), "expected a string or an array of parts")
	return nil, false
}

// part reads one part; ok is false for those that are dropped.
func (f *fault) part(w *gemini.Walker) (out gemini.Part, ok bool) {
	switch w.Kind() {
	case '"':
		return gemini.Part{Text: w.Text()}, true
	case '{':
	default:
		w.Skip()
		f.note(w.Path(), "expected a content part")
		return out, false
	}
	var p part
	w.Object("", func(name []byte) { p.field(w, f, string(name)) })
	return p.toGemini(w, f)
}

func (p *part) field(w *gemini.Walker, f *fault, name string) {
	switch name {
	case "type":
		p.kind = f.string(w)
	case "text", "refusal":
		p.text = f.text(w)
	case "image_url":
		p.urlField = name
		p.readImageURL(w, f)
	case "file_url":
		p.urlField, p.url = name, f.text(w)
	case "detail":
		p.detail = f.string(w)
	case "file_data":
		p.fileData = f.text(w)
	case "filename":
		p.filename = f.string(w)
	case "file_id":
		p.fileID = f.string(w)
	case "input_audio":
		if w.Kind() != '{' {
			w.Skip()
			return
		}
		w.Object("", func(name []byte) {
			switch string(name) {
			case "data":
				p.audio = f.text(w)
			case "format":
				p.format = f.string(w)
			default:
				w.Skip()
			}
		})
	default:
		w.Skip()
	}
}

// readImageURL reads a string; clients used to Chat Completions send an object with a url.
func (p *part) readImageURL(w *gemini.Walker, f *fault) {
	if w.Kind() != '{' {
		p.url = f.text(w)
		return
	}
	w.Object("", func(name []byte) {
		if string(name) == "url" {
			p.url = f.text(w)
			return
		}
		w.Skip()
	})
}

// toGemini makes the part that Gemini gets. Of parts of unknown types the text is kept.
func (p *part) toGemini(w *gemini.Walker, f *fault) (out gemini.Part, ok bool) {
	switch p.kind {
	case "":
		f.note(w.Path()+".type", "expected the type of the part")
	case "input_text", "output_text", "text":
		if p.text == nil {
			f.note(w.Path()+".text", "expected a string")
		}
	case "input_image":
		return p.image(w, f)
	case "input_file":
		return p.file(w, f)
	case "input_audio":
		if p.audio == nil || p.format == "" {
			f.note(w.Path()+".input_audio", "expected data and format")
			return out, false
		}
		out, field, problem := front.OpenAISound(p.audio.String(), p.format)
		return f.medium(w, out, problem, ".input_audio."+field)
	}
	if p.text == nil {
		f.leftOut = append(f.leftOut, p.kind)
	}
	return gemini.Part{Text: p.text}, p.text != nil
}

func (p *part) image(w *gemini.Walker, f *fault) (out gemini.Part, ok bool) {
	switch {
	case !p.url.Empty():
	case p.fileID != "":
		f.note(w.Path()+".file_id", noFiles)
		return out, false
	default:
		f.note(w.Path()+".image_url", "expected a data URL or an address")
		return out, false
	}
	out, problem := front.OpenAIImage(p.url.String(), p.detail)
	return f.medium(w, out, problem, "."+p.urlField)
}

func (p *part) file(w *gemini.Walker, f *fault) (out gemini.Part, ok bool) {
	switch {
	case !p.fileData.Empty():
		out, problem := front.OpenAIFile(p.fileData.String(), p.filename)
		return f.medium(w, out, problem, ".file_data")
	case !p.url.Empty():
		out, problem := front.OpenAIFile(p.url.String(), p.filename)
		return f.medium(w, out, problem, "."+p.urlField)
	case p.fileID != "":
		f.note(w.Path()+".file_id", noFiles)
	default:
		f.note(w.Path()+".file_data", "expected a data URL with base64, or file_url")
	}
	return out, false
}

// medium passes a medium on, or notes what is wrong with it. A web address is left to be fetched.
func (f *fault) medium(w *gemini.Walker, out gemini.Part, problem, field string) (_ gemini.Part, ok bool) {
	if problem != "" {
		f.note(w.Path()+field, problem)
		return out, false
	}
	if out.FileData != nil {
		out.FileData.Param = w.Path() + field
	}
	return out, true
}
