package proxy

import (
	"testing"

	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

func TestABlockedAnswerWithoutWordsIsARefusal(t *testing.T) {
	r := start(t, "a", nil)
	blocked := fg.Reply(fg.RawChunk(frames("\r\n\r\n", `{"candidates":[{"content":{},"finishReason":"SAFETY","index":0}]}`)))
	for _, stream := range []bool{false, true} {
		r.fake.Enqueue(blocked)
		got := r.do("POST", completions, ask(completions, stream))
		if got.status != 200 {
			t.Errorf("%d %s", got.status, got.body)
		}
		has(t, got.body, `"refusal":"Answer blocked by Gemini (SAFETY)."`, `"finish_reason":"content_filter"`)
	}
}

func TestAnEmptyAnswerIsCalledSo(t *testing.T) {
	r := start(t, "a b c", nil)
	nothing := fg.Reply(fg.RawChunk(frames("\r\n\r\n", `{"candidates":[{"content":{"role":"model"},"index":0}]}`)))
	r.fake.Enqueue(nothing, nothing, nothing)
	got := r.do("POST", messages, ask(messages, false))
	if got.status != 529 {
		t.Errorf("%d", got.status)
	}
	has(t, got.body, `"message":"gemini's answer was empty"`)
}
