package front

import (
	"crypto/sha256"
	"encoding/base64"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// Opening stands for the conversation of a decoded request whose client gave it no name: its first text, which every request
// of it repeats. A question that stands alone, without tools, is "": nothing of it will come back.
func Opening(req *gemini.Request) string {
	if len(req.Contents) == 0 || len(req.Contents) == 1 && len(req.Tools) == 0 {
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
