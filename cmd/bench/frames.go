package main

import (
	"bytes"
	"fmt"
	"strings"
	"time"
)

// frames is an answer in one protocol: what comes before the chunks, one chunk, and what ends it.
type frames struct {
	contentType string
	head        []byte
	chunk       []byte
	digits      int // where in chunk the time goes
	tail        []byte
}

// protocol is what the upstream is asked in: by a client that goes round every candidate, or by an adapter.
type protocol uint8

const (
	geminiStream protocol = iota
	geminiWhole
	anthropicStream
	anthropicWhole
	openAIStream
	openAIWhole
	protocols
)

// templates makes the answers of a behaviour in every protocol.
func (b behaviour) templates() [protocols]*frames {
	text := stampMark + strings.Repeat("0", stampDigits)
	text += strings.Repeat("x", max(0, b.Bytes-len(text)))
	const usage = `"usageMetadata":{"promptTokenCount":900,"candidatesTokenCount":200,"totalTokenCount":1100},"modelVersion":"` + model + `","responseId":"bench"`
	all := [protocols]*frames{
		geminiStream: {
			contentType: "text/event-stream",
			chunk:       []byte(`data: {"candidates":[{"content":{"parts":[{"text":"` + text + `"}],"role":"model"},"index":0}],` + usage + "}\r\n\r\n"),
			tail:        []byte(`data: {"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"STOP","index":0}],` + usage + "}\r\n\r\n"),
		},
		anthropicStream: {
			contentType: "text/event-stream",
			head: []byte(`event: message_start` + "\n" + `data: {"type":"message_start","message":{"id":"msg_bench","type":"message","role":"assistant","model":"` + model + `","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":900,"output_tokens":1}}}` + "\n\n" +
				"event: content_block_start\n" + `data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}` + "\n\n"),
			chunk: []byte("event: content_block_delta\n" + `data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"` + text + `"}}` + "\n\n"),
			tail: []byte("event: content_block_stop\n" + `data: {"type":"content_block_stop","index":0}` + "\n\nevent: message_delta\n" +
				`data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":200}}` + "\n\nevent: message_stop\n" + `data: {"type":"message_stop"}` + "\n\n"),
		},
		openAIStream: {
			contentType: "text/event-stream",
			chunk:       []byte(`data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1,"model":"` + model + `","choices":[{"index":0,"delta":{"content":"` + text + `"},"finish_reason":null}]}` + "\n\n"),
			tail:        []byte(`data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1,"model":"` + model + `","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\ndata: [DONE]\n\n"),
		},
		geminiWhole: {
			head:  []byte(`{"candidates":[{"content":{"parts":[{"text":"`),
			chunk: []byte(text),
			tail:  []byte(`"}],"role":"model"},"finishReason":"STOP","index":0}],` + usage + `}`),
		},
		anthropicWhole: {
			head:  []byte(`{"id":"msg_bench","type":"message","role":"assistant","model":"` + model + `","content":[{"type":"text","text":"`),
			chunk: []byte(text),
			tail:  []byte(`"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":900,"output_tokens":200}}`),
		},
		openAIWhole: {
			head:  []byte(`{"id":"chatcmpl-bench","object":"chat.completion","created":1,"model":"` + model + `","choices":[{"index":0,"message":{"role":"assistant","content":"`),
			chunk: []byte(text),
			tail:  []byte(`"},"finish_reason":"stop"}],"usage":{"prompt_tokens":900,"completion_tokens":200,"total_tokens":1100}}`),
		},
	}
	for _, f := range all {
		if f.contentType == "" {
			f.contentType = "application/json"
		}
		f.digits = bytes.Index(f.chunk, []byte(stampMark)) + len(stampMark)
	}
	return all
}

// asked is the protocol of a request to the upstream.
func (b behaviour) asked(path string) (protocol, error) {
	switch {
	case strings.HasSuffix(path, ":streamGenerateContent"):
		return geminiStream, nil
	case strings.HasSuffix(path, ":generateContent"):
		return geminiWhole, nil
	case strings.HasSuffix(path, anthropic.path()) && b.Stream:
		return anthropicStream, nil
	case strings.HasSuffix(path, anthropic.path()):
		return anthropicWhole, nil
	case strings.HasSuffix(path, openai.path()) && b.Stream:
		return openAIStream, nil
	case strings.HasSuffix(path, openai.path()):
		return openAIWhole, nil
	}
	return 0, fmt.Errorf("no such path: %s", path)
}

// next appends one chunk that is sent now.
func (f *frames) next(dst []byte, now time.Time) []byte {
	at := len(dst) + f.digits
	dst = append(dst, f.chunk...)
	stamp(dst[at:], now)
	return dst
}

// ends are the last words of a stream that is whole, by the client's protocol.
func (s shape) end() []byte { return []byte([...]string{`{"type":"message_stop"}`, "data: [DONE]"}[s]) }
