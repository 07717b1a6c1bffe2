package manage

import (
	"testing"
	"time"
)

func TestParseRun(t *testing.T) {
	f := func(text string, want lastRun) {
		t.Helper()
		if got := parseRun(text); got != want {
			t.Errorf("%q: %+v", text, got)
		}
	}
	f("", lastRun{})
	f("Result=success\nActiveState=inactive\nInactiveEnterTimestamp=\n", lastRun{Result: "success"})
	f("Result=exit-code\nActiveState=failed\nInactiveEnterTimestamp=Mon 2026-11-30 03:00:07 UTC\n",
		lastRun{true, "exit-code", time.Date(2026, 11, 30, 3, 0, 7, 0, time.UTC)})
}
