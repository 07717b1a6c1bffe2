package client

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

const maxLine = 16 << 20

// event holds what the client reads of Anthropic's stream events.
type event struct {
	Type  string `json:"type"`
	Delta struct {
		Text       string `json:"text"`
		StopReason string `json:"stop_reason"`
	} `json:"delta"`
	Message struct {
		Model string `json:"model"`
	} `json:"message"`
	Usage struct {
		Input  int `json:"input_tokens"`
		Cached int `json:"cache_read_input_tokens"`
		Output int `json:"output_tokens"`
	} `json:"usage"`
	Error struct {
		Message string `json:"message"`
	} `json:"error"`
}

// take adds an event to the answer. An error event is an error of hop gemini.
func (a *Answer) take(e event, onText func(string)) error {
	switch e.Type {
	case "message_start":
		a.Model = e.Message.Model
	case "content_block_delta":
		a.Text += e.Delta.Text
		if e.Delta.Text != "" {
			onText(e.Delta.Text)
		}
	case "message_delta":
		a.Stop, a.Input, a.Output = e.Delta.StopReason, e.Usage.Input+e.Usage.Cached, e.Usage.Output
	case "error":
		return &Error{Hop: HopGemini, Message: "the answer broke off: " + e.Error.Message, Hint: "try again; on the server: gemini-manage logs"}
	}
	return nil
}

// readStream calls f with each event until the stream's end. A stream that ends before message_stop is an error.
func readStream(r io.Reader, f func(event) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	whole := false
	for lines.Scan() {
		data, ok := bytes.CutPrefix(lines.Bytes(), []byte("data:"))
		if !ok {
			continue
		}
		var e event
		if err := json.Unmarshal(data, &e); err != nil {
			return fmt.Errorf("a stream event is not JSON: %w", err)
		}
		if err := f(e); err != nil {
			return err
		}
		whole = whole || e.Type == "message_stop"
	}
	if err := lines.Err(); err != nil {
		return err
	}
	if !whole {
		return errors.New("the stream ended before the answer did")
	}
	return nil
}
