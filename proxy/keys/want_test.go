package keys

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
)

// pick acquires without waiting, gives the key back, and returns its secret.
func pick(t *testing.T, p *Pool, want Want, o Outcome) string {
	t.Helper()
	l, err := p.Acquire(t.Context(), want, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	l.Done(o)
	return l.key.secret.Reveal()
}

func TestAConversationKeepsItsKey(t *testing.T) {
	keys := strings.Fields("a b c d e f g h")
	p, fewer := newPool(keys...), newPool(keys[1:]...)
	used := map[string]int{}
	for i := range 800 {
		want := Want{Model: model, Conversation: fmt.Sprint("conversation ", i)}
		secret := pick(t, p, want, OK(model))
		used[secret]++
		if again := pick(t, p, want, OK(model)); again != secret {
			t.Errorf("%s: key %s, then %s", want.Conversation, secret, again)
		}
		if without := pick(t, fewer, want, OK(model)); secret != "a" && without != secret {
			t.Errorf("%s: key %s, without key a %s", want.Conversation, secret, without)
		}
	}
	for _, k := range keys {
		if used[k] < 50 || used[k] > 200 {
			t.Errorf("key %s has %d of 800 conversations", k, used[k])
		}
	}
}

// Its prefix is cached where it went.
func TestAConversationStaysWhereItWent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool("a", "b", "c")
		want := Want{Model: model, Conversation: "x"}
		first := pick(t, p, want, Rest(model, RateLimited, time.Minute))
		second := pick(t, p, want, OK(model))
		if second == first || pick(t, p, want, OK(model)) != second {
			t.Errorf("key %s, and %s while it rests", first, second)
		}
		time.Sleep(time.Minute)
		if after := pick(t, p, want, OK(model)); after != second {
			t.Errorf("key %s after the rest of %s, in place of %s", after, first, second)
		}
		pick(t, p, want, Disable(Invalid))
		if back := pick(t, p, want, OK(model)); back != first {
			t.Errorf("key %s without %s, and not its own", back, second)
		}
	})
}

func TestWhatWasTriedComesLast(t *testing.T) {
	p := newPool("a", "b")
	for _, conversation := range []string{"", "x"} {
		want := Want{Model: model, Conversation: conversation}
		for _, secret := range []string{"a", "b"} {
			want.Avoid = []string{ID(config.NewSecret(secret))}
			for range 3 {
				if got := pick(t, p, want, None()); got == secret {
					t.Errorf("%q: key %s was taken again", conversation, got)
				}
			}
		}
		want.Avoid = append(want.Avoid, ID(config.NewSecret("a")))
		pick(t, p, want, None())
	}
}

func TestOneKeyOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool("a", "b")
		want := Want{Model: model, Conversation: "x", Only: ID(config.NewSecret("b"))}
		for range 3 {
			if got := pick(t, p, want, OK(model)); got != "b" {
				t.Errorf("key %s", got)
			}
		}
		f := func(want Want, words string, soonest time.Duration) {
			t.Helper()
			_, err := p.Acquire(t.Context(), want, time.Now())
			var e *NoneError
			if !errors.As(err, &e) || !strings.Contains(e.Error(), words) || !strings.Contains(e.Error(), want.Only) {
				t.Fatalf("%v, want %s", err, words)
			}
			if soonest > 0 && time.Until(e.Soonest) != soonest {
				t.Errorf("soonest in %v", time.Until(e.Soonest))
			}
		}
		pick(t, p, want, Rest(model, RateLimited, 40*time.Second))
		f(want, "not usable: 1 rate limited", 40*time.Second)
		time.Sleep(40 * time.Second)
		pick(t, p, want, Disable(Invalid))
		f(want, "not usable: 1 invalid", 0)
		f(Want{Only: "nobody"}, "not configured any more", 0)
	})
}

func TestAProjectsReasonsReachItsKeys(t *testing.T) {
	f := func(o Outcome, want string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			var configured []config.Key
			for _, k := range []config.Key{{Group: "one"}, {Group: "two"}, {Group: "one"}, {}, {}} {
				k.Secret = config.NewSecret(string(rune('a' + len(configured))))
				configured = append(configured, k)
			}
			p := New(configured, Options{MaxFailures: 1, CoolingPeriod: time.Minute})
			use(t, p, model, o)
			var left strings.Builder
			for range 5 {
				left.WriteString(use(t, p, model, OK(model)))
			}
			if left.String() != want {
				t.Errorf("%+v: left are %s, want %s", o, left.String(), want)
			}
		})
	}
	for _, r := range []Reason{DayQuota, NoAccess, NoModel, RateLimited} {
		f(Rest(model, r, time.Minute), "bdebd")
	}
	f(Rest("", SpendCap, time.Minute), "bdebd")
	f(Rest("", Depleted, time.Minute), "bdebd")
	f(Disable(Suspended), "bdebd")
	f(Disable(NoBilling), "bdebd")
	for _, r := range []Reason{Invalid, Leaked, Blocked} {
		f(Disable(r), "bcdeb")
	}
	f(Fault(), "bcdeb")
}

func TestWaysOut(t *testing.T) {
	one, two := &url.URL{Scheme: "http", Host: "one"}, &url.URL{Scheme: "http", Host: "two"}
	for _, conversation := range []string{"", "x"} {
		p := New([]config.Key{{Secret: config.NewSecret("a")}, {Secret: config.NewSecret("b"), Proxy: one}, {Secret: config.NewSecret("c"), Proxy: two}},
			Options{MaxFailures: 1, CoolingPeriod: time.Minute})
		f := func(notVia, avoidVia, avoid, want string) {
			t.Helper()
			for range 3 {
				got := pick(t, p, Want{Model: model, Conversation: conversation, NotVia: strings.Fields(notVia), AvoidVia: strings.Fields(avoidVia), Avoid: strings.Fields(avoid)}, None())
				if !strings.Contains(want, got) {
					t.Errorf("key %s, want %s", got, want)
				}
			}
		}
		f("http://one http://two", "", "", "a")
		f("", "http://one http://two", "", "a")
		f("http://one", "http://two", ID(config.NewSecret("a")), "ac")
		_, err := p.Acquire(t.Context(), Want{Model: model, Conversation: conversation, NotVia: []string{"", "http://one", "http://two"}}, time.Now().Add(time.Hour))
		var e *NoneError
		if !errors.As(err, &e) || e.Barred != 3 || !e.Soonest.IsZero() || !strings.Contains(e.Error(), "3 behind") {
			t.Errorf("%v", err)
		}
	}
}
