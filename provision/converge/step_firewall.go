package converge

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// firewallStep lets SSH and the web in, and only then turns ufw on, now or at boot.
type firewallStep struct {
	open  []opening
	close []Rule
	start bool // it does not filter yet
	boot  bool // nor would it after a boot
}

// ufwComment marks the rules that deploys add.
const ufwComment = "gemini-adapter"

var ufwFiles = []string{"/etc/ufw/ufw.conf", "/etc/ufw/user.rules", "/etc/ufw/user6.rules"}

func (st firewallStep) before(ctx context.Context, r *run) (reversal, error) {
	var rev reversal
	disabled, err := ufwDisabled(ctx, &r.sys.reader)
	if err != nil {
		return reversal{}, err
	}
	if st.boot && disabled {
		rev.Undo = append(rev.Undo, action{Op: opDisable, Names: []string{ufwUnit}})
	}
	if st.start {
		rev.Undo = append(rev.Undo, action{Op: opUFWDisable})
	}
	for _, path := range ufwFiles {
		a, err := r.sys.pathReversal(path, false)
		if err != nil {
			return reversal{}, err
		}
		if a.Was.Kind == PathFile {
			rev.Undo = append(rev.Undo, a)
		}
	}
	if !st.start && len(st.open)+len(st.close) > 0 {
		rev.Undo = append(rev.Undo, action{Op: opUFWReload})
	}
	return rev, nil
}

func (st firewallStep) apply(ctx context.Context, r *run) error {
	var commands [][]string
	for _, o := range st.open {
		commands = append(commands, o.args())
	}
	for _, rule := range st.close {
		commands = append(commands, rule.deletion())
	}
	for _, args := range commands {
		if _, err := r.sys.run(ctx, "ufw", args...); err != nil {
			return err
		}
	}
	if st.start {
		if _, err := r.sys.run(ctx, "ufw", "--force", "enable"); err != nil {
			return err
		}
	}
	if disabled, err := ufwDisabled(ctx, &r.sys.reader); err != nil || !disabled || !st.boot {
		return err
	}
	return r.sys.systemctl(ctx, "enable", ufwUnit)
}

func (st firewallStep) check(ctx context.Context, r *run) error {
	state, rules, err := collectUFW(ctx, &r.sys.reader)
	if err != nil {
		return err
	}
	if state != UFWActive {
		return fmt.Errorf("ufw says it is %s", state)
	}
	for _, o := range st.open {
		if !o.in(rules) {
			return fmt.Errorf("ufw does not let port %s in", o)
		}
	}
	for _, rule := range st.close {
		if slices.Contains(rules, rule) {
			return fmt.Errorf("ufw still lets %s in", rule.To)
		}
	}
	disabled, err := ufwDisabled(ctx, &r.sys.reader)
	if err == nil && st.boot && disabled {
		err = errors.New("ufw would not start at boot")
	}
	return err
}

// ufwDisabled reports whether ufw has a unit that does not start at boot.
func ufwDisabled(ctx context.Context, s *reader) (bool, error) {
	units, err := collectUnits(ctx, s)
	return units[ufwUnit].Loaded && !units[ufwUnit].Enabled, err
}
