// Package embeddings speaks OpenAI's Embeddings API: what a client asks, in Gemini's words, and the vectors back.
package embeddings

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"strconv"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

const (
	maxInputs  = 2048 // of a request (OpenAI API docs)
	batchSize  = 100  // of a call of Gemini's
	inputForms = "a string or an array of strings"
	noTokens   = "expected text: token ids are of another model's vocabulary (LangChain sends text with check_embedding_ctx_length=False)"
)

// ownDimensions are the lengths of the vectors that models make for which Gemini's stand in (OpenAI's and Google's API docs):
// whoever names one has a place of that length for them.
var ownDimensions = map[string]int{"text-embedding-3-small": 1536, "text-embedding-ada-002": 1536, "text-embedding-004": 768}

// Request is a decoded request.
type Request struct {
	Model      string        // as the client named it
	Inputs     []gemini.Text // at least one, none of them empty
	Base64     bool          // vectors as little-endian float32 in base64
	Dimensions int           // of the vectors, 0 is as many as Gemini makes

	single bool // the input was no array
}

// Decode reads the body of POST /v1/embeddings. Errors are *front.Error of kind Invalid. Inputs alias body.
func Decode(body []byte) (*Request, error) {
	r := &Request{}
	w := gemini.NewWalker(body)
	if !w.Object("an object", func(name []byte) { r.field(w, string(name)) }) {
		w.Fail("", "expected a JSON object")
	}
	if err := w.Done(); err != nil {
		return nil, front.AsError(err)
	}
	switch {
	case r.Model == "":
		return nil, front.Invalidf("model", "expected the name of a model")
	case len(r.Inputs) == 0:
		return nil, front.Invalidf("input", "expected %s, not empty", inputForms)
	case len(r.Inputs) > maxInputs:
		return nil, front.Invalidf("input", "expected %d texts at most, these are %d", maxInputs, len(r.Inputs))
	}
	if r.Dimensions == 0 {
		r.Dimensions = ownDimensions[r.Model]
	}
	for i, text := range r.Inputs {
		switch {
		case text.Empty() && r.single:
			return nil, front.Invalidf("input", "expected a text that is not empty")
		case text.Empty():
			return nil, front.Invalidf("input."+strconv.Itoa(i), "expected a text that is not empty")
		}
	}
	return r, nil
}

func (r *Request) field(w *gemini.Walker, name string) {
	switch name {
	case "model":
		r.Model = w.String()
	case "input":
		r.input(w)
	case "encoding_format":
		switch w.String() {
		case "base64":
			r.Base64 = true
		case "float", "":
			r.Base64 = false
		default:
			w.Fail(w.Path(), "expected float or base64")
		}
	case "dimensions":
		if n := w.Int(); n != nil && *n < 1 {
			w.Fail(w.Path(), "expected 1 or more")
		} else if n != nil {
			r.Dimensions = *n
		}
	default:
		w.Skip()
	}
}

func (r *Request) input(w *gemini.Walker) {
	r.Inputs, r.single = nil, w.Kind() == '"'
	if r.single {
		r.Inputs = []gemini.Text{w.Text()}
		return
	}
	w.Array(inputForms, func(int) {
		switch w.Kind() {
		case '0', '[':
			w.Skip()
			w.Fail(w.Path(), noTokens)
		default:
			text := w.Text()
			if text == nil {
				w.Fail(w.Path(), "expected a string")
			}
			if len(r.Inputs) <= maxInputs {
				r.Inputs = append(r.Inputs, text)
			}
		}
	})
}

// Batches are the inputs as they are sent, in their order.
func (r *Request) Batches() [][]gemini.Text {
	var all [][]gemini.Text
	for rest := r.Inputs; len(rest) > 0; {
		n := min(len(rest), batchSize)
		all = append(all, rest[:n])
		rest = rest[n:]
	}
	return all
}

// AppendCall appends the body for a batch: that of embedContent for one input, of batchEmbedContents for more.
func (r *Request) AppendCall(dst []byte, target string, batch []gemini.Text) []byte {
	if len(batch) == 1 {
		return r.appendOne(dst, target, batch[0])
	}
	dst = append(dst, `{"requests":[`...)
	for i, text := range batch {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = r.appendOne(dst, target, text)
	}
	return append(dst, ']', '}')
}

func (r *Request) appendOne(dst []byte, target string, text gemini.Text) []byte {
	dst = gemini.AppendQuoted(append(dst, `{"model":`...), "models/"+target)
	dst = append(append(dst, `,"content":{"parts":[{"text":`...), text...)
	dst = append(dst, `}]}`...)
	if r.Dimensions > 0 {
		dst = strconv.AppendInt(append(dst, `,"outputDimensionality":`...), int64(r.Dimensions), 10)
	}
	return append(dst, '}')
}

// EstimateTokens guesses the length of all inputs where Google has not counted it.
func (r *Request) EstimateTokens() int {
	var contents []gemini.Content
	for _, text := range r.Inputs {
		contents = append(contents, gemini.Content{Parts: []gemini.Part{{Text: text}}})
	}
	return (&gemini.Request{Contents: contents}).EstimateTokens()
}

// AppendAnswer appends the body of the answer. Shortened vectors are of length 1 again, as OpenAI's are: Gemini leaves those
// of gemini-embedding-001 as they are cut (Gemini API docs).
func (r *Request) AppendAnswer(dst []byte, vectors [][]float32, tokens int) []byte {
	dst = append(dst, `{"object":"list","data":[`...)
	for i, v := range vectors {
		if i > 0 {
			dst = append(dst, ',')
		}
		if r.Dimensions > 0 {
			normalise(v)
		}
		dst = strconv.AppendInt(append(dst, `{"object":"embedding","index":`...), int64(i), 10)
		dst = append(r.appendVector(append(dst, `,"embedding":`...), v), '}')
	}
	dst = gemini.AppendQuoted(append(dst, `],"model":`...), r.Model)
	dst = strconv.AppendInt(append(dst, `,"usage":{"prompt_tokens":`...), int64(tokens), 10)
	dst = strconv.AppendInt(append(dst, `,"total_tokens":`...), int64(tokens), 10)
	return append(dst, '}', '}')
}

func (r *Request) appendVector(dst []byte, v []float32) []byte {
	if r.Base64 {
		raw := make([]byte, 0, 4*len(v))
		for _, x := range v {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
		}
		return append(base64.StdEncoding.AppendEncode(append(dst, '"'), raw), '"')
	}
	dst = append(dst, '[')
	for i, x := range v {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendFloat(dst, float64(x), 'g', -1, 32)
	}
	return append(dst, ']')
}

// normalise makes v a vector of length 1, unless it is one but for rounding, or has no direction.
func normalise(v []float32) {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	length := math.Sqrt(sum)
	if length == 0 || math.Abs(length-1) < 1e-5 {
		return
	}
	for i := range v {
		v[i] = float32(float64(v[i]) / length)
	}
}
