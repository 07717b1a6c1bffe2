package proxy

import (
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
)

// mapped maps Claude's names to a model that does not exist.
func mapped(cfg *config.Config, _ *Server) {
	cfg.ModelMap = []config.ModelRule{{Pattern: "claude-*", Target: "gemini-nope"}, {Pattern: "gpt-*", Target: "gemini-nope"}}
}

func TestAMissingModelIsToldByTheNameThatIsMissing(t *testing.T) {
	r := start(t, "a b", mapped)
	for range 2 { // asked, and known from before
		got := r.do("POST", messages, ask(messages, false))
		if got.status != 404 {
			t.Errorf("%d", got.status)
		}
		has(t, got.body, `"not_found_error"`, "model: claude-opus-5-5: none of the keys may use gemini-nope, which claude-opus-5-5 stands for", "MODEL_MAP")
		got = r.do("POST", completions, ask(completions, false))
		if got.status != 404 {
			t.Errorf("%d", got.status)
		}
		has(t, got.body, `"model_not_found"`, "The model `gpt-5` does not exist or you do not have access to it: none of the keys may use gemini-nope", "MODEL_MAP")
	}
	itself := r.do("POST", messages, strings.Replace(ask(messages, false), "claude-opus-5-5", "gemini-9-none", 1))
	hasNot(t, itself.body, "MODEL_MAP", "stands for")
}

// Google has trouble with a model of its own list: nobody waits for hours, and it shows.
func TestAListedModelIsMissedForAShortTime(t *testing.T) {
	r := startListing(t, fg.Models(), time.Hour)
	r.seen(1)
	body := strings.Replace(ask(messages, false), "claude-opus-5-5", "gemini-3.8-flash", 1)
	r.fake.Key(keyNamed("a"), fg.KeyRule{Error: fg.ErrUnknownModel("gemini-3.8-flash", "generateContent"), Times: 1})
	for range 2 {
		if got := r.do("POST", messages, body); got.status != 404 {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
	rests := r.state("a").Rests
	if len(rests) != 1 || rests[0].Reason != keys.NoModel || time.Until(rests[0].Until) > time.Minute {
		t.Errorf("%+v", rests)
	}
	has(t, r.do("GET", "/health", "").body, `"status":"degraded","active_keys":1`)
	if k := r.server.Status().Keys[0]; k.State != "active" || k.Reason != "without a model that Google lists" {
		t.Errorf("%+v", k)
	}
}
