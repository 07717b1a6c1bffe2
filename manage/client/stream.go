package client

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

const (
	maxLine   = 16 << 20
	maxAnswer = 64 << 20 // bytes of text; models end long before
)

// usage is what Anthropic's messages say was used.
type usage struct {
	Input   int `json:"input_tokens"`
	Cached  int `json:"cache_read_input_tokens"`
	Written int `json:"cache_creation_input_tokens"`
	Output  int `json:"output_tokens"`
}

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
	Usage usage `json:"usage"`
	Error struct {
		Message string `json:"message"`
	} `json:"error"`
}

// asking is a question under way.
type asking struct {
	begun  time.Time
	onText func(string)
	heard  func() // something came
	answer Answer
	all    strings.Builder
}

// text adds a piece to the answer.
func (a *asking) text(piece string) error {
	if piece == "" {
		return nil
	}
	if a.answer.FirstText == 0 {
		a.answer.FirstText = time.Since(a.begun)
	}
	if a.all.Len()+len(piece) > maxAnswer {
		return fmt.Errorf("the answer is longer than %d MB", maxAnswer>>20)
	}
	a.all.WriteString(piece)
	a.answer.Text = a.all.String()
	a.onText(piece)
	return nil
}

func (a *asking) end(stop string, u usage) {
	a.answer.Stop, a.answer.Output = stop, u.Output
	a.answer.Input, a.answer.Cached = u.Input+u.Cached+u.Written, u.Cached
}

// take adds an event to the answer. An error event is an error of hop gemini.
func (a *asking) take(e event) error {
	switch e.Type {
	case "message_start":
		a.answer.Model = e.Message.Model
	case "content_block_delta":
		return a.text(e.Delta.Text)
	case "message_delta":
		a.end(e.Delta.StopReason, e.Usage)
	case "error":
		return &Error{Hop: HopGemini, Message: "the answer broke off: " + e.Error.Message, Hint: "try again; on the server: gemini-manage logs"}
	}
	return nil
}

// readStream takes in each event until the stream's end. A stream that ends before message_stop is an error.
func (a *asking) readStream(r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	whole := false
	for lines.Scan() {
		a.heard()
		data, ok := bytes.CutPrefix(lines.Bytes(), []byte("data:"))
		if !ok {
			continue
		}
		var e event
		if err := json.Unmarshal(data, &e); err != nil {
			return fmt.Errorf("a stream event is not JSON: %w", err)
		}
		if err := a.take(e); err != nil {
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
