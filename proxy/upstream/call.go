package upstream

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
)

// Method is a method of the API that answers in one piece.
type Method string

// The methods, by Google's names.
const (
	CountTokens  Method = "countTokens"
	EmbedContent Method = "embedContent"
	BatchEmbed   Method = "batchEmbedContents"
	ListModels   Method = "list"  // of no model and without a body; the first 1,000 models, more than there are
	listOne      Method = "probe" // likewise, the first model alone
)

// maxWhole bounds an answer in one piece: a hundred embeddings of 3,072 numbers have less than 10 MB.
const maxWhole = 64 << 20

// EncodeCount makes the body of CountTokens from what is to be sent to model: all that has tokens.
func EncodeCount(model string, r *gemini.Request) []byte {
	counted := gemini.Request{Contents: r.Contents, SystemInstruction: r.SystemInstruction, Tools: r.Tools, ToolConfig: r.ToolConfig}
	body := append([]byte(`{"generateContentRequest":{"model":`), gemini.Quote("models/"+strings.TrimPrefix(model, "models/"))...)
	start := len(body)
	body = counted.AppendJSON(body)
	body[start] = ',' // the object goes on
	return append(body, '}')
}

// Call makes a call that is answered in one piece, and returns the answer's body. It takes as long as FirstByte at most. model
// may begin with "models/". The error is always an *Error.
func (c *Client) Call(ctx context.Context, lease *keys.Lease, method Method, model string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(context.Canceled)
	watch := time.AfterFunc(c.firstByte(len(body)), func() { cancel(errNoFirstByte) })
	defer watch.Stop()
	verb, address := http.MethodPost, c.address(strings.TrimPrefix(model, "models/"), string(method), "")
	switch method {
	case ListModels:
		verb, address = http.MethodGet, c.listing("pageSize=1000")
	case listOne:
		verb, address = http.MethodGet, c.listing("pageSize=1")
	}
	resp, err := c.send(ctx, lease, verb, address, content{bytes: body})
	if err != nil {
		return nil, c.unreached(ctx, err, lease)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, c.refusal(resp, lease, 0)
	}
	defer func() { _ = resp.Body.Close() }() // what was read counts
	whole, err := io.ReadAll(io.LimitReader(resp.Body, maxWhole+1))
	switch {
	case err != nil:
		return nil, network(ctx, err, lease)
	case len(whole) > maxWhole:
		return nil, &Error{Kind: Garbled, Message: fmt.Sprintf("the answer has more than %d MB", maxWhole>>20)}
	}
	return whole, nil
}

// Probe asks with a key for the first model of Google's list, which costs nothing, and returns nil where Google takes the key.
// It takes as long as FirstByte at most, and says nothing of the key's quotas. The error is always an *Error.
func (c *Client) Probe(ctx context.Context, lease *keys.Lease) error {
	_, err := c.Call(ctx, lease, listOne, "", nil)
	return err
}
