package keys

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
)

func TestMatch(t *testing.T) {
	p := New([]config.Key{
		{Secret: config.NewSecret("a"), Label: "ann"}, {Secret: config.NewSecret("b"), Label: "ann2"}, {Secret: config.NewSecret("c")},
	}, Options{MaxFailures: 1, CoolingPeriod: time.Minute})
	f := func(name, want string) {
		t.Helper()
		if got := strings.Join(p.Match(name), " "); got != want {
			t.Errorf("%q means %s, want %s", name, got, want)
		}
	}
	f("ann", "ca978112")
	f("an", "ca978112 3e23e816")
	f("ann2", "3e23e816")
	f("3e23e816", "3e23e816")
	f("3e2", "3e23e816")
	f("2e", "2e7d2c03")
	f("", "")
	f("nobody", "")
	p = New([]config.Key{
		{Secret: config.NewSecret("AIzaSyAB-one")}, {Secret: config.NewSecret("AIzaSyAB-two")}, {Secret: config.NewSecret("short")}, {Secret: config.NewSecret("AIzaSyC"), Label: "AIzaSyAB-one"},
	}, Options{MaxFailures: 1, CoolingPeriod: time.Minute})
	id := func(secret string) string { return ID(config.NewSecret(secret)) }
	f("AIzaSyAB", id("AIzaSyAB-one")+" "+id("AIzaSyAB-two")+" "+id("AIzaSyC"))
	f("AIzaSyAB-t", id("AIzaSyAB-two"))
	f("AIzaSyAB-one", id("AIzaSyC")) // a label wins
	f("AIzaSyC", "")                 // too short for how a key begins
	f("short", "")
}

func TestAPersonsWordHolds(t *testing.T) {
	p := newPool("a", "b")
	id := ID(config.NewSecret("a"))
	for _, err := range []error{p.Disable(id), p.Reset(id)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	p.Probed(id, true)
	for range 4 {
		if got := use(t, p, model, OK(model)); got != "b" {
			t.Errorf("key %s serves", got)
		}
	}
	if s := p.Snapshot()[0]; s.State != Disabled || s.Reason != ByHand || len(p.Due(time.Now().Add(24*time.Hour))) != 0 {
		t.Errorf("%+v", s)
	}
	if err := p.Enable(id); err != nil || p.Snapshot()[0].State != Healthy {
		t.Errorf("%v, %+v", err, p.Snapshot()[0])
	}
	for _, err := range []error{p.Disable("x"), p.Enable("x"), p.Reset("x")} {
		if err == nil || !strings.Contains(err.Error(), `"x"`) || !strings.Contains(err.Error(), "\nhint: ") {
			t.Errorf("%v", err)
		}
	}
	if _, err := p.Lend("x"); err == nil {
		t.Error("an unknown key was lent")
	}
}

func TestResetForgetsTheProjectToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := poolOf("ag bg")
		use(t, p, model, Rest(model, DayQuota, time.Hour).Stating(model, Limits{Day: 1}))
		none(t, p, model)
		if err := p.Reset(ID(config.NewSecret("bg"))); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			use(t, p, model, OK(model))
		}
	})
}

func TestALentKeyIsThatKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool("a", "b")
		use(t, p, model, Disable(Invalid))
		l, err := p.Lend(ID(config.NewSecret("a")))
		if err != nil || l.KeyID() != ID(config.NewSecret("a")) || p.Snapshot()[0].Inflight != 1 {
			t.Fatalf("%v, %v", l, err)
		}
		l.Authorize(map[string][]string{})
		l.Authorize(map[string][]string{})
		l.Done(None())
		if s := p.Snapshot()[0]; s.Inflight != 0 || s.Reason != Invalid || len(p.keys[0].group.ledgers) != 1 {
			t.Errorf("%+v", s)
		}
	})
}
