package converge

import (
	"context"
	"fmt"
)

// userStep makes the system user that the service runs as, with a group of its own.
type userStep struct{ name, home string }

func (st userStep) before(_ context.Context, r *run) (reversal, error) {
	hasUser, hasGroup, err := st.found(&r.sys.reader)
	if err != nil {
		return reversal{}, err
	}
	var undo []action
	if !hasUser {
		undo = append(undo, action{Op: opUserDel, Names: []string{st.name}})
	}
	if !hasGroup {
		undo = append(undo, action{Op: opGroupDel, Names: []string{st.name}})
	}
	return reversal{Undo: undo}, nil
}

func (st userStep) found(s *reader) (user, group bool, err error) {
	if _, user, err = s.idOf("/etc/passwd", st.name); err != nil {
		return false, false, err
	}
	_, group, err = s.idOf("/etc/group", st.name)
	return user, group, err
}

func (st userStep) apply(ctx context.Context, r *run) error {
	hasUser, hasGroup, err := st.found(&r.sys.reader)
	if err != nil {
		return err
	}
	if !hasGroup {
		if _, err := r.sys.run(ctx, "groupadd", "--system", st.name); err != nil {
			return err
		}
	}
	if hasUser {
		return nil
	}
	_, err = r.sys.run(ctx, "useradd", "--system", "--gid", st.name, "--home-dir", st.home,
		"--no-create-home", "--shell", "/usr/sbin/nologin", st.name)
	return err
}

func (st userStep) check(_ context.Context, r *run) error {
	if _, err := r.sys.lookup(st.name, st.name); err != nil {
		return fmt.Errorf("the user was made, yet %w", err)
	}
	return nil
}
