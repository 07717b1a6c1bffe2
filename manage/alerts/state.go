package alerts

import (
	"encoding/json"
	"io"
	"slices"
	"time"

	"github.com/gemini-claude-adapter/gca/manage/client"
	"github.com/gemini-claude-adapter/gca/proxy/control"
)

const (
	// steady is for how long a rule is well until it is over: what comes and goes is one alert.
	steady = 10 * time.Minute
	// sure is in how many looks in a row something is wrong until it is told.
	sure = 2

	maxState = 1 << 20 // bytes
)

// State is what is known from the looks before. Its JSON form, the file, is schema 1, and holds no secret.
type State struct {
	Schema   int        `json:"schema"`
	Checked  time.Time  `json:"checked,omitzero"` // the last look
	Boot     string     `json:"boot,omitempty"`
	Restarts int        `json:"restarts"`
	Samples  []Sample   `json:"samples,omitempty"` // oldest first
	Rules    []Standing `json:"rules"`             // those that were ever wrong
	Lines    []Line     `json:"channels"`
}

// Sample is what a process had counted at a look.
type Sample struct {
	Time     time.Time   `json:"time"`
	Started  time.Time   `json:"started"`
	Requests int64       `json:"requests"`
	Errors   int64       `json:"errors"`
	TTFT     control.Sum `json:"ttft"`
}

// SampleOf is what there is to remember of an adapter's figures.
func SampleOf(s *control.Stats, now time.Time) Sample {
	return Sample{now, s.Started, s.Requests, s.Errors, s.Totals.TTFT}
}

// Standing is how a rule stands.
type Standing struct {
	Rule   Rule      `json:"rule"`
	Firing bool      `json:"firing"`
	Since  time.Time `json:"since,omitzero"` // when it last began to fire, or was over
	Bad    int       `json:"bad,omitempty"`  // looks in a row that found it wrong
	Well   time.Time `json:"well,omitzero"`  // while firing: since when looks find it well
	What   string    `json:"what,omitempty"`
	Cure   string    `json:"cure,omitempty"`
}

// Notice is a change that is told.
type Notice struct {
	Rule   Rule      `json:"rule"`
	Firing bool      `json:"firing"` // else it is over
	Since  time.Time `json:"since"`  // when it began
	Time   time.Time `json:"time"`   // of the change
	What   string    `json:"what"`
	Cure   string    `json:"cure"`
}

// Read reads a state as Save has written it.
func Read(r io.Reader) (*State, error) {
	s := &State{Schema: 1}
	return s, json.NewDecoder(io.LimitReader(r, maxState)).Decode(s)
}

// Save writes the state in one step. Everybody may read it.
func (s *State) Save(file string) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return client.Replace(file, append(text, '\n'), 0o644)
}

// Advance takes a look in and returns what changed by it: a rule that was wrong in two looks in a row fires, once, and one that
// was well for ten minutes is over, once. What cannot be seen stays as it is.
func (s *State) Advance(l Look, set Settings) []Notice {
	var changed []Notice
	for _, v := range s.judge(l, set) {
		if !v.known {
			continue
		}
		if notice, ok := s.standing(v.rule).take(v, l.Time); ok {
			changed = append(changed, notice)
		}
	}
	s.Rules = slices.DeleteFunc(s.Rules, func(r Standing) bool { return r.Since.IsZero() && r.Bad == 0 })
	s.remember(l)
	return changed
}

// standing is that of a rule, which may be a new one.
func (s *State) standing(rule Rule) *Standing {
	i := slices.IndexFunc(s.Rules, func(r Standing) bool { return r.Rule == rule })
	if i < 0 {
		s.Rules = append(s.Rules, Standing{Rule: rule})
		i = len(s.Rules) - 1
	}
	return &s.Rules[i]
}

func (r *Standing) take(v verdict, now time.Time) (Notice, bool) {
	if v.What != "" {
		r.Bad, r.Well = r.Bad+1, time.Time{}
		r.What, r.Cure = v.What, v.Cure
		if r.Firing || r.Bad < sure && !v.atOnce {
			return Notice{}, false
		}
		r.Firing, r.Since = true, now
		return Notice{Rule: r.Rule, Firing: true, Since: now, Time: now, What: r.What, Cure: r.Cure}, true
	}
	r.Bad = 0
	if !r.Firing {
		return Notice{}, false
	}
	if r.Well.IsZero() || r.Well.After(now) { // the clock was set
		r.Well = now
	}
	if now.Sub(r.Well) < steady {
		return Notice{}, false
	}
	notice := Notice{Rule: r.Rule, Since: r.Since, Time: now, What: r.What}
	r.Firing, r.Since, r.Well = false, now, time.Time{}
	return notice, true
}

func (s *State) remember(l Look) {
	s.Schema, s.Checked = 1, l.Time
	if l.Service != nil {
		s.Boot, s.Restarts = l.Service.Boot, l.Service.Restarts
	}
	if l.Stats != nil {
		s.Samples = append(s.Samples, SampleOf(l.Stats, l.Time))
	}
	s.Samples = slices.DeleteFunc(s.Samples, func(one Sample) bool { return l.Time.Sub(one.Time) > errorWindow || one.Time.After(l.Time) })
}

// Firing are the rules that fire now, in the order of [Rules].
func (s *State) Firing() []Standing {
	var all []Standing
	for _, rule := range Rules() {
		for _, r := range s.Rules {
			if r.Rule == rule && r.Firing {
				all = append(all, r)
			}
		}
	}
	return all
}
