package manage

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// LogOptions chooses what is shown of logs.
type LogOptions struct {
	Lines  int            // the last so many that fit, 1 or more
	Follow bool           // go on until ctx ends
	Since  time.Time      // nothing older; zero is no limit
	Grep   *regexp.Regexp // only lines that match; nil is all
	Level  Level          // only lines of this level or above
}

// Level is how much a line matters.
type Level uint8

// The levels, the least first.
const (
	Debug Level = iota
	Info
	Warn
	Error
)

// ParseLevel reads the name of a level.
func ParseLevel(name string) (Level, error) {
	if i := slices.Index([]string{"debug", "info", "warn", "error"}, strings.ToLower(name)); i >= 0 {
		return Level(i), nil
	}
	return Debug, fmt.Errorf("%q is no level: expected debug, info, warn or error", name)
}

// sinceForms are how a moment may be given, in the time of this machine where none is named.
var sinceForms = []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02", "2006-01-02T15:04:05"}

// ParseSince reads a moment, or how long ago it was: 90s, 10m, 2h, 3d.
func ParseSince(text string, now time.Time) (time.Time, error) {
	for _, form := range sinceForms {
		if t, err := time.ParseInLocation(form, text, time.Local); err == nil {
			return t, nil
		}
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 {
			return now.AddDate(0, 0, -n), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	return time.Time{}, fmt.Errorf("%q is no time: expected how long ago, such as 10m, 2h or 3d, or a moment, such as \"2026-01-31 15:04\"", text)
}

// maxPattern bounds a pattern in bytes. What matches one takes time that grows with the line alone, whatever the pattern (package
// regexp), and what one comes to in memory is bounded there, so its length is all that is left.
const maxPattern = 1000

// ParsePattern reads the regular expression that lines are to match.
func ParsePattern(text string) (*regexp.Regexp, error) {
	if len(text) > maxPattern {
		return nil, fmt.Errorf("the pattern has %d bytes: expected %d at most", len(text), maxPattern)
	}
	pattern, err := regexp.Compile(text)
	if err != nil {
		return nil, fmt.Errorf("%w\nhint: a pattern is a regular expression of Go; put \\ before each of . + * ? ( ) [ { ^ $ | that stands for itself", err)
	}
	return pattern, nil
}

// wants reports whether a line is asked for.
func (o LogOptions) wants(line LogLine) bool {
	return !line.Time.Before(o.Since) && (o.Grep == nil || o.Grep.MatchString(line.Text)) && line.level >= o.Level
}

// Logs tells show the last lines of the adapter's journal, oldest first. It returns how many there were at first.
func Logs(ctx context.Context, o LogOptions, show func(LogLine) error) (int, error) {
	if err := mayReadJournal(ctx); err != nil {
		return 0, err
	}
	started := time.Now()
	lines, cursor, err := journalLast(ctx, o, journalEntry.line)
	if err != nil {
		return 0, err
	}
	for _, line := range slices.Backward(lines) {
		if err := show(line); err != nil {
			return len(lines), err
		}
	}
	if !o.Follow {
		return len(lines), nil
	}
	return len(lines), journal(ctx, []string{"--follow", "--no-tail", goOn(cursor, started)}, func(e journalEntry) error {
		if line, ok := e.line(); ok && o.wants(line) {
			return show(line)
		}
		return nil
	})
}

// line turns an entry into a line. False is an entry without a time.
func (e journalEntry) line() (LogLine, bool) {
	micros, err := strconv.ParseInt(e.Time, 10, 64)
	if err != nil {
		return LogLine{}, false
	}
	line := LogLine{Schema: 1, Time: time.UnixMicro(micros), Source: "adapter", Text: e.text(), level: e.level()}
	if e.Identifier != "gemini-adapter" {
		line.Source = "systemd"
	}
	return line, true
}

// level is the one that the adapter gave the line, or the journal's. What the adapter says in no form are the last words of a crash.
func (e journalEntry) level() Level {
	if e.Identifier == "gemini-adapter" {
		var own struct {
			Level string `json:"level"`
		}
		if json.Unmarshal([]byte(e.text()), &own) != nil {
			return Error
		}
		level, err := ParseLevel(own.Level)
		if err != nil {
			return Info
		}
		return level
	}
	switch {
	case e.Priority == "" || e.Priority > "6":
		return Debug
	case e.Priority <= "3":
		return Error
	case e.Priority == "4":
		return Warn
	}
	return Info
}
