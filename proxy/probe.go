package proxy

import (
	"context"
	"sync"
	"time"
)

const (
	maxProbes = 4           // keys that are asked about at once
	minGap    = time.Second // between two rounds, whatever the setting
	offGap    = time.Minute // between two looks whether HEALTH_CHECK_INTERVAL is still 0
)

// keepProbing looks every HEALTH_CHECK_INTERVAL after the keys that Google took for invalid or that kept failing, until ctx ends,
// so that they come back by themselves. Quotas have their own clocks, and a person's word holds.
func (s *Server) keepProbing(ctx context.Context) {
	every(ctx, func() time.Duration { return s.settings().HealthInterval }, func() { s.probeDue(ctx, time.Now()) })
}

// every makes rounds until ctx ends, one gap after another; gap may change, and 0 is none.
func every(ctx context.Context, gap func() time.Duration, round func()) {
	for {
		pause := offGap
		if g := gap(); g > 0 {
			pause = max(g, minGap)
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		if gap() > 0 {
			round()
		}
	}
}

// probeDue asks about the keys that are due. The pool makes the pauses of each grow, so that a dead key is asked about ever more
// rarely.
func (s *Server) probeDue(ctx context.Context, now time.Time) {
	var all sync.WaitGroup
	free := make(chan struct{}, maxProbes)
	for _, id := range s.pool.Due(now) {
		free <- struct{}{}
		all.Go(func() {
			defer func() { <-free }()
			s.probeKey(ctx, id)
		})
	}
	all.Wait()
}

// probeKey asks Google about one key, by the key's own way out. What is between here and Google says nothing about the key.
func (s *Server) probeKey(ctx context.Context, id string) {
	lease, err := s.pool.Lend(id)
	if err != nil {
		return // it was removed meanwhile
	}
	switch t := s.probe(ctx, lease); {
	case t.Problem == "":
		s.meters.probes("ok").Inc()
		s.pool.Probed(id, true)
		s.log.Info("a key works again", "key", id)
	case t.Refused:
		s.meters.probes("refused").Inc()
		s.pool.Probed(id, false)
		s.log.Debug("a key is still refused", "key", id, "error", loggable(t.Problem))
	default:
		s.meters.probes("failed").Inc()
		s.log.Debug("a key could not be probed", "key", id, "error", loggable(t.Problem))
	}
}
