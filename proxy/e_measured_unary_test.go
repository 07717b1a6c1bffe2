package proxy

import (
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
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

func TestE128_Probes(t *testing.T) {
	r := start(t, "a", nil)
	for _, path := range []string{"/api/hello", "/"} {
		got := r.do("HEAD", path, "", "x-none", "")
		if got.status != 200 || got.body != "" {
			t.Errorf("%s: %d %q", path, got.status, got.body)
		}
	}
	if n := len(r.fake.Requests()); n != 0 {
		t.Errorf("Gemini was asked %d times", n)
	}
}

func TestE135_HowLongToWait(t *testing.T) {
	f := func(e *fg.APIError, low, high int, retry string) {
		t.Helper()
		r := start(t, "a b", func(cfg *config.Config, _ *Server) { cfg.QueueTimeout = 5 * time.Second })
		r.fake.Key(keyNamed("a"), always(e))
		r.fake.Key(keyNamed("b"), always(e))
		for _, path := range []string{messages, completions} {
			got := r.do("POST", path, ask(path, true))
			wait, err := strconv.Atoi(got.header.Get("Retry-After"))
			if err != nil || got.status != 429 || wait < low || wait > high || got.header.Get("x-should-retry") != retry {
				t.Errorf("%v: %d %v", e, got.status, got.header)
			}
		}
	}
	f(minute("20s"), 10, 20, "")
	f(minute("90s"), 80, 90, "")
	midnight := int(untilMidnight(t, time.Now()).Seconds())
	f(daily(), midnight-30, midnight+31, "false")
}

// untilMidnight is how long the day goes on where Google's quotas begin anew.
func untilMidnight(t *testing.T, now time.Time) time.Duration {
	t.Helper()
	pacific, err := time.LoadLocation("America/Los_Angeles")
	if err != nil {
		t.Fatal(err)
	}
	y, m, d := now.In(pacific).Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, pacific).Sub(now)
}
