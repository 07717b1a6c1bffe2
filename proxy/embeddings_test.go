package proxy

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	openaioption "github.com/openai/openai-go/v3/option"

	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

const embeddingsPath = "/v1/embeddings"

// vectorList is the answer of /v1/embeddings with numbers.
type vectorList struct {
	Object string `json:"object"`
	Data   []struct {
		Object    string    `json:"object"`
		Index     int       `json:"index"`
		Embedding []float32 `json:"embedding"`
	} `json:"data"`
	Model string `json:"model"`
	Usage struct {
		Prompt int `json:"prompt_tokens"`
		Total  int `json:"total_tokens"`
	} `json:"usage"`
}

func (r *rig) vectors(body string) vectorList {
	r.t.Helper()
	var list vectorList
	got := r.do("POST", embeddingsPath, body)
	if err := json.Unmarshal([]byte(got.body), &list); err != nil || got.status != 200 || list.Usage.Prompt < 1 || list.Usage.Total != list.Usage.Prompt {
		r.t.Fatalf("%.200s: %d %.300s %v", body, got.status, got.body, err)
	}
	return list
}

// verbs lists what Gemini was asked for.
func (r *rig) verbs() string {
	var all []string
	for _, q := range r.fake.Requests() {
		all = append(all, q.Verb)
	}
	return strings.Join(all, " ")
}

func TestEmbeddings(t *testing.T) {
	r := start(t, "a", nil)
	one := r.vectors(`{"model":"text-embedding-3-small","input":"hello"}`)
	if len(one.Data) != 1 || len(one.Data[0].Embedding) != 1536 || one.Model != "text-embedding-3-small" || one.Object != "list" {
		t.Errorf("%d vectors of %s", len(one.Data), one.Model)
	}
	two := r.vectors(`{"model":"gemini-embedding-2","input":["hello","world"],"dimensions":256}`)
	if len(two.Data) != 2 || len(two.Data[1].Embedding) != 256 || two.Data[1].Index != 1 || two.Data[1].Object != "embedding" {
		t.Errorf("%d vectors", len(two.Data))
	}
	if got := r.verbs(); got != "embedContent batchEmbedContents" {
		t.Errorf("asked for %s", got)
	}
	for i, model := range []string{"gemini-embedding-001", "gemini-embedding-2"} {
		if q := r.fake.Requests()[i]; q.Model != model || q.Refused != "" {
			t.Errorf("%+v", q)
		}
	}
	has(t, r.log.String(), `"target":"gemini-embedding-001"`, `"path":"/v1/embeddings"`)
}

// A name of another model has that model's length of vectors: clients keep them in columns.
func TestVectorsHaveTheLengthOfTheirName(t *testing.T) {
	r := start(t, "a", nil)
	for name, length := range map[string]int{
		"text-embedding-3-small": 1536, "text-embedding-ada-002": 1536, "text-embedding-3-large": 3072, "text-embedding-004": 768, "gemini-embedding-001": 3072,
	} {
		if n := len(r.vectors(`{"model":"` + name + `","input":"x"}`).Data[0].Embedding); n != length {
			t.Errorf("%s: %d", name, n)
		}
		if n := len(r.vectors(`{"model":"` + name + `","input":["x","y"],"dimensions":256}`).Data[1].Embedding); n != 256 {
			t.Errorf("%s: %d of 256", name, n)
		}
	}
}

func TestShortenedVectorsHaveLengthOne(t *testing.T) {
	r := start(t, "a", nil)
	for _, model := range []string{"text-embedding-004", "gemini-embedding-2"} {
		for _, d := range r.vectors(`{"model":"` + model + `","input":["a b","c"],"dimensions":64}`).Data {
			sum := 0.0
			for _, x := range d.Embedding {
				sum += float64(x) * float64(x)
			}
			if math.Abs(sum-1) > 1e-4 {
				t.Errorf("%s: a vector of length %f", model, math.Sqrt(sum))
			}
		}
	}
}

func TestEmbeddingsAreRefused(t *testing.T) {
	r := start(t, "a", nil)
	f := func(body string, status int, wants ...string) {
		t.Helper()
		got := r.do("POST", embeddingsPath, body)
		if got.status != status {
			t.Errorf("%s: %d", body, got.status)
		}
		has(t, got.body, wants...)
	}
	f(`{"model":"text-embedding-3-small","input":[1,2]}`, 400, `"param":"input.0"`, "invalid_request_error", "token ids")
	f(`{"model":"text-embedding-3-small","input":""}`, 400, `"param":"input"`)
	f(`{"model":"gpt-5","input":"x"}`, 404, "model_not_found")
	f(`{"model":"gemini-3.8-flash","input":"x"}`, 404, "model_not_found")
	f(`{"model":"llama-3","input":"x"}`, 404, "model_not_found")
	f(`{`, 400, "invalid_request_error")
	if n := len(r.fake.Requests()); n != 0 {
		t.Errorf("Gemini was asked %d times", n)
	}
	f(`{"model":"text-embedding-3-small","input":"x","dimensions":99999}`, 400, "gemini: ", "output_dimensionality")
	has(t, r.do("GET", "/health", "").body, `"active_keys":1`)
}

// Keys and failures are as for every other request.
func TestEmbeddingsMoveOn(t *testing.T) {
	f := func(e *fg.APIError, failing string, status int, keys string, wants ...string) {
		t.Helper()
		r := start(t, "a b", nil)
		for _, k := range strings.Fields(failing) {
			r.fake.Key(keyNamed(k), always(e))
		}
		got := r.do("POST", embeddingsPath, `{"model":"text-embedding-3-small","input":["x","y"]}`)
		if got.status != status || r.keysAsked() != keys {
			t.Errorf("%v: %d %s with keys %s", e, got.status, got.body, r.keysAsked())
		}
		has(t, got.body, wants...)
		r.stop()
	}
	f(fg.ErrInvalidKey(), "a", 200, "a b")
	f(minute("40s"), "a", 200, "a b")
	f(fg.ErrOverloaded(), "a", 200, "a b")
	f(fg.ErrInvalidKey(), "a b", 503, "a b", "no usable Gemini API key: 2 invalid")
	f(minute("40s"), "a b", 429, "a b", "2 rate limited")
	f(fg.ErrOverloaded(), "a b", 503, "a b a")
}

func TestAnAnswerWithoutItsVectors(t *testing.T) {
	r := start(t, "a", nil)
	r.fake.Respond(func(fg.Recorded) (fg.Answer, bool) {
		return fg.RawAnswer(200, "application/json", `{"embeddings":[]}`), true
	})
	got := r.do("POST", embeddingsPath, `{"model":"text-embedding-3-small","input":["x","y"]}`)
	if got.status != 500 || len(r.fake.Requests()) != 1+maxAgain {
		t.Errorf("%d %s after %d requests", got.status, got.body, len(r.fake.Requests()))
	}
}

func TestEmbeddingsThroughTheClient(t *testing.T) {
	r := start(t, "a b", nil)
	client := openai.NewClient(openaioption.WithBaseURL(r.url+"/v1"), openaioption.WithAPIKey(testToken))
	var inputs []string
	for i := range 250 {
		inputs = append(inputs, fmt.Sprint("text ", i))
	}
	got, err := client.Embeddings.New(t.Context(), openai.EmbeddingNewParams{
		Model: "text-embedding-3-large", Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: inputs}, Dimensions: openai.Int(128),
	})
	if err != nil || len(got.Data) != 250 || len(got.Data[249].Embedding) != 128 || got.Data[249].Index != 249 || got.Usage.PromptTokens < 250 {
		t.Fatalf("%v", err)
	}
	_, err = client.Embeddings.New(t.Context(), openai.EmbeddingNewParams{
		Model: "text-embedding-3-large", Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfTokens: []int64{1, 2}},
	})
	if e := new(openai.Error); !errors.As(err, &e) || e.StatusCode != 400 || e.Param != "input.0" {
		t.Errorf("%v", err)
	}
}
