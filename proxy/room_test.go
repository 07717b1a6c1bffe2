package proxy

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

// A model that cannot stop thinking gets tokens for its thoughts; what it says with them beyond the client's limit is cut.
func TestAShortAnswerKeepsToItsLimit(t *testing.T) {
	r := start(t, "a", nil)
	long := fg.Say("one two three ", strings.Repeat("four ", 400))
	f := func(path, body string, most int, end string) {
		t.Helper()
		for _, stream := range []bool{false, true} {
			r.fake.Enqueue(long.LockStep(path + strconv.FormatBool(stream))) // the rest never comes, and is not waited for
			sent := body
			if stream {
				sent = strings.Replace(body, "{", `{"stream":true,`, 1)
			}
			got := r.do("POST", path, sent)
			words := said(t, path, stream, got.body)
			if got.status != 200 || len(words) > most || !strings.HasPrefix("one two three ", words) || words == "" {
				t.Errorf("%s: %d, %q", path, got.status, words)
			}
			has(t, got.body, end)
		}
	}
	f(messages, `{"model":"claude-sonnet-4-5","max_tokens":1,"thinking":{"type":"disabled"},`+oneUser+`}`, 8, `"stop_reason":"max_tokens"`)
	f(completions, `{"model":"gpt-5","max_completion_tokens":1,`+oneUser+`}`, 8, `"finish_reason":"length"`)
	f(replies, `{"model":"gpt-5","max_output_tokens":1,"input":"hi"}`, 8, `"incomplete_details":{"reason":"max_output_tokens"}`)
}

// What fits is passed on whole, also where the estimate says a little more than the limit; a model that does not think is
// believed.
func TestAnAnswerWithinItsLimitIsWhole(t *testing.T) {
	r := start(t, "a", nil)
	words := strings.Repeat("extraordinary ", 33) // 115 tokens by the estimate
	f := func(model, tokens, answer, want string) {
		t.Helper()
		r.fake.Enqueue(fg.Say(answer))
		m := message(t, r.claude(model, `"max_tokens":`+tokens+`,"thinking":{"type":"disabled"},`+oneUser).body)
		if m.Content[0].Text != answer || string(m.StopReason) != want {
			t.Errorf("%s", m.RawJSON())
		}
	}
	f("gemini-3.8-flash", "64", words, "end_turn")
	f("gemini-3.8-flash", "2048", strings.Repeat(words, 100), "end_turn")
	f("gemini-2.5-flash", "1", words, "end_turn")
}

// A call is whole or not there.
func TestACallBeyondTheLimit(t *testing.T) {
	r := start(t, "a", nil)
	args, err := json.Marshal(map[string]string{"n": strings.Repeat("x", 500)})
	if err != nil {
		t.Fatal(err)
	}
	_, streamed, whole := r.answers(`"thinking":{"type":"disabled"},`+twoTools+`,"max_tokens":20,`+oneUser,
		fg.Reply(fg.Text("Well. "), fg.Calls(fg.Call("a", string(args)))))
	for _, m := range []*anthropicMessage{streamed, whole} {
		if kinds(m) != "text" || m.StopReason != "max_tokens" {
			t.Errorf("%s", m.RawJSON())
		}
	}
}
