package chat

import (
	"path"
	"strings"

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

// readPart reads a part; ok is false for one of a kind that is left out.
func readPart(w *gemini.Walker) (out gemini.Part, ok bool) {
	if w.Kind() == '"' {
		return gemini.Part{Text: w.Text()}, true
	}
	var p part
	if !w.Object("a content part", func(name []byte) { p.read(w, string(name)) }) {
		w.Fail(w.Path(), "expected a content part")
		return out, false
	}
	out, field, problem := p.toGemini()
	if problem != "" {
		w.Fail(w.Path()+field, problem)
	}
	if out.FileData != nil {
		out.FileData.Param = w.Path() + field
	}
	return out, out.Text != nil || out.InlineData != nil || out.FileData != nil
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

// toGemini makes the part that Gemini gets, none for kinds that are left out. field is where a medium stands, or what is wrong.
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
		out, problem = medium(*p.url, "")
		out.MediaResolution = resolution(p.detail)
		return out, field, problem
	case "input_audio":
		return p.sound()
	case "file":
		field = ".file.file_data"
		if p.file == nil {
			return out, ".file", "file references are not supported, send file_data"
		}
		out, problem = medium(*p.file, p.filename)
		if out.InlineData != nil {
			out.InlineData.MimeType, problem = fileType(out.InlineData.MimeType, p.filename)
		}
		return out, field, problem
	}
	return out, "", ""
}

// medium is what a data URL holds or an address names.
func medium(url, filename string) (out gemini.Part, problem string) {
	scheme, _, _ := strings.Cut(url[:min(len(url), len("https:"))], ":")
	switch strings.ToLower(scheme) {
	case "http", "https":
		return gemini.Part{FileData: &gemini.FileData{FileURI: url, MimeType: typeByName(filename)}}, ""
	case "data":
		mimeType, data, ok := front.DataURL(url)
		if !ok {
			return out, "expected a data URL with base64"
		}
		out.InlineData, problem = front.Inline(mimeType, data)
		return out, problem
	}
	return out, "expected a data URL, or an address that begins with http or https"
}

// resolution says how closely the model should look; auto and words that nobody knows leave it to the model.
func resolution(detail string) *gemini.MediaResolution {
	switch detail {
	case "low":
		return &gemini.MediaResolution{Level: "MEDIA_RESOLUTION_LOW"}
	case "high":
		return &gemini.MediaResolution{Level: "MEDIA_RESOLUTION_HIGH"}
	}
	return nil
}

// sound is the medium of an input_audio. OpenAI knows wav and mp3, Gemini some more (Gemini API docs, audio).
func (p *part) sound() (out gemini.Part, field, problem string) {
	switch {
	case p.audio == nil:
		return out, ".input_audio.data", "expected base64"
	case p.format == "":
		return out, ".input_audio.format", "expected wav or mp3"
	}
	switch format := strings.ToLower(p.format); format {
	case "wav", "mp3", "aiff", "aac", "ogg", "flac":
		out.InlineData, problem = front.Inline("audio/"+format, *p.audio)
		return out, ".input_audio.data", problem
	}
	return out, ".input_audio.format", "expected wav or mp3; aiff, aac, ogg and flac are understood too"
}

// typeByName is the media type that a file's name tells, "" if it tells none.
func typeByName(filename string) string {
	switch ext := strings.ToLower(path.Ext(filename)); ext {
	case ".pdf":
		return "application/pdf"
	case ".txt", ".md", ".json", ".yaml", ".yml", ".toml", ".go", ".py", ".js", ".ts", ".sh", ".sql":
		return "text/plain"
	case ".csv", ".html", ".xml":
		return "text/" + ext[1:]
	case ".png", ".jpeg", ".webp", ".gif":
		return "image/" + ext[1:]
	case ".jpg":
		return "image/jpeg"
	case ".mp3", ".wav":
		return "audio/" + ext[1:]
	case ".mp4":
		return "video/mp4"
	}
	return ""
}

// fileType is the media type under which Gemini takes a file.
func fileType(mimeType, filename string) (known, problem string) {
	if mimeType == "application/octet-stream" {
		if byName := typeByName(filename); byName != "" {
			mimeType = byName
		}
	}
	kind, _, _ := strings.Cut(mimeType, "/")
	switch {
	case kind == "text", kind == "image", kind == "audio", kind == "video", mimeType == "application/pdf",
		strings.HasPrefix(mimeType, "application/vnd.openxmlformats-officedocument."),
		strings.HasPrefix(mimeType, "application/vnd.oasis.opendocument."):
		return mimeType, ""
	}
	switch mimeType {
	case "application/json", "application/xml", "application/yaml", "application/x-yaml", "application/javascript",
		"application/x-javascript", "application/x-python", "application/x-sh", "application/sql", "application/toml":
		return "text/plain", ""
	}
	return mimeType, "files of this type are not supported, expected a PDF, text, an office document, an image, sound or video"
}
