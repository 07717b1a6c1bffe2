package proxy

import (
	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/front/embeddings"
	"github.com/gemini-claude-adapter/gca/proxy/gemini"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
	"github.com/gemini-claude-adapter/gca/proxy/upstream"
)

// embedding is one request for vectors: a call for each batch of its texts, one after the other, each with the key whose turn
// it is.
type embedding struct {
	s       *Server
	tries   tries
	req     *embeddings.Request
	vectors [][]float32
	tokens  int // as far as Google counted
}

// embed serves OpenAI's Embeddings API.
func (s *Server) embed(in *inbound) {
	body, refusal := s.receive(in)
	if refusal != nil {
		s.refuse(in, refusal)
		return
	}
	req, err := embeddings.Decode(body)
	if err != nil {
		s.refuse(in, front.AsError(err))
		return
	}
	in.access.model = req.Model
	target, ok := s.models.resolve(req.Model)
	if !ok || !s.models.embeds(target) {
		s.refuse(in, unknownModel(req.Model)) // Google's own 404 would count against a model that answers
		return
	}
	estimate := func() gemini.Usage { return gemini.Usage{Prompt: req.EstimateTokens()} }
	if refusal := s.allow(in, req.Model, estimate); refusal != nil {
		s.refuse(in, refusal)
		return
	}
	in.access.target = target
	life := s.follow(in)
	defer life.close()
	e := &embedding{s: s, req: req, tries: s.newTries(life.ctx, in, req.Model, "")}
	e.tries.target, e.tries.verb = target, string(upstream.EmbedContent)
	failure := e.run()
	in.access.usage.Prompt = e.tokens
	if failure != nil {
		in.access.gone = life.gone()
		s.refuse(in, failure)
		return
	}
	if e.tokens == 0 {
		e.tokens = req.EstimateTokens()
		in.access.usage.Prompt, in.access.estimated = e.tokens, true
	}
	in.SetContentType("application/json")
	in.SetBody(req.AppendAnswer(nil, e.vectors, e.tokens))
}

// run asks for all batches; what an earlier one went through counts for the next.
func (e *embedding) run() *front.Error {
	for _, batch := range e.req.Batches() {
		failure := e.tries.run(func(lease *keys.Lease) (*upstream.Error, bool) { return e.attempt(lease, batch), false })
		if failure != nil {
			return failure
		}
	}
	return nil
}

// attempt asks for one batch with a key.
func (e *embedding) attempt(lease *keys.Lease, batch []gemini.Text) (failed *upstream.Error) {
	outcome := keys.None()
	defer func() { lease.Done(outcome) }()
	e.tries.access.tries++
	if failed = e.call(lease, batch); failed != nil {
		outcome = e.tries.outcome(failed)
	} else {
		outcome = keys.OK(e.tries.quota())
	}
	return failed
}

func (e *embedding) call(lease *keys.Lease, batch []gemini.Text) *upstream.Error {
	method := upstream.BatchEmbed
	if len(batch) == 1 {
		method = upstream.EmbedContent
	}
	target := e.tries.target
	answer, err := e.s.upstream.Call(e.tries.ctx, lease, method, target, e.req.AppendCall(nil, target, batch))
	if err != nil {
		return asUpstream(err)
	}
	vectors, tokens, err := embeddings.ParseAnswer(answer, len(batch))
	if err != nil {
		return &upstream.Error{Kind: upstream.Garbled, Message: err.Error()}
	}
	e.vectors = append(e.vectors, vectors...)
	e.tokens += tokens
	return nil
}
