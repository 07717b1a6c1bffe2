package keys

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
)

// shelf is a Keeper in memory, which keeps what a store would: the last record of each identity, as JSON.
type shelf struct {
	mu      sync.Mutex
	records map[recordID]string
	calls   int
	fails   error
}

func (s *shelf) KeepKeys(changed []Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if s.fails != nil {
		return s.fails
	}
	for _, r := range changed {
		text, err := json.Marshal(r)
		if err != nil {
			return err
		}
		s.records[r.id()] = string(text)
	}
	return nil
}

// all reads the records back.
func (s *shelf) all(t *testing.T) (records []Record) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, text := range s.records {
		r := Record{Owner: id.owner, Model: id.model, Name: id.name}
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			t.Fatal(err)
		}
		records = append(records, r)
	}
	return records
}

func (s *shelf) live(t *testing.T) (words []string) {
	for _, r := range s.all(t) {
		if !r.Gone {
			words = append(words, fmt.Sprintf("%s %s %s %s", r.Owner, r.Name, r.Model, r.Reason))
		}
	}
	return slices.Sorted(slices.Values(words))
}

func keptPool(names ...string) (*Pool, *shelf, []config.Key) {
	s := &shelf{records: map[recordID]string{}}
	var configured []config.Key
	for _, name := range names {
		k := config.Key{Secret: config.NewSecret(name)}
		if len(name) > 1 {
			k.Group = name[1:]
		}
		configured = append(configured, k)
	}
	return New(configured, Options{MaxFailures: 2, CoolingPeriod: 5 * time.Minute, Keeper: s}), s, configured
}

// Whatever changes is kept before the call returns, and a new process knows it.
func TestEveryChangeOutlivesTheProcess(t *testing.T) {
	a, bg, cg := ID(config.NewSecret("a")), "group=g", ID(config.NewSecret("cg"))
	f := func(want string, change func(p *Pool) error) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			p, s, configured := keptPool("a", "bg", "cg")
			if err := change(p); err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(s.live(t)); got != "["+want+"]" {
				t.Errorf("kept %s, want %s", got, want)
			}
			q := New(configured, Options{MaxFailures: 2, CoolingPeriod: 5 * time.Minute})
			q.Restore(s.all(t))
			before, after := p.Snapshot(), q.Snapshot()
			for i := range before {
				b, a := &before[i], &after[i]
				b.Requests, b.Failures, b.Limits = 0, 0, unused(b.Limits)
				if b, a := fmt.Sprintf("%+v", *b), fmt.Sprintf("%+v", *a); b != a {
					t.Errorf("before %+v\nafter  %+v", b, a)
				}
			}
		})
	}
	on := func(id string, outcomes ...Outcome) func(p *Pool) error {
		return func(p *Pool) error {
			for _, o := range outcomes {
				l, err := p.Acquire(t.Context(), Want{Model: "m", Only: id}, time.Now())
				if err != nil {
					return err
				}
				l.Done(o)
			}
			return nil
		}
	}
	f("", on(a, OK("m"), None()))
	f(a+" state  invalid", on(a, Disable(Invalid)))
	f(fmt.Sprintf("%s state  suspended %s state  suspended", cg, ID(config.NewSecret("bg"))), on(cg, Disable(Suspended)))
	f(a+" quota m rate_limited", on(a, Rest("m", RateLimited, time.Minute)))
	f(bg+" quota m day_quota", on(cg, Rest("m", DayQuota, time.Hour)))
	f(bg+" quota  spend_cap", on(cg, Rest("", SpendCap, time.Hour)))
	f(a+" rest m throttled", on(a, Rest("m", Throttled, time.Minute)))
	f(a+" rest  failing", on(a, Fault(), Fault()))
	f(fmt.Sprintf("%s limit.day m  %s limit.requests m  %s limit.tokens m ", bg, bg, bg), on(cg, None().Stating("m", Limits{1, 2, 3})))
	f(a+" hand  by_hand", func(p *Pool) error { return p.Disable(a) })
	f("", func(p *Pool) error { return errors.Join(p.Disable(a), p.Enable(a)) })
	f("", func(p *Pool) error {
		return errors.Join(on(cg, Rest("m", DayQuota, time.Hour).Stating("m", Limits{1, 2, 3}))(p), on(a, Disable(Invalid))(p), p.Reset(a), p.Reset(cg))
	})
	f("", func(p *Pool) error {
		err := on(a, Disable(Invalid))(p)
		p.Probed(a, true)
		return err
	})
	f("", func(p *Pool) error {
		err := on(a, Rest("m", RateLimited, time.Minute))(p)
		time.Sleep(time.Minute)
		return errors.Join(err, on(a, OK("m"))(p))
	})
}

// unused are limits without what was used of them, which is not kept.
func unused(limits []ModelLimit) []ModelLimit {
	for i := range limits {
		limits[i].Used = Limits{}
	}
	return limits
}

func TestWhatIsRemovedIsForgotten(t *testing.T) {
	p, s, configured := keptPool("a", "bg")
	use(t, p, model, Disable(Invalid))
	use(t, p, model, Rest(model, DayQuota, time.Hour).Stating(model, Limits{Day: 5}))
	p.Replace(configured[:1], p.options)
	p.Replace(configured, p.options)
	if got := s.live(t); len(got) != 1 {
		t.Errorf("%v", got)
	}
	if states := p.Snapshot(); states[0].Reason != Invalid || states[1].State != Healthy {
		t.Errorf("%+v", states)
	}
}

func TestReplaceKeepsWhatStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool("a", "b")
		use(t, p, model, Rest(model, RateLimited, time.Minute)) // a
		old, _ := take(t, p, model)                             // b
		proxy := &url.URL{Scheme: "http", Host: "proxy"}
		p.Replace([]config.Key{{Secret: config.NewSecret("c")}, {Secret: config.NewSecret("a"), Label: "new", Proxy: proxy}}, p.options)
		states := p.Snapshot()
		if len(states) != 2 || states[1].Label != "new" || states[1].Reason != RateLimited || states[0].State != Healthy {
			t.Errorf("%+v", states)
		}
		if old.Egress() != "" || p.Size() != 2 {
			t.Errorf("%q", old.Egress())
		}
		old.Done(Disable(Invalid)) // nobody is left to hear it
		if p.busy != 0 || p.able != 2 {
			t.Errorf("%d busy, %d able", p.busy, p.able)
		}
		time.Sleep(time.Minute)
		if l, secret := take(t, p, model); secret != "c" || l.Proxy() != nil {
			t.Errorf("key %s", secret)
		} else {
			l.Done(None())
		}
	})
}

// What the Keeper could not take is kept with the next change, and a person hears of it.
func TestAKeeperThatFails(t *testing.T) {
	p, s, _ := keptPool("a", "bg")
	s.fails = errors.New("the disk is full")
	use(t, p, model, Disable(Invalid))
	id := ID(config.NewSecret("bg"))
	if err := p.Disable(id); !errors.Is(err, s.fails) {
		t.Errorf("%v", err)
	}
	s.fails = nil
	if err := p.Enable(id); err != nil {
		t.Error(err)
	}
	if got := s.live(t); len(got) != 1 {
		t.Errorf("%v", got)
	}
}

// Changes of many goroutines are kept in their order: what is kept last is what is known last.
func TestTheLastWordIsKept(t *testing.T) {
	p, s, configured := keptPool("a", "b", "cg", "dg")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 100 {
				id := ID(configured[(i+n)%4].Secret)
				switch l, err := p.Lend(id); {
				case err != nil:
					t.Error(err)
				case n%3 == 0:
					l.Done(Disable(Invalid))
				case n%3 == 1:
					l.Done(Rest(model, RateLimited, time.Hour))
				default:
					l.Done(None())
					if err := p.Reset(id); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	q := New(configured, p.options)
	q.Restore(s.all(t))
	before, after := p.Snapshot(), q.Snapshot()
	for i := range before {
		if before[i].State != after[i].State || !sameRests(before[i].Rests, after[i].Rests) {
			t.Errorf("before %+v\nafter  %+v", before[i], after[i])
		}
	}
}

func sameRests(a, b []ModelRest) bool {
	return slices.EqualFunc(a, b, func(a, b ModelRest) bool { return a.Reason == b.Reason && a.Until.Equal(b.Until) })
}

// The records of one process are good for another of another version: what it does not know changes nothing.
func TestRestoreIgnoresWhatItDoesNotKnow(t *testing.T) {
	p := newPool("a")
	a := ID(config.NewSecret("a"))
	p.Restore([]Record{
		{Owner: "nobody", Name: recordState, Reason: "invalid"},
		{Owner: a, Name: "future", Reason: "invalid"},
		{Owner: a, Name: recordState, Reason: "some new reason"},
		{Owner: a, Model: model, Name: recordQuota, Reason: "another", Until: time.Now().Add(time.Hour)},
	})
	if s := p.Snapshot()[0]; s.State != Healthy {
		t.Errorf("%+v", s)
	}
	use(t, p, model, OK(model))
}

func TestReasonsHaveWordsAndCodes(t *testing.T) {
	codes := map[string]bool{}
	for r := range Reason(len(reasons)) {
		if codes[r.Code()] || r != NoReason && r.String() == "" || reasonOf(r.Code()) != r {
			t.Errorf("%d: %q, %q", r, r.Code(), r)
		}
		codes[r.Code()] = true
	}
	if n := len(slices.Collect(maps.Keys(codes))); n != len(reasons) {
		t.Error(n)
	}
}

// After a rollback a newer release's reasons may be in the file: a key is better asked once than never again.
func TestAnUnknownReasonKeepsNoKeyAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool("a")
		id := ID(config.NewSecret("a"))
		p.Restore([]Record{
			{Owner: id, Name: recordState, Reason: "of a newer release"},
			{Owner: id, Name: recordRest, Reason: "of a newer release", Until: time.Now().Add(time.Hour)},
			{Owner: id, Model: model, Name: recordQuota, Reason: "of a newer release", Until: time.Now().Add(time.Hour)},
			{Owner: id, Model: model, Name: "of a newer release"},
		})
		if s := p.Snapshot()[0]; s.State != Healthy {
			t.Errorf("%+v", s)
		}
		use(t, p, model, Disable(Invalid))
		none(t, p, model)
	})
}
