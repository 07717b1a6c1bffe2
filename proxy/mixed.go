package proxy

import (
	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/front/chat"
	"github.com/gemini-claude-adapter/gca/proxy/front/responses"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// mixed is the Chat Completions API for clients that ask there in the words of the Responses API, and read a chat completion
// all the same: Cursor's agent does, with a base URL of its user's (docs.litellm.ai, Cursor endpoint).
type mixed struct {
	chat.Codec
	asked responses.Codec
}

// Decode reads a request of either API.
func (m mixed) Decode(body []byte) (*front.Call, error) {
	call, err := m.Codec.Decode(body)
	if err != nil && asksByInput(body) {
		return m.asked.Decode(body)
	}
	return call, err
}

// asksByInput reports whether a body has its conversation where the Responses API has it, and none where chats have theirs.
func asksByInput(body []byte) bool {
	input, messages := false, false
	w := gemini.NewWalker(body)
	w.Object("an object", func(name []byte) {
		switch string(name) {
		case "input":
			input = w.Raw() != nil
		case "messages":
			messages = len(w.Raw()) > len("[]")
		default:
			w.Skip()
		}
	})
	return input && !messages && w.Done() == nil
}
