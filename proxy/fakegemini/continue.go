package fakegemini

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"sync"
)

// Long decode: a chunk may carry a continuation token, in the middle of an answer as a checkpoint, or at the end of a
// segment beside finishReason CONTINUATION. The same request with the token goes on behind that chunk; what it answers
// is the next answer of the script.

const finishContinuation = "CONTINUATION"

// maxContinuations bounds how many tokens a fake remembers.
const maxContinuations = 10000

// continuation is what a token stands for: the request it belongs to, and how far the answer had come.
type continuation struct {
	request [sha256.Size]byte
	signed  bool
	calls   int
	spent   int // tokens of output so far, thoughts included
}

type continuations struct {
	mu      sync.Mutex
	byToken map[string]continuation
}

func (c *continuations) give(token string, of continuation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byToken == nil || len(c.byToken) >= maxContinuations {
		c.byToken = map[string]continuation{}
	}
	c.byToken[token] = of
}

func (c *continuations) find(token string) (continuation, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	of, ok := c.byToken[token]
	return of, ok
}

func (c *continuations) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.byToken = nil
}

// requestSum is the same for two requests that differ in nothing but their continuation tokens, spelling and white space.
func requestSum(model string, b *GenerateContentRequest) ([sha256.Size]byte, error) {
	plain := *b
	plain.ContinuationToken = ""
	data, err := json.Marshal(plain)
	if err != nil {
		return [sha256.Size]byte{}, fmt.Errorf("cannot tell a request apart: %w", err)
	}
	return sha256.Sum256(append([]byte(model+"\n"), data...)), nil
}

func continues(q *asked) *refusal {
	token := q.body.ContinuationToken
	if token == "" {
		return nil
	}
	of, known := q.given.find(token)
	if !known {
		return refuse(RuleContinuation, "Invalid continuation token.")
	}
	sum, err := requestSum(q.model.ID, q.body)
	if err != nil {
		return &refusal{RuleContinuation, Err(500, err.Error())}
	}
	if sum != of.request {
		return refuse(RuleContinuation, "The continuation token does not belong to this request. Please send the request that was answered with it, unchanged.")
	}
	return nil
}
