package proxy

import (
	"slices"

	"github.com/gemini-claude-adapter/gca/proxy/keys"
)

// census is how all keys stand, as /health, /stats and /metrics tell it.
type census struct {
	keys    []keyStanding
	active  int // that serve something now
	states  map[keys.State]int
	reasons map[keys.Reason]int // of the keys that serve nothing
	refused []string            // ways out to Gemini through which Google serves nobody, that keys would have to take
}

type keyStanding struct {
	keys.Status
	active bool
}

// census asks the pool. A key whose way out leads to where Google serves nobody is not active, whatever its own state.
func (s *Server) census() census {
	refused, _ := s.upstream.Shunned()
	all := s.keyStates()
	c := census{keys: make([]keyStanding, 0, len(all)), states: map[keys.State]int{}, reasons: map[keys.Reason]int{}}
	for _, k := range all {
		standing := keyStanding{k, k.State == keys.Healthy || k.State == keys.Limited}
		c.states[k.State]++
		if !standing.active {
			c.reasons[k.Reason]++
		}
		if slices.Contains(refused, k.Egress) {
			standing.active = false
			if !slices.Contains(c.refused, k.Egress) {
				c.refused = append(c.refused, k.Egress)
			}
		}
		if standing.active {
			c.active++
		}
		c.keys = append(c.keys, standing)
	}
	return c
}

// The words of /health.
const (
	healthy   = "healthy"   // every key serves every model
	degraded  = "degraded"  // some do
	unhealthy = "unhealthy" // none does
)

func (c *census) health() string {
	switch {
	case c.active == 0:
		return unhealthy
	case c.active < len(c.keys) || c.states[keys.Healthy] < len(c.keys):
		return degraded
	}
	return healthy
}
