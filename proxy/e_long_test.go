package proxy

import (
	"strings"
	"testing"

	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
)

const gemini4 = "gemini-4-neon"

// askModel is ask of another model.
func askModel(path string, stream bool, model string) string {
	body := strings.Replace(ask(path, stream), "claude-opus-5-5", model, 1)
	return strings.Replace(body, `"gpt-5"`, `"`+model+`"`, 1)
}

// bodiesAsked lists the bodies that Gemini got.
func (r *rig) bodiesAsked() (bodies []string) {
	for _, q := range r.fake.Requests() {
		bodies = append(bodies, string(q.Body))
	}
	return bodies
}

func TestE112_SegmentsAreOneAnswer(t *testing.T) {
	usage := map[string][]string{
		messages:    {`"input_tokens":100`, `"output_tokens":58`, `"thinking_tokens":12`, `"stop_reason":"end_turn"`},
		completions: {`"prompt_tokens":100,"completion_tokens":58,"total_tokens":158`, `"reasoning_tokens":12`, `"finish_reason":"stop"`},
		replies:     {`"input_tokens":100`, `"output_tokens":58`, `"reasoning_tokens":12`, `"status":"completed"`},
	}
	for path, wants := range usage {
		for _, stream := range []bool{false, true} {
			r := start(t, "a b", nil)
			r.fake.Enqueue(
				fg.Reply(fg.Text("one, ").With(fg.Usage{Prompt: 100, Candidates: 40, Thoughts: 10, Total: 150}).Continues("tok-1")),
				fg.Reply(fg.Text("").With(fg.Usage{Prompt: 150, Candidates: 1, Total: 151}).Continues("tok-2")),
				fg.Reply(fg.Text("two").With(fg.Usage{Prompt: 151, Candidates: 5, Thoughts: 2, Total: 158}).Ends("STOP")))
			body := askModel(path, stream, gemini4)
			if path == completions && stream {
				body = strings.TrimSuffix(body, "}") + `,"stream_options":{"include_usage":true}}`
			}
			got := r.do("POST", path, body)
			has(t, got.body, wants...)
			if text := said(t, path, stream, got.body); text != "one, two" {
				t.Errorf("%q in %s", text, got.body)
			}
			if n := strings.Count(got.body, "message_start\""); path == messages && stream && n != 1 {
				t.Errorf("%d answers began", n)
			}
			bodies := r.bodiesAsked()
			for i, token := range []string{"", `,"continuationToken":"tok-1"`, `,"continuationToken":"tok-2"`} {
				if want := strings.TrimSuffix(bodies[0], "}") + token + "}"; bodies[i] != want {
					t.Errorf("request %d: %s, want %s", i, bodies[i], want)
				}
			}
			if r.keysAsked() != "a a a" && r.keysAsked() != "b b b" {
				t.Errorf("keys %s", r.keysAsked())
			}
		}
	}
}

// A segment that Gemini refuses to go on with is an answer that reached its limit.
func TestASegmentWithoutASuccessor(t *testing.T) {
	r := start(t, "a", nil)
	for _, stream := range []bool{false, true} {
		r.fake.Enqueue(fg.Reply(fg.Text("one").Continues("tok")), fg.Fail(fg.ErrOverloaded()))
		has(t, r.do("POST", messages, askModel(messages, stream, gemini4)).body, "one", `"stop_reason":"max_tokens"`)
		r.fake.Enqueue(fg.Reply(fg.Text("one").Continues("tok")), fg.Fail(fg.ErrOverloaded()))
		has(t, r.do("POST", completions, askModel(completions, stream, gemini4)).body, "one", `"finish_reason":"length"`)
	}
}

// What kept the next segment away is the key's all the same.
func TestARefusedSegmentRestsItsKey(t *testing.T) {
	r := start(t, "a", nil)
	r.fake.Enqueue(fg.Reply(fg.Text("one").Continues("tok")), fg.Fail(fg.ErrQuotaPerDay(gemini4)))
	has(t, r.do("POST", messages, askModel(messages, false, gemini4)).body, "one", `"stop_reason":"max_tokens"`)
	if a := r.state("a"); a.State != keys.Limited || a.Reason != keys.DayQuota {
		t.Errorf("%+v", a)
	}
}

func TestE113_ADroppedAnswerIsResumed(t *testing.T) {
	r := start(t, "a b", nil)
	script := []fg.Answer{
		fg.Reply(fg.Text("one, ").Checkpoint("tok-1"), fg.Text("two"), fg.Hangup()),
		fg.Reply(fg.Text("two, thr").Checkpoint("tok-2"), fg.Text("ee"), fg.Hangup()),
		fg.Reply(fg.Text("e"), fg.Text("e.")),
	}
	ends := map[string]string{messages: `"stop_reason":"end_turn"`, completions: `"finish_reason":"stop"`, replies: `"status":"completed"`}
	for path, end := range ends {
		for _, stream := range []bool{false, true} {
			r.fake.Enqueue(script...)
			got := r.do("POST", path, askModel(path, stream, gemini4))
			if text := said(t, path, stream, got.body); text != "one, two, three." {
				t.Errorf("%s, stream %v: %q in %s", path, stream, text, got.body)
			}
			has(t, got.body, end)
		}
	}
	// what does not fit is not glued together
	r.fake.Enqueue(fg.Reply(fg.Text("one, ").Checkpoint("tok-1"), fg.Text("two"), fg.Hangup()), fg.Reply(fg.Text("another")))
	got := r.do("POST", messages, askModel(messages, true, gemini4))
	has(t, got.body, "event: error\n")
	hasNot(t, got.body, "another", "message_stop", "message_delta")
}
