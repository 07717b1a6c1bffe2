package keys

import (
	"sync"
	"time"
	_ "time/tzdata" // midnight in Los Angeles, on a server without zone files
)

// Day names the day that Google's quotas count for, 2006-01-02: it begins at midnight in Los Angeles (Gemini API docs).
func Day(t time.Time) string { return t.In(pacific()).Format(time.DateOnly) }

// NextDay is when the day after that of t begins.
func NextDay(t time.Time) time.Time {
	y, m, d := t.In(pacific()).Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, pacific())
}

// today is when the day of t began.
func today(t time.Time) time.Time {
	y, m, d := t.In(pacific()).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, pacific())
}

// pacific reads the zone once: the standard library would read it each time.
var pacific = sync.OnceValue(func() *time.Location {
	zone, err := time.LoadLocation("America/Los_Angeles")
	if err != nil {
		panic("BUG: no time zone in the binary: " + err.Error())
	}
	return zone
})
