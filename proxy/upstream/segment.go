package upstream

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
)

// segment is one HTTP answer, which is the whole of an answer or a part of it.
type segment struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	watch  *watch
	idle   time.Duration
	body   io.ReadCloser
	reader *gemini.Reader // nil after close
	of     *Client        // reader's
}

// open sends a call and waits for the head of its answer.
func (c *Client) open(ctx context.Context, lease *keys.Lease, r *Request, body content) (*segment, *Error) {
	ctx, cancel := context.WithCancelCause(ctx)
	watch := newWatch(cancel, c.firstByte(len(body.bytes)))
	resp, err := c.send(ctx, lease, http.MethodPost, c.address(r.model, "streamGenerateContent", "alt=sse"), body)
	var failed *Error
	switch {
	case err != nil:
		failed = c.unreached(ctx, err, lease)
	case resp.StatusCode != http.StatusOK:
		failed = c.refusal(resp, lease, r.tokens)
	default:
		watch.end()
		return &segment{ctx: ctx, cancel: cancel, watch: watch, idle: c.patience.Load().idle, body: resp.Body, reader: c.lendReader(resp.Body), of: c}, nil
	}
	watch.stop()
	cancel(context.Canceled)
	return nil, failed
}

// lendReader is a reader of body, until close: the memory of each is as large as many an answer.
func (c *Client) lendReader(body io.Reader) *gemini.Reader {
	if r, ok := c.readers.Get().(*gemini.Reader); ok {
		r.Reset(body)
		return r
	}
	return gemini.NewReader(body)
}

// next reads a frame. ready says that it is here.
func (g *segment) next(ready bool) ([]byte, error) {
	if ready {
		return g.reader.Next()
	}
	g.watch.begin(g.idle)
	defer g.watch.end()
	return g.reader.Next()
}

// failure names an error of next that is not the end. A connection that broke is an answer that was cut.
func (g *segment) failure(err error, lease *keys.Lease) *Error {
	if errors.Is(err, gemini.ErrFrameTooLarge) {
		return &Error{Kind: Garbled, Message: err.Error()}
	}
	e := network(g.ctx, err, lease)
	if e.Kind == Unreachable {
		e.Kind = Cut
	}
	return e
}

// close may be called again; next may not.
func (g *segment) close() error {
	g.watch.stop()
	g.cancel(context.Canceled)
	err := g.body.Close()
	if g.of != nil && g.reader != nil && g.reader.Reset(nil) {
		g.of.readers.Put(g.reader)
	}
	g.reader = nil
	return err
}
