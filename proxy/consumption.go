package proxy

import (
	"cmp"
	"slices"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/control"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
)

// consumption is what was used, by day, as people read it.
type consumption map[string][]control.Usage

// usedOn reads what was used today and on the days before, as many as are asked for with today, as far as may says. The error is
// the store's.
func (s *Server) usedOn(now time.Time, days int, may func(*control.Usage) bool) (consumption, error) {
	today := keys.Day(now)
	noon, err := time.Parse(time.DateOnly, today)
	if err != nil {
		panic("BUG: no day: " + err.Error())
	}
	from := noon.AddDate(0, 0, -max(days-1, 0)).Format(time.DateOnly)
	rows, err := s.Usage(from, today)
	if err != nil {
		return nil, err
	}
	u := consumption{today: nil}
	for i := range rows {
		if may(&rows[i]) {
			u[rows[i].Day] = append(u[rows[i].Day], rows[i])
		}
	}
	return u, nil
}

// all is every day on which something was used, and today, the newest first.
func (u consumption) all() []control.DayStats {
	out := make([]control.DayStats, 0, len(u))
	for day := range u {
		out = append(out, u.day(day))
	}
	slices.SortFunc(out, func(a, b control.DayStats) int { return cmp.Compare(b.Day, a.Day) })
	return out
}

// day sums one day up.
func (u consumption) day(day string) control.DayStats {
	rows := u[day]
	d := control.DayStats{
		Day:    day,
		Tokens: parts(rows, func(r *control.Usage) string { return r.Token }),
		Models: parts(rows, func(r *control.Usage) string { return r.Model }),
		Keys:   parts(rows, func(r *control.Usage) string { return r.Key }),
	}
	if whole := parts(rows, func(*control.Usage) string { return "" }); len(whole) > 0 {
		d.Total = whole[0].Figures
	}
	return d
}

// parts sums rows up by a name, in the order of the names.
func parts(rows []control.Usage, name func(*control.Usage) string) []control.Part {
	sums := map[string]*control.Usage{}
	for i := range rows {
		r := &rows[i]
		sum := sums[name(r)]
		if sum == nil {
			sum = &control.Usage{}
			sums[name(r)] = sum
		}
		sum.Requests += r.Requests
		sum.Errors += r.Errors
		sum.Unpriced += r.Unpriced
		sum.Prompt += r.Prompt
		sum.Cached += r.Cached
		sum.Output += r.Output + r.Thoughts
		sum.CostMicro += r.CostMicro
	}
	out := make([]control.Part, 0, len(sums))
	for name, sum := range sums {
		out = append(out, control.Part{Name: name, Figures: figures(sum)})
	}
	slices.SortFunc(out, func(a, b control.Part) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

func figures(u *control.Usage) control.Figures {
	f := control.Figures{
		Requests: u.Requests, Errors: u.Errors, Unpriced: u.Unpriced, Input: u.Prompt, Cached: u.Cached, Output: u.Output,
		CostUSD: float64(u.CostMicro) / 1e6,
	}
	if u.Prompt > 0 {
		f.CachedShare = float64(u.Cached) / float64(u.Prompt)
	}
	return f
}
