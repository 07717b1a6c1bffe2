package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"
)

// report is everything that a bench measured, and where.
type report struct {
	Schema  int       `json:"schema"`
	Day     string    `json:"day"`
	Machine string    `json:"machine"`
	Go      string    `json:"go"`
	Keys    int       `json:"keys"`
	Series  []*series `json:"series"`
}

func newReport(all []*series, keys int) report {
	return report{1, time.Now().UTC().Format(time.DateOnly), machine(), runtime.Version(), keys, all}
}

// machine is the processor and how many there are.
func machine() string {
	name := runtime.GOARCH
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
				name = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("%d x %s", runtime.NumCPU(), name)
}

func (r report) writeJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(r)
}

// column is one figure of a table.
type column struct {
	title string
	value func(figures) float64
	ratio bool // beside it, how many times the floor's
	when  func(workload) bool
}

func columns() []column {
	always := func(workload) bool { return true }
	paced := func(w workload) bool { return w.reply.Pace > 0 }
	return []column{
		{"CPU a request, us", func(f figures) float64 { return f.CPU }, true, func(w workload) bool { return w.reply.Pace == 0 }},
		{"CPU a chunk, us", func(f figures) float64 { return f.ChunkCPU }, true, paced},
		{"requests a second", func(f figures) float64 { return f.PerSecond }, false, func(w workload) bool { return w.conns > 1 && w.reply.Pace == 0 }},
		{"p50, ms", func(f figures) float64 { return f.P50 }, false, func(w workload) bool { return w.reply.Pace == 0 }},
		{"p99, ms", func(f figures) float64 { return f.P99 }, false, func(w workload) bool { return w.reply.Pace == 0 }},
		{"first text p50, ms", func(f figures) float64 { return f.First }, false, func(w workload) bool { return w.stream && w.reply.Pace == 0 }},
		{"chunk p50, ms", func(f figures) float64 { return f.ChunkP50 }, false, paced},
		{"chunk p99, ms", func(f figures) float64 { return f.ChunkP99 }, false, paced},
		{"chunk max, ms", func(f figures) float64 { return f.ChunkMax }, false, paced},
		{"RSS, MB", func(f figures) float64 { return f.RSS }, false, always},
		{"RSS a stream, KB", func(f figures) float64 { return f.StreamKB }, false, paced},
		{"upstream connections", func(f figures) float64 { return float64(f.Connections) }, false, always},
		{"errors", func(f figures) float64 { return float64(f.Errors) }, false, always},
	}
}

// writeMarkdown makes a table a workload and shape: medians, in brackets the lowest and highest, and beside processor time how
// many times the floor's it is, by the median of the ratios of each round.
func (r report) writeMarkdown(w io.Writer, ran []workload) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s, %s, %d keys\n", r.Day, r.Machine, r.Go, r.Keys)
	for _, load := range ran {
		for _, s := range []shape{anthropic, openai} {
			rows := r.rows(load.name, s)
			if len(rows) == 0 {
				continue
			}
			fmt.Fprintf(&b, "\n### %s, %s, %d rounds\n\n", load.name, s, len(rows[0].Runs))
			load.table(&b, rows)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r report) rows(name string, s shape) (rows []*series) {
	for _, row := range r.Series {
		if row.Workload == name && row.Shape == s.String() {
			rows = append(rows, row)
		}
	}
	return rows
}

func (w workload) table(b *strings.Builder, rows []*series) {
	var shown []column
	head, rule := "|", "|---|"
	for _, c := range columns() {
		if c.when(w) {
			shown = append(shown, c)
			head += " | " + c.title
			rule += "---|"
		}
	}
	fmt.Fprintf(b, "%s |\n%s\n", head, rule)
	var base []figures
	for _, row := range rows {
		if row.Candidate == floorName {
			base = row.Runs
		}
	}
	for _, row := range rows {
		b.WriteString("| " + row.Candidate)
		for _, c := range shown {
			b.WriteString(" | " + c.cell(row.Runs, base))
		}
		b.WriteString(" |\n")
	}
}

func (c column) cell(runs, base []figures) string {
	var values, ratios []float64
	for i, run := range runs {
		values = append(values, c.value(run))
		if i < len(base) && c.value(base[i]) > 0 {
			ratios = append(ratios, c.value(run)/c.value(base[i]))
		}
	}
	middle, low, high := median(values)
	text := fmt.Sprintf("%.4g (%.4g-%.4g)", middle, low, high)
	if low == high {
		text = fmt.Sprintf("%.4g", middle)
	}
	if c.ratio && len(ratios) > 0 {
		times, _, _ := median(ratios)
		text += fmt.Sprintf(" **x%.2f**", times)
	}
	return text
}
