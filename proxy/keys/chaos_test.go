package keys

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
)

// verdicts are what may become of a request with a bad key: the key's own, its project's, the service's, and those of nobody.
func verdicts(m string) []Outcome {
	return []Outcome{
		Disable(Invalid), Disable(Leaked), Disable(Blocked), Disable(Suspended), Disable(NoBilling), Disable(ServiceOff),
		Rest(m, DayQuota, 5*time.Hour).Stating(m, Limits{Day: 20}), Rest(m, RateLimited, 12940*time.Millisecond).Stating(m, Limits{Requests: 10}),
		Rest(m, RateLimited, 30*time.Second).Stating(m, Limits{Tokens: 250000}), Rest(m, NoAccess, 24*time.Hour), Rest(m, NoModel, 6*time.Hour),
		Rest(m, Throttled, 5*time.Second, 10*time.Second), Rest("", SpendCap, 10*time.Minute, time.Hour), Rest("", Depleted, time.Hour),
		Fault(), None(),
	}
}

// away is what chaos knows of a key's verdicts: until when it must not be asked for a model.
type awayUntil struct {
	mu    sync.Mutex
	until map[string]time.Time // by key and model; "" is all
}

func (a *awayUntil) note(id, model string, o Outcome) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch o.kind {
	case outcomeDisable:
		a.until[id+" "] = time.Now().Add(1000 * time.Hour)
	case outcomeRest:
		of := id + " " + o.model
		a.until[of] = later(a.until[of], time.Now().Add(o.steps[0]))
	}
}

func (a *awayUntil) barred(id, model string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return time.Now().Before(a.until[id+" "]) || time.Now().Before(a.until[id+" "+model])
}

// Half of two hundred keys fail at random in every way there is: no request does while a key in order remains, and no key is
// asked between a verdict and the end of its rest.
func TestChaos(t *testing.T) {
	for seed := range uint64(4) {
		synctest.Test(t, func(t *testing.T) { chaos(t, seed) })
	}
}

func chaos(t *testing.T, seed uint64) {
	p, s, configured := chaosPool()
	known := &awayUntil{until: map[string]time.Time{}}
	var wg sync.WaitGroup
	random := rand.New(rand.NewPCG(seed, 7))
	for i := range 5000 {
		r := rand.New(rand.NewPCG(seed, random.Uint64()))
		wg.Go(func() {
			m := fmt.Sprint("model ", r.IntN(3))
			want := Want{Model: m, Tokens: r.IntN(1000)}
			if r.IntN(2) == 0 {
				want.Conversation = fmt.Sprint(r.IntN(40))
			}
			for {
				l, err := p.Acquire(t.Context(), want, time.Now())
				if err != nil {
					t.Errorf("request %d: %v", i, err)
					return
				}
				if known.barred(l.KeyID(), m) {
					t.Errorf("request %d: key %s was asked during its rest", i, l.KeyID())
				}
				time.Sleep(time.Duration(r.IntN(2000)) * time.Millisecond)
				if bad := p.ids[l.KeyID()].label == "bad"; !bad || r.IntN(3) == 0 {
					l.Done(OK(m).Used(r.IntN(1000)))
					return
				}
				o := verdicts(m)[r.IntN(len(verdicts(m)))]
				l.Done(o)
				known.note(l.KeyID(), m, o)
				want.Avoid = append(want.Avoid, l.KeyID())
			}
		})
		time.Sleep(time.Duration(random.IntN(50)) * time.Millisecond)
	}
	wg.Wait()
	if p.busy != 0 {
		t.Errorf("%d leases are out", p.busy)
	}
	q := New(configured, p.options)
	q.Restore(s.all(t))
	for i, after := range q.Snapshot() {
		before := p.Snapshot()[i]
		if before.Inflight != 0 || before.State != after.State || before.Reason != after.Reason || !sameRests(before.Rests, after.Rests) {
			t.Errorf("before %+v\nafter  %+v", before, after)
		}
		if before.Label == "good" && before.State != Healthy {
			t.Errorf("%+v", before)
		}
	}
}

// chaosPool has keys in order, keys that are not, and projects of such ones.
func chaosPool() (*Pool, *shelf, []config.Key) {
	var configured []config.Key
	for i := range 200 {
		k := config.Key{Secret: config.NewSecret(fmt.Sprint("key ", i)), Label: "good"}
		if i%2 == 0 {
			k.Label = "bad"
			if i%8 == 0 {
				k.Group = fmt.Sprint("g", i/40)
			}
		}
		configured = append(configured, k)
	}
	s := &shelf{records: map[recordID]string{}}
	return New(configured, Options{MaxFailures: 3, CoolingPeriod: 5 * time.Minute, Keeper: s}), s, configured
}

// Faults of requests and of the service reach nobody but their client.
func TestFaultsOfRequestsRestNobody(t *testing.T) {
	p, s, _ := chaosPool()
	for range 5000 {
		l, err := p.Acquire(t.Context(), Want{Model: model}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		l.Done(None())
	}
	for _, status := range p.Snapshot() {
		if status.State != Healthy {
			t.Errorf("%+v", status)
		}
	}
	if s.calls != 0 {
		t.Errorf("%d changes were kept", s.calls)
	}
}

// Everything at once, under the race detector: keys come and go, people and probes interfere, clients leave.
func TestEverythingAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _, configured := chaosPool()
		configured = configured[:20]
		p.Replace(configured, p.options)
		var wg sync.WaitGroup
		for i := range 16 {
			r := rand.New(rand.NewPCG(uint64(i), 3))
			wg.Go(func() {
				for range 150 {
					interfere(t, p, configured, r)
				}
			})
		}
		wg.Wait()
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.busy != 0 || len(p.queues) != 0 {
			t.Errorf("%d leases are out, %d lines are left", p.busy, len(p.queues))
		}
	})
}

func interfere(t *testing.T, p *Pool, configured []config.Key, r *rand.Rand) {
	id := ID(configured[r.IntN(len(configured))].Secret)
	switch r.IntN(12) {
	case 0:
		p.Replace(configured[:10+r.IntN(11)], p.optionsNow())
	case 1:
		_ = p.Disable(id) // it may not be there
	case 2, 3:
		_ = p.Enable(id)
	case 4:
		_ = p.Reset(id)
	case 5:
		p.Probed(id, r.IntN(2) == 0)
	default:
		want := Want{Model: fmt.Sprint("model ", r.IntN(2)), Tokens: r.IntN(300000)}
		l, err := p.Acquire(t.Context(), want, time.Now().Add(time.Duration(r.IntN(90))*time.Second))
		var none *NoneError
		if err != nil && !errors.As(err, &none) {
			t.Error(err)
		}
		if l == nil {
			return
		}
		time.Sleep(time.Duration(r.IntN(5000)) * time.Millisecond)
		all := append(verdicts(want.Model), OK(want.Model), OK(want.Model).Used(r.IntN(300000)))
		l.Done(all[r.IntN(len(all))])
	}
}

func (p *Pool) optionsNow() Options {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.options
}
