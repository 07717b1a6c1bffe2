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
