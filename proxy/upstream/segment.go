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
	watch  *time.Timer
	idle   time.Duration
	body   io.ReadCloser
	reader *gemini.Reader
}

// open sends a call and waits for the head of its answer.
func (c *Client) open(ctx context.Context, lease *keys.Lease, r *Request, body content) (*segment, *Error) {
	ctx, cancel := context.WithCancelCause(ctx)
	watch := time.AfterFunc(c.firstByte(len(body.bytes)), func() { cancel(errNoFirstByte) })
	defer watch.Stop()
	resp, err := c.send(ctx, lease, http.MethodPost, c.address(r.model, "streamGenerateContent")+"?alt=sse", body)
	var failed *Error
	switch {
	case err != nil:
		failed = c.unreached(ctx, err, lease)
	case resp.StatusCode != http.StatusOK:
		failed = c.refusal(resp, lease, r.tokens)
	default:
		return &segment{
			ctx: ctx, cancel: cancel, watch: idleWatch(cancel), idle: c.patience.Load().idle,
			body: resp.Body, reader: gemini.NewReader(resp.Body),
		}, nil
	}
	cancel(context.Canceled)
	return nil, failed
}

// idleWatch is the timer that ends a silent answer; it is not running yet.
func idleWatch(cancel context.CancelCauseFunc) *time.Timer {
	t := time.AfterFunc(time.Hour, func() { cancel(errSilent) })
	t.Stop()
	return t
}

// next reads a frame.
func (g *segment) next() ([]byte, error) {
	if !g.reader.Ready() {
		g.watch.Reset(g.idle)
		defer g.watch.Stop()
	}
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

func (g *segment) close() error {
	g.watch.Stop()
	g.cancel(context.Canceled)
	return g.body.Close()
}
