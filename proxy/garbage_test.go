package proxy

import (
	"runtime/debug"
	"testing"
)

func TestTuneGarbage(t *testing.T) {
	percent, limit := debug.SetGCPercent(100), debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetGCPercent(percent); debug.SetMemoryLimit(limit) })
	f := func(set string, wantPercent int, wantLimit bool) {
		t.Helper()
		debug.SetGCPercent(100)
		debug.SetMemoryLimit(limit)
		TuneGarbage(func(name string) (string, bool) { return "", name == set })
		got := debug.SetGCPercent(100)
		now := debug.SetMemoryLimit(-1)
		if got != wantPercent || (now == machineMemory()/100*memoryShare) != wantLimit {
			t.Errorf("with %q: %d percent, %d bytes", set, got, now)
		}
	}
	f("", firstPercent, true)
	f("GOGC", 100, true)
	f("GOMEMLIMIT", firstPercent, false)
}

// However little is in use, no more garbage piles up than 40 MB: the runtime's least heap grows with the percents.
func TestPercentOf(t *testing.T) {
	f := func(used uint64, want int) {
		t.Helper()
		if got := percentOf(used); got != want {
			t.Errorf("%d bytes in use: %d percent, want %d", used, got, want)
		}
	}
	f(1, firstPercent)
	f(2<<20, firstPercent)
	f(4<<20, firstPercent)
	f(20<<20, 200)
	f(40<<20, garbage)
	f(4<<30, garbage)
}
