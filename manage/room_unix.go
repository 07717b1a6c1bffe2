//go:build unix

package manage

import "syscall"

// fileSystem is the size of the one that a folder is on, and what everybody may still write to it, in bytes.
func fileSystem(dir string) (total, free int64, known bool) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, 0, false
	}
	block := int64(st.Bsize)
	return int64(st.Blocks) * block, int64(st.Bavail) * block, true
}
