package responses

import (
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/front/fronttest"
)

const head = `{"model":"gpt-x","input":"hi","tools":[{"type":"function","name":"Read","parameters":{"type":"object","properties":{}}},{"type":"function","name":"Now"}]`

func requests() map[string]string {
	return map[string]string{
		"codex":  head + `,"store":false,"reasoning":{"effort":"high","summary":"auto"},"include":["reasoning.encrypted_content"]}`,
		"plain":  head + `}`,
		"search": `{"model":"gpt-x","input":"hi","tools":[{"type":"web_search"}]}`,
	}
}

func TestEncodeGolden(t *testing.T) { fronttest.GoldenEncode(t, Codec{}, requests()) }
