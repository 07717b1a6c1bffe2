package keys

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/config"
)

// line lets requests come one after another, a millisecond apart, and notes when each was served.
type line struct {
	t     *testing.T
	p     *Pool
	began time.Time
	wg    sync.WaitGroup
	mu    sync.Mutex
	log   []string
}

func newLine(t *testing.T, p *Pool) *line { return &line{t: t, p: p, began: time.Now()} }

func (l *line) note(words string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.log = append(l.log, fmt.Sprintf("%s@%d", words, int(time.Since(l.began).Seconds())))
}

func (l *line) come(name string, want Want, patience time.Duration) {
	ctx := l.t.Context()
	l.wg.Go(func() {
		lease, err := l.p.Acquire(ctx, want, time.Now().Add(patience))
		var e *NoneError
		switch {
		case errors.As(err, &e):
			l.note(fmt.Sprintf("%s:no,%d", name, int(time.Until(e.Soonest).Round(time.Second).Seconds())))
		case err != nil:
			l.note(name + ":" + err.Error())
		default:
			l.note(name + ":" + lease.key.secret.Reveal())
			lease.Done(OK(want.Model))
		}
	})
	time.Sleep(time.Millisecond)
}

func (l *line) want(want string) {
	l.t.Helper()
	l.wg.Wait()
	if got := strings.Join(l.log, " "); got != want {
		l.t.Errorf("got  %s\nwant %s", got, want)
	}
	l.p.mu.Lock()
	defer l.p.mu.Unlock()
	if len(l.p.queues) != 0 {
		l.t.Errorf("%d lines are left", len(l.p.queues))
	}
}

func TestWhoCameFirstIsServedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool("a")
		begin()
		teach(t, p, Limits{Requests: 2})
		time.Sleep(10 * time.Second)
		use(t, p, model, OK(model))
		l := newLine(t, p)
		for i := range 5 { // the places come at 51, 61, 112, 122, 173
			l.come(fmt.Sprint(i), Want{Model: model}, 130*time.Second)
		}
		l.want("4:no,173@0 0:a@51 1:a@61 2:a@112 3:a@122")
	})
}

// Those ahead count: who would have to wait for too long learns at once when its turn would be.
func TestTheForesightCountsThoseAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool("a", "b")
		begin()
		teach(t, p, Limits{Requests: 1})
		time.Sleep(time.Second)
		teach(t, p, Limits{Requests: 1})
		l := newLine(t, p)
		f := func(name string, patience int) { l.come(name, Want{Model: model}, time.Duration(patience)*time.Second) }
		f("0", 100)
		f("1", 100)
		f("2", 100) // the third in line: not before 121
		f("3", 122) // likewise, and nobody took that place
		l.want("2:no,121@0 0:a@60 1:b@61 3:a@121")
	})
}

func TestAWaiterThatAKeyCannotServeDoesNotBlockTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool("a", "b")
		use(t, p, model, Rest(model, RateLimited, 50*time.Second))
		use(t, p, model, Rest(model, RateLimited, 20*time.Second))
		l := newLine(t, p)
		l.come("only a", Want{Model: model, Only: ID(config.NewSecret("a"))}, time.Minute)
		l.come("any", Want{Model: model}, time.Minute)
		l.want("any:b@20 only a:a@50")
	})
}

// A large prompt at the head is not starved by small ones behind it.
func TestALargePromptIsNotStarved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool("a")
		begin()
		teach(t, p, Limits{Tokens: 1000})
		first, _ := tryTake(p, Want{Model: model, Tokens: 600})
		first.Done(OK(model))
		time.Sleep(30 * time.Second)
		second, _ := tryTake(p, Want{Model: model, Tokens: 300})
		second.Done(OK(model))
		l := newLine(t, p)
		l.come("large", Want{Model: model, Tokens: 700}, 5*time.Minute)
		for i := range 4 {
			time.Sleep(10 * time.Second)
			l.come(fmt.Sprint("small ", i), Want{Model: model, Tokens: 90}, 5*time.Minute)
		}
		l.wg.Wait()
		if !strings.HasPrefix(l.log[0], "large:a@31") {
			t.Errorf("%v", l.log)
		}
	})
}

func TestALineIsWokenByWhatPeopleDo(t *testing.T) {
	f := func(what func(p *Pool, id string), want string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			p := newPool("a", "b")
			use(t, p, model, Rest(model, RateLimited, 50*time.Second))
			use(t, p, model, Disable(Invalid))
			l := newLine(t, p)
			l.come("x", Want{Model: model}, time.Minute)
			time.AfterFunc(5*time.Second, func() { what(p, ID(config.NewSecret("b"))) })
			l.want(want)
		})
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	f(func(p *Pool, id string) {}, "x:a@50")
	f(func(p *Pool, id string) { must(p.Enable(id)) }, "x:b@5")
	f(func(p *Pool, id string) { must(p.Reset(id)) }, "x:b@5")
	f(func(p *Pool, id string) { p.Probed(id, true) }, "x:b@5")
	f(func(p *Pool, id string) { p.Restore([]Record{{Owner: id, Name: recordState, Gone: true}}) }, "x:b@5")
	f(func(p *Pool, id string) {
		p.Replace([]config.Key{{Secret: config.NewSecret("a")}, {Secret: config.NewSecret("c")}}, p.options)
	}, "x:c@5")
	f(func(p *Pool, id string) { must(p.Disable(ID(config.NewSecret("a")))) }, "x:no,-9223372036@5")
}

func TestAWaiterThatLeavesGivesItsPlaceBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool("a")
		begin()
		teach(t, p, Limits{Requests: 1})
		l := newLine(t, p)
		ctx, cancel := context.WithCancelCause(t.Context())
		gone := errors.New("gone")
		l.wg.Go(func() {
			if _, err := p.Acquire(ctx, Want{Model: model}, time.Now().Add(time.Hour)); !errors.Is(err, gone) {
				t.Error(err)
			}
		})
		synctest.Wait()
		l.come("next", Want{Model: model}, 200*time.Second)
		time.Sleep(30 * time.Second)
		cancel(gone)
		l.want("next:a@61")
	})
}

func TestAnEndedContextTakesNothing(t *testing.T) {
	p := newPool("a")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if l, err := p.Acquire(ctx, Want{Model: model}, time.Now()); l != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v", l, err)
	}
}

// What a newcomer costs where every key is dry and many wait already.
func BenchmarkNewcomer(b *testing.B) {
	for _, n := range []int{8, 200, 4096} {
		for _, waiting := range []int{0, 100} {
			b.Run(fmt.Sprintf("keys=%d/waiting=%d", n, waiting), func(b *testing.B) {
				p := bigPool(n)
				for range n {
					l, err := p.Acquire(b.Context(), Want{Model: model}, time.Time{})
					if err != nil {
						b.Fatal(err)
					}
					l.Done(Rest(model, RateLimited, time.Hour).Stating(model, Limits{Requests: 10}))
				}
				for range waiting {
					go func() {
						if l, err := p.Acquire(b.Context(), Want{Model: model}, time.Now().Add(20*time.Hour)); err == nil {
							l.Done(None())
						}
					}()
				}
				for {
					p.mu.Lock()
					q := p.queues[model]
					ready := waiting == 0 || q != nil && len(q.waiters) == waiting
					p.mu.Unlock()
					if ready {
						break
					}
				}
				for b.Loop() {
					if _, err := p.Acquire(b.Context(), Want{Model: model}, time.Time{}); err == nil {
						b.Fatal("served")
					}
				}
			})
		}
	}
}

// What one pass through a long line costs, by what keeps the keys away.
func BenchmarkPass(b *testing.B) {
	for _, limits := range []Limits{{}, {Requests: 10}, {Tokens: 250_000}} {
		for _, n := range []int{8, 200} {
			for _, waiting := range []int{1000, 5000} {
				b.Run(fmt.Sprintf("limits=%v/keys=%d/waiting=%d", limits, n, waiting), func(b *testing.B) {
					p := bigPool(n)
					for range n {
						l, err := p.Acquire(b.Context(), Want{Model: model}, time.Time{})
						if err != nil {
							b.Fatal(err)
						}
						l.Done(Rest(model, RateLimited, time.Hour).Stating(model, limits))
					}
					p.lock()
					defer p.mu.Unlock()
					q := &queue{model: model}
					p.queues[model] = q
					for i := range waiting {
						w := Want{Model: model, Tokens: 1000 + i*7919%9000, Conversation: fmt.Sprint(i)}
						q.waiters = append(q.waiters, &waiter{want: w, until: time.Now().Add(1000 * time.Hour), turn: make(chan turn, 1)})
					}
					for b.Loop() {
						if p.serve(q); len(q.waiters) != waiting {
							b.Fatal("somebody left the line")
						}
					}
				})
			}
		}
	}
}
