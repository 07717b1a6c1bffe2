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
