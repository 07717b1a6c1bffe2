package keys

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
)

// begin waits for the beginning of a second, where the windows' buckets begin.
func begin() { time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second))) }

func tryTake(p *Pool, want Want) (*Lease, *NoneError) {
	l, err := p.Acquire(context.Background(), want, time.Now())
	var e *NoneError
	errors.As(err, &e)
	return l, e
}

// teach lets a key learn limits of the model, without a rest.
func teach(t *testing.T, p *Pool, limits Limits) {
	t.Helper()
	use(t, p, model, None().Stating(model, limits))
}

func TestNoLeaseGoesBeyondALimitOfRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool("a")
		begin()
		teach(t, p, Limits{Requests: 10}) // the first of the ten
		time.Sleep(20 * time.Second)
		for range 9 {
			use(t, p, model, OK(model))
		}
		e := none(t, p, model)
		if time.Until(e.Soonest) != 41*time.Second || !e.Only(RateLimited) {
			t.Errorf("soonest in %v: %v", time.Until(e.Soonest), e)
		}
		use(t, p, "another", OK("another"))
		time.Sleep(41 * time.Second)
		use(t, p, model, OK(model))
		if e := none(t, p, model); time.Until(e.Soonest) != 20*time.Second {
			t.Errorf("then soonest in %v", time.Until(e.Soonest))
		}
	})
}

func TestNoLeaseGoesBeyondALimitOfTheDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool("a")
		teach(t, p, Limits{Day: 3})
		use(t, p, model, OK(model))
		use(t, p, model, OK(model))
		e := none(t, p, model)
		if want := NextDay(time.Now()).Add(jitter("a")); !e.Soonest.Equal(want) || !e.Only(DayQuota) || !e.ForHours() {
			t.Errorf("soonest at %v, want %v: %v", e.Soonest, want, e)
		}
		time.Sleep(time.Until(e.Soonest))
		use(t, p, model, OK(model))
	})
}

func TestTokensOfAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool("a")
		begin()
		teach(t, p, Limits{Tokens: 1000})
		l, _ := tryTake(p, Want{Model: model, Tokens: 700})
		f := func(tokens int, soonest time.Duration) {
			t.Helper()
			got, e := tryTake(p, Want{Model: model, Tokens: tokens})
			if soonest == 0 && got != nil {
				got.Done(None())
			}
			if (got != nil) != (soonest == 0) || e != nil && time.Until(e.Soonest) != soonest {
				t.Errorf("%d tokens: %v, %v", tokens, got, e)
			}
		}
		f(301, 61*time.Second)
		f(300, 0)
		f(1, 61*time.Second)
		l.Done(OK(model).Used(100)) // 600 were too many
		f(601, 61*time.Second)
		f(600, 0)
		time.Sleep(61 * time.Second)
		f(1400, 0) // an estimate may be wrong: it gets its chance in an empty minute
		f(1, 61*time.Second)
		time.Sleep(61 * time.Second)
		_, e := tryTake(p, Want{Model: model, Tokens: 1501})
		if e == nil || !e.TooLong() || e.Limit != 1000 || !e.Soonest.IsZero() {
			t.Errorf("%+v", e)
		}
		if _, e = tryTake(p, Want{Model: model, Tokens: 1400, Above: 1000}); e == nil || !e.TooLong() {
			t.Errorf("Google said that it is too long: %+v", e)
		}
	})
}

// What Google refused takes no room from what comes next.
func TestARefusedPromptLeavesItsRoom(t *testing.T) {
	f := func(o Outcome, want int64) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			p := newPool("a", "b")
			l, e := tryTake(p, Want{Model: model, Tokens: 1400})
			if e != nil {
				t.Fatal(e)
			}
			l.Done(o)
			if got := p.ids[l.KeyID()].group.ledgers[model].usage(&p.moment); got.Tokens != want {
				t.Errorf("%+v of %v, want %d tokens", got, o, want)
			}
		})
	}
	f(TooLong().Stating(model, Limits{Tokens: 1000}), 0)
	f(Rest(model, Throttled, time.Minute), 0)
	f(Rest(model, RateLimited, time.Minute), 0)
	f(Disable(Invalid), 0)
	f(None(), 1400) // failed calls count, as Google says
	f(Fault(), 1400)
}

// An upgrade of the tier is noticed within a day.
func TestALimitIsForgottenADayAfterItWasNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool("a")
		teach(t, p, Limits{Requests: 1})
		time.Sleep(23 * time.Hour)
		teach(t, p, Limits{Requests: 1})
		none(t, p, model)
		time.Sleep(limitLife - time.Minute)
		use(t, p, model, OK(model))
		none(t, p, model)
		time.Sleep(time.Minute + time.Second)
		for range 5 {
			use(t, p, model, OK(model))
		}
	})
}

func TestARepeatedCallCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool("a")
		teach(t, p, Limits{Requests: 4})
		l, _ := take(t, p, model)
		for range 3 {
			l.Authorize(map[string][]string{})
		}
		none(t, p, model)
		l.Done(OK(model))
	})
}

func TestTheKeyWithTheMostRoomComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool("a", "b", "c")
		for _, l := range []Limits{{Requests: 4}, {Requests: 10}, {Day: 2}} { // 3/4, 9/10 and 1/2 are left
			teach(t, p, l)
		}
		var got string
		for range 6 {
			got += use(t, p, model, OK(model))
		}
		if got != "bbabbc" {
			t.Errorf("keys %s", got)
		}
		// without a difference, the one with the least under way
		q := newPool("a", "b")
		one, first := take(t, q, model)
		two, _ := take(t, q, model)
		two.Done(OK(model))
		use(t, q, "x", None()) // the turn is with the busy one
		if _, next := take(t, q, model); next == first {
			t.Errorf("the busy key %s was taken", next)
		}
		one.Done(OK(model))
	})
}

func TestWindow(t *testing.T) {
	var w window
	w.move(1000)
	w.add(1000, 1, 10)
	w.add(1030, 2, 20)
	if w.requests != 3 || w.tokens != 30 {
		t.Errorf("%d, %d", w.requests, w.tokens)
	}
	f := func(sec int64, limits Limits, tokens, want int64) {
		t.Helper()
		if got := w.next(sec, limits, tokens); got != want {
			t.Errorf("%+v from %d: %d, want %d", limits, sec, got, want)
		}
	}
	f(1030, Limits{}, 5, 1030)
	f(1030, Limits{Requests: 4}, 5, 1030)
	f(1030, Limits{Requests: 3}, 5, 1061)
	f(1030, Limits{Requests: 2}, 5, 1091)
	f(1070, Limits{Requests: 3}, 5, 1070)
	f(1030, Limits{Tokens: 34}, 5, 1061)
	f(1030, Limits{Tokens: 24}, 5, 1091)
	w.correct(1030, 0, -100)
	w.correct(900, 0, 100)
	if w.tokens != 10 {
		t.Errorf("%d tokens", w.tokens)
	}
	w.move(1060)
	if w.requests != 3 {
		t.Error("forgotten too early")
	}
	w.move(1061)
	if w.requests != 2 {
		t.Error("kept for too long")
	}
	w.move(5000)
	if w.requests != 0 || w.tokens != 0 {
		t.Error("kept for good")
	}
	w.move(4000) // a clock that was set back
	w.add(4000, 1, 1)
	if w.requests != 1 {
		t.Error("lost with the clock")
	}
}

// A clock that is set back, or forward, holds no key for longer than it should.
func TestAClockThatIsSet(t *testing.T) {
	p := newPool("a")
	wall := time.Date(2026, 11, 30, 0, 30, 0, 0, pacific())
	steady := wall
	p.clock = func() (time.Time, time.Time) { return wall, steady }
	pass := func(d time.Duration) { wall, steady = wall.Add(d), steady.Add(d) }
	soonest := func(want time.Duration) {
		t.Helper()
		_, err := p.Acquire(t.Context(), Want{Model: model}, wall)
		var e *NoneError
		if !errors.As(err, &e) || e.Soonest.Sub(wall) != want {
			t.Errorf("%+v, not in %v", e, want)
		}
	}
	teach(t, p, Limits{Requests: 2})
	pass(10 * time.Second)
	use(t, p, model, OK(model))
	soonest(51 * time.Second)
	wall = wall.Add(-time.Hour)
	soonest(51 * time.Second)
	pass(51 * time.Second)
	use(t, p, model, OK(model))
	wall = wall.Add(7 * time.Hour)
	soonest(10 * time.Second)
	wall = time.Date(2026, 11, 30, 0, 30, 0, 0, pacific())
	pass(limitLife - 51*time.Second)
	for range 3 { // the limit was named a day ago
		use(t, p, model, OK(model))
	}
	teach(t, p, Limits{Day: 1})
	soonest(NextDay(wall).Add(jitter("a")).Sub(wall))
	wall = time.Date(2026, 11, 30, 23, 30, 0, 0, pacific())
	use(t, p, model, OK(model)) // another day
	soonest(30*time.Minute + jitter("a"))
}

// Midnight is on the wall, whatever a machine that slept counted; a span is not.
func TestWhichClockARestEndsBy(t *testing.T) {
	p := newPool("a")
	f := func(reason Reason, wall bool) {
		t.Helper()
		use(t, p, model, Rest(model, reason, time.Hour))
		until := p.keys[0].group.restOf(model).until
		if (until == until.Round(0)) != wall {
			t.Errorf("%v: %v", reason, until)
		}
		if err := p.Reset(ID(config.NewSecret("a"))); err != nil {
			t.Fatal(err)
		}
	}
	f(DayQuota, true)
	f(RateLimited, false)
}
