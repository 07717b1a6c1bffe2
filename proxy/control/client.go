package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
)

// Client asks the adapter behind a socket. The errors of its methods are ErrAbsent, ErrDenied, a *Refusal, or say what came
// back instead of an answer.
type Client struct{ Path string }

// Status asks how the adapter is.
func (c Client) Status(ctx context.Context) (Status, error) {
	return ask[Status](ctx, c, http.MethodGet, statusPath, timeout, nothing{})
}

// ChangeKey does something to the one key whose id or label name is, or begins with it, and returns its id.
func (c Client) ChangeKey(ctx context.Context, name string, change Change) (id string, err error) {
	answer, err := ask[changeReply](ctx, c, http.MethodPost, changePath, longest, changeRequest{name, change})
	return answer.ID, err
}

// TestKeys asks Google about configured keys by their ids, at most MaxTests.
func (c Client) TestKeys(ctx context.Context, ids []string) ([]Tested, error) {
	answer, err := ask[testReply](ctx, c, http.MethodPost, testPath, longest, testRequest{ids})
	return answer.Tested, err
}

// TryKeys asks Google about keys that are not configured, in the form of the file keys, at most MaxTests.
func (c Client) TryKeys(ctx context.Context, text string) ([]Tested, error) {
	answer, err := ask[testReply](ctx, c, http.MethodPost, tryPath, longest, tryRequest{text})
	return answer.Tested, err
}

// Usage asks what was used on the days from one to another, both included, as "2006-01-02".
func (c Client) Usage(ctx context.Context, from, to string) ([]Usage, error) {
	days := url.Values{"from": {from}, "to": {to}}
	answer, err := ask[usageReply](ctx, c, http.MethodGet, usagePath+"?"+days.Encode(), longest, nothing{})
	return answer.Rows, err
}

// Reload puts the settings of texts in force.
func (c Client) Reload(ctx context.Context, texts config.Texts) (Reloaded, error) {
	return ask[Reloaded](ctx, c, http.MethodPost, reloadPath, longest, reloadRequest{texts.Env, texts.Keys, texts.Tokens})
}

// ask makes one request on a connection of its own.
func ask[R, Q any](ctx context.Context, c Client, method, path string, limit time.Duration, q Q) (answer R, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", c.Path)
	}}
	defer transport.CloseIdleConnections()
	var body []byte
	if method != http.MethodGet {
		if body, err = json.Marshal(q); err != nil {
			return answer, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://adapter"+path, bytes.NewReader(body))
	if err != nil {
		return answer, err
	}
	resp, err := transport.RoundTrip(req)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return answer, ErrDenied
	case err != nil && ctx.Err() == nil && isDial(err):
		return answer, ErrAbsent
	case err != nil:
		return answer, fmt.Errorf("the adapter did not answer on its control socket: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return answer, fmt.Errorf("control socket: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return answer, refused(resp, text)
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return answer, fmt.Errorf("control socket: %w", err)
	}
	return answer, nil
}

// isDial reports whether there was nobody to connect to.
func isDial(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// refused reads an answer that is none. A release that does not know the path has its own words for it.
func refused(resp *http.Response, text []byte) error {
	refusal := &Refusal{}
	if err := json.Unmarshal(text, refusal); err != nil || refusal.Code == "" {
		return fmt.Errorf("control socket: the running adapter answered %s\nhint: gemini-manage restart, should it be of another release than this tool", resp.Status)
	}
	return refusal
}
