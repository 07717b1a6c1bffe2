package front

import (
	"crypto/sha256"
	"encoding/base64"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// longSystem is from how many bytes on a system prompt is taken for that of a conversation; about what Gemini's caches begin with.
const longSystem = 1024

// Opening stands for the conversation of a decoded request whose client gave it no name: its first text, which every request
// of it repeats. A question that stands alone, without tools or a long system prompt, is "": nothing of it will come back.
func Opening(req *gemini.Request) string {
	if len(req.Contents) == 0 || len(req.Contents) == 1 && len(req.Tools) == 0 && !instructed(req.SystemInstruction) {
		return ""
	}
	for _, p := range req.Contents[0].Parts {
		if !p.Text.Empty() {
			sum := sha256.Sum256(p.Text)
			return "text/" + base64.RawURLEncoding.EncodeToString(sum[:16])
		}
	}
	return ""
}

// instructed reports whether there is a long system prompt.
func instructed(system *gemini.Content) bool {
	if system == nil {
		return false
	}
	n := 0
	for i := range system.Parts {
		n += len(system.Parts[i].Text)
	}
	return n >= longSystem
}
