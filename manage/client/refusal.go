package client

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

type errorBody struct {
	Error struct {
		Type    string `json:"type"`
		Message string `json:"message"`
	} `json:"error"`
}

// statusError reads an answer that is none.
func (c *Client) statusError(resp *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err != nil {
		return c.networkError(err)
	}
	var e errorBody
	if err := json.Unmarshal(body, &e); err != nil || e.Error.Message == "" {
		e.Error.Message = "an answer that is not the adapter's"
	}
	name, ofModel := strings.CutPrefix(e.Error.Message, "model: ")
	switch status := resp.StatusCode; {
	case status == http.StatusUnauthorized:
		return &Error{Hop: HopToken, Status: status, Message: "the adapter does not accept the client token: " + e.Error.Message,
			Hint: "gca connect " + c.Profile.URL + ", with the token that the deploy or gca tokens add printed"}
	case status == http.StatusNotFound && ofModel:
		return c.noModel(name)
	case unavailable(status), status >= 500 && ofGemini(e.Error.Message):
		return c.unserved(status, e.Error.Message)
	}
	return &Error{Hop: HopAdapter, Status: resp.StatusCode, Message: fmt.Sprintf("the adapter answered %s: %s", resp.Status, e.Error.Message)}
}

func unavailable(status int) bool {
	switch status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusForbidden, 529:
		return true
	}
	return false
}

// ofGemini reports whether Google said so, or failed, in the adapter's words.
func ofGemini(message string) bool { return strings.HasPrefix(message, "gemini") }

// noModel is that of a name that the adapter does not map. why may follow it, and a hint of the adapter's.
func (c *Client) noModel(name string) *Error {
	name, cure, _ := strings.Cut(name, "\nhint: ")
	e := &Error{Hop: HopModel, Status: http.StatusNotFound, Message: "there is no such model: " + name, Hint: c.named(cure)}
	if cure == "" {
		e.Hint = "gca chat, then /model, lists those that there are; gca ask -m NAME asks one"
	}
	return e
}

// named is a hint of the adapter's with the host that this person knows.
func (c *Client) named(hint string) string { return strings.ReplaceAll(hint, " HOST", " "+c.host()) }

// unserved tells apart, by the words that came, who of those behind the server's door did not answer.
func (c *Client) unserved(status int, message string) *Error {
	what, cure, _ := strings.Cut(message, "\nhint: ")
	e := &Error{Hop: HopGemini, Status: status, Message: what}
	switch {
	case strings.HasPrefix(what, "the adapter "): // its own, or Nginx's words for a backend that is not there
		e.Hop, e.Hint = HopAdapter, cmp.Or(c.named(cure), "gca start "+c.host())
	case strings.HasPrefix(what, "token "): // over its limits, or not for this model
		e.Hop, e.Hint = HopAdapter, "gca tokens list "+c.host()+" shows what a token may, gca stats what it used today"
	case strings.HasPrefix(what, "gemini: the connection failed"):
		e.Hint = "the adapter cannot reach Gemini: look at the server's network, and at the address: gca config get " + c.host() + " GEMINI_BASE_URL"
	case strings.Contains(what, "Gemini API key"), status == http.StatusForbidden && cure == "":
		e.Hint = "gca keys list " + c.host() + " says why, gca keys add " + c.host() + " adds one"
	case cure != "":
		e.Hint = c.named(cure)
	case ofGemini(what):
		e.Hint = "try again later; Gemini failed, not the keys"
	default:
		e.Hint = "try again later; " + c.server("logs")
	}
	if status == http.StatusTooManyRequests && e.Hop == HopGemini {
		e.Hint = "try again later; gca keys list " + c.host() + " shows until when keys rest"
	}
	return e
}
