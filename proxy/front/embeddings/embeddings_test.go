package embeddings

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
)

func TestDecode(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		r, err := Decode([]byte(body))
		if err != nil {
			t.Errorf("%s: %v", body, err)
			return
		}
		if got := fmt.Sprintf("%s %s base64=%v %d", r.Model, r.Inputs, r.Base64, r.Dimensions); got != want {
			t.Errorf("%s: %s", body, got)
		}
	}
	f(`{"model":"m","input":"x"}`, `m [x] base64=false 0`)
	f(`{"model":"m","input":["x","\ud83d\ude00 \"y\""],"encoding_format":"base64","dimensions":768,"user":"u","new":{}}`, `m [x 😀 "y"] base64=true 768`)
	f(`{"model":"m","input":["x"],"encoding_format":"float","dimensions":null}`, `m [x] base64=false 0`)
	f(`{"model":"m","input":["x"],"encoding_format":null}`, `m [x] base64=false 0`)
}

func TestDecode_errors(t *testing.T) {
	f := func(body, param, words string) {
		t.Helper()
		_, err := Decode([]byte(body))
		var e *front.Error
		if !errors.As(err, &e) || e.Kind != front.Invalid || e.Param != param || !strings.Contains(e.Message, words) {
			t.Errorf("%.60s: %+v", body, err)
		}
	}
	f(`{"input":"x"}`, "model", "expected the name of a model")
	f(`{"model":"m"}`, "input", "a string or an array of strings")
	f(`{"model":"m","input":[]}`, "input", "not empty")
	f(`{"model":"m","input":""}`, "input", "not empty")
	f(`{"model":"m","input":["x",""]}`, "input.1", "not empty")
	f(`{"model":"m","input":["x",null]}`, "input.1", "expected a string")
	f(`{"model":"m","input":[1,2]}`, "input.0", "token ids")
	f(`{"model":"m","input":[[1,2],[3]]}`, "input.0", "token ids")
	f(`{"model":"m","input":{"text":"x"}}`, "input", "a string or an array of strings")
	f(`{"model":"m","input":["x",{}]}`, "input.1", "expected a string")
	f(`{"model":"m","input":"x","encoding_format":"int8"}`, "encoding_format", "float or base64")
	f(`{"model":"m","input":"x","dimensions":0}`, "dimensions", "1 or more")
	f(`{"model":"m","input":"x","dimensions":"768"}`, "dimensions", "a whole number")
	f(`{"model":"m","input":["x"`+strings.Repeat(`,"x"`, maxInputs)+`]}`, "input", "2048 texts at most")
	f(`[]`, "", "expected")
	f(`{`, "", "ends in the middle")
}

func TestAppendCall(t *testing.T) {
	f := func(r *Request, want ...string) {
		t.Helper()
		batches := r.Batches()
		if len(batches) != len(want) {
			t.Fatalf("%d batches", len(batches))
		}
		for i, batch := range batches {
			if got := string(r.AppendCall(nil, "m", batch)); got != want[i] {
				t.Errorf("got  %s\nwant %s", got, want[i])
			}
		}
	}
	x := `{"model":"models/m","content":{"parts":[{"text":"x"}]}}`
	f(&Request{Inputs: texts(1)}, x)
	f(&Request{Inputs: texts(2)}, `{"requests":[`+x+`,`+x+`]}`)
	f(&Request{Inputs: texts(1), Dimensions: 5}, `{"model":"models/m","content":{"parts":[{"text":"x"}]},"outputDimensionality":5}`)
	f(&Request{Inputs: texts(101)}, `{"requests":[`+x+strings.Repeat(`,`+x, 99)+`]}`, x)
}

func texts(n int) []gemini.Text {
	var all []gemini.Text
	for range n {
		all = append(all, gemini.Quote("x"))
	}
	return all
}

func TestAppendAnswer(t *testing.T) {
	f := func(r *Request, vectors [][]float32, want string) {
		t.Helper()
		got := r.AppendAnswer(nil, vectors, 7)
		if !json.Valid(got) || string(got) != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	head, tail := `{"object":"list","data":[{"object":"embedding","index":0,"embedding":`, `}],"model":"m","usage":{"prompt_tokens":7,"total_tokens":7}}`
	f(&Request{Model: "m"}, [][]float32{{0.5, -1e-7, 3}}, head+`[0.5,-1e-07,3]`+tail)
	f(&Request{Model: "m", Base64: true}, [][]float32{{1, -2}}, head+`"`+base64.StdEncoding.EncodeToString([]byte{0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0})+`"`+tail)
	f(&Request{Model: "m", Dimensions: 2}, [][]float32{{3, 4}}, head+`[0.6,0.8]`+tail)
	f(&Request{Model: "m", Dimensions: 2}, [][]float32{{0, 0}}, head+`[0,0]`+tail)
	f(&Request{Model: "m"}, [][]float32{{1}, {2}}, head+`[1]},{"object":"embedding","index":1,"embedding":[2]`+tail)
}

func TestParseAnswer(t *testing.T) {
	f := func(n int, body, want string) {
		t.Helper()
		vectors, tokens, err := ParseAnswer([]byte(body), n)
		got := fmt.Sprint(vectors, tokens)
		if err != nil {
			got = "refused"
		}
		if got != want {
			t.Errorf("%s: %s %v, want %s", body, got, err, want)
		}
	}
	f(1, `{"embedding":{"values":[1,-0.5e-3]}}`, "[[1 -0.0005]] 0")
	f(2, `{"embeddings":[{"values":[1]},{"values":[2],"new":0}],"usageMetadata":{"promptTokenCount":9,"promptTokenDetails":[]}}`, "[[1] [2]] 9")
	f(1, `{"embeddings":[{"values":[1]},{"values":[2]}]}`, "refused")
	f(2, `{"embeddings":[{"values":[1]}]}`, "refused")
	f(1, `{"embedding":{}}`, "refused")
	f(1, `{"embedding":{"values":["1"]}}`, "refused")
	f(1, `{"embedding":{"values":[1e99]}}`, "refused")
	f(1, `{"embedding":{"values":[1`+strings.Repeat(",1", maxDimensions)+`]}}`, "refused")
	f(1, `{}`, "refused")
	f(1, ``, "refused")
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"model":"m","input":["x","\ud83d\ude00"],"encoding_format":"base64","dimensions":768}`))
	f.Add([]byte(`{"model":"m","input":"\u0000"}`))
	f.Add([]byte(`{"model":"m","input":[[1]]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := Decode(body)
		var e *front.Error
		switch {
		case err != nil && !errors.As(err, &e):
			t.Fatalf("%v is no *front.Error", err)
		case err != nil:
			return
		}
		for _, batch := range r.Batches() {
			if call := r.AppendCall(nil, "m", batch); !json.Valid(call) {
				t.Errorf("not JSON: %s", call)
			}
		}
	})
}

func FuzzParseAnswer(f *testing.F) {
	f.Add([]byte(`{"embeddings":[{"values":[1]},{"values":[2e-3]}],"usageMetadata":{"promptTokenCount":9}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		vectors, tokens, err := ParseAnswer(body, 2)
		if err != nil {
			return
		}
		for _, encoded := range []bool{false, true} {
			r := &Request{Model: "m", Base64: encoded, Dimensions: 1}
			if answer := r.AppendAnswer(nil, vectors, tokens); !json.Valid(answer) {
				t.Errorf("not JSON: %s", answer)
			}
		}
		for _, v := range vectors {
			for _, x := range v {
				if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
					t.Errorf("%v", v)
				}
			}
		}
	})
}
