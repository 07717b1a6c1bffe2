package embeddings

import (
	"fmt"
	"strconv"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

// maxDimensions bounds a vector; Gemini's longest has 3,072.
const maxDimensions = 1 << 16

// ParseAnswer reads what Gemini answered to the call of a batch of n inputs: as many vectors, and the tokens that it counted,
// 0 if it did not.
func ParseAnswer(body []byte, n int) (vectors [][]float32, tokens int, err error) {
	w := gemini.NewWalker(body)
	w.Object("an object", func(name []byte) {
		switch string(name) {
		case "embedding":
			vectors = append(vectors, readVector(w))
		case "embeddings":
			w.Array("an array", func(int) {
				if v := readVector(w); len(vectors) < n+1 {
					vectors = append(vectors, v)
				}
			})
		case "usageMetadata":
			tokens = readUsage(w)
		default:
			w.Skip()
		}
	})
	if err := w.Done(); err != nil {
		return nil, 0, err
	}
	if len(vectors) != n {
		return nil, 0, fmt.Errorf("not one vector for each of %d texts", n)
	}
	for _, v := range vectors {
		if len(v) == 0 {
			return nil, 0, fmt.Errorf("a vector is empty")
		}
	}
	return vectors, tokens, nil
}

func readVector(w *gemini.Walker) (v []float32) {
	w.Object("an object", func(name []byte) {
		if string(name) != "values" {
			w.Skip()
			return
		}
		w.Array("an array", func(int) {
			x, err := strconv.ParseFloat(string(w.Any()), 32)
			if err != nil || len(v) == maxDimensions {
				w.Fail(w.Path(), "expected a number")
			}
			v = append(v, float32(x))
		})
	})
	return v
}

func readUsage(w *gemini.Walker) (tokens int) {
	w.Object("an object", func(name []byte) {
		if string(name) != "promptTokenCount" {
			w.Skip()
			return
		}
		if n := w.Int(); n != nil {
			tokens = max(*n, 0)
		}
	})
	return tokens
}
