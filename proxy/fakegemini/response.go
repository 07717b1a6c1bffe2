package fakegemini

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// From an Answer to what goes over the wire: ids, signatures, usage, finish reason and the shape of the last chunk as
// the model's family has them.

// Response is GenerateContentResponse, whole or one chunk of a stream.
type Response struct {
	Candidates     []Candidate     `json:"candidates,omitempty"`
	PromptFeedback *PromptFeedback `json:"promptFeedback,omitempty"`
	UsageMetadata  *Usage          `json:"usageMetadata,omitempty"`
	ModelVersion   string          `json:"modelVersion,omitempty"`
	ResponseID     string          `json:"responseId,omitempty"`
}

// Candidate is one answer.
type Candidate struct {
	Content           *CandidateContent `json:"content,omitempty"`
	FinishReason      string            `json:"finishReason,omitempty"`
	FinishMessage     string            `json:"finishMessage,omitempty"`
	Index             int               `json:"index"`
	GroundingMetadata json.RawMessage   `json:"groundingMetadata,omitempty"`
	URLContext        json.RawMessage   `json:"urlContextMetadata,omitempty"`
	ContinuationToken string            `json:"continuationToken,omitempty"`
}

// CandidateContent is the content of a candidate, parts before role as Google writes it.
type CandidateContent struct {
	Parts []Part `json:"parts,omitempty"`
	Role  string `json:"role,omitempty"`
}

// piece is one chunk ready to be written.
type piece struct {
	chunk    Chunk
	response *Response // nil for raw bytes, errors and cuts
}

// composer turns the chunks of one answer into pieces.
type composer struct {
	model  Model
	signer *signer
	given  *continuations
	body   *GenerateContentRequest
	id     string
	usage  Usage
	before int // tokens of output of the segments before
	calls  int
	signed bool
}

// newComposer begins an answer, or goes on where the request's continuation token points to: then the prompt counts
// what was said already.
func (x *exchange) newComposer() *composer {
	c := &composer{model: x.model, signer: x.s.signer, given: &x.s.given, body: x.body, id: responseID(x.rec.Seq), usage: Usage{Prompt: promptTokens(x.body), Cached: x.cachedTokens()}}
	c.usage.Prompt += c.usage.Cached
	if of, ok := x.s.given.find(x.body.ContinuationToken); ok {
		c.signed, c.calls, c.before = of.signed, of.calls, of.spent
		c.usage.Prompt += of.spent
	}
	return c
}

// compose fills in everything that the script left open.
func (c *composer) compose(a Answer) ([]piece, error) {
	c.usage.Thoughts, c.usage.ToolUse = a.Thoughts, a.ToolUse
	chunks := c.ended(a)
	out := make([]piece, 0, len(chunks))
	for i, chunk := range chunks {
		p := piece{chunk: chunk}
		if chunk.Raw == "" && chunk.Error == nil && !chunk.Cut {
			r, err := c.response(chunk, i == len(chunks)-1)
			if err != nil {
				return nil, err
			}
			p.response = r
		}
		out = append(out, p)
	}
	return out, nil
}

// ended adds the finish reason as the family does: on the last chunk of content, or on one more with an empty text.
func (c *composer) ended(a Answer) []Chunk {
	chunks := append([]Chunk(nil), a.Chunks...)
	if a.NoFinish || len(chunks) == 0 {
		return chunks
	}
	last := &chunks[len(chunks)-1]
	if last.FinishReason != "" || last.Raw != "" || last.Error != nil || last.Cut || last.PromptFeedback != nil || last.Bare {
		return chunks
	}
	message := ""
	for _, chunk := range chunks {
		for _, p := range chunk.Parts {
			if p.FunctionCall != nil {
				message = "Model generated function call(s)."
			}
		}
	}
	if !c.model.Family.EndsWithEmpty {
		last.FinishReason, last.FinishMessage = "STOP", message
		return chunks
	}
	end := Text("").Ends("STOP")
	end.FinishMessage = message
	return append(chunks, end)
}

func (c *composer) response(chunk Chunk, last bool) (*Response, error) {
	parts, err := c.parts(chunk.Parts, last && chunk.FinishReason != finishContinuation)
	if err != nil {
		return nil, err
	}
	c.count(parts)
	r := &Response{PromptFeedback: chunk.PromptFeedback, UsageMetadata: chunk.Usage, ModelVersion: c.model.ID, ResponseID: c.id}
	if chunk.Usage == nil {
		u := c.usage
		r.UsageMetadata = &u
	}
	if chunk.PromptFeedback == nil && !chunk.Bare {
		r.Candidates = []Candidate{{Content: &CandidateContent{Role: "model", Parts: parts}, FinishReason: chunk.FinishReason,
			FinishMessage: chunk.FinishMessage, GroundingMetadata: chunk.Grounding, URLContext: chunk.URLContext, ContinuationToken: chunk.Token}}
	}
	return r, c.remember(chunk.Token)
}

// remember notes what a continuation token stands for.
func (c *composer) remember(token string) error {
	if token == "" {
		return nil
	}
	sum, err := requestSum(c.model.ID, c.body)
	c.given.give(token, continuation{request: sum, signed: c.signed, calls: c.calls, spent: c.before + c.usage.Candidates + c.usage.Thoughts})
	return err
}

// parts gives ids to calls, and signatures: to the first call of the answer; else to the last text; and to every part of
// a server-side tool. On 2.x only when
// functions are declared, and to the first part that is no thought.
func (c *composer) parts(in []Part, last bool) ([]Part, error) {
	out := make([]Part, len(in))
	for i, p := range in {
		out[i] = p
		if p.FunctionCall != nil {
			c.calls++
			call := *p.FunctionCall
			if call.ID == "" {
				call.ID = c.callID()
			}
			out[i].FunctionCall = &call
		}
		if p.ThoughtSignature != "" {
			continue
		}
		sig, err := c.signature(p, last && i == len(in)-1)
		if err != nil {
			return nil, err
		}
		out[i].ThoughtSignature = sig
	}
	return out, nil
}

// signature is that of a part, "" for one that has none.
func (c *composer) signature(p Part, final bool) (Bytes, error) {
	if p.isServerTool() && c.model.Family.SignsCalls {
		sum, err := toolSum(p)
		if err != nil {
			return "", err
		}
		return c.signer.sign(c.model.ID, signTool, sum)
	}
	kind := c.kindToSign(p, final)
	if kind == "" {
		return "", nil
	}
	c.signed = true
	return c.signer.sign(c.model.ID, kind, nameOf(p))
}

func (c *composer) kindToSign(p Part, final bool) string {
	call, text := p.FunctionCall != nil, p.Text != nil && !p.Thought
	switch {
	case c.signed || !c.model.Thinking.thinks():
		return ""
	case !c.model.Family.SignsCalls:
		if declared := (&asked{body: c.body}).functions(); len(declared) == 0 || p.Thought {
			return ""
		}
	case text && (!final || c.calls > 0):
		return ""
	}
	switch {
	case call:
		return signCall
	case text:
		return signText
	}
	return ""
}

func nameOf(p Part) string {
	if p.FunctionCall == nil {
		return ""
	}
	return p.FunctionCall.Name
}

// callID is eight letters and digits, or nothing, as the family has it: "sometimes" is every second answer with calls.
func (c *composer) callID() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d", c.id, c.calls))
	ids := c.model.Family.CallIDs
	if ids == idsNever || ids == idsSometimes && c.id[0]&1 == 0 {
		return ""
	}
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	id := make([]byte, 8)
	for i := range id {
		id[i] = letters[int(sum[i])%len(letters)]
	}
	return string(id)
}

func responseID(seq int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "response %d", seq))
	return base64.RawURLEncoding.EncodeToString(sum[:15])
}

func (c *composer) count(parts []Part) {
	for _, p := range parts {
		n := partTokens(p)
		if p.Thought {
			c.usage.Thoughts += n
		} else {
			c.usage.Candidates += n
		}
	}
	c.usage.Total = c.usage.Prompt + c.usage.Candidates + c.usage.Thoughts + c.usage.ToolUse
}

// fold makes the one answer of generateContent out of the pieces of a stream: neighbouring texts of a kind are one part,
// the signature of a closing empty text moves to the text before it.
func fold(pieces []piece) (*Response, *APIError) {
	out := &Response{}
	for _, p := range pieces {
		if p.chunk.Error != nil {
			return nil, p.chunk.Error
		}
		if p.response == nil {
			continue
		}
		out.UsageMetadata, out.ModelVersion, out.ResponseID = p.response.UsageMetadata, p.response.ModelVersion, p.response.ResponseID
		if p.response.PromptFeedback != nil {
			out.PromptFeedback = p.response.PromptFeedback
		}
		for _, cand := range p.response.Candidates {
			foldCandidate(out, cand)
		}
	}
	return out, nil
}

func foldCandidate(out *Response, c Candidate) {
	if len(out.Candidates) == 0 {
		out.Candidates = []Candidate{{Content: &CandidateContent{Role: "model"}}}
	}
	into := &out.Candidates[0]
	if c.FinishReason != "" {
		into.FinishReason, into.FinishMessage = c.FinishReason, c.FinishMessage
	}
	if c.ContinuationToken != "" {
		into.ContinuationToken = c.ContinuationToken
	}
	if c.GroundingMetadata != nil {
		into.GroundingMetadata = c.GroundingMetadata
	}
	if c.URLContext != nil {
		into.URLContext = c.URLContext
	}
	for _, p := range c.Content.Parts {
		into.Content.Parts = foldPart(into.Content.Parts, p)
	}
}

func foldPart(parts []Part, p Part) []Part {
	if p.Text == nil || len(parts) == 0 {
		return append(parts, p)
	}
	before := &parts[len(parts)-1]
	switch {
	case before.Text == nil && *p.Text == "":
		return parts
	case before.Text == nil || before.Thought != p.Thought || before.ThoughtSignature != "":
		return append(parts, p)
	}
	joined := *before.Text + *p.Text
	before.Text, before.ThoughtSignature = &joined, p.ThoughtSignature
	return parts
}
