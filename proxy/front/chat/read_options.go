package chat

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/gemini-claude-adapter/gca/proxy/front"
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
				switch {
				case string(name) == "name":
					f.name = w.String()
				case string(name) != "schema":
					w.Skip()
				case w.Expect("{", "a JSON Schema object"):
					f.schema = w.Raw()
				}
			})
		default:
			w.Skip()
		}
	})
	return f
}

// thinkingLevels are Google's own words, in capitals.
var thinkingLevels = []string{"", "MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH"}

// readThinking leaves a level out that nobody knows, as it does an unknown reasoning_effort.
func readThinking(w *gemini.Walker, leftOut *front.LeftOut) *gemini.ThinkingConfig {
	config := &gemini.ThinkingConfig{}
	if !w.Object("an object", func(name []byte) {
		switch string(name) {
		case "include_thoughts", "includeThoughts":
			config.IncludeThoughts = w.Bool()
		case "thinking_budget", "thinkingBudget":
			config.ThinkingBudget = w.Int()
		case "thinking_level", "thinkingLevel":
			config.ThinkingLevel = strings.ToUpper(w.String())
			if !slices.Contains(thinkingLevels, config.ThinkingLevel) {
				config.ThinkingLevel = ""
				leftOut.Add("thinking_level")
			}
		default:
			w.Skip()
		}
	}) {
		return nil
	}
	return config
}
