package converge

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	maxManagedFile = 4 << 20 // bytes read of a file that we manage
	maxOutput      = 1 << 20 // bytes kept of a command's output
	commandTime    = 90 * time.Second
)

// system is one server: its files under root and the commands of its PATH.
type system struct {
	root string // "/" but in tests
	path string // PATH for commands
	web  string // where Nginx answers on this machine: host:port
}

func newSystem(root string) *system {
	return &system{
		root: root,
		path: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		web:  "127.0.0.1:" + strconv.Itoa(webPort),
	}
}

func (s *system) at(path string) string { return filepath.Join(s.root, path) }

// find returns the file of a command, or an error that says it is not there.
func (s *system) find(name string) (string, error) {
	if strings.Contains(name, "/") {
		return s.at(name), nil
	}
	for _, dir := range filepath.SplitList(s.path) {
		file := filepath.Join(dir, name)
		if info, err := os.Stat(file); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
			return file, nil
		}
	}
	return "", fmt.Errorf("%s: no such command on this server", name)
}

func (s *system) has(name string) bool {
	_, err := s.find(name)
	return err == nil
}

// run runs a command to its end and returns what it wrote to stdout.
// The error of a failed command ends with the last lines that it wrote.
func (s *system) run(ctx context.Context, name string, args ...string) (string, error) {
	return s.runLines(ctx, commandTime, nil, name, args...)
}

// runLines is run with a time limit and a function that is told each line of output as it comes.
// It is not cut short by a cancelled ctx: a package manager killed half-way leaves a broken server.
func (s *system) runLines(ctx context.Context, limit time.Duration, line func(string), name string, args ...string) (string, error) {
	file, err := s.find(name)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, file, args...)
	cmd.Env = []string{
		"PATH=" + s.path, "LC_ALL=C.UTF-8", "HOME=/root",
		"DEBIAN_FRONTEND=noninteractive", "DEBCONF_NONINTERACTIVE_SEEN=true", "UCF_FORCE_CONFFOLD=1",
		"NEEDRESTART_SUSPEND=1", "NEEDRESTART_MODE=l", "SYSTEMD_PAGER=", "SYSTEMD_COLORS=0",
	}
	cmd.WaitDelay = 5 * time.Second
	var stdout bytes.Buffer
	all := &lineWriter{tell: line}
	cmd.Stdout = io.MultiWriter(&limitedWriter{to: &stdout, left: maxOutput}, all)
	cmd.Stderr = all
	err = cmd.Run()
	if err == nil {
		return stdout.String(), nil
	}
	if ctx.Err() != nil {
		err = fmt.Errorf("no end after %s", limit)
	}
	return stdout.String(), &commandError{name: name, args: args, last: all.lastLines(), err: err}
}

// commandError is a command that failed.
type commandError struct {
	name string
	args []string
	last []string // of its output
	err  error
}

func (e *commandError) Error() string {
	text := strings.TrimSpace(e.name+" "+strings.Join(e.args, " ")) + ": " + e.err.Error()
	if len(e.last) > 0 {
		text += "\n" + strings.Join(e.last, "\n")
	}
	return text
}

func (e *commandError) Unwrap() error { return e.err }

// readText reads a small file; one that is not there is empty.
func (s *system) readText(path string) (string, error) {
	f, err := os.Open(s.at(path))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxManagedFile))
	return string(data), errors.Join(err, f.Close())
}

// state looks at a path without following a link, and reads what a file holds.
func (s *system) state(path string) (PathState, error) {
	st, err := s.look(path)
	if err != nil || st.Kind != PathFile {
		return st, err
	}
	f, err := os.Open(s.at(path))
	if err != nil {
		return PathState{}, err
	}
	st.Content, err = io.ReadAll(io.LimitReader(f, maxManagedFile+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return PathState{}, err
	}
	if len(st.Content) > maxManagedFile {
		return PathState{}, fmt.Errorf("%s is larger than %d bytes", path, maxManagedFile)
	}
	return st, nil
}

// look is state without what a file holds.
func (s *system) look(path string) (PathState, error) {
	file := s.at(path)
	info, err := os.Lstat(file)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return PathState{Kind: PathAbsent}, nil
	}
	if err != nil {
		return PathState{}, err
	}
	st := PathState{Kind: PathOther, Mode: info.Mode().Perm()}
	st.UID, st.GID = ownerOf(info)
	switch {
	case info.IsDir():
		st.Kind = PathDir
	case info.Mode()&fs.ModeSymlink != 0:
		st.Kind = PathLink
		st.Target, err = os.Readlink(file)
	case info.Mode().IsRegular():
		st.Kind = PathFile
	}
	return st, err
}

// owner is a user and a group, by number.
type owner struct{ uid, gid int }

// lookup finds the numbers of a user and a group in the system's own files.
func (s *system) lookup(user, group string) (owner, error) {
	uid, hasUser, err := s.idOf("/etc/passwd", user)
	if err != nil {
		return owner{}, err
	}
	gid, hasGroup, err := s.idOf("/etc/group", group)
	if err == nil && !(hasUser && hasGroup) {
		err = fmt.Errorf("there is no user %s with a group %s", user, group)
	}
	return owner{uid, gid}, err
}

// idOf finds a name's number in /etc/passwd or /etc/group.
func (s *system) idOf(path, name string) (id int, found bool, err error) {
	text, err := s.readText(path)
	if err != nil {
		return 0, false, err
	}
	scan := bufio.NewScanner(strings.NewReader(text))
	for scan.Scan() {
		if f := strings.Split(scan.Text(), ":"); len(f) > 2 && f[0] == name {
			if id, err = strconv.Atoi(f[2]); err != nil {
				return 0, false, fmt.Errorf("%s: %s has the number %q", path, name, f[2])
			}
			return id, true, nil
		}
	}
	return 0, false, scan.Err()
}

// writeFile puts a whole file in place: readers see the old or the new one.
func (s *system) writeFile(path string, content []byte, mode fs.FileMode, o owner) error {
	return s.writeFrom(path, bytes.NewReader(content), mode, o)
}

// copyFile is writeFile with what another file holds.
func (s *system) copyFile(from, to string, mode fs.FileMode, o owner) error {
	f, err := os.Open(s.at(from))
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
	return os.Rename(tmp.Name(), file)
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
	return nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// exited reports whether the command ended by itself with this status.
func (e *commandError) exited(status int) bool {
	exit, ok := errors.AsType[*exec.ExitError](e.err)
	return ok && exit.ExitCode() == status
}
