package proxy

import (
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
	"github.com/gemini-claude-adapter/gca/proxy/front"
)

// broken is a store with a fault of the kind that nobody foresees.
type broken struct{}

func (broken) Put(front.Record) error { panic("BUG: planned") }

func (broken) Get(string) (front.Record, bool, error) { return front.Record{}, false, nil }

// A panic costs one request, not the server, and gives the key back.
func TestAPanicIsOneRequestsFailure(t *testing.T) {
	r := start(t, "a", func(_ *config.Config, s *Server) {
		if s != nil {
			s.deps.Signatures = broken{}
		}
	})
	for _, stream := range []bool{false, true} {
		r.fake.Enqueue(fg.Reply(fg.Calls(fg.Call("read", "{}"))))
		got := r.do("POST", messages, ask(messages, stream))
		if got.status != 500 {
			t.Errorf("%d %s", got.status, got.body)
		}
		has(t, got.body, `"message":"internal error"`)
	}
	if got := r.do("POST", messages, ask(messages, true)); got.status != 200 {
		t.Errorf("afterwards: %d", got.status)
	}
	r.stop()
	if n := strings.Count(r.log.String(), `"value":"BUG: planned"`); n != 2 {
		t.Errorf("%d panics are logged", n)
	}
	r.log.mu.Lock()
	r.log.b.Reset() // what else is checked after a test does not foresee them
	r.log.mu.Unlock()
}
