package converge

import (
	"context"
	"fmt"
	"strconv"
)

// firewallStep lets SSH and the web in, and only then turns ufw on.
type firewallStep struct {
	ports  []int // TCP, to let in
	enable bool
}

var ufwFiles = []string{"/etc/ufw/ufw.conf", "/etc/ufw/user.rules", "/etc/ufw/user6.rules"}

func (st firewallStep) before(_ context.Context, r *run) (reversal, error) {
	var rev reversal
	if st.enable {
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
	if !st.enable {
		rev.Undo = append(rev.Undo, action{Op: opUFWReload})
	}
	return rev, nil
}

func (st firewallStep) apply(ctx context.Context, r *run) error {
	for _, port := range st.ports {
		if _, err := r.sys.run(ctx, "ufw", "allow", strconv.Itoa(port)+"/tcp"); err != nil {
			return err
		}
	}
	if !st.enable {
		return nil
	}
	_, err := r.sys.run(ctx, "ufw", "--force", "enable")
	return err
}

func (st firewallStep) check(ctx context.Context, r *run) error {
	state, rules, err := collectUFW(ctx, r.sys)
	if err != nil {
		return err
	}
	if state != UFWActive {
		return fmt.Errorf("ufw says it is %s", state)
	}
	for _, port := range st.ports {
		if !(Firewall{Rules: rules}).allows(port) {
			return fmt.Errorf("ufw does not let port %d in", port)
		}
	}
	return nil
}
