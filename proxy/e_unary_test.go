package proxy

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
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
	if alone := r.vectors(`{"model":"text-embedding-3-small","input":"text 249"}`); !slices.Equal(alone.Data[0].Embedding, want.Data[249].Embedding) {
		t.Error("the order is not kept")
	}
	if batches := r.verbs(); batches != strings.Repeat("batchEmbedContents ", 6)+"embedContent" {
		t.Errorf("asked for %s", batches)
	}
}
