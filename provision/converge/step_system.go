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
	file, err := r.sys.pathReversal(sysctlConf, false)
	if err != nil {
		return reversal{}, err
	}
	undo := action{Op: opSysctl}
	for _, w := range st.values {
		now, err := r.sys.sysctlNow(w.Key)
		if err != nil {
			return reversal{}, err
		}
		undo.Names = append(undo.Names, w.Key+"="+now)
	}
	return reversal{Undo: []action{undo, file}}, nil
}

func (st sysctlStep) apply(_ context.Context, r *run) error {
	var refused []sysctl
	for _, w := range st.values {
		// Some containers let a setting be written and refuse its value: no reason to undo a whole deploy.
		if err := r.sys.trySysctl(w); err != nil {
			r.progress(fmt.Sprintf("%s could not be set: %v", w.Key, err))
			refused = append(refused, w)
		}
	}
	return r.sys.markRefused(refused)
}

// check finds that each value was taken, or is marked as one that was not.
func (st sysctlStep) check(_ context.Context, r *run) error {
	now, err := collectSysctls(&r.sys.reader, false)
	if err != nil {
		return err
	}
	for _, w := range st.values {
		if got := now[w.Key]; got.Value != w.Value && !got.Refused {
			return fmt.Errorf("%s is %q, not %s as set a moment ago", w.Key, got.Value, w.Value)
		}
	}
	return nil
}

// trySysctl sets a value and reads it back: some kernels take another one without a word.
func (s *system) trySysctl(w sysctl) error {
	if err := s.setSysctl(w.Key, w.Value); err != nil {
		return err
	}
	now, err := s.sysctlNow(w.Key)
	if err == nil && now != w.Value {
		err = fmt.Errorf("the kernel made %q of %s", now, w.Value)
	}
	return err
}

// markRefused notes in our own file what the kernel did not take, so that the next deploy does not try it again.
func (s *system) markRefused(refused []sysctl) error {
	if len(refused) == 0 {
		return nil
	}
	st, err := s.state(sysctlConf)
	if err != nil {
		return err
	}
	text := string(st.Content)
	for _, w := range refused {
		text = strings.Replace(text, "\n"+w.line(), "\n-"+w.line(), 1)
	}
	return s.writeFile(sysctlConf, []byte(text), st.Mode, owner{st.UID, st.GID})
}

// sysctlNow is a kernel setting, its words parted by one space.
func (s *reader) sysctlNow(key string) (string, error) {
	text, err := s.readText(sysctlFile(key))
	return strings.Join(strings.Fields(text), " "), err
}

func (s *system) setSysctl(key, value string) error {
	f, err := os.OpenFile(s.at(sysctlFile(key)), os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value + "\n")
	return errors.Join(err, f.Close())
}

// resetSysctls is the reversal: "key=value" each. What has its value still was refused before, and would be again.
func (s *system) resetSysctls(settings []string) error {
	var errs []error
	for _, setting := range settings {
		key, value, _ := strings.Cut(setting, "=")
		now, err := s.sysctlNow(key)
		if err == nil && now != value {
			err = s.setSysctl(key, value)
		}
		errs = append(errs, err)
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
