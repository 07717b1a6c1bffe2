package fakegemini_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"

	"github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

// A scripted stream after one overloaded answer; the key "dry" is always out of quota. In a test, Start(t, opts) listens
// and closes at the test's end.
func Example() {
	s := fakegemini.New(fakegemini.Options{Keys: []string{"dry", "good"}})
	url, err := s.Listen("127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	s.Key("dry", fakegemini.KeyRule{Error: fakegemini.ErrQuotaPerDay("gemini-3.8-flash")})
	s.Enqueue(
		fakegemini.Fail(fakegemini.ErrOverloaded()),
		fakegemini.Reply(fakegemini.Thought("hm"), fakegemini.Text("Let me look."), fakegemini.Calls(fakegemini.Call("Read", `{"path":"a.go"}`))),
	)
	for _, key := range []string{"dry", "good", "good"} {
		res, err := http.Post(url+"/v1beta/models/gemini-3.8-flash:streamGenerateContent?alt=sse&key="+key, "application/json",
			bytes.NewBufferString(`{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`))
		if err != nil {
			panic(err)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil || res.Body.Close() != nil {
			panic(err)
		}
		fmt.Println(res.StatusCode, bytes.Count(body, []byte("data: ")), "frames")
	}
	fmt.Println(len(s.Requests()), "requests,", len(s.Refusals()), "against the rules,", s.Pending(), "answers left")
	if err := s.Close(); err != nil {
		panic(err)
	}
	// Output:
	// 429 0 frames
	// 503 0 frames
	// 200 4 frames
	// 3 requests, 0 against the rules, 0 answers left
}
