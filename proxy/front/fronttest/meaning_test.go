package fronttest_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	anthropicsdk "github.com/anthropics/anthropic-sdk-go"
	openaisdk "github.com/openai/openai-go/v3"
	responsessdk "github.com/openai/openai-go/v3/responses"

	"github.com/gemini-claude-adapter/gca/proxy/front/fronttest"
)

// meaning is what an answer says, whatever the protocol: texts in their order, then calls, then how it ended and what it cost.
type meaning struct {
	text, thought string
	calls         []string
	end           string
	input, output int // tokens
	failed        bool
}

func (m meaning) String() string {
	if m.failed {
		return "failed"
	}
	return fmt.Sprintf("text %q thought %q calls %v end %s tokens %d %d", m.text, m.thought, m.calls, m.end, m.input, m.output)
}

// asking are requests that ask alike for thoughts, in each protocol.
func asking() map[string]string {
	return map[string]string{
		"anthropic": `{"model":"m","max_tokens":9000,"thinking":{"type":"adaptive"},"output_config":{"effort":"high"},` +
			`"tools":[{"name":"Read"},{"name":"Now"}],"messages":[{"role":"user","content":"hi"}]}`,
		"chat": `{"model":"m","reasoning_effort":"high","stream_options":{"include_usage":true},` +
			`"tools":[{"type":"function","function":{"name":"Read"}},{"type":"function","function":{"name":"Now"}}],"messages":[{"role":"user","content":"hi"}]}`,
		"responses": `{"model":"m","reasoning":{"effort":"high","summary":"auto"},` +
			`"tools":[{"type":"function","name":"Read"},{"type":"function","name":"Now"}],"input":"hi"}`,
	}
}

// readers make the meaning of an answer, whole or streamed, with the vendors' own types.
func readers() map[string]func(t *testing.T, stream bool, answer []byte) meaning {
	return map[string]func(*testing.T, bool, []byte) meaning{"anthropic": readAnthropic, "chat": readChat, "responses": readResponses}
}

// TestMeanings holds the protocols to each other: one answer of Gemini says the same in each, streamed or not.
func TestMeanings(t *testing.T) {
	for _, script := range fronttest.Scripts() {
		t.Run(script.Name, func(t *testing.T) {
			var first, from string
			for name, codec := range codecs() {
				call := fronttest.Decode(t, codec, fronttest.Target, asking()[name])
				events := script.Events(t, codec.ToolIDPrefix())
				for _, stream := range []bool{true, false} {
					answer := fronttest.Encode(codec, call, stream, events)
					got := readers()[name](t, stream, answer).String()
					if first == "" {
						first, from = got, name
					}
					if got != first {
						t.Errorf("%s (stream %v) says\n%s\n%s says\n%s", name, stream, got, from, first)
					}
				}
			}
		})
	}
}

// frames are the data lines of a stream.
func frames(stream []byte) []string {
	var all []string
	for _, line := range strings.Split(string(stream), "\n") {
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			all = append(all, data)
		}
	}
	return all
}

func read[T any](t *testing.T, data string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(data), &v); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return v
}

func readAnthropic(t *testing.T, stream bool, answer []byte) (m meaning) {
	var msg anthropicsdk.Message
	if stream {
		for _, data := range frames(answer) {
			if strings.HasPrefix(data, `{"type":"error"`) {
				return meaning{failed: true}
			}
			if err := msg.Accumulate(read[anthropicsdk.MessageStreamEventUnion](t, data)); err != nil {
				t.Fatalf("%s: %v", data, err)
			}
		}
	} else if msg = read[anthropicsdk.Message](t, string(answer)); msg.Type == "error" {
		return meaning{failed: true}
	}
	for _, b := range msg.Content {
		switch b.Type {
		case "text":
			m.text += b.Text
		case "thinking":
			m.thought += b.Thinking
		case "tool_use":
			m.calls = append(m.calls, b.Name+string(b.Input))
		}
	}
	ends := map[anthropicsdk.StopReason]string{"end_turn": "stop", "stop_sequence": "stop", "tool_use": "calls", "max_tokens": "length", "refusal": "refusal"}
	m.end = ends[msg.StopReason]
	m.input, m.output = int(msg.Usage.InputTokens+msg.Usage.CacheReadInputTokens), int(msg.Usage.OutputTokens)
	return m
}

// reasoning is the field beyond OpenAI's own in which many clients read thoughts.
type reasoning struct {
	Choices []struct {
		Delta, Message struct {
			ReasoningContent string `json:"reasoning_content"`
		}
	}
}

func readChat(t *testing.T, stream bool, answer []byte) (m meaning) {
	var completion openaisdk.ChatCompletion
	lines := []string{string(answer)}
	if stream {
		lines = frames(answer)
		var acc openaisdk.ChatCompletionAccumulator
		for _, data := range lines {
			if data != "[DONE]" && !strings.HasPrefix(data, `{"error"`) && !acc.AddChunk(read[openaisdk.ChatCompletionChunk](t, data)) {
				t.Fatalf("the SDK refuses %s", data)
			}
		}
		completion = acc.ChatCompletion
	}
	for _, data := range lines {
		if strings.HasPrefix(data, `{"error"`) {
			return meaning{failed: true}
		}
		if data == "[DONE]" {
			continue
		}
		for _, c := range read[reasoning](t, data).Choices {
			m.thought += c.Delta.ReasoningContent + c.Message.ReasoningContent
		}
	}
	if !stream {
		completion = read[openaisdk.ChatCompletion](t, string(answer))
	}
	choice := completion.Choices[0]
	m.text = choice.Message.Content + choice.Message.Refusal
	for _, c := range choice.Message.ToolCalls {
		m.calls = append(m.calls, c.Function.Name+c.Function.Arguments)
	}
	ends := map[string]string{"stop": "stop", "tool_calls": "calls", "length": "length", "content_filter": "refusal"}
	m.end = ends[choice.FinishReason]
	m.input, m.output = int(completion.Usage.PromptTokens), int(completion.Usage.CompletionTokens)
	return m
}

// readResponses takes the response object of the last event: that it holds what the events before it said is for the
// codec's own tests.
func readResponses(t *testing.T, stream bool, answer []byte) (m meaning) {
	var response responsessdk.Response
	switch {
	case stream:
		all := frames(answer)
		response = read[responsessdk.ResponseStreamEventUnion](t, all[len(all)-1]).Response
	case strings.HasPrefix(string(answer), `{"error":{`):
		return meaning{failed: true}
	default:
		response = read[responsessdk.Response](t, string(answer))
	}
	if response.Status == responsessdk.ResponseStatusFailed {
		return meaning{failed: true}
	}
	for _, item := range response.Output {
		switch item.Type {
		case "message":
			m.text += item.Content[0].Text
		case "reasoning":
			m.thought += item.Summary[0].Text
		case "function_call":
			m.calls = append(m.calls, item.Name+item.Arguments.OfString)
		}
	}
	m.end = map[string]string{"": "stop", "max_output_tokens": "length", "content_filter": "refusal"}[response.IncompleteDetails.Reason]
	if m.end == "stop" && len(m.calls) > 0 {
		m.end = "calls" // the protocol has no word for it
	}
	m.input, m.output = int(response.Usage.InputTokens), int(response.Usage.OutputTokens)
	return m
}
