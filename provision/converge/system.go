package converge

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// system is one server to change: a reader that can write files and run commands too.
type system struct {
	reader
}

func newSystem(root string) *system { return writer(newReader(root)) }

// writer is the one place where who can look becomes who can write too. Nothing that makes a plan to be shown comes here.
func writer(r *reader) *system { return &system{reader: *r} }

// run runs a command to its end and returns what it wrote to stdout.
// The error of a failed command ends with the last lines that it wrote.
func (s *system) run(ctx context.Context, name string, args ...string) (string, error) {
	return s.runLines(ctx, commandTime, nil, name, args...)
}

// runLines is run with a time limit and a function that is told each line of output as it comes.
// It is not cut short by a cancelled ctx: a package manager killed half-way leaves a broken server.
func (s *system) runLines(ctx context.Context, limit time.Duration, line func(string), name string, args ...string) (string, error) {
	return s.runKillable(context.WithoutCancel(ctx), limit, line, name, args...)
}

// runKillable is runLines for a command that does no harm where it is killed: it ends with ctx, and its error is then the cause.
func (s *system) runKillable(ctx context.Context, limit time.Duration, line func(string), name string, args ...string) (string, error) {
	file, err := s.find(name)
	if err != nil {
		return "", err
	}
	w := watchOf(ctx)
	defer w.begin(name, args)()
	hear := func(text string) {
		w.hear(text)
		if line != nil {
			line(text)
		}
	}
	c := command{file: file, name: name, args: args, path: s.path, limit: limit, grace: runGrace, line: hear}
	return execute(ctx, c)
}

// writeFile puts a whole file in place: readers see the old or the new one, after a power cut too.
func (s *system) writeFile(path string, content []byte, mode fs.FileMode, o owner) error {
	return s.writeFrom(path, bytes.NewReader(content), mode, o)
}

// copyFile is writeFile with what another file holds.
func (s *system) copyFile(from, to string, mode fs.FileMode, o owner) error {
	f, err := s.openPlain(from)
	if err != nil {
		return err
	}
	return errors.Join(s.writeFrom(to, f, mode, o), f.Close())
}

func (s *system) writeFrom(path string, content io.Reader, mode fs.FileMode, o owner) (err error) {
	file := s.at(path)
	tmp, err := os.CreateTemp(filepath.Dir(file), ".gca-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, ignoreMissing(os.Remove(tmp.Name())))
		}
	}()
	_, err = io.Copy(tmp, content)
	err = errors.Join(err, tmp.Chmod(mode), tmp.Chown(o.uid, o.gid), tmp.Sync(), tmp.Close())
	if err != nil {
		return err
	}
	if err = os.Rename(tmp.Name(), file); err != nil {
		return err
	}
	return syncDir(filepath.Dir(file))
}

// writeLink puts a symbolic link in place, in one step too.
func (s *system) writeLink(path, target string) error {
	file := s.at(path)
	tmp := filepath.Join(filepath.Dir(file), ".gca-link-"+filepath.Base(file))
	if err := ignoreMissing(os.Remove(tmp)); err != nil {
		return err
	}
	if err := os.Symlink(target, tmp); err != nil {
		return err
	}
	if err := os.Rename(tmp, file); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	return syncDir(filepath.Dir(file))
}

// relink is writeLink where a folder may be in the way that is ours to remove.
func (s *system) relink(path, target string) error {
	st, err := s.look(path)
	if err == nil && st.Kind == PathDir && ours(path) {
		err = os.RemoveAll(s.at(path))
	}
	if err != nil {
		return err
	}
	return s.writeLink(path, target)
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
