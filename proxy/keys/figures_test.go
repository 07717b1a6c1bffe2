package keys

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
)

// google is an upstream in virtual time: projects with so many requests a minute, and the prefixes that they have cached.
type google struct {
	mu      sync.Mutex
	limit   int
	answers time.Duration
	asked   map[string][]time.Time    // by project
	refused map[string]int            // 429s by project
	cached  map[string]map[string]int // tokens by project and conversation
}

func newGoogle(limit int, answers time.Duration) *google {
	return &google{limit: limit, answers: answers, asked: map[string][]time.Time{}, refused: map[string]int{}, cached: map[string]map[string]int{}}
}

// project is that of a key such as "k3-of-p1".
func project(l *Lease) string {
	_, p, _ := strings.Cut(l.key.secret.Reveal(), "-of-")
	return p
}

// ask is one request with a lease; the outcome is what upstream makes of the answer.
func (g *google) ask(l *Lease) (o Outcome, served bool) {
	p := project(l)
	g.mu.Lock()
	now := time.Now()
	for len(g.asked[p]) > 0 && now.Sub(g.asked[p][0]) >= time.Minute {
		g.asked[p] = g.asked[p][1:]
	}
	if len(g.asked[p]) >= g.limit {
		g.refused[p]++
		wait := g.asked[p][0].Add(time.Minute).Sub(now)
		g.mu.Unlock()
		return Rest(model, RateLimited, wait).Stating(model, Limits{Requests: int64(g.limit)}), false
	}
	g.asked[p] = append(g.asked[p], now)
	g.mu.Unlock()
	time.Sleep(g.answers)
	return OK(model), true
}

// request makes a request as proxy's tries do: on with the next key until one serves or none is left.
func request(t *testing.T, p *Pool, g *google, want Want, patience time.Duration) (waited time.Duration, none *NoneError) {
	began := time.Now()
	for {
		l, err := p.Acquire(t.Context(), want, began.Add(patience))
		if err != nil {
			if !errors.As(err, &none) {
				t.Error(err)
			}
			return time.Since(began), none
		}
		leased := time.Since(began)
		o, served := g.ask(l)
		l.Done(o)
		if served {
			return leased, nil
		}
		want.Avoid = append(want.Avoid, l.KeyID())
	}
}

// projects makes a pool of keys, so many of each project; declared ones are said to be groups.
func projects(n, each int, declared bool) *Pool {
	var configured []config.Key
	for i := range n {
		for k := range each {
			c := config.Key{Secret: config.NewSecret(fmt.Sprintf("k%d-of-p%d", k, i))}
			if declared {
				c.Group = fmt.Sprint("p", i)
			}
			configured = append(configured, c)
		}
	}
	return New(configured, Options{MaxFailures: 3, CoolingPeriod: 5 * time.Minute})
}

// atRest fails the test if a pool that nobody uses any more still holds something of those who did; that no goroutine is left,
// synctest sees to.
func (p *Pool) atRest(t *testing.T) {
	t.Helper()
	p.lock()
	defer p.mu.Unlock()
	if p.busy != 0 || len(p.queues) != 0 || len(p.pending) != 0 || len(p.moved.recent)+len(p.moved.old) > 2*maxMoved {
		t.Errorf("%d leases, %d lines, %d records are left", p.busy, len(p.queues), len(p.pending))
	}
	for _, k := range p.keys {
		if k.inflight != 0 || k.group.held || k.group.plan != nil || len(k.group.ledgers) > p.room() {
			t.Errorf("key %s has %d under way, and %d models", k.id, k.inflight, len(k.group.ledgers))
		}
	}
}

// Five projects of ten requests a minute, driven at 45 a minute for an hour.
func TestQuotaIsUsedWithoutAFailure(t *testing.T) {
	f := func(each int, conversations int) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			p, g := projects(5, each, true), newGoogle(10, 2*time.Second)
			var wg sync.WaitGroup
			var longest time.Duration
			var mu sync.Mutex
			for i := range 45 * 60 {
				want := Want{Model: model}
				if conversations > 0 {
					want.Conversation = fmt.Sprint("conversation ", i%conversations)
				}
				wg.Go(func() {
					waited, none := request(t, p, g, want, 75*time.Second)
					if none != nil {
						t.Errorf("request %d: %v", i, none)
					}
					mu.Lock()
					defer mu.Unlock()
					longest = max(longest, waited)
				})
				time.Sleep(time.Minute / 45)
			}
			wg.Wait()
			p.atRest(t)
			total := 0
			for project, n := range g.refused {
				if total += n; n > 1 {
					t.Errorf("project %s refused %d times", project, n)
				}
			}
			t.Logf("keys a project %d, conversations %d: 2700 requests, %d times 429 upstream, longest wait %v", each, conversations, total, longest)
		})
	}
	f(1, 0)
	f(1, 20)
	f(3, 0)
	f(3, 20)
}

// The same at sixty a minute, which is more than there is: everybody is served in turn or told the exact truth.
func TestTooMuchIsServedInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, g := projects(5, 2, true), newGoogle(10, 2*time.Second)
		type result struct {
			came, served time.Time
			soonest      time.Time
		}
		results := make([]result, 60*60)
		var wg sync.WaitGroup
		began := time.Now()
		for i := range results {
			results[i].came = time.Now()
			wg.Go(func() {
				waited, none := request(t, p, g, Want{Model: model}, 75*time.Second)
				if none != nil {
					results[i].soonest = none.Soonest
					if waited != 0 {
						t.Errorf("request %d was told so after %v", i, waited)
					}
					return
				}
				results[i].served = results[i].came.Add(waited)
			})
			time.Sleep(time.Second)
		}
		wg.Wait()
		p.atRest(t)
		served, told, longest := 0, 0, time.Duration(0)
		var last time.Time
		for i, r := range results {
			if r.served.IsZero() {
				told++
				if wait := r.soonest.Sub(r.came); wait <= 75*time.Second || wait > 77*time.Second+time.Minute {
					t.Errorf("request %d was told to come back in %v", i, wait)
				}
				continue
			}
			served++
			longest = max(longest, r.served.Sub(r.came))
			if r.served.Before(last) {
				t.Errorf("request %d was served before an earlier one", i)
			}
			last = r.served
		}
		for project, n := range g.refused {
			if n > 1 {
				t.Errorf("project %s refused %d times", project, n)
			}
		}
		if longest > 75*time.Second || served < 49*59 {
			t.Errorf("%d served, the longest wait %v", served, longest)
		}
		t.Logf("3600 requests in %v: %d served, %d told when, longest wait %v, 429s upstream %v", time.Since(began), served, told, longest, g.refused)
	})
}

// What is foreseen holds: whoever comes back at Soonest, with nobody else there, is served at once.
func TestSoonestIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, g := projects(3, 1, true), newGoogle(7, 100*time.Millisecond)
		random := rand.New(rand.NewPCG(1, 2))
		for range 300 {
			want := Want{Model: model}
			_, none := request(t, p, g, want, 0)
			if none != nil {
				early := time.Until(none.Soonest) - time.Millisecond
				time.Sleep(early)
				if _, again := request(t, p, g, want, 0); again == nil {
					t.Fatalf("served before %v", none.Soonest)
				}
				time.Sleep(time.Millisecond)
				if _, again := request(t, p, g, want, 0); again != nil {
					t.Fatalf("not served at %v, but at %v", none.Soonest, again.Soonest)
				}
			}
			time.Sleep(time.Duration(random.Int64N(int64(3 * time.Second))))
		}
	})
}

// Keys of one project that nobody grouped: it is learned, and then they cost next to no refusals.
func TestUndeclaredProjectsAreLearned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, g := projects(3, 6, false), newGoogle(10, time.Second)
		perHour := func() (refused int) {
			before := 0
			for _, n := range g.refused {
				before += n
			}
			var wg sync.WaitGroup
			for range 60 * 35 {
				wg.Go(func() {
					request(t, p, g, Want{Model: model}, 75*time.Second)
				})
				time.Sleep(time.Minute / 35)
			}
			wg.Wait()
			for _, n := range g.refused {
				refused += n
			}
			return refused - before
		}
		first, second := perHour(), perHour()
		groups := map[string]string{}
		for _, k := range p.keys {
			_, project, _ := strings.Cut(k.secret.Reveal(), "-of-")
			if l := k.group.mates(time.Now()); l != nil {
				if other, known := groups[l.name]; known && other != project {
					t.Errorf("%s has keys of %s and %s", l.name, other, project)
				}
				groups[l.name] = project
			}
		}
		t.Logf("18 keys of 3 projects, driven at 35 a minute of which 30 can be: %d refusals in the first hour, %d in the second; learned %v", first, second, groups)
		if second > first/4 || second > 60 || len(groups) != 3 {
			t.Errorf("%d refusals in the first hour, %d in the second", first, second)
		}
	})
}

// Twenty conversations of thirty turns over eight keys: the prefix caches are those of one key, or nearly.
func TestPrefixCachesAreUsed(t *testing.T) {
	run := func(keys int, die func(turn int, p *Pool)) (tokens int) {
		synctest.Test(t, func(t *testing.T) {
			p := projects(keys, 1, false)
			seen := map[string]int{} // tokens of a conversation that a project has cached
			for turn := range 30 {
				die(turn, p)
				for c := range 20 {
					want := Want{Model: model, Conversation: fmt.Sprint("conversation ", c), Tokens: 1000 * (turn + 1)}
					l, err := p.Acquire(t.Context(), want, time.Now())
					if err != nil {
						t.Fatal(err)
					}
					place := fmt.Sprint(project(l), c)
					tokens += seen[place]
					seen[place] = want.Tokens
					time.Sleep(time.Second)
					l.Done(OK(model).Used(want.Tokens))
				}
			}
			p.atRest(t)
		})
		return tokens
	}
	nobody := func(int, *Pool) {}
	one := run(1, nobody)
	f := func(what string, keys int, die func(int, *Pool)) {
		t.Helper()
		got := run(keys, die)
		t.Logf("%s: %.1f %% of the cached tokens of one key", what, 100*float64(got)/float64(one))
		if got*100 < one*95 {
			t.Errorf("%s: %d cached tokens of %d", what, got, one)
		}
	}
	f("8 keys", 8, nobody)
	f("8 keys, two die", 8, func(turn int, p *Pool) {
		if turn == 10 || turn == 20 {
			l, err := p.Lend(p.keys[turn/10].id)
			if err != nil {
				t.Fatal(err)
			}
			l.Done(Disable(Invalid))
		}
	})
	f("8 keys, one rests for a while", 8, func(turn int, p *Pool) {
		if turn == 10 {
			l, err := p.Lend(p.keys[1].id)
			if err != nil {
				t.Fatal(err)
			}
			l.Done(Rest(model, RateLimited, time.Minute))
		}
	})
}
