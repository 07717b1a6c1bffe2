package keys

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
)

const model = "gemini-3.8-flash"

func newPool(secrets ...string) *Pool {
	var configured []config.Key
	for _, s := range secrets {
		configured = append(configured, config.Key{Secret: config.NewSecret(s)})
	}
	return New(configured, Options{MaxFailures: 3, CoolingPeriod: 5 * time.Minute})
}

// jitter is how long after midnight the project of a key comes back.
func jitter(secret string) time.Duration { return newGroup(ID(config.NewSecret(secret))).jitter }

// take acquires without waiting and returns the key's secret, which tests may see.
func take(t *testing.T, p *Pool, model string) (*Lease, string) {
	t.Helper()
	l, err := p.Acquire(t.Context(), Want{Model: model}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return l, l.key.secret.Reveal()
}

func use(t *testing.T, p *Pool, model string, o Outcome) string {
	t.Helper()
	l, secret := take(t, p, model)
	l.Done(o)
	return secret
}

func none(t *testing.T, p *Pool, model string) *NoneError {
	t.Helper()
	l, err := p.Acquire(t.Context(), Want{Model: model}, time.Now())
	var e *NoneError
	if !errors.As(err, &e) {
		t.Fatalf("got lease %v, error %v; want a NoneError", l, err)
	}
	return e
}

func TestRoundRobin(t *testing.T) {
	p := newPool("a", "b", "c")
	var got []string
	for range 7 {
		got = append(got, use(t, p, model, OK(model)))
	}
	if s := strings.Join(got, ""); s != "abcabca" {
		t.Errorf("keys were used in the order %s", s)
	}
}

func TestRestCountsForOneModelUntilItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool("a", "b")
		use(t, p, model, Rest(model, RateLimited, 12940*time.Millisecond)) // a
		f := func(m, want string) {
			t.Helper()
			if got := use(t, p, m, None()) + use(t, p, m, None()); got != want {
				t.Errorf("%s: keys %s, want %s", m, got, want)
			}
		}
		f(model, "bb")
		f("gemini-2.5-pro", "ab")
		time.Sleep(12939 * time.Millisecond)
		f(model, "bb")
		time.Sleep(time.Millisecond)
		f(model, "ab")
	})
}

func TestUnexplained429sGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool("a")
		steps := []time.Duration{5 * time.Second, 10 * time.Second, 30 * time.Second}
		f := func(want time.Duration) {
			t.Helper()
			use(t, p, model, Rest(model, RateLimited, steps...))
			got := time.Until(none(t, p, model).Soonest)
			if got != want {
				t.Errorf("rests %v, want %v", got, want)
			}
			time.Sleep(got)
		}
		f(5 * time.Second)
		f(10 * time.Second)
		f(30 * time.Second)
		f(30 * time.Second)
		use(t, p, model, OK(model))
		f(5 * time.Second)
	})
}

func TestRequestsInFlightAreOneStepTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool("a")
		one, _ := take(t, p, model)
		two, _ := take(t, p, model)
		o := Rest(model, RateLimited, 5*time.Second, 10*time.Second)
		one.Done(o)
		two.Done(o)
		if got := time.Until(none(t, p, model).Soonest); got != 5*time.Second {
			t.Errorf("two refusals of one burst rest the key for %v", got)
		}
	})
}

func TestASuccessLeavesAFreshRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool("a")
		f := func(restFor string) {
			t.Helper()
			long, _ := take(t, p, model)
			use(t, p, model, Rest(restFor, RateLimited, time.Minute))
			time.Sleep(time.Second)
			long.Done(OK(model))
			if got := time.Until(none(t, p, model).Soonest); got != 59*time.Second {
				t.Errorf("%q rests for %v", restFor, got)
			}
			time.Sleep(time.Minute)
		}
		f(model)
		f("")
	})
}

func TestNobodyWaitsForAModelThatNoKeySees(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool("a")
		use(t, p, model, Rest(model, NoModel, time.Minute))
		began := time.Now()
		_, err := p.Acquire(t.Context(), Want{Model: model}, time.Now().Add(time.Hour))
		var none *NoneError
		if !errors.As(err, &none) || !none.Only(NoModel) || time.Since(began) != 0 {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

func TestAnUnseenModelIsNoTroubleOfTheKey(t *testing.T) {
	p := newPool("a")
	use(t, p, "mistyped", Rest("mistyped", NoModel, 6*time.Hour))
	if s := p.Snapshot()[0]; s.State != Healthy || s.Reason != NoReason || !s.Until.IsZero() {
		t.Errorf("%+v", s)
	}
	none(t, p, "mistyped")
}

func TestALaterEndIsNotShortened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool("a")
		one, _ := take(t, p, model)
		two, _ := take(t, p, model)
		one.Done(Rest(model, DayQuota, 9*time.Hour))
		two.Done(Rest(model, RateLimited, 12*time.Second))
		e := none(t, p, model)
		if time.Until(e.Soonest) != 9*time.Hour+jitter("a") || !e.ForHours() {
			t.Errorf("soonest in %v, for hours: %v", time.Until(e.Soonest), e.ForHours())
		}
	})
}

func TestFaultsInARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool("a")
		f := func(o Outcome) {
			t.Helper()
			use(t, p, model, o)
		}
		f(Fault())
		f(Fault())
		f(OK(model))
		f(Fault())
		f(None())
		f(Fault())
		f(Fault())
		e := none(t, p, "any other model")
		if time.Until(e.Soonest) != 5*time.Minute || !e.Only(Failing) {
			t.Errorf("soonest in %v, %v", time.Until(e.Soonest), e)
		}
		time.Sleep(5 * time.Minute)
		f(OK(model))
	})
}

func TestAcquireWaitsForTheSoonest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool("a", "b")
		use(t, p, model, Rest(model, RateLimited, 60*time.Second))
		use(t, p, model, Rest(model, RateLimited, 20*time.Second))
		began := time.Now()
		if _, err := p.Acquire(t.Context(), Want{Model: model}, began.Add(19*time.Second)); err == nil || time.Since(began) != 0 {
			t.Errorf("a wait that is known to be too long took %v: %v", time.Since(began), err)
		}
		l, err := p.Acquire(t.Context(), Want{Model: model}, began.Add(20*time.Second))
		if err != nil || l.key.secret.Reveal() != "b" || time.Since(began) != 20*time.Second {
			t.Errorf("got %v, %v after %v", l, err, time.Since(began))
		}
	})
}

func TestAcquireEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool("a")
		use(t, p, model, Rest(model, RateLimited, 60*time.Second))
		gone := errors.New("the client is gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(3*time.Second, func() { cancel(gone) })
		began := time.Now()
		_, err := p.Acquire(ctx, Want{Model: model}, began.Add(time.Hour))
		if !errors.Is(err, gone) || time.Since(began) != 3*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

func TestAWaiterLearnsThatTheLastKeyDied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool("a")
		l, _ := take(t, p, model)
		use(t, p, model, Rest(model, RateLimited, 60*time.Second))
		time.AfterFunc(time.Second, func() { l.Done(Disable(Leaked)) })
		began := time.Now()
		_, err := p.Acquire(t.Context(), Want{Model: model}, began.Add(time.Hour))
		if err == nil || err.Error() != "no usable Gemini API key: 1 reported as leaked" || time.Since(began) != time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

func TestNoneError(t *testing.T) {
	f := func(want string, dead, hours bool, outcomes ...Outcome) {
		t.Helper()
		var secrets []string
		for i := range outcomes {
			secrets = append(secrets, fmt.Sprint("key", i))
		}
		p := newPool(secrets...)
		for _, o := range outcomes {
			use(t, p, model, o)
		}
		e := none(t, p, model)
		if e.Error() != "no usable Gemini API key: "+want || e.Dead() != dead || e.ForHours() != hours {
			t.Errorf("%v, dead %v, for hours %v", e, e.Dead(), e.ForHours())
		}
	}
	day, minute := Rest(model, DayQuota, time.Hour), Rest(model, RateLimited, time.Minute)
	f("none is configured", true, true)
	f("2 invalid, 1 blocked", true, true, Disable(Invalid), Disable(Blocked), Disable(Invalid))
	f("3 invalid, 1 out of quota", true, true, Disable(Invalid), Disable(Invalid), Disable(Invalid), day)
	f("2 out of quota", false, true, day, day)
	f("1 invalid, 1 rate limited", false, false, Disable(Invalid), minute)
	f("1 out of quota, 1 rate limited", false, false, day, minute)
	f("1 without the model", false, true, Rest(model, NoModel, time.Hour))
}

func TestDoneTwicePanics(t *testing.T) {
	p := newPool("a")
	l, _ := take(t, p, model)
	l.Done(OK(model))
	defer func() {
		if r, ok := recover().(string); !ok || !strings.HasPrefix(r, "BUG: ") {
			t.Errorf("recovered %v", r)
		}
	}()
	l.Done(OK(model))
}

func TestALeaseDoesNotPrintItsSecret(t *testing.T) {
	secret := "AIzaSyPLANTEDPLANTEDPLANTED9876"
	p := newPool(secret)
	l, _ := take(t, p, model)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		if s := fmt.Sprintf(verb, l); s != l.KeyID() || strings.Contains(s, "PLANTED") {
			t.Errorf("%s prints %s", verb, s)
		}
	}
	if s := fmt.Sprintf("%+v", p.Snapshot()); strings.Contains(s, "PLANTED") || !strings.Contains(s, "-9876") {
		t.Errorf("the snapshot is %s", s)
	}
	h := http.Header{}
	l.Authorize(h)
	if want := (http.Header{"X-Goog-Api-Key": {secret}}); !reflect.DeepEqual(h, want) {
		t.Errorf("sends %v", h)
	}
	if id := ID(config.NewSecret("short-key")); strings.Contains(id, "key") {
		t.Errorf("the id of a short key is %s", id)
	}
}

func TestSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool("a", "b", "c", "d")
		use(t, p, model, Rest(model, DayQuota, time.Hour))
		use(t, p, model, Disable(Invalid))
		use(t, p, model, Rest("", SpendCap, 10*time.Minute))
		l, _ := take(t, p, model)
		now := time.Now()
		id := func(s string) string { return ID(config.NewSecret(s)) }
		hour := now.Add(time.Hour + jitter("a"))
		want := []Status{
			{ID: id("a"), State: Limited, Reason: DayQuota, Until: hour, Rests: []ModelRest{{model, DayQuota, hour}}, Requests: 1, Failures: 1},
			{ID: id("b"), State: Disabled, Reason: Invalid, Requests: 1, Failures: 1},
			{ID: id("c"), State: Resting, Reason: SpendCap, Until: now.Add(10 * time.Minute), Requests: 1, Failures: 1},
			{ID: id("d"), State: Healthy, Requests: 1, Inflight: 1},
		}
		if got := p.Snapshot(); !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
		l.Done(None())
		time.Sleep(time.Hour + maxJitter)
		for _, s := range p.Snapshot() {
			if s.Inflight != 0 || (s.State != Healthy && s.Reason != Invalid) {
				t.Errorf("an hour later: %+v", s)
			}
		}
	})
}

func TestModelRestsAreBounded(t *testing.T) {
	p := newPool("a")
	use(t, p, model, OK(model))
	for i := range 3 * maxModels {
		use(t, p, fmt.Sprint("gemini-", i), Rest(fmt.Sprint("gemini-", i), NoModel, time.Hour))
		use(t, p, fmt.Sprint("gemini-t", i), Rest(fmt.Sprint("gemini-t", i), Throttled, time.Hour))
	}
	k := p.keys[0]
	if len(k.rests) != maxModels || len(k.group.ledgers) != maxModels {
		t.Errorf("%d rests and %d ledgers are kept", len(k.rests), len(k.group.ledgers))
	}
}

func TestManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool("a", "b", "c")
		outcomes := []Outcome{OK(model), None(), Fault(), Rest(model, RateLimited, time.Microsecond)}
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				for n := range 200 {
					l, err := p.Acquire(t.Context(), Want{Model: model}, time.Now().Add(time.Second))
					var e *NoneError
					if errors.As(err, &e) {
						continue
					}
					l.Done(outcomes[(i+n)%len(outcomes)])
				}
			})
		}
		wg.Wait()
		for _, s := range p.Snapshot() {
			if s.Inflight != 0 {
				t.Errorf("%+v", s)
			}
		}
	})
}

func TestNoRestIsShorterThanASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, model := range []string{model, ""} {
			p := newPool("a")
			use(t, p, "x", Rest(model, RateLimited, time.Nanosecond))
			if got := time.Until(none(t, p, model).Soonest); got != time.Second {
				t.Errorf("%q rests for %v", model, got)
			}
		}
	})
}
