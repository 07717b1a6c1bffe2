package proxy

import (
	"strings"
	"testing"
	"time"

	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

const sevenStops = `["ONE","TWO","THREE","FOUR","FIVE","SIX","SE VEN"]`

func TestE052_SevenStopSequences(t *testing.T) {
	f := func(path string, stream bool, pieces []string, want string, ends ...string) {
		t.Helper()
		r := start(t, "a", nil)
		var chunks []fg.Chunk
		for _, p := range pieces {
			chunks = append(chunks, fg.Text(p).With(fg.Usage{Prompt: 11, Candidates: 22, Total: 33}))
		}
		r.fake.Enqueue(fg.Reply(append(chunks, fg.Text("never").Wait(time.Minute))...))
		name := `"stop_sequences":`
		if path == completions {
			name = `"stop":`
		}
		got := r.do("POST", path, strings.TrimSuffix(ask(path, stream), "}")+","+name+sevenStops+"}")
		if text := said(t, path, stream, got.body); text != want {
			t.Errorf("%s, %q: text %q, want %q", path, pieces, text, want)
		}
		has(t, got.body, ends...)
		q := r.fake.Requests()[0]
		if end, err := r.fake.WaitEnd(t.Context(), q.Seq); err != nil || end != fg.Cancelled {
			t.Errorf("the stream from Gemini ended %s, %v", end, err)
		}
		if path == completions {
			has(t, string(q.Body), `"stopSequences":["ONE","TWO","THREE","FOUR","FIVE"]`)
		} else {
			hasNot(t, string(q.Body), "stopSequences") // Gemini does not say which it met
		}
		r.stop()
	}
	for _, stream := range []bool{false, true} {
		f(messages, stream, []string{"one S", "I", "X two"}, "one ", `"stop_reason":"stop_sequence","stop_sequence":"SIX"`, `"output_tokens":22,`)
		f(messages, stream, []string{"SE VE! SE V", "EN SIX"}, "SE VE! ", `"stop_reason":"stop_sequence","stop_sequence":"SE VEN"`)
		f(messages, stream, []string{"SIX"}, "", `"stop_sequence":"SIX"`)
	}
	f(completions, true, []string{"one S", "I", "X two"}, "one ", `"finish_reason":"stop"`, "[DONE]")
	f(completions, false, []string{"one SIX two"}, "one ", `"finish_reason":"stop"`, `"completion_tokens":22,`)
}

// What only looked like the beginning of a stop sequence arrives, before a call and at the end.
func TestWhatWasHeldBackArrives(t *testing.T) {
	r := start(t, "a", nil)
	r.fake.Enqueue(fg.Reply(fg.Text("one S"), fg.Calls(fg.Call("Read", `{}`)), fg.Text("IX SE V")))
	got := r.do("POST", messages, strings.TrimSuffix(ask(messages, true), "}")+`,"stop_sequences":`+sevenStops+"}")
	if text := said(t, messages, true, got.body); text != "one SIX SE V" {
		t.Errorf("%q", text)
	}
	if strings.Index(got.body, "one ") > strings.Index(got.body, `"tool_use"`) {
		t.Errorf("out of order:\n%s", got.body)
	}
	has(t, got.body, `"stop_reason":"tool_use","stop_sequence":null`)
}

// The same of an answer that breaks off.
func TestWhatWasHeldBackArrivesBeforeAnError(t *testing.T) {
	r := start(t, "a", nil)
	r.fake.Enqueue(fg.Reply(fg.Text("one "), fg.Text("two SE V"), fg.Hangup()))
	got := r.do("POST", messages, strings.TrimSuffix(ask(messages, true), "}")+`,"stop_sequences":`+sevenStops+"}")
	if text := said(t, messages, true, got.body); text != "one two SE V" {
		t.Errorf("%q", text)
	}
	has(t, got.body, "event: error\n")
	r.fake.Enqueue(fg.Reply(fg.Text("S"), fg.Hangup()), fg.Say("whole")) // nothing was sent yet
	got = r.do("POST", messages, strings.TrimSuffix(ask(messages, true), "}")+`,"stop_sequences":`+sevenStops+"}")
	if text := said(t, messages, true, got.body); text != "whole" {
		t.Errorf("%q", text)
	}
}

func TestOneCallWhereParallelOnesAreForbidden(t *testing.T) {
	const tools = `,"tools":[{"name":"Read","input_schema":{"type":"object"}}],"tool_choice":{"type":"auto","disable_parallel_tool_use":true}}`
	r := start(t, "a", nil)
	for _, stream := range []bool{false, true} {
		r.fake.Enqueue(fg.Reply(fg.Calls(fg.Call("Read", `{"n":1}`), fg.Call("Read", `{"n":2}`)), fg.Calls(fg.Call("Read", `{"n":3}`))))
		got := r.do("POST", messages, strings.TrimSuffix(ask(messages, stream), "}")+tools)
		if n := strings.Count(got.body, `"name":"Read"`); n != 1 {
			t.Errorf("%d calls in:\n%s", n, got.body)
		}
		has(t, got.body, `"stop_reason":"tool_use"`)
	}
}
