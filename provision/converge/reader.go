package converge

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const maxManagedFile = 4 << 20 // bytes read of a file that we manage

// reader looks at one server: its files under root and the answers to the named
// queries. It has no method that writes, and none that runs any other command.
type reader struct {
	root string // "/" but in tests
	path string // PATH for commands
	web  string // where Nginx answers on this machine: host:port

	secure string // the same, with TLS

	handover string // file of the handover unit's control socket

	startPatience time.Duration // tests have less of it

	early *early // nil but between a hello and its plan
}

func newReader(root string) *reader {
	return &reader{
		root: root,
		path: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		web:  "127.0.0.1:" + strconv.Itoa(webPort),

		secure: "127.0.0.1:" + strconv.Itoa(tlsPort),

		handover: filepath.Join(root, handoverControl),

		startPatience: startPatience,
	}
}

func (s *reader) at(path string) string { return filepath.Join(s.root, path) }

// find returns the file of a command, or an error that says it is not there.
func (s *reader) find(name string) (string, error) {
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

func (s *reader) has(name string) bool {
	_, err := s.find(name)
	return err == nil
}

// ask returns what a query says. It ends with ctx.
func (s *reader) ask(ctx context.Context, q query) (string, error) {
	if text, ok, err := s.early.take(ctx, q); ok {
		return text, err
	}
	return s.put(ctx, q)
}

func (s *reader) put(ctx context.Context, q query) (string, error) {
	name, args := q.command()
	file, err := s.find(name)
	if err != nil {
		return "", err
	}
	return execute(ctx, command{file: file, name: name, args: args, path: s.path, limit: queryTime, grace: queryGrace, merged: q == queryNginx || q == queryNginxTest})
}

// readText reads a small file; one that is not there is empty.
func (s *reader) readText(path string) (string, error) {
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
func (s *reader) state(path string) (PathState, error) {
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
func (s *reader) look(path string) (PathState, error) {
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
func (s *reader) lookup(user, group string) (owner, error) {
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
func (s *reader) idOf(path, name string) (id int, found bool, err error) {
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
