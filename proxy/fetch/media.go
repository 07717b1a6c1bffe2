package fetch

import (
	"bytes"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"
)

// asText are types that Gemini reads as text but does not know by this name.
var asText = []string{
	"application/json", "application/ld+json", "application/xml", "application/xhtml+xml", "application/javascript",
	"application/x-javascript", "application/yaml", "application/x-yaml", "application/toml", "application/x-sh",
}

// byExtension tells the type of a file from its name, for what systems' own tables disagree on.
var byExtension = map[string]string{
	".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp", ".gif": "image/gif",
	".heic": "image/heic", ".heif": "image/heif", ".pdf": "application/pdf",
	".txt": "text/plain", ".md": "text/plain", ".json": "text/plain", ".yaml": "text/plain", ".html": "text/html",
	".htm": "text/html", ".csv": "text/csv", ".xml": "text/xml", ".css": "text/css",
	".mp3": "audio/mp3", ".wav": "audio/wav", ".ogg": "audio/ogg", ".flac": "audio/flac", ".aac": "audio/aac",
	".aiff": "audio/aiff", ".mp4": "video/mp4", ".mpeg": "video/mpeg", ".mov": "video/mov", ".webm": "video/webm",
}

// Guess tells the media type from an address alone, "" where that is impossible.
func Guess(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return byExtension[strings.ToLower(path.Ext(u.Path))]
}

// typeOf is the media type of fetched data: what the server said, else what the data looks like, else what its name says.
// ok says that Gemini takes it; the type is what was found in any case.
func typeOf(header, address string, data []byte) (mimeType string, ok bool) {
	said, _, err := mime.ParseMediaType(header)
	if err != nil || said == "application/octet-stream" || said == "binary/octet-stream" {
		said = sniff(data)
	}
	if said == "application/octet-stream" {
		if guess := Guess(address); guess != "" {
			said = guess
		}
	}
	return accepted(said)
}

// sniff tells a type from its first bytes.
func sniff(data []byte) string {
	if len(data) >= 12 && string(data[4:8]) == "ftyp" {
		switch string(data[8:12]) {
		case "heic", "heix", "hevc", "heim", "heis":
			return "image/heic"
		case "mif1", "msf1", "heif":
			return "image/heif"
		}
	}
	if bytes.HasPrefix(data, []byte("fLaC")) {
		return "audio/flac"
	}
	said, _, _ := strings.Cut(http.DetectContentType(data), ";")
	return said
}

// accepted reports whether Gemini takes a type, and under which name.
func accepted(said string) (mimeType string, ok bool) {
	switch said {
	case "image/jpg":
		return "image/jpeg", true
	case "image/png", "image/jpeg", "image/webp", "image/heic", "image/heif", "image/gif", "application/pdf":
		return said, true
	case "application/ogg":
		return "audio/ogg", true
	case "audio/mpeg":
		return "audio/mp3", true
	}
	for _, t := range asText {
		if said == t {
			return "text/plain", true
		}
	}
	for _, kind := range []string{"text/", "audio/", "video/"} {
		if strings.HasPrefix(said, kind) {
			return said, true
		}
	}
	return said, false
}
