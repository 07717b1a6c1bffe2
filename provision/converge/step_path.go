package converge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// fileStep writes a whole file.
type fileStep struct {
	path    string
	content []byte
	mode    fs.FileMode
	group   string // of the file; its user is root
	secret  bool
}

func (st fileStep) before(_ context.Context, r *run) (reversal, error) {
	a, err := r.sys.pathReversal(st.path, st.secret)
	if err != nil {
		return reversal{}, err
	}
	rev := reversal{Undo: []action{a}}
	// Of the folders that are to be made for it, the uppermost takes the others along.
	for dir := filepath.Dir(st.path); dir != "/"; dir = filepath.Dir(dir) {
		was, err := r.sys.look(dir)
		if err != nil {
			return reversal{}, err
		}
		if was.Kind != PathAbsent {
			break
		}
		rev.Undo = []action{a, {Op: opPath, Path: dir, Was: &was}}
	}
	return rev, nil
}

func (st fileStep) apply(_ context.Context, r *run) error {
	o, err := r.sys.lookup(rootUser, st.group)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(r.sys.at(st.path)), 0o755); err != nil {
		return err
	}
	return r.sys.writeFile(st.path, st.content, st.mode, o)
}

func (st fileStep) check(_ context.Context, r *run) error {
	o, err := r.sys.lookup(rootUser, st.group)
	if err != nil {
		return err
	}
	now, err := r.sys.state(st.path)
	if err != nil {
		return err
	}
	if !st.matches(now, o) {
		return fmt.Errorf("%s is not what was written a moment ago", st.path)
	}
	return nil
}

func (st fileStep) matches(now PathState, o owner) bool {
	return now.Kind == PathFile && now.Mode == st.mode && now.UID == o.uid && now.GID == o.gid &&
		bytes.Equal(now.Content, st.content)
}

// dirStep makes a directory, or gives one its mode and owner.
type dirStep struct {
	path  string
	mode  fs.FileMode
	user  string
	group string
}

func (st dirStep) before(_ context.Context, r *run) (reversal, error) {
	a, err := r.sys.pathReversal(st.path, false)
	return reversal{Undo: []action{a}}, err
}

func (st dirStep) apply(_ context.Context, r *run) error {
	o, err := r.sys.lookup(st.user, st.group)
	if err != nil {
		return err
	}
	dir := r.sys.at(st.path)
	return errors.Join(os.MkdirAll(dir, st.mode), os.Lchown(dir, o.uid, o.gid), os.Chmod(dir, st.mode))
}

func (st dirStep) check(_ context.Context, r *run) error {
	o, err := r.sys.lookup(st.user, st.group)
	if err != nil {
		return err
	}
	now, err := r.sys.look(st.path)
	if err != nil {
		return err
	}
	if !st.matches(now, o) {
		return fmt.Errorf("%s is not a directory of %s with mode %o", st.path, st.user, st.mode)
	}
	return nil
}

func (st dirStep) matches(now PathState, o owner) bool {
	return now.Kind == PathDir && now.Mode == st.mode && now.UID == o.uid && now.GID == o.gid
}

// linkStep points a symbolic link somewhere, in one step for who follows it.
type linkStep struct{ path, target string }

func (st linkStep) before(_ context.Context, r *run) (reversal, error) {
	a, err := r.sys.pathReversal(st.path, false)
	if err == nil && a.Was.Kind == PathDir && !ours(st.path) {
		err = fmt.Errorf("%s is a directory, and not ours to replace", st.path)
	}
	return reversal{Undo: []action{a}}, err
}

func (st linkStep) apply(_ context.Context, r *run) error { return r.sys.relink(st.path, st.target) }

func (st linkStep) check(_ context.Context, r *run) error {
	now, err := r.sys.look(st.path)
	if err != nil {
		return err
	}
	if now.Kind != PathLink || now.Target != st.target {
		return fmt.Errorf("%s does not point to %s", st.path, st.target)
	}
	return nil
}

// absentStep takes a file or a link away; the journal keeps it.
type absentStep struct{ path string }

func (st absentStep) before(_ context.Context, r *run) (reversal, error) {
	a, err := r.sys.pathReversal(st.path, false)
	if err == nil && a.Was.Kind == PathDir {
		err = fmt.Errorf("%s is a directory, and not ours to remove", st.path)
	}
	return reversal{Undo: []action{a}}, err
}

func (st absentStep) apply(_ context.Context, r *run) error {
	file := r.sys.at(st.path)
	if err := ignoreMissing(os.Remove(file)); err != nil {
		return err
	}
	return syncDir(filepath.Dir(file))
}

func (st absentStep) check(_ context.Context, r *run) error {
	now, err := r.sys.look(st.path)
	if err == nil && now.Kind != PathAbsent {
		err = fmt.Errorf("%s is still there", st.path)
	}
	return err
}
