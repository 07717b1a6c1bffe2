package perf

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/gemini-claude-adapter/gca/manage/client"
)

// Report is what a run showed; its JSON form is schema 1. Times are in milliseconds, and those of answers alone that came whole.
type Report struct {
	Schema    int      `json:"schema"`
	Model     string   `json:"model"`
	Users     int      `json:"users"`
	Rate      float64  `json:"rate,omitempty"` // requests a second that were due, absent in a closed loop
	Seconds   float64  `json:"seconds"`
	Scenarios []Row    `json:"scenarios"`
	All       Row      `json:"all"`
	Input     int      `json:"input_tokens"`
	Output    int      `json:"output_tokens"`
	OutPerSec float64  `json:"output_tokens_per_second"`
	Errors    []Fault  `json:"errors"`
	Histogram []Bucket `json:"histogram"` // of whole answers
}

// Row is one scenario, or all of them.
type Row struct {
	Name      string    `json:"name"`
	Requests  int       `json:"requests"`
	OK        int       `json:"ok"`
	MeanMS    float64   `json:"mean_ms"`
	PerSecond float64   `json:"ok_per_second"`
	Total     Quantiles `json:"total_ms"`
	First     Quantiles `json:"first_text_ms"` // of streamed ones, zero where there are none
}

// Quantiles are of times.
type Quantiles struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
}

// Fault is one kind of failure.
type Fault struct {
	Kind    string `json:"kind"` // the status, or the hop that broke
	Count   int    `json:"count"`
	Example string `json:"example"` // its words, the first time
}

// Bucket counts answers that took no longer than this, and longer than the bucket before.
type Bucket struct {
	UpToMS float64 `json:"up_to_ms"`
	Count  int     `json:"count"`
}

func newReport(p *Plan, samples []sample, took time.Duration) *Report {
	r := &Report{Schema: 1, Model: p.Model, Users: p.Users, Rate: p.Rate, Seconds: round(took.Seconds()), Errors: faults(samples), Histogram: histogram(samples)}
	for i, s := range p.Mix {
		if row := newRow(s.Name, p.Mix, ofScenario(samples, i), took); row.Requests > 0 {
			r.Scenarios = append(r.Scenarios, row)
		}
	}
	r.All = newRow("all", p.Mix, samples, took)
	for _, s := range samples {
		r.Input, r.Output = r.Input+s.input, r.Output+s.out
	}
	r.OutPerSec = perSecond(r.Output, took)
	return r
}

func ofScenario(samples []sample, i int) []sample {
	return slices.DeleteFunc(slices.Clone(samples), func(s sample) bool { return s.scenario != i })
}

func newRow(name string, mix []Scenario, samples []sample, took time.Duration) Row {
	row := Row{Name: name, Requests: len(samples)}
	var totals, firsts []time.Duration
	var sum time.Duration
	for _, s := range samples {
		if s.err != nil {
			continue
		}
		row.OK++
		sum += s.total
		totals = append(totals, s.total)
		if !mix[s.scenario].Whole {
			firsts = append(firsts, s.first)
		}
	}
	if row.OK > 0 {
		row.MeanMS = millis(sum / time.Duration(row.OK))
	}
	row.PerSecond, row.Total, row.First = perSecond(row.OK, took), quantiles(totals), quantiles(firsts)
	return row
}

func perSecond(n int, took time.Duration) float64 {
	if took <= 0 {
		return 0
	}
	return round(float64(n) / took.Seconds())
}

func round(f float64) float64 { return math.Round(f*100) / 100 }
func millis(d time.Duration) float64 {
	return float64(d.Round(100*time.Microsecond)) / float64(time.Millisecond)
}
func duration(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }

// quantiles are by nearest rank.
func quantiles(times []time.Duration) Quantiles {
	if len(times) == 0 {
		return Quantiles{}
	}
	slices.Sort(times)
	at := func(p float64) float64 {
		return millis(times[int(math.Ceil(p/100*float64(len(times))))-1])
	}
	return Quantiles{at(50), at(95), at(99)}
}

// faults are the kinds of failures, the most frequent first.
func faults(samples []sample) []Fault {
	all := []Fault{}
	for _, s := range samples {
		if s.err == nil {
			continue
		}
		kind, example := kindOf(s.err), s.err.Error()
		i := slices.IndexFunc(all, func(f Fault) bool { return f.Kind == kind })
		if i < 0 {
			i = len(all)
			example, _, _ = strings.Cut(example, "\n")
			all = append(all, Fault{Kind: kind, Example: example})
		}
		all[i].Count++
	}
	slices.SortStableFunc(all, func(a, b Fault) int { return cmp.Compare(b.Count, a.Count) })
	return all
}

func kindOf(err error) string {
	var e *client.Error
	switch {
	case !errors.As(err, &e):
		return "other"
	case e.Status != 0:
		return fmt.Sprint(e.Status)
	}
	return e.Hop
}

// histogram counts in steps that grow by about half, from the first that has any to the last.
func histogram(samples []sample) []Bucket {
	var buckets []Bucket
	for scale := 1.0; scale < 1e7; scale *= 10 {
		for _, step := range []float64{1, 1.5, 2, 3, 5, 7} {
			buckets = append(buckets, Bucket{UpToMS: scale * step})
		}
	}
	for _, s := range samples {
		if s.err != nil {
			continue
		}
		i, _ := slices.BinarySearchFunc(buckets, millis(s.total), func(b Bucket, ms float64) int { return cmp.Compare(b.UpToMS, ms) })
		buckets[min(i, len(buckets)-1)].Count++
	}
	empty := func(b Bucket) bool { return b.Count == 0 }
	for len(buckets) > 0 && empty(buckets[0]) {
		buckets = buckets[1:]
	}
	for len(buckets) > 0 && empty(buckets[len(buckets)-1]) {
		buckets = buckets[:len(buckets)-1]
	}
	return buckets
}

// Print writes the report for a person: the table of the original guide, then percentiles, tokens, errors and a histogram.
func (r *Report) Print(w io.Writer) error {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(cells ...string) { _, _ = fmt.Fprintln(t, strings.Join(cells, "\t")) } // to memory
	row("SCENARIO", "USERS", "REQUESTS", "MEAN", "SUCCESS", "THROUGHPUT")
	rows := r.Scenarios
	if len(rows) != 1 {
		rows = append(slices.Clone(rows), r.All)
	}
	for _, s := range rows {
		row(s.Name, fmt.Sprint(r.Users), fmt.Sprint(s.Requests), short(s.MeanMS), percent(s.OK, s.Requests), throughput(s.PerSecond))
	}
	row("")
	row("", "P50", "P95", "P99")
	if first := r.All.First; first != (Quantiles{}) {
		row("first text", short(first.P50), short(first.P95), short(first.P99))
	}
	row("whole", short(r.All.Total.P50), short(r.All.Total.P95), short(r.All.Total.P99))
	_ = t.Flush() // to memory
	fmt.Fprintf(&b, "\ntokens      %d in, %d out, %.0f out a second, in %s\n", r.Input, r.Output, r.OutPerSec, short(1000*r.Seconds))
	for _, f := range r.Errors {
		fmt.Fprintf(&b, "errors      %d of %s: %s\n", f.Count, f.Kind, f.Example)
	}
	b.WriteString(r.bars())
	_, err := io.WriteString(w, b.String())
	return err
}

func throughput(perSecond float64) string {
	if perSecond < 1 {
		return fmt.Sprintf("%.2f req/s", perSecond)
	}
	return fmt.Sprintf("%.1f req/s", perSecond)
}

const barWidth = 40

// bars draw the histogram.
func (r *Report) bars() string {
	most := 0
	for _, bucket := range r.Histogram {
		most = max(most, bucket.Count)
	}
	if most == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("\nwhole answers, by time\n")
	for _, bucket := range r.Histogram {
		bar := strings.Repeat("█", (bucket.Count*barWidth+most-1)/most)
		fmt.Fprintf(&b, "%s\n", strings.TrimRight(fmt.Sprintf("  up to %6s  %5d  %s", short(bucket.UpToMS), bucket.Count, bar), " "))
	}
	return b.String()
}

func percent(n, of int) string {
	if of == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f%%", math.Floor(100*float64(n)/float64(of)))
}

// short is a time as a person reads it.
func short(ms float64) string {
	switch d := duration(ms); {
	case d < time.Second:
		return fmt.Sprintf("%.0fms", ms)
	case d < 10*time.Second:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", d.Seconds()), ".0") + "s"
	default:
		return fmt.Sprintf("%.0fs", d.Seconds())
	}
}
