package main

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// figures are what one run measured. Times are in milliseconds, processor time in microseconds.
type figures struct {
	Requests    int     `json:"requests"`
	Errors      int     `json:"errors"`
	Error       string  `json:"error,omitempty"` // the first
	PerSecond   float64 `json:"requests_per_second"`
	CPU         float64 `json:"cpu_us_per_request"`
	ChunkCPU    float64 `json:"cpu_us_per_chunk,omitempty"`
	P50         float64 `json:"p50_ms"`
	P99         float64 `json:"p99_ms"`
	First       float64 `json:"first_p50_ms"` // until the first text
	ChunkP50    float64 `json:"chunk_p50_ms,omitempty"`
	ChunkP99    float64 `json:"chunk_p99_ms,omitempty"`
	ChunkMax    float64 `json:"chunk_max_ms,omitempty"`
	RSS         float64 `json:"rss_mb"` // the highest
	StreamKB    float64 `json:"rss_kb_per_stream,omitempty"`
	Connections int64   `json:"upstream_connections"`
}

// series are the runs of one candidate under one workload by clients of one shape.
type series struct {
	Workload  string    `json:"workload"`
	Shape     string    `json:"shape"`
	Candidate string    `json:"candidate"`
	Runs      []figures `json:"runs"`
}

// bench runs everything: for each workload the candidates in turns, each round in another order, so that neither what the
// machine does meanwhile nor what ran before falls on one of them alone.
type bench struct {
	upstream   string
	candidates []candidate
	workloads  []workload
	shapes     []shape
	rounds     int
	say        func(format string, args ...any)
}

func (b *bench) run() ([]*series, error) {
	var all []*series
	for _, w := range b.workloads {
		for _, s := range b.shapes {
			rows := make([]*series, len(b.candidates))
			for i, c := range b.candidates {
				rows[i] = &series{Workload: w.name, Shape: s.String(), Candidate: c.name}
			}
			if err := b.rotate(w, s, rows); err != nil {
				return nil, err
			}
			all = append(all, rows...)
		}
	}
	return all, nil
}

func (b *bench) rotate(w workload, s shape, rows []*series) error {
	if err := tell(b.upstream, w.reply); err != nil {
		return err
	}
	for round := range b.rounds {
		for i := range b.candidates {
			at := (i + round) % len(b.candidates)
			run, err := b.one(b.candidates[at], w, s)
			if err != nil {
				return fmt.Errorf("%s of %s: %w", w.name, b.candidates[at].name, err)
			}
			b.say("%-8s %-9s %-8s round %d: %8.0f/s %8.1f us a request, p99 %.2f ms, %d errors %s",
				w.name, s, b.candidates[at].name, round+1, run.PerSecond, run.CPU, run.P99, run.Errors, run.Error)
			rows[at].Runs = append(rows[at].Runs, run)
		}
	}
	return nil
}

// warmup is how long a candidate is asked before it is measured.
const warmup = 300 * time.Millisecond

// one measures one candidate once.
func (b *bench) one(c candidate, w workload, s shape) (figures, error) {
	load := newClient(c, s, w, max(w.conns, 4096))
	defer load.close()
	opened, err := askSeen(b.upstream)
	if err != nil {
		return figures{}, err
	}
	if w.rounds == 0 {
		quick := *load
		quick.w.time = warmup
		drive(&quick)
	}
	before, err := usage(c, b.upstream)
	if err != nil {
		return figures{}, err
	}
	before.connections = opened.Connections // warm ones count
	peak := watchMemory(c.pid)
	l := drive(load)
	high := peak()
	after, err := usage(c, b.upstream)
	if err != nil {
		return figures{}, err
	}
	return l.figures(w, before, after, high), nil
}

// used is what a candidate has used so far.
type used struct {
	cpu         time.Duration
	memory      int64
	connections int64
}

func usage(c candidate, upstream string) (u used, err error) {
	for _, pid := range append([]int{c.pid}, c.more...) {
		spent, err := cpu(pid)
		if err != nil {
			return u, err
		}
		u.cpu += spent
	}
	if u.memory, err = memory(c.pid); err != nil {
		return u, err
	}
	s, err := askSeen(upstream)
	u.connections = s.Connections
	return u, err
}

// watchMemory looks at a process's memory now and then; the function that it returns tells the highest.
func watchMemory(pid int) func() int64 {
	stop, highest := make(chan struct{}), make(chan int64)
	go func() {
		var high int64
		ticker := time.NewTicker(100 * time.Millisecond)
		defer ticker.Stop()
		for {
			if now, err := memory(pid); err == nil { // the end of the run tells of a process that has gone
				high = max(high, now)
			}
			select {
			case <-ticker.C:
			case <-stop:
				highest <- high
				return
			}
		}
	}()
	return func() int64 { close(stop); return <-highest }
}

func (l *load) figures(w workload, before, after used, high int64) figures {
	f := figures{Requests: len(l.totals), Errors: l.errs, RSS: float64(high) / (1 << 20), Connections: after.connections - before.connections}
	if l.err != nil {
		f.Error = l.err.Error()
	}
	spent := float64((after.cpu - before.cpu).Microseconds())
	f.PerSecond = float64(f.Requests) / l.took.Seconds()
	f.CPU = spent / float64(max(f.Requests, 1))
	f.P50, f.P99, f.First = percentile(l.totals, 50), percentile(l.totals, 99), percentile(l.firsts, 50)
	if w.stream {
		f.ChunkCPU = spent / float64(max(l.chunks, 1))
	}
	if len(l.ages) > 0 {
		f.ChunkP50, f.ChunkP99, f.ChunkMax = percentile(l.ages, 50), percentile(l.ages, 99), percentile(l.ages, 100)
		f.StreamKB = float64(high-before.memory) / 1024 / float64(w.conns)
	}
	return f
}

// percentile is in milliseconds; it sorts all.
func percentile(all []time.Duration, p int) float64 {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return float64(all[min(len(all)*p/100, len(all)-1)].Microseconds()) / 1000
}

// median of numbers, and how far they spread.
func median(numbers []float64) (middle, low, high float64) {
	sorted := slices.Clone(numbers)
	slices.SortFunc(sorted, cmp.Compare)
	if len(sorted) == 0 {
		return 0, 0, 0
	}
	middle = sorted[len(sorted)/2]
	if len(sorted)%2 == 0 {
		middle = (middle + sorted[len(sorted)/2-1]) / 2
	}
	return middle, sorted[0], sorted[len(sorted)-1]
}
