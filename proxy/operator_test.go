package proxy

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	"github.com/gemini-claude-adapter/gca/proxy/control"
	fg "github.com/gemini-claude-adapter/gca/proxy/fakegemini"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
	"github.com/gemini-claude-adapter/gca/proxy/store"
)

// operator is the tool's end of a control socket before the rig's server.
func (r *rig) operator() control.Client {
	r.t.Helper()
	c := control.Client{Path: filepath.Join(r.t.TempDir(), "main.sock")}
	l, err := control.Listen(c.Path)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- control.Serve(ctx, l, r.server) }()
	r.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			r.t.Error(err)
		}
	})
	return c
}

func keyID(name string) string { return keys.ID(config.NewSecret(keyNamed(name))) }

func TestOperatorChangesKeys(t *testing.T) {
	r := start(t, "a bee beetle", nil)
	c := r.operator()
	f := func(name string, change control.Change, want string, state keys.State) {
		t.Helper()
		id, err := c.ChangeKey(t.Context(), name, change)
		if err != nil || id != keyID(want) || r.state(want).State != state {
			t.Errorf("%s %s: %s, %v; it is %s", change, name, id, err, r.state(want).State)
		}
	}
	f("beet", control.Disable, "beetle", keys.Disabled)
	f("bee", control.Disable, "bee", keys.Disabled)
	f(keyID("bee")[:9], control.Enable, "bee", keys.Healthy)
	f("beetle", control.Reset, "beetle", keys.Disabled) // what a person turned off stays off
	f(keyID("beetle"), control.Enable, "beetle", keys.Healthy)
	_, err := c.ChangeKey(t.Context(), "be", control.Disable)
	var refusal *control.Refusal
	if !errors.As(err, &refusal) || refusal.Code != control.Ambiguous || fmt.Sprint(refusal.IDs) != fmt.Sprint([]string{keyID("bee"), keyID("beetle")}) {
		t.Errorf("be: %v", err)
	}
	if _, err = c.ChangeKey(t.Context(), "z", control.Reset); !errors.As(err, &refusal) || refusal.Code != control.Unknown {
		t.Errorf("z: %v", err)
	}
	status, err := c.Status(t.Context())
	if err != nil || len(status.Keys) != 3 || status.Keys[1].ID != keyID("bee") || status.Keys[1].State != "active" {
		t.Errorf("%+v, %v", status, err)
	}
}

func TestOperatorTestsKeys(t *testing.T) {
	r := start(t, "a b c", nil)
	c := r.operator()
	r.fake.Key(keyNamed("b"), always(fg.ErrInvalidKey()))
	r.fake.Key(keyNamed("c"), always(fg.Err(503, "The model is overloaded.")))
	tested, err := c.TestKeys(t.Context(), []string{"a", "b", "c"})
	if err != nil || len(tested) != 3 {
		t.Fatal(tested, err)
	}
	if tested[0].Problem != "" || !tested[1].Refused || !strings.Contains(tested[1].Problem, "not valid") || tested[2].Refused || tested[2].Problem == "" {
		t.Errorf("%+v", tested)
	}
	if r.state("a").State != keys.Healthy || r.state("b").Reason != keys.Invalid || r.state("c").State != keys.Healthy {
		t.Errorf("a %+v, b %+v, c %+v", r.state("a"), r.state("b"), r.state("c"))
	}
	r.fake.HealKey(keyNamed("b"))
	if tested, err = c.TestKeys(t.Context(), []string{"b"}); err != nil || tested[0].Problem != "" || r.state("b").State != keys.Healthy {
		t.Errorf("mended: %+v, %v, %+v", tested, err, r.state("b"))
	}
	if _, err = c.TestKeys(t.Context(), []string{"a", "z"}); err == nil {
		t.Error("z was tested")
	}
}

func TestOperatorTriesNewKeys(t *testing.T) {
	r := start(t, "a", nil)
	c := r.operator()
	r.fake.Key(keyNamed("bad"), always(fg.ErrInvalidKey()))
	tested, err := c.TryKeys(t.Context(), keyNamed("new")+" label=x\n"+keyNamed("bad")+"\n"+keyNamed("far")+" proxy=http://127.0.0.1:1\n")
	if all := r.server.upstream.Egresses(); len(all) != 1 {
		t.Errorf("%d ways out are left", len(all))
	}
	if err != nil || len(tested) != 3 {
		t.Fatal(tested, err)
	}
	if tested[0].ID != keyID("new") || tested[0].Problem != "" || !tested[1].Refused || tested[2].Refused || tested[2].Problem == "" {
		t.Errorf("%+v", tested)
	}
	if n := len(r.server.pool.Snapshot()); n != 1 {
		t.Errorf("%d keys are in use", n)
	}
	for _, text := range []string{keyNamed("new") + " and more\n", strings.Repeat("k\n", control.MaxTests+1)} {
		var refusal *control.Refusal
		if _, err := c.TryKeys(t.Context(), text); !errors.As(err, &refusal) || refusal.Code != control.Invalid || strings.Contains(err.Error(), "PLANTED") {
			t.Errorf("got %v", err)
		}
	}
}

func TestResetKeyOverHTTP(t *testing.T) {
	const boss = "tok-PLANTED-of-the-boss"
	r := start(t, "bee beetle", func(cfg *config.Config, s *Server) {
		if s == nil {
			cfg.Tokens = append(cfg.Tokens, config.Token{Name: "admin", Hash: config.HashToken(boss), Admin: true})
		}
	})
	f := func(name, token string, status int, wants ...string) {
		t.Helper()
		got := r.do("POST", resetKeyPath+name, "", "Authorization", "Bearer "+token)
		if got.status != status {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
		has(t, got.body, wants...)
		hasNot(t, got.body, "PLANTED")
	}
	r.fake.Key(keyNamed("bee"), always(fg.ErrInvalidKey()))
	for range 2 {
		r.do("POST", completions, ask(completions, false))
	}
	if r.state("bee").State != keys.Disabled {
		t.Fatalf("%+v", r.state("bee"))
	}
	f("bee", testToken, 403, "admin token")
	f("be", boss, 400, "fits several keys", keyID("bee"), keyID("beetle"))
	f("nobody", boss, 404, "no key has the id or label")
	f(keyNamed("none"), boss, 404, "AIzaSy…")
	f(keyNamed("be"), boss, 400, `\"AIzaSy…\" fits several keys`, keyID("bee"), keyID("beetle"))
	f(keyNamed("bee")[:7], boss, 404, "AIzaSy-") // no more than most keys have in common
	f(keyNamed("beet"), boss, 200, `{"reset":"`+keyID("beetle")+`"}`)
	f(keyID("bee"), boss, 200, `{"reset":"`+keyID("bee")+`"}`)
	if r.state("bee").State != keys.Healthy {
		t.Errorf("%+v", r.state("bee"))
	}
	has(t, r.log.String(), `"path":"/admin/reset-key/…"`)
	if got := r.do("GET", resetKeyPath+"bee", "", "Authorization", "Bearer "+boss); got.status != 405 {
		t.Errorf("GET: %d", got.status)
	}
}

func TestOperatorAsksForUsage(t *testing.T) {
	r := start(t, "a", nil)
	row := store.Usage{Day: "2026-01-30", Token: "ann", Key: keyID("a"), Model: "m", Requests: 2, Errors: 1, Unpriced: 1, Prompt: 5, Cached: 1, Output: 4, Thoughts: 3, CostMicro: 9}
	if err := r.server.deps.Store.AddUsage([]store.Usage{row}); err != nil {
		t.Fatal(err)
	}
	rows, err := r.operator().Usage(t.Context(), "2026-01-29", "2026-01-30")
	if err != nil || len(rows) != 1 || store.Usage(rows[0]) != row {
		t.Errorf("%+v, %v", rows, err)
	}
	if rows, err = r.operator().Usage(t.Context(), "2026-01-29", "2026-01-29"); err != nil || len(rows) != 0 {
		t.Errorf("the day before: %+v, %v", rows, err)
	}
}
