package chat

import (
	"math"
	"strconv"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// readSeed reads a whole number of 64 bits and takes as many of them as Gemini does.
func readSeed(w *gemini.Walker) *int32 {
	if !w.Expect("0", "a whole number") {
		return nil
	}
	raw := string(w.Raw())
	n, err := strconv.ParseInt(raw, 10, 64)
	if err != nil {
		f, err := strconv.ParseFloat(raw, 64)
		if err != nil || f != math.Trunc(f) || math.Abs(f) >= 1<<63 {
			w.Fail(w.Path(), "expected a whole number of at most 64 bits")
			return nil
		}
		n = int64(f)
	}
	seed := int32(n & math.MaxInt32)
	return &seed
}

func readStops(w *gemini.Walker) []string {
	if w.Kind() == '"' {
		return []string{w.String()}
	}
	var out []string
	w.Array("a string or an array of strings", func(int) { out = append(out, w.String()) })
	return out
}

func readFormat(w *gemini.Walker) format {
	var f format
	w.Object("an object", func(name []byte) {
		switch string(name) {
		case "type":
			f.kind = w.String()
			switch f.kind {
			case "text", "json_object", "json_schema":
			default:
				w.Fail(w.Path(), "expected text, json_object or json_schema")
			}
		case "json_schema":
			f.said = w.Object("an object", func(name []byte) {
				if string(name) != "schema" {
					w.Skip()
					return
				}
				if w.Expect("{", "a JSON Schema object") {
					f.schema = w.Raw()
				}
			})
		default:
			w.Skip()
		}
	})
	return f
}

func readThinking(w *gemini.Walker) *gemini.ThinkingConfig {
	config := &gemini.ThinkingConfig{}
	if !w.Object("an object", func(name []byte) {
		switch string(name) {
		case "include_thoughts", "includeThoughts":
			config.IncludeThoughts = w.Bool()
		case "thinking_budget", "thinkingBudget":
			config.ThinkingBudget = w.Int()
		case "thinking_level", "thinkingLevel":
			config.ThinkingLevel = w.String()
		default:
			w.Skip()
		}
	}) {
		return nil
	}
	return config
}
