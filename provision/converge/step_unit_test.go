package converge

import (
	"context"
	"testing"
	"time"
)

// The reversal, which a later process may carry out, waits for the adapter to drain as the step itself does.
func TestUnitStep_ReversalWaits(t *testing.T) {
	m := newMachine(t)
	_, _, err := m.deploy("AIzaSyTest1")
	m.must(err)
	rev, err := unitStep{socket: true, restart: true, stop: 2 * time.Hour}.before(context.Background(), &run{sys: m.sys})
	m.must(err)
	waits := 0
	for _, a := range rev.Settle {
		if a.Op == opStop || a.Op == opRestart && a.Names[0] == serviceUnit {
			waits++
			if a.Seconds != 7200 {
				t.Errorf("%s %v waits for %d seconds", a.Op, a.Names, a.Seconds)
			}
		}
	}
	if waits != 2 {
		t.Errorf("%d actions of %+v wait", waits, rev.Settle)
	}
}
