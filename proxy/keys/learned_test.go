package keys

import (
	"testing"
	"testing/synctest"
	"time"
)

// dryTogether lets all keys meet the same limit, which they used up together.
func dryTogether(t *testing.T, p *Pool) {
	t.Helper()
	var leases []*Lease
	for range 12 {
		l, _ := tryTake(p, Want{Model: model})
		leases = append(leases, l)
	}
	for _, l := range leases[:10] {
		l.Done(OK(model))
	}
	for _, l := range leases[10:] {
		l.Done(Rest(model, RateLimited, 30*time.Second).Stating(model, Limits{Requests: 10}))
	}
}

func TestKeysThatRunDryTogetherTwiceAreOneProject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s, configured := keptPool("a", "b")
		begin()
		dryTogether(t, p)
		if l := p.Snapshot()[0].Learned; l != "" {
			t.Errorf("learned %s after one time", l)
		}
		time.Sleep(2 * time.Minute)
		dryTogether(t, p)
		states := p.Snapshot()
		if l := states[0].Learned; l == "" || l != states[1].Learned {
			t.Fatalf("%+v", states)
		}
		time.Sleep(2 * time.Minute)
		use(t, p, model, Rest(model, RateLimited, 30*time.Second).Stating(model, Limits{Requests: 10}))
		use(t, p, model, Rest(model, RateLimited, 30*time.Second)) // the other one is asked all the same, once
		time.Sleep(3 * time.Minute)
		use(t, p, model, Rest(model, RateLimited, 30*time.Second)) // from then on the guess is firm
		if e := none(t, p, model); !e.Only(RateLimited) || time.Until(e.Soonest) != 30*time.Second {
			t.Errorf("%v, soonest in %v", e, time.Until(e.Soonest))
		}
		use(t, p, "another", OK("another"))

		q := New(configured, p.options)
		q.Restore(s.all(t))
		if after := q.Snapshot(); after[0].Learned == "" || after[0].Learned != after[1].Learned {
			t.Errorf("another process knows %+v", after)
		}
		time.Sleep(learnedLife)
		if l := p.Snapshot()[0].Learned + q.Snapshot()[1].Learned; l != "" {
			t.Errorf("%s is still known after a day", l)
		}
	})
}

func TestWhoServesWhileTheOtherIsDryIsInAnotherProject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s, _ := keptPool("a", "b")
		begin()
		for range 2 {
			dryTogether(t, p)
			time.Sleep(2 * time.Minute)
		}
		use(t, p, model, Rest(model, RateLimited, 30*time.Second))
		time.Sleep(time.Second)
		use(t, p, model, OK(model)) // no failure that another key could save
		states := p.Snapshot()
		if states[0].Learned != "" || states[1].Learned != "" {
			t.Errorf("%+v", states)
		}
		for _, r := range s.all(t) {
			if r.Name == recordMates && !r.Gone {
				t.Errorf("%+v is still kept", r)
			}
		}
	})
}

// A day's quota is taken away from nobody on a guess.
func TestADaysQuotaIsNoGuess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool("a", "b", "c")
		p.lock()
		p.unite([]*group{p.keys[0].group, p.keys[1].group})
		p.mu.Unlock()
		first := use(t, p, model, Rest(model, DayQuota, 9*time.Hour).Stating(model, Limits{Day: 20}))
		for range 3 {
			if got := use(t, p, model, OK(model)); got != "c" {
				t.Errorf("key %s is asked before its turn", got)
			}
		}
		if l, e := tryTake(p, Want{Model: model, Only: otherOf(p, first)}); l == nil {
			t.Error(e)
		} else {
			l.Done(None())
		}
	})
}

// otherOf is the id of the first two keys' other one.
func otherOf(p *Pool, secret string) string {
	if p.keys[0].secret.Reveal() == secret {
		return p.keys[1].id
	}
	return p.keys[0].id
}
