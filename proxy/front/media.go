package front

import (
	"strings"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// NoImage is what is wrong with a media type of an image that Gemini does not take.
const NoImage = "expected an image of type png, jpeg, webp, gif, heic or heif"

// Inline makes an inline medium of base64 data. A missing media type is read off the first bytes. The problem is "" or what
// is wrong with the data, fit to follow a field's path.
func Inline(mimeType, data string) (blob *gemini.Blob, problem string) {
	if !isBase64(data) {
		return nil, "expected base64"
	}
	mimeType, _, _ = strings.Cut(strings.ToLower(mimeType), ";")
	mimeType = strings.TrimSpace(mimeType)
	if mimeType == "image/jpg" {
		mimeType = "image/jpeg"
	}
	if mimeType == "" {
		mimeType = sniff(data)
	}
	if strings.HasPrefix(mimeType, "image/") && !isImage(mimeType) {
		return nil, NoImage
	}
	if mimeType == "" {
		return nil, "the media type is missing and cannot be told from the data"
	}
	return &gemini.Blob{MimeType: mimeType, Data: data}, ""
}

// isImage lists the types of images that Gemini takes (Gemini API docs, image understanding); of gif it does not say.
func isImage(mimeType string) bool {
	switch mimeType {
	case "image/png", "image/jpeg", "image/webp", "image/gif", "image/heic", "image/heif":
		return true
	}
	return false
}

// DataURL splits data:<media type>;base64,<data>; parameters such as charset are dropped.
func DataURL(url string) (mimeType, data string, ok bool) {
	rest, ok := strings.CutPrefix(url, "data:")
	if !ok {
		return "", "", false
	}
	head, data, ok := strings.Cut(rest, ",")
	if !ok || !strings.HasSuffix(head, ";base64") {
		return "", "", false
	}
	mimeType, _, _ = strings.Cut(head, ";")
	return mimeType, data, true
}

// sniff tells the media type from the base64 form of a file's first bytes.
func sniff(data string) string {
	for _, known := range []struct{ prefix, mimeType string }{
		{"iVBOR", "image/png"}, {"/9j/", "image/jpeg"}, {"R0lGOD", "image/gif"}, {"UklGR", "image/webp"},
		{"JVBER", "application/pdf"},
	} {
		if strings.HasPrefix(data, known.prefix) {
			return known.mimeType
		}
	}
	return ""
}

// isBase64 takes both alphabets.
func isBase64(s string) bool {
	s = strings.TrimRight(s, "=")
	for i := range len(s) {
		c := s[i]
		if !(c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/' || c == '-' || c == '_') {
			return false
		}
	}
	return s != "" && len(s)%4 != 1
}

// ImageText shows an image that the model made to clients whose protocol has no place for one: in Markdown, as a data URL.
func ImageText(blob *gemini.Blob) gemini.Text {
	return gemini.Quote("![image](data:" + blob.MimeType + ";base64," + blob.Data + ")")
}
