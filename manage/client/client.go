package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

const (
	maxReply   = 1 << 20
	healthTime = 10 * time.Second // Nginx would wait minutes for an adapter that hangs
)

// Client asks one adapter.
type Client struct {
	Profile Profile
	HTTP    *http.Client // nil is http.DefaultClient
}

// Health is the adapter's answer at /health.
type Health struct {
	Status     string `json:"status"` // healthy, degraded, unhealthy
	ActiveKeys int    `json:"active_keys"`
	TotalKeys  int    `json:"total_keys"`
	Version    string `json:"version"`
}

// Answer is what one question brought.
type Answer struct {
	Text      string
	Model     string
	FirstText time.Duration // from sending the question to the first text
	Total     time.Duration
	Input     int // tokens
	Output    int // tokens, thoughts included
	Stop      string
}

// Hops of a question's way.
const (
	HopNetwork = "network" // from here to the server
	HopToken   = "token"   // the client token
	HopAdapter = "adapter" // the adapter itself
	HopGemini  = "gemini"  // from the adapter to Gemini, keys included
)

// Error is a failure with the hop that broke.
type Error struct {
	Hop     string
	Message string
	Hint    string
}

func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Message
	}
	return e.Message + "\nhint: " + e.Hint
}

// Health asks whether the adapter is up. It needs no token. An unhealthy adapter is an answer, not an error.
func (c *Client) Health(ctx context.Context) (Health, error) {
	ctx, cancel := context.WithTimeout(ctx, healthTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Profile.URL+"/health", nil)
	if err != nil {
		return Health{}, err
	}
	resp, err := c.do(req)
	if err != nil {
		return Health{}, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return Health{}, c.networkError(err)
	}
	var h Health
	if err := json.Unmarshal(body, &h); err != nil || h.Status == "" {
		return Health{}, &Error{Hop: HopAdapter, Message: fmt.Sprintf("%s answers (%s), but not as an adapter does", c.Profile.URL, resp.Status),
			Hint: "check the address; on the server: gemini-manage status"}
	}
	return h, nil
}

type question struct {
	Model     string    `json:"model"`
	MaxTokens int       `json:"max_tokens"`
	Stream    bool      `json:"stream"`
	Messages  []message `json:"messages"`
}

type message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// Ask puts one question and calls onText with each piece of the answer as it arrives. model may be any name that the
// adapter maps.
func (c *Client) Ask(ctx context.Context, model, text string, onText func(string)) (Answer, error) {
	body, err := json.Marshal(question{Model: model, MaxTokens: 32000, Stream: true, Messages: []message{{"user", text}}})
	if err != nil {
		return Answer{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.Profile.URL+"/v1/messages", bytes.NewReader(body))
	if err != nil {
		return Answer{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("anthropic-version", "2023-06-01")
	if c.Profile.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Profile.Token)
	}
	start := time.Now()
	resp, err := c.do(req)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return Answer{}, c.statusError(resp)
	}
	answer := Answer{}
	err = readStream(resp.Body, func(e event) error {
		if e.Delta.Text != "" && answer.FirstText == 0 {
			answer.FirstText = time.Since(start)
		}
		return answer.take(e, onText)
	})
	answer.Total = time.Since(start)
	var failed *Error
	if err != nil && !errors.As(err, &failed) {
		err = c.networkError(err)
	}
	return answer, err
}

func (c *Client) do(req *http.Request) (*http.Response, error) {
	client := c.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, c.networkError(err)
	}
	return resp, nil
}

func (c *Client) networkError(err error) error {
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &dns):
		return &Error{Hop: HopNetwork, Message: fmt.Sprintf("no such host: %s", dns.Name), Hint: "check the address, then gca connect http://YOUR-SERVER"}
	case c.plainOnly(err):
		return &Error{Hop: HopNetwork, Message: fmt.Sprintf("there is no HTTPS at %s", c.Profile.URL),
			Hint: "a deployed adapter speaks plain http: gca connect http" + strings.TrimPrefix(c.Profile.URL, "https")}
	case errors.As(err, &op) && op.Op == "dial":
		return &Error{Hop: HopNetwork, Message: fmt.Sprintf("cannot connect to %s: %v", c.Profile.URL, op.Err),
			Hint: "is the server up, and does its provider's firewall let that port in? on the server: gemini-manage status"}
	}
	return &Error{Hop: HopNetwork, Message: fmt.Sprintf("the connection to %s broke: %v", c.Profile.URL, err), Hint: "try again; on the server: gemini-manage logs"}
}

// plainOnly reports whether the address asks for HTTPS where nobody speaks it.
func (c *Client) plainOnly(err error) bool {
	var op *net.OpError
	var record tls.RecordHeaderError
	return strings.HasPrefix(c.Profile.URL, "https://") &&
		(errors.As(err, &op) && op.Op == "dial" || errors.As(err, &record) || strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"))
}

type errorBody struct {
	Error struct {
		Type    string `json:"type"`
		Message string `json:"message"`
	} `json:"error"`
}

func (c *Client) statusError(resp *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err != nil {
		return c.networkError(err)
	}
	var e errorBody
	if err := json.Unmarshal(body, &e); err != nil || e.Error.Message == "" {
		e.Error.Message = "an answer that is not the adapter's"
	}
	switch resp.StatusCode {
	case http.StatusUnauthorized:
		return &Error{Hop: HopToken, Message: "the adapter does not accept the client token: " + e.Error.Message, Hint: "gca connect " + c.Profile.URL + ", with the token that the deploy printed"}
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusForbidden, 529:
		return unserved(e.Error.Message)
	}
	return &Error{Hop: HopAdapter, Message: fmt.Sprintf("the adapter answered %s: %s", resp.Status, e.Error.Message)}
}

// unserved tells apart, by the words that came, who of those behind the server's door did not answer.
func unserved(message string) *Error {
	switch {
	case strings.HasPrefix(message, "the adapter "): // Nginx's words for a backend that is not there
		return &Error{Hop: HopAdapter, Message: message, Hint: "from your laptop: gca start HOST"}
	case strings.HasPrefix(message, "gemini: the connection failed"):
		return &Error{Hop: HopGemini, Message: message,
			Hint: "the adapter cannot reach Gemini: look at the server's network, and at the address: gca config get HOST GEMINI_BASE_URL"}
	}
	return &Error{Hop: HopGemini, Message: message, Hint: "on the server: gemini-manage keys test shows what is wrong with them, gemini-manage keys add adds others"}
}
