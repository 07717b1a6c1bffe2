package manage

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestParseSince(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.Local)
	f := func(text string, want time.Time) {
		t.Helper()
		if got, err := ParseSince(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%s is %v, %v; want %v", text, got, err, want)
		}
	}
	f("10m", now.Add(-10*time.Minute))
	f("2h", now.Add(-2*time.Hour))
	f("3d", now.AddDate(0, 0, -3))
	f("2026-11-29", now.AddDate(0, 0, -1).Add(-12*time.Hour))
	f("2026-11-29 15:04", time.Date(2026, 11, 29, 15, 4, 0, 0, time.Local))
	f("2026-11-29T15:04:05Z", time.Date(2026, 11, 29, 15, 4, 5, 0, time.UTC))
	for _, text := range []string{"", "yesterday", "-5m", "-3d", "x d"} {
		if got, err := ParseSince(text, now); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

func TestLogOptions_wants(t *testing.T) {
	line := LogLine{Time: time.Unix(1000, 0), Text: "GET /health 200", level: Info}
	f := func(o LogOptions, want bool) {
		t.Helper()
		if o.wants(line) != want {
			t.Errorf("%+v: %v", o, !want)
		}
	}
	f(LogOptions{}, true)
	f(LogOptions{Since: time.Unix(1000, 0)}, true)
	f(LogOptions{Since: time.Unix(1001, 0)}, false)
	f(LogOptions{Grep: regexp.MustCompile("^GET .* 2")}, true)
	f(LogOptions{Grep: regexp.MustCompile("POST")}, false)
	f(LogOptions{Level: Info}, true)
	f(LogOptions{Level: Warn}, false)
}

func TestJournalEntry_level(t *testing.T) {
	f := func(identifier, priority, message string, want Level) {
		t.Helper()
		text, err := json.Marshal(message)
		if err != nil {
			t.Fatal(err)
		}
		if got := (journalEntry{Identifier: identifier, Priority: priority, Message: text}).level(); got != want {
			t.Errorf("%s %s: level %d, want %d", priority, message, got, want)
		}
	}
	f("gemini-adapter", "6", `{"level":"DEBUG"}`, Debug)
	f("gemini-adapter", "6", `{"level":"INFO"}`, Info)
	f("gemini-adapter", "6", `{"level":"WARN"}`, Warn)
	f("gemini-adapter", "6", `{"level":"ERROR"}`, Error)
	f("gemini-adapter", "6", `{"status":200}`, Info)
	f("gemini-adapter", "6", "panic: oh", Error)
	f("systemd", "6", "Started", Info)
	f("systemd", "4", "odd", Warn)
	f("systemd", "3", "Failed", Error)
	f("systemd", "7", "x", Debug)
}

func TestParseLevel(t *testing.T) {
	if level, err := ParseLevel("WARN"); err != nil || level != Warn {
		t.Errorf("%v, %v", level, err)
	}
	if _, err := ParseLevel("loud"); err == nil {
		t.Error("loud is a level")
	}
}

// A pattern is refused in words, or a line is found by itself.
func FuzzParsePattern(f *testing.F) {
	f.Add("status=5..", "status=503")
	f.Add("(a+)+$", strings.Repeat("a", 500)+"!")
	f.Add("(((a{1,1000}){1,1000}){1,1000})", "a")
	f.Add("[", "\xff")
	f.Add(strings.Repeat("a", maxPattern+1), "a")
	f.Fuzz(func(t *testing.T, text, line string) {
		pattern, err := ParsePattern(text)
		if err == nil && len(text) > maxPattern {
			t.Errorf("a pattern of %d bytes is taken", len(text))
		}
		if err != nil && !strings.Contains(err.Error(), "\nhint: ") && len(text) <= maxPattern {
			t.Errorf("%q: %v", text, err)
		}
		if err == nil {
			LogOptions{Grep: pattern}.wants(LogLine{Text: line})
		}
		literal, err := ParsePattern(regexp.QuoteMeta(line))
		if utf8.ValidString(line) && len(regexp.QuoteMeta(line)) <= maxPattern && (err != nil || !(LogOptions{Grep: literal}).wants(LogLine{Text: "before " + line})) {
			t.Errorf("%q does not find itself: %v", line, err)
		}
	})
}
