package proxy

import (
	"testing"
)

// What can be answered without Google costs no call upstream.
func TestAnsweredWithoutGoogle(t *testing.T) {
	r := start(t, "a", nil)
	f := func(body string, status int, wants ...string) {
		t.Helper()
		got := r.do("POST", messages, body)
		if got.status != status {
			t.Errorf("%s: status %d, want %d", body, got.status, status)
		}
		has(t, got.body, wants...)
	}
	const head = `{"model":"claude-sonnet-5","messages":[{"role":"user","content":"hi"}],`
	f(head+`"max_tokens":0}`, 200, `"stop_reason":"max_tokens"`, `"content":[]`)
	f(head+`"max_tokens":0,"stream":true}`, 200, "event: message_start", `"stop_reason":"max_tokens"`, "event: message_stop")
	if n := len(r.fake.Requests()); n != 0 {
		t.Errorf("Google was asked %d times", n)
	}
	f(head+`"max_tokens":9,"stop_sequences":["1","2","3","4","5","5","","6"]}`, 200, `"type":"message"`)
}
