package proxy

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

func TestE098_UnknownModelAndOverflow(t *testing.T) {
	r := start(t, "a b", nil)
	for _, name := range []string{"gemini-9-none", "llama-3"} {
		got := r.do("POST", completions, strings.Replace(ask(completions, false), "gpt-5", name, 1))
		if got.status != 404 {
			t.Errorf("%s: %d", name, got.status)
		}
		has(t, got.body, `"code":"model_not_found"`, name)
	}
	r.fake.Enqueue(fg.Fail(fg.ErrTooManyTokens(1196265, 1048575)))
	got := r.do("POST", completions, ask(completions, true))
	if got.status != 400 {
		t.Errorf("%d", got.status)
	}
	has(t, got.body, `"code":"context_length_exceeded"`, "maximum context length is 1048575 tokens. However, your messages resulted in 1196265 tokens.")
}

// isTheFakesOwn compares the vector that base64 stands for with the numbers that the fake gives whoever asks it.
func (r *rig) isTheFakesOwn(t *testing.T) {
	t.Helper()
	var base64ed struct{ Data []struct{ Embedding []byte } }
	answer := r.do("POST", embeddingsPath, `{"model":"gemini-embedding-001","input":["one","two"],"encoding_format":"base64"}`)
	var own struct{ Embeddings []struct{ Values []float64 } }
	part := func(text string) string {
		return `{"model":"models/gemini-embedding-001","content":{"parts":[{"text":"` + text + `"}]}}`
	}
	fakes := direct(t, r.cfg.BaseURL.String(), "POST", "/v1beta/models/gemini-embedding-001:batchEmbedContents", `{"requests":[`+part("one")+","+part("two")+`]}`)
	err := errors.Join(json.Unmarshal([]byte(answer.body), &base64ed), json.Unmarshal([]byte(fakes.body), &own))
	if err != nil || len(own.Embeddings) != 2 || len(base64ed.Data) != 2 {
		t.Fatalf("%v: %.200s, %.200s", err, answer.body, fakes.body)
	}
	for i, e := range own.Embeddings {
		var want []byte
		for _, v := range e.Values {
			want = binary.LittleEndian.AppendUint32(want, math.Float32bits(float32(v)))
		}
		if !bytes.Equal(base64ed.Data[i].Embedding, want) || len(want) == 0 {
			t.Errorf("vector %d is not Gemini's", i)
		}
	}
}

func TestE100_EmbeddingsInBase64(t *testing.T) {
	r := start(t, "a", nil)
	var inputs []string
	for i := range 250 {
		inputs = append(inputs, fmt.Sprint("text ", i))
	}
	texts, err := json.Marshal(inputs)
	if err != nil {
		t.Fatal(err)
	}
	body := `{"model":"text-embedding-3-small","input":` + string(texts)
	want := r.vectors(body + `}`)
	var got struct {
		Data []struct {
			Embedding string `json:"embedding"`
		} `json:"data"`
	}
	answer := r.do("POST", embeddingsPath, body+`,"encoding_format":"base64"}`)
	if err := json.Unmarshal([]byte(answer.body), &got); err != nil || len(got.Data) != 250 || len(want.Data) != 250 {
		t.Fatalf("%d: %d vectors, %v", answer.status, len(got.Data), err)
	}
	for i, d := range got.Data {
		raw, err := base64.StdEncoding.DecodeString(d.Embedding)
		if err != nil {
			t.Fatal(err)
		}
		var v []float32
		for ; len(raw) >= 4; raw = raw[4:] {
			v = append(v, math.Float32frombits(binary.LittleEndian.Uint32(raw)))
		}
		if !slices.Equal(v, want.Data[i].Embedding) || i > 0 && slices.Equal(v, want.Data[i-1].Embedding) {
			t.Errorf("vector %d is not that of its text", i)
		}
	}
	r.isTheFakesOwn(t)
	if alone := r.vectors(`{"model":"text-embedding-3-small","input":"text 249"}`); !slices.Equal(alone.Data[0].Embedding, want.Data[249].Embedding) {
		t.Error("the order is not kept")
	}
	if batches := r.verbs(); batches != strings.Repeat("batchEmbedContents ", 8)+"embedContent" {
		t.Errorf("asked for %s", batches)
	}
}
