//go:build unix

package manage

import (
	"errors"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// nonBlocking keeps an open from waiting, should a pipe have taken a file's place.
const nonBlocking = syscall.O_NONBLOCK

// hardLinks is how many names a file has.
func hardLinks(info fs.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Nlink)
	}
	return 1
}

// ownerNames are a file's user and group; numbers where they have no names.
func ownerNames(info fs.FileInfo) (userName, groupName string) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "root", "root"
	}
	userName, groupName = strconv.Itoa(int(st.Uid)), strconv.Itoa(int(st.Gid))
	if u, err := user.LookupId(userName); err == nil && isAccount(u.Username) {
		userName = u.Username
	}
	if g, err := user.LookupGroupId(groupName); err == nil && isAccount(g.Name) {
		groupName = g.Name
	}
	return userName, groupName
}

// giveTo has a file belong to the one that the other belongs to.
func giveTo(f *os.File, info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return errors.New("the owner of a file is unknown")
	}
	return f.Chown(int(st.Uid), int(st.Gid))
}

// syncDir makes a new name in dir outlive a power cut.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// freeSpace is what root may still write to the disk of dir, in bytes.
func freeSpace(dir string) (n int64, known bool) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, false
	}
	return int64(st.Bfree) * int64(st.Bsize), true
}
