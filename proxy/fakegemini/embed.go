package fakegemini

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
)

// Embeddings: the vector of a content is made of its words, so that the same text always has the same vector and texts
// that share words lie near each other. All parts of a content make one vector.

type embedding struct {
	Values []float32 `json:"values"`
}

type embedUsage struct {
	Prompt  int              `json:"promptTokenCount"`
	Details []modalityTokens `json:"promptTokenDetails,omitempty"`
}

type embedResponse struct {
	Embedding  *embedding  `json:"embedding,omitempty"`
	Embeddings []embedding `json:"embeddings,omitempty"`
	Usage      *embedUsage `json:"usageMetadata,omitempty"`
}

const maxEmbedBatch = 100

// maxEmbedWords bounds the work of one vector.
const maxEmbedWords = 2048

// vectors answers embedContent and batchEmbedContents.
func (x *exchange) vectors() embedResponse {
	var out embedResponse
	counted := tally{}
	for _, r := range x.embed {
		out.Embeddings = append(out.Embeddings, embedding{vector(x.model.Embeds, r)})
		counted.contents([]Content{*r.Content})
	}
	if x.model.Embeds.Usage {
		out.Usage = &embedUsage{Prompt: counted.total(), Details: counted.details()}
	}
	if x.rec.Verb == verbEmbed {
		out.Embedding, out.Embeddings = &out.Embeddings[0], nil
	}
	return out
}

// vector is the vector of one content, of length 1 in its full size.
func vector(m Embedding, r EmbedContentRequest) []float32 {
	sum := make([]float64, m.Dimensions)
	whole := ""
	for _, p := range r.Content.Parts {
		text := ""
		if p.Text != nil {
			text = *p.Text
		} else if p.InlineData != nil {
			text = p.InlineData.MimeType + " " + string(p.InlineData.Data)
		}
		whole += text + "\n"
	}
	if !m.Unit {
		whole += string(r.TaskType) + "\n"
	}
	words := strings.Fields(strings.ToLower(whole))
	for _, w := range words[:min(len(words), maxEmbedWords)] {
		scatter(sum, w, 1)
	}
	scatter(sum, whole, 0.1)
	unit(sum)
	if r.OutputDimensionality != nil {
		if sum = sum[:*r.OutputDimensionality]; m.Unit {
			unit(sum)
		}
	}
	out := make([]float32, len(sum))
	for i, v := range sum {
		out[i] = float32(v)
	}
	return out
}

// scatter adds the numbers that stand for a text.
func scatter(sum []float64, text string, weight float64) {
	h := sha256.Sum256([]byte(text))
	random := rand.New(rand.NewPCG(binary.BigEndian.Uint64(h[:]), binary.BigEndian.Uint64(h[8:])))
	for i := range sum {
		sum[i] += weight * random.NormFloat64()
	}
}

func unit(v []float64) {
	square := 0.0
	for _, x := range v {
		square += x * x
	}
	for i := range v {
		v[i] /= math.Sqrt(square)
	}
}

// embedPath names request i in a refusal.
func (q *asked) embedPath(i int, field string) string {
	if q.batched() {
		return fmt.Sprintf("requests[%d].%s", i, field)
	}
	return field
}

func (q *asked) batched() bool { return q.message == "BatchEmbedContentsRequest" }

func embedBatch(q *asked) *refusal {
	switch n := len(q.embed); {
	case n == 0:
		return q.violations(RuleEmbedBatch, []string{"requests: requests is not specified"})
	case n > maxEmbedBatch:
		return q.violations(RuleEmbedBatch, []string{"requests: at most 100 requests can be in one batch"})
	}
	return nil
}

func embedModel(q *asked) *refusal {
	var lines []string
	for i, r := range q.embed {
		id, ok := strings.CutPrefix(r.Model, "models/")
		switch {
		case r.Model == "" && !q.batched():
		case !ok || id == "":
			lines = append(lines, q.embedPath(i, "model")+": unexpected model name format")
		case q.batched() && id != q.model.ID:
			lines = append(lines, q.embedPath(i, "model")+": all requests of a batch must have the model of the batch")
		}
	}
	return q.violations(RuleEmbedModel, lines)
}

func embedContent(q *asked) *refusal {
	for i, r := range q.embed {
		if r.Content == nil || len(r.Content.Parts) == 0 {
			return q.violations(RuleEmbedContent, []string{q.embedPath(i, "content") + ": contents is not specified"})
		}
		for _, p := range r.Content.Parts {
			if !p.hasData() || p.Text != nil && *p.Text == "" {
				return refuse(RuleEmbedContent, "EmbedContentRequest.content contains an empty Part.")
			}
		}
	}
	return nil
}

func embedMedia(q *asked) *refusal {
	for _, r := range q.embed {
		for _, p := range r.Content.Parts {
			media := p.InlineData != nil || p.FileData != nil
			if p.Text == nil && (!media || !q.model.Embeds.Media) {
				return refuse(RuleEmbedMedia, "models/"+q.model.ID+" does not embed this kind of content.")
			}
		}
	}
	return nil
}

func embedSize(q *asked) *refusal {
	var lines []string
	for i, r := range q.embed {
		if n := r.OutputDimensionality; n != nil && (*n < 1 || int(*n) > q.model.Embeds.Dimensions) {
			lines = append(lines, fmt.Sprintf("%s: must be in the range [1, %d]", q.embedPath(i, "output_dimensionality"), q.model.Embeds.Dimensions))
		}
	}
	return q.violations(RuleEmbedSize, lines)
}
