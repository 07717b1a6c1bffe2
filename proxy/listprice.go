package proxy

import (
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
)

// ListPrice is what an answer of these sizes, in tokens, costs on a paid key at a time, in US dollars by the prices that this
// release knows. name is any that clients use, without an adapter's own MODEL_MAP; target is the model that it stands for. Not ok
// is a price that is not known.
func ListPrice(name string, at time.Time, input, output int) (target string, usd float64, ok bool) {
	m := newModels(nil)
	target, ok = m.resolve(name)
	if !ok {
		return "", 0, false
	}
	micro, ok := m.registry.cost(target, keys.Day(at), &gemini.Usage{Prompt: input, Candidates: output})
	return target, float64(micro) / 1e6, ok
}
