package main

import (
	"sync"
	"time"
)

// load is what became of all requests of one run.
type load struct {
	mu     sync.Mutex
	totals []time.Duration
	firsts []time.Duration
	ages   []time.Duration // of chunks
	chunks int
	errs   int
	err    error // the first
	took   time.Duration
}

func (l *load) add(a answered, ages []time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a.err != nil {
		if l.errs++; l.err == nil {
			l.err = a.err
		}
		return
	}
	l.totals = append(l.totals, a.total)
	l.firsts = append(l.firsts, a.first)
	l.ages = append(l.ages, ages...)
	l.chunks += a.chunks
}

// drive puts a workload on a candidate and waits for its end.
func drive(c *client) *load {
	l := &load{}
	began := time.Now()
	if c.w.rate > 0 {
		l.open(c, began)
	} else {
		l.closed(c, began)
	}
	l.took = time.Since(began)
	return l
}

// closed has every client ask again once it has its answer. Many clients begin one after the other, as they would.
func (l *load) closed(c *client, began time.Time) {
	var clients sync.WaitGroup
	for i := range c.w.conns {
		clients.Go(func() {
			if c.w.conns > 100 {
				time.Sleep(time.Duration(i) * time.Second / time.Duration(c.w.conns))
			}
			for n := 0; c.w.rounds == 0 && time.Since(began) < c.w.time || n < c.w.rounds; n++ {
				l.one(c, time.Now())
			}
		})
	}
	clients.Wait()
}

// open begins requests when they are due, whatever became of those before: a candidate that is slow does not get fewer, and
// what waits for it counts.
func (l *load) open(c *client, began time.Time) {
	var asked sync.WaitGroup
	gap := time.Second / time.Duration(c.w.rate)
	for i := range int(c.w.time / gap) {
		due := began.Add(time.Duration(i) * gap)
		time.Sleep(time.Until(due))
		asked.Go(func() { l.one(c, due) })
	}
	asked.Wait()
}

func (l *load) one(c *client, due time.Time) {
	var ages []time.Duration
	var seen func(time.Duration)
	if c.w.reply.Pace > 0 {
		ages = make([]time.Duration, 0, c.w.reply.Chunks)
		seen = func(age time.Duration) { ages = append(ages, age) }
	}
	l.add(c.ask(due, seen), ages)
}
