package manage

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gemini-claude-adapter/gca/proxy/control"
)

// adapters are the instances of the adapter that may be running here: during a handover there are two.
type adapters []control.Client

func hereAdapters() adapters {
	return adapters{{Path: control.Socket}, {Path: control.HandoverSocket}}
}

// each asks every running instance, the one that serves first, until it refuses; what the other one says, which only ends its
// last answers, does not count. The error is ErrNotRoot for users who may not, and control.ErrAbsent, with words, where none is
// running.
func (all adapters) each(ask func(control.Client) error) error {
	running := 0
	serving, ending := all.apart()
	for i, one := range slices.Concat(serving, ending) {
		err := ask(one)
		switch {
		case errors.Is(err, control.ErrAbsent):
			continue
		case errors.Is(err, control.ErrDenied):
			return ErrNotRoot
		case err != nil && (i < len(serving) || running == 0):
			return err
		}
		running++
	}
	if running == 0 {
		return fmt.Errorf("%w\nhint: gemini-manage start", control.ErrAbsent)
	}
	return nil
}

// apart tells those instances that take connections from those that only end their last answers.
func (all adapters) apart() (serving, ending adapters) {
	for _, one := range all {
		if status, err := one.Status(context.Background()); err == nil && status.Draining {
			ending = append(ending, one)
		} else {
			serving = append(serving, one)
		}
	}
	return serving, ending
}

// first asks the instance that serves.
func first[R any](all adapters, ask func(control.Client) (R, error)) (answer R, err error) {
	asked := false
	err = all.each(func(one control.Client) error {
		if asked {
			return nil
		}
		var err error
		answer, err = ask(one)
		asked = !errors.Is(err, control.ErrAbsent)
		return err
	})
	return answer, err
}
