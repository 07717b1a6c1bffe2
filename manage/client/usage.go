package client

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/gemini-claude-adapter/gca/proxy/control"
)

// By is what usage is added up by.
type By string

// The ways to add up.
const (
	ByDay   By = "day"
	ByModel By = "model"
	ByToken By = "token" // an admin's
	ByKey   By = "key"   // an admin's
)

// Usage is what was used on some days, added up; its JSON form is schema 1.
type Usage struct {
	Schema int             `json:"schema"`
	Token  string          `json:"token,omitempty"` // whose it is, "" is everybody's
	By     By              `json:"by"`
	From   string          `json:"from"` // days, both included, Google's
	To     string          `json:"to"`
	Rows   []control.Part  `json:"rows"` // days: the newest first; the others: what cost most first
	Total  control.Figures `json:"total"`
}

// AddUp adds up what was used on the days that were asked for. A client sees days and models alone.
func (s Seen) AddUp(by By) (*Usage, error) {
	u := &Usage{Schema: 1, By: by, Rows: []control.Part{}}
	days := s.days()
	if s.Own != nil {
		u.Token = s.Own.Token
		if by == ByToken || by == ByKey {
			return nil, fmt.Errorf("a client sees its own days and models alone\nhint: the admin token shows more, and so does gca usage root@YOUR-SERVER --by %s", by)
		}
	}
	for _, day := range days {
		u.Rows = append(u.Rows, partsOf(&day, by)...)
	}
	u.Rows = merged(u.Rows)
	for _, row := range u.Rows {
		add(&u.Total, &row.Figures)
	}
	finish(&u.Total)
	if n := len(days); n > 0 {
		u.From, u.To = days[n-1].Day, days[0].Day
	}
	if by != ByDay {
		slices.SortStableFunc(u.Rows, func(a, b control.Part) int {
			if a.CostUSD != b.CostUSD {
				return int(sign(b.CostUSD - a.CostUSD))
			}
			return int(b.Requests - a.Requests)
		})
	}
	return u, nil
}

func sign(f float64) float64 {
	if f < 0 {
		return -1
	}
	return 1
}

// days are all days in one form.
func (s Seen) days() []control.DayStats {
	if s.All != nil {
		return s.All.Days
	}
	var days []control.DayStats
	for _, d := range s.Own.Days {
		days = append(days, control.DayStats{Day: d.Day, Total: d.Total, Models: d.Models})
	}
	return days
}

func partsOf(day *control.DayStats, by By) []control.Part {
	switch by {
	case ByModel:
		return day.Models
	case ByToken:
		return day.Tokens
	case ByKey:
		return day.Keys
	}
	return []control.Part{{Name: day.Day, Figures: day.Total}}
}

// merged has one row a name, in the order in which they come.
func merged(rows []control.Part) []control.Part {
	out := []control.Part{}
	at := map[string]int{}
	for _, row := range rows {
		i, ok := at[row.Name]
		if !ok {
			i = len(out)
			at[row.Name] = i
			out = append(out, control.Part{Name: row.Name})
		}
		add(&out[i].Figures, &row.Figures)
	}
	for i := range out {
		finish(&out[i].Figures)
	}
	return out
}

func add(to, f *control.Figures) {
	to.Requests += f.Requests
	to.Errors += f.Errors
	to.Input += f.Input
	to.Cached += f.Cached
	to.Output += f.Output
	to.CostUSD += f.CostUSD
	to.Unpriced += f.Unpriced
}

func finish(f *control.Figures) {
	f.CachedShare = 0
	if f.Input > 0 {
		f.CachedShare = float64(f.Cached) / float64(f.Input)
	}
}

// Print writes the table for a person.
func (u *Usage) Print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	p := &rows{out: t}
	p.row(append([]string{strings.ToUpper(string(u.By))}, figureTitles()...)...)
	for _, row := range u.Rows {
		p.row(append([]string{named(row.Name, u.By)}, figureCells(&row.Figures)...)...)
	}
	p.row(append([]string{"total"}, figureCells(&u.Total)...)...)
	if err := p.flush(t); err != nil {
		return err
	}
	if u.Total.Unpriced > 0 {
		_, err := fmt.Fprintf(w, "%d requests are of models whose price is not known here; their cost is not in the sums\n", u.Total.Unpriced)
		return err
	}
	return nil
}

func named(name string, by By) string {
	switch {
	case name != "":
		return name
	case by == ByToken:
		return "(without a token)"
	case by == ByKey:
		return "(came to no key)"
	}
	return "-"
}

func figureTitles() []string {
	return []string{"REQUESTS", "ERRORS", "TOKENS IN", "CACHED", "TOKENS OUT", "COST"}
}

func figureCells(f *control.Figures) []string {
	return []string{thousands(f.Requests), thousands(f.Errors), thousands(f.Input), percent(f.CachedShare), thousands(f.Output), dollars(f.CostUSD)}
}

// CSV writes the rows for a program.
func (u *Usage) CSV(w io.Writer) error {
	out := csv.NewWriter(w)
	lines := [][]string{{string(u.By), "requests", "errors", "input_tokens", "cached_tokens", "output_tokens", "cost_usd", "unpriced_requests"}}
	for _, row := range u.Rows {
		lines = append(lines, append([]string{row.Name}, csvFigures(&row.Figures)...))
	}
	return out.WriteAll(lines)
}

func csvFigures(f *control.Figures) []string {
	n := func(i int64) string { return strconv.FormatInt(i, 10) }
	return []string{n(f.Requests), n(f.Errors), n(f.Input), n(f.Cached), n(f.Output), strconv.FormatFloat(f.CostUSD, 'f', 6, 64), n(f.Unpriced)}
}

// rows writes a table's rows and keeps the first error.
type rows struct {
	out io.Writer
	err error
}

func (r *rows) row(cells ...string) {
	if r.err == nil {
		_, r.err = fmt.Fprintln(r.out, strings.TrimRight(strings.Join(cells, "\t"), "\t"))
	}
}

func (r *rows) flush(t *tabwriter.Writer) error {
	if r.err != nil {
		return r.err
	}
	return t.Flush()
}

// thousands is a number with commas between its thousands.
func thousands(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func percent(share float64) string { return fmt.Sprintf("%.0f%%", 100*share) }

// dollars is an amount, with more digits where it is small.
func dollars(usd float64) string {
	if usd >= 1 || usd == 0 {
		return fmt.Sprintf("$%.2f", usd)
	}
	return fmt.Sprintf("$%.4f", usd)
}
