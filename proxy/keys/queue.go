package keys

import (
	"context"
	"slices"
	"time"
)

// Who finds no key waits in the line of the model. Whenever something changes that may let somebody in, or time does, the line
// is gone through from its head: who can be served gets a lease, whoever came before; who cannot does not hold up those behind.
// For all others it is foreseen when their turn comes (agenda.go), counting those before them, and who would have to wait for
// longer than it wants to learns that at once.

// queue is the line of one model.
type queue struct {
	model   string
	waiters []*waiter // who came first is first
	timer   *time.Timer
}

type waiter struct {
	want  Want
	until time.Time
	due   time.Time // when its turn comes, as far as is known
	turn  chan turn // takes one
}

// turn is how a wait ends.
type turn struct {
	lease *Lease
	none  *NoneError
}

// Acquire leases a key that can serve the request, by the order of Want. Where none can now it waits for its turn, as long as
// that is known to come no later than until, and else answers at once with a *NoneError, as where no key sees the model. The
// other error is ctx's cause.
func (p *Pool) Acquire(ctx context.Context, want Want, until time.Time) (*Lease, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	p.lock()
	q := p.queues[want.Model]
	if q == nil {
		if k := p.choose(&want); k != nil {
			defer p.mu.Unlock()
			return p.lease(k, &want), nil
		}
		q = &queue{model: want.Model}
		p.queues[want.Model] = q
	}
	w := &waiter{want: want, until: until, turn: make(chan turn, 1)}
	q.waiters = append(q.waiters, w)
	p.serve(q)
	p.mu.Unlock()
	return p.wait(ctx, w)
}

// wait waits for the end of the wait.
func (p *Pool) wait(ctx context.Context, w *waiter) (*Lease, error) {
	select {
	case t := <-w.turn:
		return t.result()
	case <-ctx.Done():
	}
	p.lock()
	defer p.mu.Unlock()
	if q := p.queues[w.want.Model]; q != nil {
		q.waiters = slices.DeleteFunc(q.waiters, func(other *waiter) bool { return other == w })
		defer p.serve(q)
	}
	select {
	case t := <-w.turn:
		if t.lease != nil {
			p.unlease(t.lease)
		}
	default:
	}
	return nil, context.Cause(ctx)
}

func (t turn) result() (*Lease, error) {
	if t.lease != nil {
		return t.lease, nil
	}
	return nil, t.none
}

// serve goes through a line once, and sees to it that it is gone through again when the next one's turn comes.
func (p *Pool) serve(q *queue) {
	a := agenda{p: p, model: q.model}
	stuck := int64(-1) // prompts of so many tokens, or more, found no key
	kept := q.waiters[:0]
	for _, w := range q.waiters {
		if !w.want.plain() || stuck < 0 || int64(w.want.Tokens) < stuck {
			if k := p.choose(&w.want); k != nil {
				w.turn <- turn{lease: p.lease(k, &w.want)}
				a.leased(k.group, int64(w.want.Tokens))
				continue
			}
			if w.want.plain() {
				stuck = int64(w.want.Tokens)
			}
		}
		if w.due = a.next(w); w.due.IsZero() || w.due.After(w.until) || a.seesNone(w) {
			w.turn <- turn{none: p.none(&w.want, w.due)}
			continue
		}
		a.enter(w)
		kept = append(kept, w)
	}
	a.end()
	clear(q.waiters[len(kept):])
	q.waiters = kept
	p.schedule(q)
}

// serveAll goes through all lines.
func (p *Pool) serveAll() {
	for _, q := range p.queues {
		p.serve(q)
	}
}

// serveModel goes through the line of a model, or through all if that is "".
func (p *Pool) serveModel(model string) {
	if model == "" {
		p.serveAll()
	} else if q := p.queues[model]; q != nil {
		p.serve(q)
	}
}

// tooSoon keeps a line whose foresight was wrong from being gone through without a pause.
const tooSoon = 5 * time.Millisecond

// schedule sets the line's timer. A line without anybody goes.
func (p *Pool) schedule(q *queue) {
	if q.timer != nil {
		q.timer.Stop()
	}
	if len(q.waiters) == 0 {
		if p.queues[q.model] == q {
			delete(p.queues, q.model)
		}
		return
	}
	due := slices.MinFunc(q.waiters, func(a, b *waiter) int { return a.due.Compare(b.due) }).due
	pause := max(due.Sub(p.moment.now), tooSoon)
	if q.timer != nil {
		q.timer.Reset(pause)
		return
	}
	q.timer = time.AfterFunc(pause, func() {
		p.lock()
		defer p.mu.Unlock()
		if p.queues[q.model] == q {
			p.serve(q)
		}
	})
}
