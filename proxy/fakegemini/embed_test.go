package fakegemini

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
)

const (
	embed1 = "gemini-embedding-001"
	embed2 = "gemini-embedding-2"
)

func embed(model, body string) asks { return asks{model: model, verb: verbEmbed, body: body} }
func batch(model, requests string) asks {
	return asks{model: model, verb: verbBatch, body: `{"requests":[` + requests + `]}`}
}

// words is a content of texts; of is one request of a batch.
func words(texts ...string) string {
	parts := make([]string, len(texts))
	for i, t := range texts {
		parts[i] = `{"text":"` + t + `"}`
	}
	return `{"parts":[` + strings.Join(parts, ",") + `]}`
}

func of(model, content string) string {
	return `{"model":"` + model + `","content":` + content + `}`
}

func embedPairs(f pair) {
	one := of("models/"+embed1, words("a"))
	hundred := func(n int) asks {
		return batch("m", strings.TrimSuffix(strings.Repeat(`{"model":"models/m","content":{"parts":{"text":"a"}}},`, n), ","))
	}
	f(RuleEmbedBatch, batch(embed1, ``), 400, "* BatchEmbedContentsRequest.requests: requests is not specified", batch(embed1, one))
	f(RuleEmbedBatch, hundred(101), 400, "* BatchEmbedContentsRequest.requests: at most 100 requests can be in one batch", hundred(100))
	f(RuleEmbedModel, batch(embed1, of(embed1, words("a"))), 400, "* BatchEmbedContentsRequest.requests[0].model: unexpected model name format", batch(embed1, one))
	f(RuleEmbedModel, batch(embed1, one+`,{"content":`+words("a")+`}`), 400, "requests[1].model: unexpected model name format", batch(embed1, one+","+one))
	f(RuleEmbedModel, batch(embed1, of("models/"+embed2, words("a"))), 400, "the model of the batch", batch(embed2, of("models/"+embed2, words("a"))))
	f(RuleEmbedModel, embed(embed1, of(embed1, words("a"))), 400, "* EmbedContentRequest.model: unexpected model name format", embed(embed1, `{"content":`+words("a")+`}`))
	f(RuleEmbedContent, embed(embed1, `{}`), 400, "* EmbedContentRequest.content: contents is not specified", embed(embed1, `{"content":`+words("a")+`}`))
	f(RuleEmbedContent, embed(embed1, `{"content":`+words("a", "")+`}`), 400, "EmbedContentRequest.content contains an empty Part.", embed(embed1, `{"content":`+words("a", " ")+`}`))
	image := `{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]}}`
	f(RuleEmbedMedia, embed(embed1, image), 400, "does not embed", embed(embed2, image))
	size := func(n string) asks {
		return embed(embed1, `{"content":`+words("a")+`,"output_dimensionality":`+n+`}`)
	}
	f(RuleEmbedSize, size("0"), 400, "* EmbedContentRequest.output_dimensionality: must be in the range [1, 3072]", size("1"))
	f(RuleEmbedSize, size("3073"), 400, "[1, 3072]", size("3072"))
	f(RuleModel, embed(m38, `{"content":`+words("a")+`}`), 404, "or is not supported for embedContent. Call ListModels", count(embed1, `{"contents":[`+hi+`]}`))
	f(RuleModel, batch("text-embedding-004", one), 404, "models/text-embedding-004 is not found for API version v1beta, or is not supported for embedContent. Call ListModels", batch(embed1, one))
	task := func(t string) asks { return embed(embed1, `{"content":`+words("a")+`,"taskType":"`+t+`"}`) }
	f(RuleType, task("COOKING"), 400, "TaskType), \"COOKING\"", task("RETRIEVAL_QUERY"))
}

func (c *client) vectors(model, verb, body string) embedResponse {
	c.t.Helper()
	var out embedResponse
	if text := c.ok(model, verb, body); json.Unmarshal([]byte(text), &out) != nil {
		c.t.Fatalf("not an answer of vectors: %s", text)
	}
	return out
}

func length(v []float32) float64 {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	return math.Sqrt(sum)
}

func near(a, b []float32) float64 {
	sum := 0.0
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

func TestEmbeddings(t *testing.T) {
	c := start(t, Options{})
	one := func(model, text, rest string) []float32 {
		t.Helper()
		r := c.vectors(model, verbEmbed, `{"content":`+words(text)+rest+`}`)
		if r.Embedding == nil || (r.Usage != nil) != (model == embed2) {
			t.Fatalf("%s: embedding or usage of %+v", model, r)
		}
		return r.Embedding.Values
	}
	cat, again, other := one(embed1, "the cat sleeps", ""), one(embed1, "the cat sleeps", ""), one(embed1, "stocks fell sharply", "")
	if !slices.Equal(cat, again) || len(cat) != 3072 || math.Abs(length(cat)-1) > 1e-4 {
		t.Errorf("%d numbers of length %f, equal: %v", len(cat), length(cat), slices.Equal(cat, again))
	}
	if close, far := near(cat, one(embed1, "the cat eats", "")), near(cat, other); close < far+0.2 {
		t.Errorf("likeness of near texts %f, of far ones %f", close, far)
	}
	short1, short2 := one(embed1, "a b", `,"outputDimensionality":256`), one(embed2, "a b", `,"outputDimensionality":256`)
	if len(short1) != 256 || len(short2) != 256 || length(short1) > 0.9 || math.Abs(length(short2)-1) > 1e-4 {
		t.Errorf("shortened vectors: %d of length %f, %d of length %f", len(short1), length(short1), len(short2), length(short2))
	}
	if slices.Equal(one(embed1, "a", `,"taskType":"CLUSTERING"`), one(embed1, "a", "")) || !slices.Equal(one(embed2, "a", `,"taskType":"CLUSTERING"`), one(embed2, "a", "")) {
		t.Error("the task type counts for gemini-embedding-001 alone")
	}
}

// TestEmbeddingBatch: one vector a request, in order; several parts make one.
func TestEmbeddingBatch(t *testing.T) {
	c := start(t, Options{})
	r := c.vectors(embed2, verbBatch, `{"requests":[`+of("models/"+embed2, words("a"))+`,`+of("models/"+embed2, words("b", "c"))+`]}`)
	b := c.vectors(embed2, verbEmbed, `{"content":`+words("b", "c")+`}`)
	if len(r.Embeddings) != 2 || !slices.Equal(r.Embeddings[1].Values, b.Embedding.Values) || r.Usage.Prompt != 3 || r.Usage.Details[0].Modality != "TEXT" {
		t.Errorf("%d vectors, usage %+v", len(r.Embeddings), r.Usage)
	}
	if last, _ := c.s.Last(); last.Verb != verbEmbed || len(last.Embed) != 1 || last.Request != nil {
		t.Errorf("recorded %+v", last)
	}
	c.s.Enqueue(Say("left alone"))
	c.s.Respond(func(r Recorded) (Answer, bool) { return Fail(ErrOverloaded()), r.Verb == verbBatch })
	if status, _, err := c.post(embed2, verbBatch, "k", `{"requests":[`+of("models/"+embed2, words("a"))+`]}`); status != 503 || err != nil {
		t.Errorf("a scripted error: %d %v", status, err)
	}
	if c.s.Pending() != 1 {
		t.Error("an embedding took a scripted answer of words")
	}
}

func TestCountTokensDetails(t *testing.T) {
	c := start(t, Options{})
	text := c.ok(m38, "countTokens", part(`{"text":"12345678"},{"inlineData":{"mimeType":"image/png","data":"AAAA"}},{"inlineData":{"mimeType":"application/pdf","data":"AAAA"}},`+
		`{"fileData":{"mimeType":"audio/wav","fileUri":"https://example.com/a.wav"}}`))
	var got countResponse
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	want := []modalityTokens{{"TEXT", 2}, {"IMAGE", mediaTokens}, {"AUDIO", mediaTokens}, {"DOCUMENT", mediaTokens}}
	if got.TotalTokens != 2+3*mediaTokens || !slices.Equal(got.Details, want) {
		t.Errorf("got %+v, want %v", got, want)
	}
}
