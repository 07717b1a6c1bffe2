package converge

import (
	"context"
	"fmt"
)

// userStep makes the system user that the service runs as, with a group of its own.
type userStep struct{ name, home string }

func (st userStep) before(_ context.Context, r *run) (reversal, error) {
	var undo []action
	if _, found, _ := r.sys.idOf("/etc/passwd", st.name); !found {
		undo = append(undo, action{Op: opUserDel, Names: []string{st.name}})
	}
	if _, found, _ := r.sys.idOf("/etc/group", st.name); !found {
		undo = append(undo, action{Op: opGroupDel, Names: []string{st.name}})
	}
	return reversal{Undo: undo}, nil
}

func (st userStep) apply(ctx context.Context, r *run) error {
	if _, found, _ := r.sys.idOf("/etc/group", st.name); !found {
		if _, err := r.sys.run(ctx, "groupadd", "--system", st.name); err != nil {
			return err
		}
	}
	if _, found, _ := r.sys.idOf("/etc/passwd", st.name); found {
		return nil
	}
	_, err := r.sys.run(ctx, "useradd", "--system", "--gid", st.name, "--home-dir", st.home,
		"--no-create-home", "--shell", "/usr/sbin/nologin", st.name)
	return err
}

func (st userStep) check(_ context.Context, r *run) error {
	if _, err := r.sys.lookup(st.name, st.name); err != nil {
		return fmt.Errorf("the user was made, yet %w", err)
	}
	return nil
}
