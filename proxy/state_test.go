package proxy

import (
	"net/url"
	"path/filepath"
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
	"github.com/gemini-claude-adapter/gca/proxy/store/storetest"
)

// What one server learns of a key the next one knows from the start, and one beside it within a second, as during a
// handover; the figures are those of both.
func TestStateIsShared(t *testing.T) {
	fake, base := fg.Start(t, fg.Options{})
	path := filepath.Join(t.TempDir(), "state.db")
	server := func() *rig {
		return startAt(t, fake, base, "a b c", func(cfg *config.Config, _ *Server) { cfg.StateURL = &url.URL{Scheme: "file", Path: path} })
	}
	one := server()
	two := server()
	fake.Key(keyNamed("a"), fg.KeyRule{Error: fg.ErrInvalidKey()})
	storetest.Until(t, "the key is tried", func() bool {
		if got := one.do("POST", messages, ask(messages, false)); got.status != 200 {
			t.Errorf("%d %s", got.status, got.body)
		}
		return one.state("a").State == keys.Disabled
	})
	storetest.Until(t, "the other server knows", func() bool { s := two.state("a"); return s.State == keys.Disabled && s.Reason == keys.Invalid })
	storetest.Until(t, "the other server counts", func() bool {
		mine := one.server.usage.spent("ann").tokens
		theirs := two.server.usage.spent("ann").tokens
		return mine > 0 && mine == theirs
	})
	one.stop()
	two.stop()
	three := server()
	if s := three.state("a"); s.State != keys.Disabled || s.Reason != keys.Invalid {
		t.Errorf("after a restart: %+v", s)
	}
	spent := two.server.usage.spent("ann").tokens
	if again := three.server.usage.spent("ann").tokens; again != spent || spent == 0 {
		t.Errorf("after a restart %d tokens are counted, not %d", again, spent)
	}
}
