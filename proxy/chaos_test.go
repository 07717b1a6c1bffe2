package proxy

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
)

// Half of the keys answer; the others fail at random, with everything that Google says of a key, its quota, or itself.
const (
	soundKeys = 100
	sickKeys  = 100
)

// chaosRequests is how many requests TestChaos makes: GCA_CHAOS_REQUESTS, or enough for every sick key to be met.
func chaosRequests(t *testing.T) int {
	text := os.Getenv("GCA_CHAOS_REQUESTS")
	if text == "" {
		return 2000
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("GCA_CHAOS_REQUESTS=%q: expected a number of requests", text)
	}
	return n
}

// forever is a rest that outlives the test.
const forever = time.Hour

// ofKeys are the failures that are a verdict on a key: on all of it, or on a model, for at least so long.
var ofKeys = map[string]struct {
	model bool
	rest  time.Duration
}{
	"key invalid": {false, forever}, "key expired": {false, forever}, "key type refused": {false, forever}, "key leaked": {false, forever},
	"key service blocked": {false, forever}, "key referrer blocked": {false, forever}, "key address blocked": {false, forever},
	"service disabled": {false, forever}, "consumer suspended": {false, forever}, "project denied": {false, forever}, "no free tier here": {false, forever},
	"credits depleted": {false, forever}, "spend cap": {false, 10 * time.Minute}, "quota of the project": {false, forever},
	"quota a day": {true, forever}, "quota a day, in words": {true, forever}, "quota of input a day": {true, forever},
	"quota zero": {true, forever}, "quota zero, in words": {true, forever},
	"quota a minute": {true, 10 * time.Second}, "quota as recorded": {true, 30 * time.Second}, "quota, paid": {true, 5 * time.Second},
	"exhausted": {true, 5 * time.Second}, "capacity": {true, 5 * time.Second},
}

// ofService are Google's own troubles, which say nothing about a key.
var ofService = []string{
	"cancelled", "internal", "unknown", "data loss", "unimplemented", "overloaded", "high demand", "deadline", "html 502", "html 504",
	"no numeric code", "in a list", "empty body",
}

// verdict is what a sick key was told, and to which of the clients' requests.
type verdict struct {
	name    string
	at      time.Time
	rest    time.Duration
	request int
}

// chaos plays Gemini for sick keys, and sees to it that none is asked again in its rest.
type chaos struct {
	t     *testing.T
	names []string // of all failures
	clock atomic.Int64

	mu       sync.Mutex
	rng      *rand.Rand
	verdicts map[string]verdict // by key, or key and model
	began    map[int]int64      // by request, on the clock
	ended    map[int]int64
	met      map[string]int // failures by name
}

func newChaos(t *testing.T, seed uint64) *chaos {
	c := &chaos{
		t: t, rng: rand.New(rand.NewPCG(seed, 1)), verdicts: map[string]verdict{},
		began: map[int]int64{}, ended: map[int]int64{}, met: map[string]int{}, names: append([]string{"reset"}, ofService...),
	}
	for name := range ofKeys {
		c.names = append(c.names, name)
	}
	return c
}

var requestNumber = regexp.MustCompile(`chaos-(\d+)`)

func (c *chaos) respond(rec fg.Recorded) (fg.Answer, bool) {
	found := requestNumber.FindSubmatch(rec.Body)
	if found == nil || !strings.Contains(rec.Key, "sick") {
		return fg.Answer{}, false
	}
	request, err := strconv.Atoi(string(found[1]))
	if err != nil {
		return fg.Answer{}, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, scope := range []string{rec.Key, rec.Key + " " + rec.Model} {
		if v, judged := c.verdicts[scope]; judged && c.knew(request, v) && time.Since(v.at) < v.rest {
			c.t.Errorf("%s was asked again in its rest: %q was told to request %d, now request %d asks", scope, v.name, v.request, request)
		}
	}
	name := c.names[c.rng.IntN(len(c.names))]
	c.met[name]++
	if name == "reset" {
		return fg.Reply(fg.Chunk{Cut: true}), true
	}
	if of, judges := ofKeys[name]; judges {
		scope := rec.Key
		if of.model {
			scope += " " + rec.Model
		}
		c.verdicts[scope] = verdict{name, time.Now(), of.rest, request}
	}
	return fg.Fails(name, rec.Model), true
}

// knew reports whether a request must know of a verdict: it got it itself, or began when the one that got it had ended.
func (c *chaos) knew(request int, v verdict) bool {
	return request == v.request || c.ended[v.request] != 0 && c.ended[v.request] < c.began[request]
}

func (c *chaos) note(m map[int]int64, request int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m[request] = c.clock.Add(1)
}

// chaosAsk is the n-th request: its path and body take turns.
func chaosAsk(n int) (path, body string) {
	text := fmt.Sprintf("chaos-%d", n)
	model := []string{"gemini-3.8-flash", "gemini-3.5-flash-lite", "gemini-2.5-flash"}[n/8%3]
	stream := n%2 == 0
	switch n % 8 / 2 {
	case 0:
		return messages, fmt.Sprintf(`{"model":%q,"max_tokens":100,"stream":%t,"messages":[{"role":"user","content":%q}]}`, model, stream, text)
	case 1:
		return completions, fmt.Sprintf(`{"model":%q,"stream":%t,"messages":[{"role":"user","content":%q}]}`, model, stream, text)
	case 2:
		return replies, fmt.Sprintf(`{"model":%q,"stream":%t,"input":%q}`, model, stream, text)
	}
	verb := "generateContent"
	if stream {
		verb = "streamGenerateContent?alt=sse"
	}
	return "/v1beta/models/" + model + ":" + verb, fmt.Sprintf(`{"contents":[{"parts":[{"text":%q}]}]}`, text)
}

// TestChaos: no client sees an error while a key is sound, and no key is asked again before its rest is over.
func TestChaos(t *testing.T) {
	givesBack(t)
	var names []string
	for i := range sickKeys {
		names = append(names, fmt.Sprintf("sick%03d", i))
	}
	for i := range soundKeys {
		names = append(names, fmt.Sprintf("sound%03d", i))
	}
	r := start(t, strings.Join(names, " "), func(cfg *config.Config, _ *Server) {
		cfg.MaxRetries = 20 // half of all keys have troubles that are not theirs, and a client is told of three in a row
		cfg.HealthInterval = 0
	})
	const seed = 20261130
	c := newChaos(t, seed)
	r.fake.Respond(c.respond)
	requests := make(chan int)
	var workers sync.WaitGroup
	var failed atomic.Int64
	for range 16 {
		workers.Go(func() {
			for n := range requests {
				c.note(c.began, n)
				path, body := chaosAsk(n)
				if problem := whole(r, path, body); problem != "" {
					failed.Add(1)
					t.Errorf("request %d to %s: %s", n, path, problem)
				}
				c.note(c.ended, n)
			}
		})
	}
	total := chaosRequests(t)
	for n := 0; n < total && failed.Load() < 10; n++ {
		requests <- n
	}
	close(requests)
	workers.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range c.names {
		if c.met[name] == 0 {
			t.Errorf("no key said %q: a larger GCA_CHAOS_REQUESTS, or another seed", name)
		}
	}
	t.Logf("seed %d: %d requests, %d failures of sick keys, %d of the clients'", seed, total, sum(c.met), failed.Load())
}

func sum(counts map[string]int) (n int) {
	for _, v := range counts {
		n += v
	}
	return n
}

// whole makes a request and tells what is wrong with the answer, "" if nothing is.
func whole(r *rig, path, body string) string {
	resp := r.open("POST", path, body)
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	answer := string(all)
	switch {
	case err != nil:
		return err.Error()
	case resp.StatusCode != http.StatusOK:
		return fmt.Sprintf("%d %.300s", resp.StatusCode, answer)
	case strings.Contains(answer, `"error":{`) || strings.Contains(answer, "event: error"):
		return fmt.Sprintf("an error in a 200: %.300s", answer)
	}
	ends := []string{"event: message_stop", "data: [DONE]", "event: response.completed", `"finishReason"`, `"stop_reason":"end_turn"`, `"finish_reason":"stop"`, `"status":"completed"`}
	for _, end := range ends {
		if strings.Contains(answer, end) {
			return ""
		}
	}
	return fmt.Sprintf("no end: %.300s", answer)
}

// TestRequestFaultsRestNobody: what is wrong with a request reaches its client, whatever the protocol, and costs no key.
func TestRequestFaultsRestNobody(t *testing.T) {
	faults := []string{
		"too many tokens", "too many tokens, unsaid", "signature corrupted", "signature invalid", "signature not valid", "signature missing",
		"invalid argument", "out of range", "unknown name", "schema", "schema states", "foreign file", "foreign cache", "location",
	}
	r := start(t, "a b c", func(cfg *config.Config, _ *Server) { cfg.MaxFailures = 1 })
	for _, name := range faults {
		r.fake.Respond(func(rec fg.Recorded) (fg.Answer, bool) { return fg.Fails(name, rec.Model), true })
		for n := range 8 {
			path, body := chaosAsk(n)
			if got := r.do("POST", path, body); got.status < 400 || got.status >= 500 {
				t.Errorf("%s, %s: status %d", name, path, got.status)
			}
		}
		for _, s := range r.server.pool.Snapshot() {
			if s.State != keys.Healthy {
				t.Errorf("%s: key %s is %s, %s", name, s.Label, s.State, s.Reason)
			}
		}
	}
}
