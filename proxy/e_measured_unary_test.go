package proxy

import (
	"sync"
	"testing"

	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

func TestE127_ManyCountsAtOnce(t *testing.T) {
	r := start(t, "a", nil)
	held := make(chan struct{})
	r.fake.Respond(func(q fg.Recorded) (fg.Answer, bool) {
		if q.Verb == "countTokens" {
			<-held
		}
		return fg.Answer{}, false
	})
	answers := make(chan int, 26)
	var all sync.WaitGroup
	for range cap(answers) {
		all.Go(func() { answers <- r.counted(prompt(`"tools":[],` + hello)) })
	}
	for range cap(answers) - maxCounts {
		<-answers
	}
	if got := r.do("POST", messages, ask(messages, false)); got.status != 200 {
		t.Errorf("an answer beside the counts: %d %s", got.status, got.body)
	}
	close(held)
	all.Wait()
	if a := r.state("a"); len(r.fake.Requests()) != maxCounts+1 || a.Failures != 0 {
		t.Errorf("Gemini was asked %d times, %+v", len(r.fake.Requests()), a)
	}

	r.fake.Key(keyNamed("a"), always(minute("40s")))
	r.do("POST", messages, ask(messages, false))
	asked := len(r.fake.Requests())
	for range 26 {
		all.Go(func() { r.counted(prompt(`"tools":[],` + hello)) })
	}
	all.Wait()
	if a := r.state("a"); len(r.fake.Requests()) != asked || a.Failures != 1 {
		t.Errorf("with every key resting Gemini was asked %d times, %+v", len(r.fake.Requests())-asked, a)
	}
}
