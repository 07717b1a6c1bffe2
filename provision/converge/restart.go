package converge

import (
	"context"
	"net"
	"strings"
)

// Restart starts the adapter of this server anew, by a handover where it runs, and touches nothing else. It is carried out
// as [Agent.Local] carries out a change: under the lock, with the journal.
func (a Agent) Restart(ctx context.Context, events Events) (Applied, error) {
	defer endure()()
	return a.restart(ctx, newSystem("/"), events)
}

func (a Agent) restart(ctx context.Context, s *system, events Events) (Applied, error) {
	want := a.complete(&s.reader, Want{Version: a.Version, SHA256: a.SHA256})
	return a.alone(ctx, s, want, want.purpose("a restart on the server itself, of"), events, planRestart)
}

// planRestart needs no more of the server than its units: whatever else may be wrong there, a restart must work.
func planRestart(ctx context.Context, s *reader, want Want) (Plan, error) {
	units, err := collectUnits(ctx, s)
	if err != nil {
		return Plan{}, err
	}
	release, err := s.release()
	if err != nil {
		return Plan{}, err
	}
	f := Facts{Units: units, Paths: map[string]PathState{}}
	for _, path := range []string{nextLink, nextConfig} {
		if f.Paths[path], err = s.look(path); err != nil {
			return Plan{}, err
		}
	}
	unit, err := s.readText(serviceFile)
	if err != nil {
		return Plan{}, err
	}
	d := differ{f: f, w: want}
	d.restartAlone(release, unit)
	return Plan{steps: d.steps}, nil
}

func (d *differ) restartAlone(release, unit string) {
	d.begin(GroupAdapter)
	stop := stopTime(0, unit)
	if !d.serving() || !d.f.Units[handoverUnit].Loaded {
		st := unitStep{restart: true, active: d.serving(), stop: stop}
		d.add(KindUnit, "gemini-adapter", st.title(), st)
	} else {
		if !d.rests(nextConfig, restConfig) || !d.rests(nextLink, restRelease) {
			st := stageStep{release: restRelease}
			d.add(KindDir, nextConfig, st.title(), st)
		}
		d.add(KindUnit, "gemini-adapter-handover", titleHandover, handoverStep{release: release, stop: stop})
		d.add(KindUnit, "gemini-adapter", titleBehind, behindStep{release: release, stop: stop})
	}
	if address := listens(d.f.Units[socketUnit]); address != "" {
		d.add(KindCheck, "health", "wait for the adapter's answer", healthStep{address: address, what: "the adapter"})
	}
}

// listens is the address of a socket unit, host:port; empty where it is none.
func listens(u UnitState) string {
	address, _, _ := strings.Cut(u.Listen, " ")
	if _, _, err := net.SplitHostPort(address); err != nil {
		return ""
	}
	return address
}
