package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Role is who said something.
type Role string

// The roles.
const (
	User      Role = "user"
	Assistant Role = "assistant"
)

// Part of what somebody said: text, or a file.
type Part struct {
	Text     string
	Attached *Attachment
}

// Turn is what one side said.
type Turn struct {
	Role  Role
	Parts []Part
}

// Said is a turn of text alone.
func Said(role Role, text string) Turn { return Turn{role, []Part{{Text: text}}} }

// Question is what an adapter is asked: a conversation so far, whose last turn is the user's.
type Question struct {
	Model     string // any name that the adapter maps
	System    string
	Turns     []Turn
	MaxTokens int  // of the answer, 0 is 32000
	Whole     bool // do not stream the answer
}

// Simple is a question of one text.
func Simple(model, text string) Question {
	return Question{Model: model, Turns: []Turn{Said(User, text)}}
}

// Answer is what one question brought.
type Answer struct {
	Text      string
	Model     string
	FirstText time.Duration // from sending the question to the first text, 0 if there was none
	Total     time.Duration
	Input     int // tokens, the cached ones among them
	Cached    int
	Output    int    // tokens, thoughts included
	Stop      string // end_turn, max_tokens, refusal, …; "" where the answer broke off
}

const defaultMaxTokens = 32000

// message, block and source are Anthropic's form of a turn.
type message struct {
	Role    Role    `json:"role"`
	Content []block `json:"content"`
}

type block struct {
	Type   string  `json:"type"`
	Text   string  `json:"text,omitempty"`
	Source *source `json:"source,omitempty"`
	Title  string  `json:"title,omitempty"`
}

type source struct {
	Type      string `json:"type"`
	MediaType string `json:"media_type"`
	Data      []byte `json:"data"` // base64 in JSON
}

type request struct {
	Model     string    `json:"model"`
	MaxTokens int       `json:"max_tokens"`
	Stream    bool      `json:"stream"`
	System    string    `json:"system,omitempty"`
	Messages  []message `json:"messages"`
}

func (q *Question) request() request {
	r := request{Model: q.Model, MaxTokens: cmp.Or(q.MaxTokens, defaultMaxTokens), Stream: !q.Whole, System: q.System}
	for _, turn := range q.Turns {
		m := message{Role: turn.Role}
		for _, part := range turn.Parts {
			m.Content = append(m.Content, part.block())
		}
		r.Messages = append(r.Messages, m)
	}
	return r
}

// Ask puts a question and calls onText with each piece of the answer as it arrives. When it fails in the middle, the answer has
// what came until then.
func (c *Client) Ask(ctx context.Context, q Question, onText func(string)) (Answer, error) {
	body, err := json.Marshal(q.request())
	if err != nil {
		return Answer{}, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.Profile.URL+"/v1/messages", bytes.NewReader(body))
	if err != nil {
		return Answer{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("anthropic-version", "2023-06-01")
	if err := c.authorize(req); err != nil {
		return Answer{}, err
	}
	a := &asking{begun: time.Now(), onText: onText}
	if !q.Whole {
		silence := time.AfterFunc(silentTime, func() { cancel(errSilent) })
		defer silence.Stop()
		a.heard = func() { silence.Reset(silentTime) }
	}
	err = c.listen(req, a, q.Whole)
	a.answer.Total = time.Since(a.begun)
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, errSilent) {
		err = c.networkError(cause)
	}
	return a.answer, err
}

var errSilent = fmt.Errorf("nothing was heard for %s", silentTime)

// listen makes the request and reads the answer.
func (c *Client) listen(req *http.Request, a *asking, whole bool) error {
	resp, err := c.do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // what was read counts
	if resp.StatusCode != http.StatusOK {
		return c.statusError(resp)
	}
	if whole {
		err = a.readWhole(resp.Body)
	} else {
		err = a.readStream(resp.Body)
	}
	var failed *Error
	if err != nil && !errors.As(err, &failed) {
		return c.networkError(err)
	}
	return err
}

// reply is a whole answer.
type reply struct {
	Model   string `json:"model"`
	Content []struct {
		Text string `json:"text"`
	} `json:"content"`
	Stop  string `json:"stop_reason"`
	Usage usage  `json:"usage"`
}

// readWhole takes in an answer that comes in one piece.
func (a *asking) readWhole(r io.Reader) error {
	text, err := io.ReadAll(io.LimitReader(r, maxReply))
	if err != nil {
		return err
	}
	var whole reply
	if err := json.Unmarshal(text, &whole); err != nil {
		return fmt.Errorf("the answer is not JSON: %w", err)
	}
	a.answer.Model = whole.Model
	for _, b := range whole.Content {
		if err := a.text(b.Text); err != nil {
			return err
		}
	}
	a.end(whole.Stop, whole.Usage)
	return nil
}
