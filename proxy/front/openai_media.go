package front

import (
	"path"
	"strings"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// OpenAI's APIs bring media alike: as data URLs, as addresses, and sounds as base64 with a format. Each function returns a
// part and no problem, or what is wrong, fit to follow a field's path. A part with FileData has no Param yet.

// OpenAIImage is the image at url. detail says how closely the model should look; auto and words that nobody knows leave it to
// the model.
func OpenAIImage(url, detail string) (part gemini.Part, problem string) {
	part, problem = medium(url, "")
	switch detail {
	case "low":
		part.MediaResolution = &gemini.MediaResolution{Level: "MEDIA_RESOLUTION_LOW"}
	case "high":
		part.MediaResolution = &gemini.MediaResolution{Level: "MEDIA_RESOLUTION_HIGH"}
	}
	return part, problem
}

// OpenAIFile is the file at url, which may be base64 alone where its name or its first bytes tell the media type.
func OpenAIFile(url, filename string) (part gemini.Part, problem string) {
	if isBase64(url) {
		part.InlineData, problem = Inline(typeByName(filename), url)
	} else {
		part, problem = medium(url, filename)
	}
	if part.InlineData != nil {
		part.InlineData.MimeType, problem = FileType(part.InlineData.MimeType, filename)
	}
	return part, problem
}

// OpenAISound is a sound of base64 data. OpenAI knows wav and mp3, Gemini some more (Gemini API docs, audio). field is data or
// format, whichever the problem is about.
func OpenAISound(data, format string) (part gemini.Part, field, problem string) {
	switch format = strings.ToLower(format); format {
	case "wav", "mp3", "aiff", "aac", "ogg", "flac":
		part.InlineData, problem = Inline("audio/"+format, data)
		return part, "data", problem
	}
	return part, "format", "expected wav or mp3; aiff, aac, ogg and flac are understood too"
}

// medium is what a data URL holds or an address names.
func medium(url, filename string) (part gemini.Part, problem string) {
	scheme, _, _ := strings.Cut(url[:min(len(url), len("https:"))], ":")
	switch strings.ToLower(scheme) {
	case "http", "https":
		return gemini.Part{FileData: &gemini.FileData{FileURI: url, MimeType: typeByName(filename)}}, ""
	case "data":
		mimeType, data, ok := DataURL("data:" + url[len("data:"):])
		if !ok {
			return part, "expected a data URL with base64"
		}
		part.InlineData, problem = Inline(mimeType, data)
		return part, problem
	}
	return part, "expected a data URL, or an address that begins with http or https"
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

// FileType is the media type under which Gemini takes a file, whose name may be "".
func FileType(mimeType, filename string) (known, problem string) {
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
