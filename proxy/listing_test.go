package proxy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
)

// startListing makes a rig that reads Google's list every d.
func startListing(t *testing.T, models []fg.Model, d time.Duration) *rig {
	t.Helper()
	fake, base := fg.Start(t, fg.Options{Models: models})
	return startAt(t, fake, base, "a", func(_ *config.Config, s *Server) {
		if s != nil {
			s.pace.listing = d
		}
	})
}

// seen waits until Gemini's list was read n times.
func (r *rig) seen(n int) {
	r.t.Helper()
	for len(r.fake.Requests()) < n || n > 0 && len(r.server.models.listed.Load().ids) == 0 {
		if r.t.Context().Err() != nil {
			r.t.Fatal(r.t.Context().Err())
		}
		time.Sleep(time.Millisecond)
	}
}

func (r *rig) model(id string) modelInfo {
	r.t.Helper()
	var m modelInfo
	if got := r.do("GET", "/v1/models/"+id, ""); json.Unmarshal([]byte(got.body), &m) != nil || got.status != 200 {
		r.t.Errorf("%s: %d %s", id, got.status, got.body)
	}
	return m
}

func TestGooglesListIsRead(t *testing.T) {
	r := startListing(t, append(fg.Models(),
		fg.Model{ID: "gemini-5-oxygen", Display: "Gemini 5 Oxygen", Input: 2000000, Output: 100000},
		fg.Model{ID: "gemini-5-oxygen-image"},
	), time.Hour)
	r.seen(1)
	ids := r.server.models.names()
	for _, id := range []string{"gemini-5-oxygen", "claude-gemini-5-oxygen", "gemma-4-31b-it", "gemini-3.8-flash", "gemini-embedding-001", "gemini-2.5-pro", "claude-gemini-2.5-pro", "gemini-flash-latest"} {
		if !slices.Contains(ids, id) {
			t.Errorf("%s is not among %v", id, ids)
		}
	}
	for _, id := range []string{"gemini-5-oxygen-image", "claude-gemini-embedding-001", "gemini-3.1-pro-preview-customtools"} {
		if slices.Contains(ids, id) {
			t.Errorf("%s is among %v", id, ids)
		}
	}
	if m := r.model("gemini-5-oxygen"); m.DisplayName != "Gemini 5 Oxygen" || m.MaxInputTokens != 2000000 || m.MaxTokens != 100000 {
		t.Errorf("%+v", m)
	}
	if m := r.model("gemma-4-31b-it"); m.MaxInputTokens != 131072 || m.MaxTokens != 8192 {
		t.Errorf("%+v", m)
	}
	if m := r.model("gemini-3.8-flash"); m.DisplayName != "Gemini 3.8 Flash" {
		t.Errorf("%+v", m)
	}
	if a := r.state("a"); a.Inflight != 0 || a.Failures != 0 {
		t.Errorf("%+v", a)
	}
}

// What is asked about a name and what is asked of it agree, once Google's list is known: Claude's names always mean something.
func TestNamesMeanTheSameEverywhere(t *testing.T) {
	r := startListing(t, fg.Models(), time.Hour)
	r.seen(1)
	for _, missing := range []string{"gemini-nope", "llama-3"} {
		if got := r.do("GET", "/v1/models/"+missing, ""); got.status != 404 {
			t.Errorf("GET %s: %d", missing, got.status)
		}
		if got := r.do("POST", messages, askModel(messages, false, missing)); got.status != 404 {
			t.Errorf("POST %s: %d", missing, got.status)
		}
	}
	for _, name := range []string{"claude-gemini-nope", "Claude-Sonnet-5", "anthropic/claude-sonnet-4", "openai/gpt-4o", "google/gemini-3.8-flash"} {
		if m := r.model(name); !strings.HasPrefix(m.DisplayName, "Gemini 3.8 Flash") {
			t.Errorf("%s: %+v", name, m)
		}
		if got := r.do("POST", messages, askModel(messages, false, name)); got.status != 200 {
			t.Errorf("POST %s: %d %s", name, got.status, got.body)
		}
	}
}

// What Google lists of a model is what requests to it are held to: no refusal is needed to learn it.
func TestRequestsKeepToGooglesList(t *testing.T) {
	small := fg.Model{ID: "gemini-9-small", Family: fg.Models()[0].Family, Output: 8192}
	r := startListing(t, append(fg.Models(), small, fg.Model{ID: "gemini-9-long", Family: small.Family, Output: 100000}), time.Hour)
	r.seen(1)
	f := func(model string, asked, want int, thinks bool) {
		t.Helper()
		before := len(r.fake.Requests())
		got := r.do("POST", messages, fmt.Sprintf(`{"model":%q,"max_tokens":%d,"thinking":{"type":"adaptive"},"messages":[{"role":"user","content":"hi"}]}`, model, asked))
		config := r.asked().GenerationConfig
		if got.status != 200 || len(r.fake.Requests()) != before+1 || *config.MaxOutputTokens != int32(want) || (config.ThinkingConfig != nil) != thinks {
			t.Errorf("%s: %d after %d tries, of %d tokens, %+v: %s", model, got.status, len(r.fake.Requests())-before, *config.MaxOutputTokens, config.ThinkingConfig, got.body)
		}
	}
	f("gemini-9-small", 128000, 8192, false)
	f("gemini-9-small", 4000, 4000, false)
	f("gemini-9-long", 128000, 99998, false) // less the prompt, as by estimate
	f("gemini-3.8-flash", 128000, 65536, true)
	f("gemini-4-neon", 70000, 70000, true)
}

func TestGooglesListIsReadAgain(t *testing.T) {
	r := startListing(t, nil, 5*time.Millisecond)
	r.seen(3)
}

func TestAListThatCannotBeRead(t *testing.T) {
	r := startListing(t, nil, time.Hour)
	r.seen(1)
	before := r.server.models.listed.Load()
	f := func(e *fg.APIError) {
		t.Helper()
		r.fake.Key(keyNamed("a"), fg.KeyRule{Error: e, Times: 1})
		if err := r.server.readListing(t.Context()); err == nil || r.server.models.listed.Load() != before {
			t.Errorf("%v: %v", e, err)
		}
		if a := r.state("a"); a.State != "healthy" || a.Failures != 0 {
			t.Errorf("%v: %+v", e, a)
		}
	}
	f(fg.ErrInvalidKey())
	f(fg.ErrOverloaded())
	for _, answer := range []string{``, `[]`, `{"models":3}`} {
		if l, err := parseListing([]byte(answer)); err == nil {
			t.Errorf("%q reads as %+v", answer, l)
		}
	}
}

// A dead key is no reason to know nothing of the models.
func TestTheListIsReadWithAnotherKey(t *testing.T) {
	r := start(t, "a b c d", nil)
	for _, dead := range []string{"", "a b", "a c", "a d", "b c", "b d", "c d", "a b c d"} {
		r.fake.Reset()
		for _, k := range strings.Fields(dead) {
			r.fake.Key(keyNamed(k), always(fg.ErrInvalidKey()))
		}
		err := r.server.readListing(t.Context())
		if n := len(r.fake.Requests()); (err == nil) != (len(strings.Fields(dead)) < maxListers) || n > maxListers {
			t.Errorf("dead are %q: %v after %d requests", dead, err, n)
		}
	}
}

func TestParseListing(t *testing.T) {
	entry := `{"name":"models/gemini-x","displayName":"X","inputTokenLimit":-1,"supportedGenerationMethods":["generateContent"],"new":{}}`
	l, err := parseListing([]byte(`{"models":[` + entry + `,` + entry + `,{"name":"models/a/b"},{},{"name":"models/aqa","supportedGenerationMethods":["generateAnswer"]}]}`))
	if err != nil || len(l.models) != 2 || strings.Join(l.ids, " ") != "gemini-x" {
		t.Errorf("%+v %v", l, err)
	}
	many := `{"models":[` + strings.Repeat(`{"name":"models/x"},`, 3*maxListed) + `{"name":"models/y"}]}`
	if l, err = parseListing([]byte(many)); err != nil || len(l.models) != 1 {
		t.Errorf("%d models, %v", len(l.models), err)
	}
}

func FuzzParseListing(f *testing.F) {
	f.Add([]byte(`{"models":[{"name":"models/gemini-x","displayName":"X","inputTokenLimit":5,"supportedGenerationMethods":["generateContent"]}]}`))
	f.Add([]byte(`{"models":[{"name":3}]}`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		l, err := parseListing(answer)
		if err != nil {
			return
		}
		m := newModels(nil)
		m.listed.Store(l)
		for _, name := range m.names() {
			if _, ok := m.describe(name); !ok {
				t.Errorf("%q is listed and means nothing", name)
			}
		}
	})
}
