package converge

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

// sysctlStep gives the kernel its settings now; the file gives them after the next boot.
type sysctlStep struct{ values []sysctl }

func (st sysctlStep) before(_ context.Context, r *run) (reversal, error) {
	undo := action{Op: opSysctl}
	for _, w := range st.values {
		now, err := r.sys.readText(sysctlFile(w.Key))
		if err != nil {
			return reversal{}, err
		}
		undo.Names = append(undo.Names, w.Key+"="+strings.Join(strings.Fields(now), " "))
	}
	return reversal{Undo: []action{undo}}, nil
}

func (st sysctlStep) apply(_ context.Context, r *run) error {
	for _, w := range st.values {
		if err := r.sys.setSysctl(w.Key, w.Value); err != nil {
			// Some containers let a setting be written and refuse its value: no reason to undo a whole deploy.
			r.progress(fmt.Sprintf("%s could not be set: %v", w.Key, err))
		}
	}
	return nil
}

func (sysctlStep) check(context.Context, *run) error { return nil }

func (s *system) setSysctl(key, value string) error {
	f, err := os.OpenFile(s.at(sysctlFile(key)), os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value + "\n")
	return errors.Join(err, f.Close())
}

// resetSysctls is the reversal: "key=value" each.
func (s *system) resetSysctls(settings []string) error {
	var errs []error
	for _, setting := range settings {
		key, value, _ := strings.Cut(setting, "=")
		errs = append(errs, s.setSysctl(key, value))
	}
	return errors.Join(errs...)
}

// restartStep restarts a unit that has new settings.
type restartStep struct{ unit string }

func (st restartStep) before(context.Context, *run) (reversal, error) {
	return reversal{Settle: []action{{Op: opRestart, Names: []string{st.unit}}}}, nil
}

func (st restartStep) apply(ctx context.Context, r *run) error {
	return r.sys.systemctl(ctx, "restart", st.unit)
}

func (st restartStep) check(ctx context.Context, r *run) error {
	if _, err := r.sys.run(ctx, "systemctl", "is-active", "--quiet", st.unit); err != nil {
		return fmt.Errorf("%s does not run after its restart", st.unit)
	}
	return nil
}
