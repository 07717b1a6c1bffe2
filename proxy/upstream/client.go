// Package upstream speaks HTTP with the Gemini API: it opens streamed answers, reads them as events, and names what goes
// wrong. Every answer is asked for as a stream.
//
// Flow: Encode once a request; Client.Open once an attempt; Stream.Next until io.EOF; Stream.Close always. Each of them fails
// with an *Error, whose Kind says what follows.
package upstream

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/gemini"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
)

const maxErrorBody = 256 << 10

// All requests share a few connections. One that a router on the way has forgotten says nothing; as long as something that was
// sent on it waits for its receipt, the kernel does not look after it either, for a quarter of an hour.
const (
	pingAfter   = 15 * time.Second // of silence
	pingTimeout = 10 * time.Second
)

// Options are a client's settings.
type Options struct {
	BaseURL   *url.URL      // scheme and host of the Gemini API, perhaps with a path before /v1beta
	ProxyURL  *url.URL      // egress proxy of keys that have none of their own (http, https, socks5), nil is none
	FirstByte time.Duration // until the head of an answer, of one attempt, beside the time that the way there may take
	Idle      time.Duration // of silence that ends a running answer
	UserAgent string
}

// Client calls Gemini. It is safe for concurrent use.
type Client struct {
	options  Options // FirstByte and Idle are in patience
	patience atomic.Pointer[patience]
	base     string
	models   *url.URL // of all models
	egresses *egresses
	bodies   Buffers   // of requests
	readers  sync.Pool // of *gemini.Reader, for answers

	agent, json []string // values of headers
}

// patience is how long Google may be silent. It never changes.
type patience struct{ firstByte, idle time.Duration }

// New makes a client. Connections are kept for reuse; Close ends them.
func New(o Options) *Client {
	root := *o.BaseURL
	if root.Path == "" {
		root.Path = "/" // what JoinPath makes of "" begins with no slash
	}
	c := &Client{
		options: o, base: strings.TrimSuffix(o.BaseURL.String(), "/"), egresses: newEgresses(o.ProxyURL),
		models: root.JoinPath("v1beta", "models"), agent: []string{o.UserAgent}, json: []string{"application/json"},
	}
	c.Wait(o.FirstByte, o.Idle)
	return c
}

// Wait changes FirstByte and Idle, for the attempts that begin from now on.
func (c *Client) Wait(firstByte, idle time.Duration) { c.patience.Store(&patience{firstByte, idle}) }

// slowest is the line, in bytes a second, whose requests still arrive in time: 2 Mbit/s.
const slowest = 256 << 10

// firstByte is how long an attempt waits for the head of its answer: a request of many megabytes first has to get there.
func (c *Client) firstByte(body int) time.Duration {
	return c.patience.Load().firstByte + time.Duration(body)*time.Second/slowest
}

// Close ends the idle connections.
func (c *Client) Close() { c.egresses.close() }

// Open starts an answer. It returns when the head of the answer is there, at the latest after FirstByte. ctx governs the
// whole answer. The error is always an *Error.
func (c *Client) Open(ctx context.Context, lease *keys.Lease, r *Request) (*Stream, error) {
	first, failed := c.open(ctx, lease, r, r.content())
	if failed != nil {
		return nil, failed
	}
	return &Stream{client: c, ctx: ctx, lease: lease, request: r, segment: first}, nil
}

// address is the URL of a method of a model.
func (c *Client) address(model, method, query string) *url.URL {
	u := *c.models
	u.Path += "/" + model + ":" + method
	if escaped := url.PathEscape(model); escaped != model || u.RawPath != "" {
		u.RawPath = c.models.EscapedPath() + "/" + escaped + ":" + method
	}
	u.RawQuery = query
	return &u
}

// listing is the URL of the list of models.
func (c *Client) listing(query string) *url.URL {
	u := *c.models
	u.RawQuery = query
	return &u
}

func (c *Client) send(ctx context.Context, lease *keys.Lease, method string, address *url.URL, body content) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "", nil)
	if err != nil {
		return nil, err
	}
	req.URL, req.Host = address, address.Host
	body.of(req)
	lease.Authorize(req.Header)
	req.Header["User-Agent"], req.Header["Content-Type"] = c.agent, c.json
	resp, err := c.roundTrip(lease, req)
	if err == nil {
		unzip(resp)
	}
	return resp, err
}

// refusal reads and names an answer that is none.
func (c *Client) refusal(resp *http.Response, lease *keys.Lease, tokens int) *Error {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	if cerr := resp.Body.Close(); err == nil {
		err = cerr
	}
	var e *Error
	switch {
	case resp.StatusCode < 400:
		e = &Error{Kind: Garbled, Status: resp.StatusCode, Message: "status " + strconv.Itoa(resp.StatusCode) + " in place of an answer"}
	case err != nil && len(body) == 0:
		e = &Error{Kind: byStatus(resp.StatusCode), Status: resp.StatusCode, Message: err.Error()}
	default:
		e = classify(gemini.ParseAPIError(resp.StatusCode, body), tokens, time.Now())
	}
	c.note(lease, e)
	return e.without(lease)
}

var (
	errNoFirstByte = errors.New("gemini did not answer in time")
	errSilent      = errors.New("gemini's answer stopped")
)

// unreached names an error of a call that got no answer.
func (c *Client) unreached(ctx context.Context, err error, lease *keys.Lease) *Error {
	e := network(ctx, err, lease)
	if via := c.via(lease); via != "" && e.Kind == Unreachable {
		e.Message = "the connection" + via + " failed: " + err.Error()
	}
	return e.without(lease)
}

// network names an error of the connection.
func network(ctx context.Context, err error, lease *keys.Lease) *Error {
	e := &Error{Kind: Unreachable, Message: "the connection failed: " + err.Error()}
	switch cause := context.Cause(ctx); {
	case cause == errNoFirstByte:
		e.Kind, e.Message = NoFirstByte, cause.Error()
	case cause == errSilent:
		e.Kind, e.Message = Silent, cause.Error()
	case cause != nil:
		e.Kind, e.Message = Cancelled, cause.Error()
	}
	return e.without(lease)
}

// without takes the key out of the message, should a text of others hold it.
func (e *Error) without(lease *keys.Lease) *Error {
	if secret := lease.Secret().Reveal(); secret != "" {
		e.Message = strings.ReplaceAll(e.Message, secret, "***")
	}
	return e
}
