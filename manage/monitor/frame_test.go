package monitor

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/gemini-claude-adapter/gca/manage"
	"github.com/gemini-claude-adapter/gca/proxy/control"
)

var update = flag.Bool("update", false, "write the golden frames anew")

var noon = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// sampled is the look number i at a server with some traffic.
func sampled(i int) manage.Sample {
	n := int64(i)
	at := noon.Add(time.Duration(i) * 2 * time.Second)
	done := n*n*3 + 20*n
	stats := &control.Stats{Schema: 1, Health: "degraded", Now: at, Status: control.Status{
		Version: "1.2.3", Started: noon.Add(-27 * time.Hour), Requests: 12_000 + done, Errors: 7, OpenStreams: 3, Waiting: 1, Saved: 41,
		Keys: []control.Key{
			{ID: "0a1b2c3d-1111", State: "active", Inflight: 2, Requests: 11_500 + done, Failures: 12},
			{ID: "1a1b2c3d-2222", Label: "spare", State: "resting", Reason: "quota of the day", Until: noon.Add(19*time.Hour + 7*time.Minute), Requests: 480, Failures: 3},
			{ID: "2a1b2c3d-3333", Label: "old", State: "disabled", Reason: "invalid", Requests: 1, Failures: 1},
			{ID: "3a1b2c3d-4444", Label: "部署\x1b[31m", State: "active", Reason: "rate limited for some models", Until: at.Add(42 * time.Second), Inflight: 1, Requests: 19},
		}},
		Totals: control.Totals{MeanTTFTMS: 812, MeanMS: 4210,
			TTFT: control.Sum{Count: 100 + n, MS: 80_000 + 900*float64(n) + 20*float64(n*n)}, Answers: control.Sum{Count: 100 + n, MS: 400_000 + 5000*float64(n)}},
		Today: control.DayStats{Day: "2026-11-30", Total: control.Figures{Input: 1_200_000 + done*900, Output: 300_000 + done*40, CostUSD: 1.234}},
	}
	for _, k := range stats.Keys {
		stats.KeyStats = append(stats.KeyStats, control.KeyStats{ID: k.ID, Today: control.Figures{Input: k.Requests * 1000, Output: k.Requests * 99}})
	}
	return manage.Sample{Schema: 1, Time: at, Stats: stats, Errors: []manage.LogLine{}}
}

// busy is a screen that has looked some times.
func busy(width, height int, colour bool) *Screen {
	s := &Screen{Server: "tokyo.example.com", Every: 2 * time.Second, Width: width, Height: height, Colour: colour}
	for i := range 20 {
		sample := sampled(i)
		if i == 7 {
			sample.Errors = []manage.LogLine{
				{Time: sample.Time, Source: "adapter", Text: `{"level":"INFO","msg":"request","path":"/v1/messages","status":503,"model":"gemini-3.8-flash","key":"0a1b2c3d-1111","error":"no key is left"}`},
				{Time: sample.Time, Source: "nginx", Text: "[crit] 1#1: disk on \x1b]0;fire"},
				{Time: sample.Time, Source: "adapter", Text: `{"level":"WARN","msg":"a key is disabled","key":"2a1b2c3d-3333"}`},
			}
		}
		s.Add(sample)
	}
	return s
}

func TestFrame(t *testing.T) {
	f := func(name string, s *Screen) {
		t.Helper()
		got := s.Frame()
		lines := strings.Split(got, "\n")
		if s.Every > 0 && len(lines) != s.Height {
			t.Errorf("%s: %d lines", name, len(lines))
		}
		for i, line := range lines {
			if w := ansi.StringWidth(line); w > s.Width {
				t.Errorf("%s: line %d has %d columns: %q", name, i+1, w, line)
			}
		}
		if !s.Colour && strings.Contains(got, "\x1b") {
			t.Errorf("%s: commands to the terminal without colours", name)
		}
		file := filepath.Join("testdata", name+".golden")
		if *update {
			if err := os.WriteFile(file, []byte(got+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil || got+"\n" != string(want) {
			t.Errorf("%s: %v, got:\n%s\nwant:\n%s", name, err, got, want)
		}
	}
	f("80x24", busy(80, 24, false))
	f("80x24-colour", busy(80, 24, true))
	f("120x40", busy(120, 40, false))
	f("120x40-colour", busy(120, 40, true))
	down := busy(80, 24, false)
	down.Add(manage.Sample{Time: noon.Add(time.Minute), Problem: "the adapter is not running", Journal: "this user may not read the adapter's journal: this needs root"})
	f("down", down)
	never := &Screen{Width: 80, Height: 24, Every: time.Second}
	never.Add(manage.Sample{Time: noon, Problem: "the adapter is not running"})
	f("never-up", never)
	once := &Screen{Server: "tokyo", Width: 80, Height: 24}
	once.Add(sampled(3))
	f("once", once)
}

// Colours add nothing that is not there without them.
func TestFrame_colourIsDecoration(t *testing.T) {
	if plain, colour := busy(80, 24, false).Frame(), busy(80, 24, true).Frame(); ansi.Strip(colour) != plain {
		t.Errorf("%s\ndiffers from\n%s", ansi.Strip(colour), plain)
	}
}

// However small the terminal, however many keys, however odd their names, lines fit.
func TestFrame_fits(t *testing.T) {
	for _, size := range [][2]int{{0, 0}, {40, 12}, {53, 13}, {80, 24}, {300, 90}} {
		for _, keys := range []int{0, 1, 5, 60} {
			s := busy(size[0], size[1], true)
			sample := sampled(21)
			sample.Stats.Keys = nil
			for i := range keys {
				sample.Stats.Keys = append(sample.Stats.Keys, control.Key{ID: fmt.Sprintf("k%03d", i), Label: strings.Repeat("漢\u200b\x9b", i%40), State: "active"})
			}
			s.Add(sample)
			for i := range keys + 1 {
				got := s.Frame()
				lines := strings.Split(got, "\n")
				if len(lines) != s.Height {
					t.Fatalf("%v, %d keys: %d lines\n%s", size, keys, len(lines), got)
				}
				for _, line := range lines {
					if ansi.StringWidth(line) > s.Width {
						t.Fatalf("%v, %d keys: %q is too wide", size, keys, line)
					}
				}
				if i > 0 && !strings.Contains(got, "> ") {
					t.Fatalf("%v, %d keys: the chosen one, %s, is not to be seen\n%s", size, keys, s.cursor, got)
				}
				s.move(1)
			}
		}
	}
}

// What a server says is text, never a command to the terminal.
func TestFrame_hostile(t *testing.T) {
	s := busy(120, 40, true)
	evil := "\x1b]52;c;ZXZpbA==\a\x9b2J\u202e"
	sample := sampled(22)
	sample.Stats.Version, sample.Stats.Health = evil, evil
	sample.Stats.Keys[0] = control.Key{ID: evil, Label: evil, State: evil, Reason: evil}
	sample.Errors = []manage.LogLine{{Source: evil, Text: evil}}
	sample.Journal = evil
	s.Add(sample)
	s.note = oneLine(evil)
	for _, at := range []string{"", evil} {
		s.cursor, s.asked = at, at
		if left := regexp.MustCompile(`\x1b\[[0-9]*m`).ReplaceAllString(s.Frame(), ""); strings.ContainsAny(left, "\x1b\a\u009b\u202e") {
			t.Errorf("%q", left)
		}
	}
}
