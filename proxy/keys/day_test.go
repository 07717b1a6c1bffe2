package keys

import (
	"testing"
	"time"
)

func TestDay(t *testing.T) {
	f := func(now, day string, left time.Duration) {
		t.Helper()
		at, err := time.Parse(time.RFC3339, now)
		if err != nil {
			t.Fatal(err)
		}
		if Day(at) != day || NextDay(at).Sub(at) != left {
			t.Errorf("%s is on %s for another %v", now, Day(at), NextDay(at).Sub(at))
		}
		if next := NextDay(at); Day(next) == day || Day(next.Add(-1)) != day {
			t.Errorf("%s: the next day begins at %v", now, next)
		}
	}
	f("2026-11-23T20:00:00Z", "2026-11-23", 12*time.Hour)
	f("2026-11-24T07:59:59Z", "2026-11-23", time.Second)
	f("2026-11-24T08:00:00Z", "2026-11-24", 24*time.Hour)
	f("2026-07-24T06:59:59Z", "2026-07-23", time.Second)
	f("2026-03-08T08:00:00Z", "2026-03-08", 23*time.Hour) // loses an hour
	f("2026-11-01T07:00:00Z", "2026-11-01", 25*time.Hour) // gains one
}

func TestJitterIsSmallAndTheSameInEveryProcess(t *testing.T) {
	seen := map[time.Duration]bool{}
	for _, name := range []string{"group=one", "group=two", "ca978112", "3e23e816"} {
		j := newGroup(name).jitter
		if j < time.Second || j > maxJitter || j != newGroup(name).jitter {
			t.Errorf("%s: %v", name, j)
		}
		seen[j] = true
	}
	if len(seen) != 4 {
		t.Errorf("%d different ones", len(seen))
	}
}
