package monitor

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/charmbracelet/x/ansi"
)

// oneLine is text as a terminal may show it, on one line.
func oneLine(text string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c == '\n' || c == '\t':
			return ' '
		case unicode.IsControl(c) || unicode.Is(unicode.Cf, c) || c == '\uFFFD':
			return '?'
		}
		return c
	}, text)
}

// cell is text in exactly width columns.
func cell(text string, width int) string {
	text = ansi.Truncate(oneLine(text), max(0, width), "…")
	return text + strings.Repeat(" ", max(0, width-ansi.StringWidth(text)))
}

// number is text at the right of width columns.
func number(n int64, width int) string {
	text := short(float64(n))
	return strings.Repeat(" ", max(0, width-len(text))) + text
}

// short is 999, 1.2k, 34k, 5.6M.
func short(n float64) string {
	for _, unit := range []string{"", "k", "M", "G"} {
		switch {
		case n < 9.95 && (unit != "" || n != float64(int64(n))):
			return fmt.Sprintf("%.1f%s", n, unit)
		case n < 999.5:
			return fmt.Sprintf("%.0f%s", n, unit)
		}
		n /= 1000
	}
	return fmt.Sprintf("%.0fT", n)
}

// rate is a number a second; what was not measured is a dash.
func rate(n float64) string {
	if n < 0 {
		return "-"
	}
	return short(n) + "/s"
}

// took is a time in milliseconds.
func took(ms float64) string {
	switch {
	case ms < 0:
		return "-"
	case ms < 999.5:
		return fmt.Sprintf("%.0fms", ms)
	case ms < 99_950:
		return fmt.Sprintf("%.1fs", ms/1000)
	}
	return age(time.Duration(ms) * time.Millisecond)
}

// age is a span in its two largest units: 45s, 3m20s, 5h07m, 12d3h.
func age(d time.Duration) string {
	d = max(0, d.Round(time.Second))
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd%dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
}

const bars = "▁▂▃▄▅▆▇█"

// spark draws the last width values, the newest at the right, against the largest of them. What was not measured is blank.
func spark(values []float64, width int) string {
	values = values[max(0, len(values)-width):]
	top := 0.0
	for _, v := range values {
		top = max(top, v)
	}
	var b strings.Builder
	b.WriteString(strings.Repeat(" ", max(0, width-len(values))))
	ramp := []rune(bars)
	for _, v := range values {
		switch {
		case v < 0:
			b.WriteByte(' ')
		case top == 0:
			b.WriteRune(ramp[0])
		default:
			b.WriteRune(ramp[int(v/top*float64(len(ramp)-1)+0.5)])
		}
	}
	return b.String()
}
