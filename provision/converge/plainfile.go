package converge

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// openPlain opens a file for reading, in a folder where others may put anything in its place at any moment. What it opens is
// a file and no link, nor a pipe that would have root wait for its other end; in the service's own folder it is no second
// name of a file elsewhere either.
func (s *reader) openPlain(path string) (f *os.File, err error) {
	dir, err := os.OpenRoot(s.at(filepath.Dir(path)))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	before, err := dir.Lstat(filepath.Base(path))
	if err != nil {
		return nil, err
	}
	if !before.Mode().IsRegular() {
		return nil, notPlain(path)
	}
	f, err = dir.OpenFile(filepath.Base(path), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && (!os.SameFile(before, info) || hasOtherNames(path, info)) {
		err = notPlain(path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func hasOtherNames(path string, info fs.FileInfo) bool {
	return filepath.Dir(path) == stateDir && linksOf(info) > 1
}

// errNotPlain marks what is not a file of its own.
var errNotPlain = errors.New("not a plain file with one name")

func notPlain(path string) error { return fmt.Errorf("%s is %w", path, errNotPlain) }
