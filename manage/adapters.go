package manage

import (
	"errors"
	"fmt"

	"github.com/gemini-claude-adapter/gca/proxy/control"
)

// adapters are the instances of the adapter that may be running here: during a handover there are two.
type adapters []control.Client

func hereAdapters() adapters {
	return adapters{{Path: control.Socket}, {Path: control.HandoverSocket}}
}

// each asks every running instance, the first one first, until one refuses. The error is ErrNotRoot for users who may not, and
// control.ErrAbsent, with words, where none is running.
func (all adapters) each(ask func(control.Client) error) error {
	running := 0
	for _, one := range all {
		err := ask(one)
		switch {
		case errors.Is(err, control.ErrAbsent):
			continue
		case errors.Is(err, control.ErrDenied):
			return ErrNotRoot
		case err != nil:
			return err
		}
		running++
	}
	if running == 0 {
		return fmt.Errorf("%w\nhint: gemini-manage start", control.ErrAbsent)
	}
	return nil
}

// first asks the first instance that is running.
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
