package client

import (
	"encoding/csv"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/control"
)

// Print writes what is seen for a person, by the clock at the wall.
func (s Seen) Print(w io.Writer, now time.Time) error {
	if s.Own != nil {
		return printOwn(w, s.Own, now)
	}
	return printAll(w, s.All, now)
}

func lineOf(label, format string, args ...any) string {
	return fmt.Sprintf("%-12s %s\n", label, fmt.Sprintf(format, args...))
}

func todayLine(f *control.Figures) string {
	text := fmt.Sprintf("%s requests, %s errors, %s tokens in (%s cached), %s out, %s", thousands(f.Requests), thousands(f.Errors),
		thousands(f.Input), percent(f.CachedShare), thousands(f.Output), dollars(f.CostUSD))
	if f.Unpriced > 0 {
		text += fmt.Sprintf(" and %s requests without a known price", thousands(f.Unpriced))
	}
	return lineOf("today", "%s", text)
}

func printOwn(w io.Writer, s *control.TokenStats, now time.Time) error {
	name := s.Token
	if name == "" {
		name = "none is asked"
	}
	text := lineOf("token", "%s", name) + todayLine(&s.Today.Total)
	if limits := limitWords(s.Limits); limits != "" {
		text += lineOf("limits", "%s", limits)
	}
	text += lineOf("day ends", "%s, in %s", s.Resets.In(now.Location()).Format("15:04"), s.Resets.Sub(now).Round(time.Minute))
	if _, err := io.WriteString(w, text); err != nil {
		return err
	}
	return printParts(w, "MODEL", s.Today.Models)
}

// printParts writes a table of shares, nothing where there are none.
func printParts(w io.Writer, title string, parts []control.Part) error {
	if len(parts) == 0 {
		return nil
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	p := &rows{out: t}
	p.row(append([]string{title}, figureTitles()...)...)
	for _, part := range parts {
		p.row(append([]string{named(part.Name, By(strings.ToLower(title)))}, figureCells(&part.Figures)...)...)
	}
	return p.flush(t)
}

func limitWords(l *control.TokenLimits) string {
	if l == nil {
		return ""
	}
	var words []string
	say := func(n int64, what string) {
		if n > 0 {
			words = append(words, thousands(n)+" "+what)
		}
	}
	say(int64(l.Requests), "requests a minute")
	say(int64(l.Tokens), "tokens a minute")
	say(int64(l.Concurrent), "requests at once")
	say(l.DayTokens, "tokens a day")
	if l.DayCostUSD > 0 {
		words = append(words, dollars(l.DayCostUSD)+" a day")
	}
	if len(l.Models) > 0 {
		words = append(words, "models "+strings.Join(l.Models, ", "))
	}
	return strings.Join(words, "; ")
}

func printAll(w io.Writer, s *control.Stats, now time.Time) error {
	active, succeeded := 0, 1.0
	for _, k := range s.KeyStats {
		if k.Active {
			active++
		}
	}
	if s.Requests > 0 {
		succeeded = 1 - float64(s.Errors)/float64(s.Requests)
	}
	text := lineOf("status", "%s, version %s, up %s", s.Health, s.Version, now.Sub(s.Started).Round(time.Second)) +
		lineOf("active keys", "%d/%d", active, len(s.KeyStats)) +
		lineOf("requests", "%s since the start, %.1f%% of them served; %s waited, %s were saved by another key, %s went to another model",
			thousands(s.Requests), 100*succeeded, thousands(s.Totals.Waits), thousands(s.Saved), thousands(s.Fallbacks)) +
		lineOf("now", "%d streams open, %d requests wait for a key", s.OpenStreams, s.Waiting) +
		lineOf("speed", "first text after %s, whole after %s on average", ms(s.Totals.MeanTTFTMS), ms(s.Totals.MeanMS)) +
		todayLine(&s.Today.Total)
	for _, e := range s.Egresses {
		if !e.Up {
			text += lineOf("way out", "%s: %s", e.Name, e.Problem)
		}
	}
	if _, err := io.WriteString(w, text+"\n"); err != nil {
		return err
	}
	if err := printKeys(w, s, now); err != nil {
		return err
	}
	if err := printParts(w, "MODEL", s.Today.Models); err != nil {
		return err
	}
	return printParts(w, "TOKEN", s.Today.Tokens)
}

func ms(f float64) time.Duration {
	return time.Duration(f * float64(time.Millisecond)).Round(time.Millisecond)
}

func printKeys(w io.Writer, s *control.Stats, now time.Time) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	p := &rows{out: t}
	p.row("KEY", "LABEL", "STATE", "REQUESTS", "SUCCESS", "FIRST TEXT", "WHOLE", "TODAY", "COST", "WHY AND UNTIL")
	for i, k := range s.KeyStats {
		key, rate := s.Keys[i], "-"
		if k.SuccessRate != nil {
			rate = fmt.Sprintf("%.1f%%", 100**k.SuccessRate)
		}
		why := key.Reason
		if key.Until.After(now) {
			why += ", until " + key.Until.In(now.Location()).Format("Jan 2 15:04:05")
		}
		label := k.Label
		if label == "" {
			label = "-"
		}
		p.row(k.ID, label, key.State, thousands(key.Requests), rate, ms(k.MeanTTFTMS).String(), ms(k.MeanMS).String(), thousands(k.Today.Requests), dollars(k.Today.CostUSD), why)
	}
	return p.flush(t)
}

// CSV writes one table for a program: an admin's keys, or a client's models of today.
func (s Seen) CSV(w io.Writer) error {
	out := csv.NewWriter(w)
	if s.Own != nil {
		lines := [][]string{{"model", "requests", "errors", "input_tokens", "cached_tokens", "output_tokens", "cost_usd", "unpriced_requests"}}
		for _, part := range s.Own.Today.Models {
			lines = append(lines, append([]string{part.Name}, csvFigures(&part.Figures)...))
		}
		return out.WriteAll(lines)
	}
	lines := [][]string{{"key", "label", "state", "reason", "requests", "failures", "mean_ttft_ms", "mean_ms",
		"today_requests", "today_errors", "today_input_tokens", "today_cached_tokens", "today_output_tokens", "today_cost_usd", "today_unpriced_requests"}}
	for i, k := range s.All.KeyStats {
		key := s.All.Keys[i]
		line := []string{k.ID, k.Label, key.State, key.Reason, fmt.Sprint(key.Requests), fmt.Sprint(key.Failures), fmt.Sprint(k.MeanTTFTMS), fmt.Sprint(k.MeanMS)}
		lines = append(lines, append(line, csvFigures(&k.Today)...))
	}
	return out.WriteAll(lines)
}
