package proxy

import (
	"cmp"
	"slices"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/gemini-claude-adapter/gca/proxy/config"
	"github.com/gemini-claude-adapter/gca/proxy/control"
	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
	"github.com/gemini-claude-adapter/gca/proxy/upstream"
)

// stats answers an admin with everything, and a client with what it used itself.
func (s *Server) stats(in *inbound) {
	days, err := control.Days(string(in.QueryArgs().Peek("days")))
	if err != nil {
		s.refuse(in, front.Invalidf("days", "%s", err.Error()))
		return
	}
	if s.tokens.Load().admitAdmin(in.token) == nil {
		answerStats(s, in, func() (control.Stats, error) { return s.Stats(days) })
		return
	}
	answerStats(s, in, func() (control.TokenStats, error) { return s.tokenStats(in.token, days) })
}

// answerStats tells what the store gave, or that it failed.
func answerStats[T any](s *Server, in *inbound, make func() (T, error)) {
	v, err := make()
	if err != nil {
		s.log.Error("cannot read what was used", "error", err.Error())
		s.refuse(in, &front.Error{Kind: front.Internal, Message: "cannot read what was used: the adapter's log says why"})
		return
	}
	reply(in, fasthttp.StatusOK, v)
}

// Stats is everything there is to see, with the last days, at most control.MaxStatsDays. The error is the store's.
func (s *Server) Stats(days int) (control.Stats, error) {
	now := time.Now()
	used, err := s.usedOn(now, days, func(*control.Usage) bool { return true })
	if err != nil {
		return control.Stats{}, err
	}
	c := s.census()
	today := used.day(keys.Day(now))
	out := control.Stats{
		Schema: 1, Health: c.health(), Now: now.UTC().Truncate(time.Second), Status: s.Status(),
		Totals: s.totals(), KeyStats: []control.KeyStats{}, Models: modelStats(c.keys, today.Models, now),
		Today: today,
	}
	for _, k := range c.keys {
		out.KeyStats = append(out.KeyStats, s.keyStats(&k, today.Keys, now))
	}
	if days > 0 {
		out.Days = used.all()
	}
	return out, nil
}

func (s *Server) totals() control.Totals {
	m := s.meters
	t := control.Totals{
		Waits: int64(m.waits.Get()), ClientsGone: int64(m.gone.Get()), Attempts: int64(m.attempts.Get()),
	}
	t.MeanTTFTMS, t.MeanMS = m.answers.means()
	t.TTFT, t.Answers = m.answers.sums()
	return t
}

func (s *Server) keyStats(k *keyStanding, today []control.Part, now time.Time) control.KeyStats {
	out := control.KeyStats{
		ID: k.ID, Label: k.Label, Active: k.active, SecondsLeft: secondsLeft(k.Until, now), Project: k.Learned,
		Egress: cmp.Or(k.Egress, s.upstream.Egresses()[0].Name),
	}
	if k.Requests > 0 {
		rate := 1 - float64(k.Failures)/float64(k.Requests)
		out.SuccessRate = &rate
	}
	out.MeanTTFTMS, out.MeanMS = s.meters.keys.of(k.ID).means()
	for _, l := range k.Limits {
		for _, q := range quotasOf(&l) {
			out.Quotas = append(out.Quotas, control.Quota{Model: l.Model, Name: q.name, Limit: q.limit, Used: q.used})
		}
	}
	for _, part := range today {
		if part.Name == k.ID {
			out.Today = part.Figures
		}
	}
	return out
}

// secondsLeft rounds up, so that 0 is the end.
func secondsLeft(until, now time.Time) int64 {
	return max(0, int64((until.Sub(now)+time.Second-1)/time.Second))
}

// modelStats lists the models that rest at some key or were used today. Models that a key does not see are left out: the names
// are whatever clients asked for.
func modelStats(all []keyStanding, today []control.Part, now time.Time) []control.ModelStats {
	models := map[string]*control.ModelStats{}
	of := func(name string) *control.ModelStats {
		if models[name] == nil {
			models[name] = &control.ModelStats{Model: name}
		}
		return models[name]
	}
	for _, part := range today {
		of(part.Name).Today = part.Figures
	}
	for _, k := range all {
		for _, r := range k.Rests {
			if r.Reason == keys.NoModel {
				continue
			}
			m := of(r.Model)
			m.Resting++
			if reason := r.Reason.String(); !slices.Contains(m.Reasons, reason) {
				m.Reasons = append(m.Reasons, reason)
			}
			if m.Back.IsZero() || r.Until.Before(m.Back) {
				m.Back, m.SecondsLeft = r.Until, secondsLeft(r.Until, now)
			}
		}
	}
	out := make([]control.ModelStats, 0, len(models))
	for _, m := range models {
		out = append(out, *m)
	}
	slices.SortFunc(out, func(a, b control.ModelStats) int { return cmp.Compare(a.Model, b.Model) })
	return out
}

// egresses says of each way out whether it works, and what to do where not.
func (s *Server) egresses() []control.Egress {
	out := []control.Egress{}
	for _, e := range s.upstream.Egresses() {
		out = append(out, control.Egress{Name: e.Name, Up: e.Refused.IsZero() && e.Down.IsZero(), Problem: egressProblem(&e)})
	}
	return out
}

func egressProblem(e *upstream.Egress) string {
	switch {
	case !e.Refused.IsZero():
		return regionHelp
	case !e.Down.IsZero():
		return "the proxy does not work; the keys behind it come last\nhint: see gca logs, and mend PROXY_URL or proxy= in the keys file"
	}
	return ""
}

// tokenStats is what a client sees of itself; nil is all who need no token.
func (s *Server) tokenStats(who *config.Token, days int) (control.TokenStats, error) {
	now := time.Now()
	out := control.TokenStats{Schema: 1, Resets: keys.NextDay(now).UTC()}
	if who != nil {
		out.Token, out.Limits = who.Name, limitsOf(&who.Limits)
	}
	used, err := s.usedOn(now, days, func(u *control.Usage) bool { return u.Token == out.Token })
	if err != nil {
		return out, err
	}
	of := func(d control.DayStats) control.TokenDay {
		return control.TokenDay{Day: d.Day, Total: d.Total, Models: d.Models}
	}
	out.Today = of(used.day(keys.Day(now)))
	if days > 0 {
		for _, d := range used.all() {
			out.Days = append(out.Days, of(d))
		}
	}
	return out, nil
}

func limitsOf(l *config.Limits) *control.TokenLimits {
	out := control.TokenLimits{
		Requests: l.Requests, Tokens: l.Tokens, Concurrent: l.Concurrent, DayTokens: l.DayTokens,
		DayCostUSD: float64(l.DayCost) / 1e6, Models: l.Models,
	}
	if out.Requests == 0 && out.Tokens == 0 && out.Concurrent == 0 && out.DayTokens == 0 && out.DayCostUSD == 0 && len(out.Models) == 0 {
		return nil
	}
	return &out
}
