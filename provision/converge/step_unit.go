package converge

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// unitStep lets systemd run the adapter as its unit files now say.
type unitStep struct {
	reread  bool // a unit file changed
	socket  bool // the listening socket changed: it cannot be kept over this restart
	restart bool
	active  bool // it runs now
	enable  []string
	stop    time.Duration // the longest that a stop takes, which lets running requests end first
}

// stopTime is how long to wait for a stop under both the unit file that is and the one that is to be.
func stopTime(drain time.Duration, unit string) time.Duration {
	longest := drain
	for line := range strings.Lines(unit) {
		value, ok := strings.CutPrefix(strings.TrimSpace(line), "TimeoutStopSec=")
		if !ok {
			continue
		}
		if d, err := time.ParseDuration(value); err == nil {
			longest = max(longest, d)
		}
	}
	return longest + time.Minute
}

// ourUnits are those that start at boot.
var ourUnits = []string{socketUnit, serviceUnit}

// allUnits are those to stop where the adapter is to stop. systemd does not take names that it does not know.
func allUnits(units map[string]UnitState) []string {
	if u := units[handoverUnit]; u.Loaded || u.Active || u.Ending {
		return []string{socketUnit, serviceUnit, handoverUnit}
	}
	return ourUnits
}

func (st unitStep) before(ctx context.Context, r *run) (reversal, error) {
	units, err := collectUnits(ctx, &r.sys.reader)
	if err != nil {
		return reversal{}, err
	}
	var rev reversal
	seconds := int(st.stop / time.Second)
	if !units[socketUnit].Active && !units[serviceUnit].Active {
		rev.Undo = append(rev.Undo, action{Op: opStop, Names: ourUnits, Seconds: seconds})
	}
	for _, unit := range st.enable {
		if !units[unit].Enabled {
			rev.Undo = append(rev.Undo, action{Op: opDisable, Names: []string{unit}})
		}
	}
	state, err := r.sys.look(runtimeDir)
	if err == nil && state.Kind == PathAbsent {
		rev.Undo = append(rev.Undo, action{Op: opPath, Path: runtimeDir, Was: &state})
	}
	rev.Settle = bringBack(units, st.socket, st.stop)
	return rev, err
}

// bringBack has systemd read the unit files that are back in place, and run what ran. A socket that is to listen elsewhere
// cannot be restarted under a running service.
func bringBack(units map[string]UnitState, socket bool, stop time.Duration) []action {
	seconds := int(stop / time.Second)
	actions := []action{{Op: opDaemonReload}}
	if socket && (units[serviceUnit].Active || units[socketUnit].Active) {
		actions = append(actions, action{Op: opStop, Names: allUnits(units), Seconds: seconds}, action{Op: opRestart, Names: []string{socketUnit}})
	}
	if units[serviceUnit].Active {
		actions = append(actions, action{Op: opRestart, Names: []string{serviceUnit}, Seconds: seconds})
	}
	return actions
}

func (st unitStep) apply(ctx context.Context, r *run) error {
	s := r.sys
	if st.reread {
		if err := s.systemctl(ctx, "daemon-reload"); err != nil {
			return err
		}
	}
	if len(st.enable) > 0 {
		if err := s.systemctl(ctx, "enable", st.enable...); err != nil {
			return err
		}
	}
	if !st.restart {
		return nil
	}
	if st.socket {
		if err := s.stopAll(ctx, st.stop); err != nil {
			return err
		}
	}
	if st.active {
		r.progress("waiting for running requests to end")
	}
	if err := s.systemctl(ctx, "start", socketUnit); err != nil {
		return unitError(ctx, s, serviceUnit, fmt.Errorf("the adapter's socket does not start\n%w", err))
	}
	if err := s.systemctlWithin(ctx, st.stop, "restart", serviceUnit); err != nil {
		return unitError(ctx, s, serviceUnit, fmt.Errorf("the adapter does not start\n%w", err))
	}
	return nil
}

func (st unitStep) check(ctx context.Context, r *run) error {
	units, err := collectUnits(ctx, &r.sys.reader)
	if err != nil {
		return err
	}
	for _, unit := range ourUnits {
		if !units[unit].Active {
			return unitError(ctx, r.sys, serviceUnit, fmt.Errorf("%s does not run", unit))
		}
	}
	for _, unit := range st.enable {
		if !units[unit].Enabled {
			return fmt.Errorf("%s would not start at boot", unit)
		}
	}
	return nil
}

// unitError adds what a unit said last.
func unitError(ctx context.Context, s *system, unit string, err error) error {
	out, logErr := s.run(ctx, "journalctl", "--unit="+unit, "--lines=20", "--no-pager", "--output=cat")
	if logErr != nil {
		return errors.Join(err, logErr)
	}
	return fmt.Errorf("%w\nthe last lines of %s:\n%s", err, unit, out)
}

// settingsStep asks the new release whether it would start with what now lies
// in a folder, before anything that serves is touched.
type settingsStep struct{ gca, dir string }

func (settingsStep) before(context.Context, *run) (reversal, error) { return reversal{}, nil }

func (st settingsStep) apply(ctx context.Context, r *run) error {
	if _, err := os.Stat(r.sys.at(st.gca)); err != nil {
		return err
	}
	if _, err := r.sys.run(ctx, st.gca, "serve", "--check", "--config-dir", r.sys.at(st.dir), "--behind-proxy"); err != nil {
		return fmt.Errorf("the adapter would not start with these settings, keys and tokens\n%w", err)
	}
	return nil
}

func (settingsStep) check(context.Context, *run) error { return nil }
