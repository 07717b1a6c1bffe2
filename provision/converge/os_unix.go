//go:build unix

package converge

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

func setUmask(mask int) { syscall.Umask(mask) }

// tryLock takes the file's lock unless another process holds it.
func tryLock(f *os.File) (taken bool, err error) {
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

// diskOf is the file system that path is on.
func diskOf(path string) (disk, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(path, &st); err != nil {
		return disk{}, &fs.PathError{Op: "statfs", Path: path, Err: err}
	}
	block := int64(st.Bsize)
	return disk{total: int64(st.Blocks) * block, free: int64(st.Bavail) * block, inodes: Inodes{int64(st.Files), int64(st.Ffree)}}, nil
}

// writable asks whether the file could be written to, and opens nothing.
func (s *reader) writable(path string) bool {
	const writeOK = 2
	return syscall.Access(s.at(path), writeOK) == nil
}

// lockHolder is the process that holds a record lock on the file, as package managers take them; 0 if none does.
func (s *reader) lockHolder(path string) (pid int, err error) {
	f, err := os.Open(s.at(path))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	lock := syscall.Flock_t{Type: syscall.F_WRLCK}
	err = syscall.FcntlFlock(f.Fd(), syscall.F_GETLK, &lock)
	if err := errors.Join(err, f.Close()); err != nil || lock.Type == syscall.F_UNLCK {
		return 0, err
	}
	return int(lock.Pid), nil
}

// linksOf is how many names a file has.
func linksOf(info fs.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Nlink)
	}
	return 1
}

func ownerOf(info fs.FileInfo) (uid, gid int) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid), int(st.Gid)
	}
	return 0, 0
}
