package front

import (
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// shown writes a medium: its type, and what it holds or names.
func shown(p gemini.Part, problem string) string {
	out := problem
	switch {
	case problem != "":
	case p.InlineData != nil:
		out = p.InlineData.MimeType + " " + p.InlineData.Data
	case p.FileData != nil:
		out = p.FileData.MimeType + "@" + p.FileData.FileURI
	}
	if p.MediaResolution != nil {
		out += " " + p.MediaResolution.Level
	}
	return out
}

func TestOpenAIImage(t *testing.T) {
	f := func(url, detail, want string) {
		t.Helper()
		if got := shown(OpenAIImage(url, detail)); got != want {
			t.Errorf("%s: %s, want %s", url, got, want)
		}
	}
	f("data:image/png;base64,iVBORw==", "", "image/png iVBORw==")
	f("DATA:image/png;base64,iVBORw==", "", "image/png iVBORw==")
	f("data:;base64,/9j/4AAQ", "low", "image/jpeg /9j/4AAQ MEDIA_RESOLUTION_LOW")
	f("data:image/jpg;charset=utf-8;base64,/9j/4AAQ", "high", "image/jpeg /9j/4AAQ MEDIA_RESOLUTION_HIGH")
	f("https://a.example/x.png", "auto", "@https://a.example/x.png")
	f("HTTP://a.example", "", "@HTTP://a.example")
	f("data:image/png,x", "", "expected a data URL with base64")
	f("data:image/png;base64,%", "", "expected base64")
	f("httpsx://a", "", "expected a data URL, or an address that begins with http or https")
	f("gs://bucket/x", "", "expected a data URL, or an address that begins with http or https")
	f("", "", "expected a data URL, or an address that begins with http or https")
}

func TestOpenAIFile(t *testing.T) {
	const refused = "files of this type are not supported, expected a PDF, text, an office document, an image, sound or video"
	f := func(url, filename, want string) {
		t.Helper()
		if got := shown(OpenAIFile(url, filename)); got != want {
			t.Errorf("%s: %s, want %s", url, got, want)
		}
	}
	f("data:application/pdf;base64,JVBERg==", "", "application/pdf JVBERg==")
	f("data:text/plain;charset=utf-8;base64,aGk=", "a.bin", "text/plain aGk=")
	f("data:application/json;base64,e30=", "", "text/plain e30=")
	f("data:application/octet-stream;base64,aGk=", "a.PY", "text/plain aGk=")
	f("data:application/octet-stream;base64,aGk=", "a.exe", refused)
	f("data:application/zip;base64,aGk=", "", refused)
	f("data:application/vnd.oasis.opendocument.text;base64,UEsD", "", "application/vnd.oasis.opendocument.text UEsD")
	f("https://a.example/x", "b.csv", "text/csv@https://a.example/x")
	f("JVBERg==", "", "application/pdf JVBERg==")
	f("aGk=", "a.html", "text/html aGk=")
	f("aGk=", "", "the media type is missing and cannot be told from the data")
	f("file:///etc/passwd", "a.txt", "expected a data URL, or an address that begins with http or https")
}

func TestOpenAISound(t *testing.T) {
	f := func(data, format, wantField, want string) {
		t.Helper()
		p, field, problem := OpenAISound(data, format)
		if got := shown(p, problem); got != want || field != wantField {
			t.Errorf("%s: %s about %s, want %s", format, got, field, want)
		}
	}
	f("SUQz", "mp3", "data", "audio/mp3 SUQz")
	f("UklGRg==", "WAV", "data", "audio/wav UklGRg==")
	f("%", "wav", "data", "expected base64")
	f("AAAA", "", "format", "expected wav or mp3; aiff, aac, ogg and flac are understood too")
	f("AAAA", "pcm16", "format", "expected wav or mp3; aiff, aac, ogg and flac are understood too")
}
