package keys

import (
	"testing"
	"testing/synctest"
	"time"
)

// probed makes the probes that are due, and returns how long it was to the first of them.
func probed(t *testing.T, p *Pool, o Outcome, ok bool) time.Duration {
	t.Helper()
	began := time.Now()
	for len(p.Due(time.Now())) == 0 {
		if time.Since(began) > 24*time.Hour {
			t.Fatal("no key is due")
		}
		time.Sleep(time.Second)
	}
	for _, id := range p.Due(time.Now()) {
		l, err := p.Lend(id)
		if err != nil {
			t.Fatal(err)
		}
		l.Done(o)
		p.Probed(id, ok)
	}
	return time.Since(began)
}

func TestProbesOfADeadKeyGrowRare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool("a")
		use(t, p, model, Disable(Invalid))
		for _, want := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 16 * time.Minute, 32 * time.Minute, 64 * time.Minute, 128 * time.Minute, 256 * time.Minute, 6 * time.Hour, 6 * time.Hour} {
			if got := probed(t, p, Disable(Invalid), false); got != want {
				t.Errorf("probed after %v, want %v", got, want)
			}
		}
		if got := probed(t, p, None(), true); got != 6*time.Hour {
			t.Errorf("probed after %v", got)
		}
		use(t, p, model, Disable(Invalid)) // it was back, and served nobody
		if got := probed(t, p, None(), true); got != 6*time.Hour {
			t.Errorf("probed after %v", got)
		}
		use(t, p, model, OK(model))
		use(t, p, model, Disable(Invalid))
		if got := probed(t, p, None(), true); got != 30*time.Second {
			t.Errorf("probed after %v", got)
		}
	})
}

func TestAProbeClearsNoQuotaAndNoPersonsWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool("a", "b", "c")
		use(t, p, model, Rest(model, DayQuota, 20*time.Hour))
		use(t, p, model, Rest("", SpendCap, 20*time.Hour))
		id := p.Snapshot()[2].ID
		if err := p.Disable(id); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if due := p.Due(time.Now()); len(due) != 0 {
			t.Errorf("%q are due", due)
		}
		for _, s := range p.Snapshot() {
			p.Probed(s.ID, true)
		}
		if e := none(t, p, model); e.Disabled[ByHand] != 1 || e.Resting[DayQuota] != 1 || e.Resting[SpendCap] != 1 {
			t.Errorf("%v", e)
		}
	})
}
