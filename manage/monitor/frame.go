package monitor

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/gemini-claude-adapter/gca/manage"
	"github.com/gemini-claude-adapter/gca/proxy/control"
)

// What a screen has, whatever its size, and the least that it is drawn for.
const (
	narrowest, lowest = 40, 12
	maxErrors         = 100 // kept
	headLines         = 6
	nameWidth         = 11
	noteWidth         = 31
)

// Screen is what the dashboard shows. The zero value has seen nothing yet.
type Screen struct {
	Server        string
	Every         time.Duration // between samples, 0 for a single one
	Width, Height int           // of the terminal
	Colour        bool

	last    manage.Sample
	stats   *control.Stats // the last ones that there were
	history []point
	errors  []manage.LogLine // oldest first
	keyTable
	note    string // what came of the last key that was pressed
	trouble bool   // the note is about a failure
}

// Add takes a sample in.
func (s *Screen) Add(sample manage.Sample) {
	if !s.last.Time.IsZero() {
		s.history = append(s.history, between(s.last, sample))
		s.history = s.history[max(0, len(s.history)-maxPoints):]
	}
	s.errors = append(s.errors, sample.Errors...)
	s.errors = s.errors[max(0, len(s.errors)-maxErrors):]
	s.last = sample
	if sample.Stats != nil {
		s.stats = sample.Stats
		s.take(sample.Stats)
	}
}

// Frame draws the screen in lines of at most Width columns: Height of them, or for a single sample as many as it takes.
func (s *Screen) Frame() string {
	s.Width, s.Height = max(s.Width, narrowest), max(s.Height, lowest)
	if s.last.Time.IsZero() {
		return cell("waiting for "+s.Server+" …", s.Width)
	}
	lines := s.head()
	shownErrors := min(max(1, len(s.errors)), max(1, (s.Height-headLines)/4))
	if s.Every == 0 {
		lines = append(lines, s.keys(len(s.rows)+1)...)
		return strings.Join(append(lines, s.recent(shownErrors)...), "\n")
	}
	lines = append(lines, s.keys(s.Height-len(lines)-shownErrors-2)...)
	lines = append(lines, s.recent(shownErrors)...)
	return strings.Join(append(lines, s.foot()), "\n")
}

// head is the server and its traffic.
func (s *Screen) head() []string {
	lines := []string{s.title(), s.standing()}
	latest := point{-1, -1, -1, -1}
	if len(s.history) > 0 {
		latest = s.history[len(s.history)-1]
	}
	var notes [4]string
	if st := s.stats; st != nil {
		today := st.Today.Total
		notes = [4]string{
			fmt.Sprintf("%s since start, %s", short(float64(st.Requests)), plural(st.Errors, "error")),
			fmt.Sprintf("today %s in, %s out, $%.2f", short(float64(today.Input)), short(float64(today.Output)), today.CostUSD),
			"mean " + took(st.Totals.MeanTTFTMS), "mean " + took(st.Totals.MeanMS),
		}
	}
	row := func(name, now string, of func(point) float64, note string) string {
		values := make([]float64, 0, len(s.history))
		for _, p := range s.history {
			values = append(values, of(p))
		}
		width := s.Width - nameWidth - 9 - 2 - noteWidth
		return cell(cell(name, nameWidth)+cell(now, 9)+spark(values, max(0, width))+"  "+note, s.Width)
	}
	return append(lines,
		row("requests", rate(latest.requests), func(p point) float64 { return p.requests }, notes[0]),
		row("tokens", rate(latest.tokens), func(p point) float64 { return p.tokens }, notes[1]),
		row("first word", took(latest.ttft), func(p point) float64 { return p.ttft }, notes[2]),
		row("answer", took(latest.whole), func(p point) float64 { return p.whole }, notes[3]))
}

func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return short(float64(n)) + " " + noun + "s"
}

// title names the server and says how it is.
func (s *Screen) title() string {
	at := s.last.Time.UTC().Format("15:04:05 UTC")
	left, health, paint := "gemini-adapter", "", red
	if s.stats != nil {
		left += " " + s.stats.Version
		health = strings.TrimRight(cell(s.stats.Health, 14), " ")
	}
	if s.Server != "" {
		left += " on " + s.Server
	}
	switch {
	case s.last.Stats == nil:
		health = "NOT ANSWERING"
	case health == "healthy":
		paint = green
	case health == "degraded":
		paint = yellow
	}
	if s.last.Stats != nil {
		at = "up " + age(s.last.Time.Sub(s.stats.Started)) + "   " + at
	}
	rest := s.Width - len(health) - 2 - len(at) - 1
	width := min(rest, len([]rune(left)))
	return s.painted(bold, cell(left, width)) + "  " + s.painted(paint, health) + strings.Repeat(" ", rest-width) + " " + at
}

// standing is how the keys are, by state, and what is under way; or why nothing can be said.
func (s *Screen) standing() string {
	if s.last.Problem != "" {
		return s.painted(red, cell(s.last.Problem, s.Width))
	}
	count := make(map[string]int)
	for _, key := range s.stats.Keys {
		count[key.State]++
	}
	text := fmt.Sprintf("%d active, %d resting, %d disabled", count["active"], count["resting"], count["disabled"])
	busy := fmt.Sprintf("%d open, %d waiting, %s saved", s.stats.OpenStreams, s.stats.Waiting, short(float64(s.stats.Saved)))
	return cell(cell("keys", nameWidth)+cell(text, max(len(text)+2, s.Width-nameWidth-len(busy)))+busy, s.Width)
}

// recent shows the last n errors, the newest one last.
func (s *Screen) recent(n int) []string {
	lines := []string{s.painted(dim, cell("recent errors", s.Width))}
	shown := s.errors[max(0, len(s.errors)-n):]
	switch {
	case s.last.Journal != "":
		lines = append(lines, cell(s.last.Journal, s.Width))
		shown = shown[min(1, len(shown)):]
	case len(shown) == 0:
		lines = append(lines, cell("none", s.Width))
	}
	for _, line := range shown {
		lines = append(lines, cell(line.Time.UTC().Format("01-02 15:04:05 ")+brief(line), s.Width))
	}
	return lines
}

// brief is a line of a log in few words. The adapter's own are JSON.
func brief(line manage.LogLine) string {
	var own struct {
		Msg, Path, Model, Key, Error string
		Status                       int
	}
	if line.Source != "adapter" || json.Unmarshal([]byte(line.Text), &own) != nil {
		return line.Source + ": " + line.Text
	}
	words := []string{own.Msg}
	if own.Status != 0 {
		words = []string{fmt.Sprint(own.Status), own.Path}
	}
	for _, more := range []string{own.Model, own.Key, own.Error} {
		if more != "" {
			words = append(words, more)
		}
	}
	return strings.Join(words, " ")
}

// foot is what the keys do, or a question.
func (s *Screen) foot() string {
	switch {
	case s.asked != "":
		return s.painted(bold, cell("give "+s.asked+" another chance at once? y / any other key", s.Width))
	case s.typing:
		return cell("filter: "+s.filter+"_   enter keeps it, esc drops it", s.Width)
	case s.note != "" && s.trouble:
		return s.painted(red, cell(s.note, s.Width))
	case s.note != "":
		return cell(s.note, s.Width)
	}
	return s.painted(dim, cell("q quit  s sort: "+s.order.String()+"  r reverse  / filter  up/down choose  x reset key", s.Width))
}

// The looks, as numbers of ANSI's SGR.
const (
	bold    = "1"
	dim     = "2"
	reverse = "7"
	red     = "31"
	green   = "32"
	yellow  = "33"
)

// painted gives text a look, on a terminal with colours.
func (s *Screen) painted(look, text string) string {
	if !s.Colour || text == "" {
		return text
	}
	return "\x1b[" + look + "m" + text + "\x1b[m"
}
