package manage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
)

// spareSpace is what a backup leaves free beside what it needs itself, in bytes.
const spareSpace = 16 << 20

// SpaceError is a disk without room for a backup. Nothing was begun.
type SpaceError struct {
	Dir        string
	Need, Free int64 // bytes
}

func (e *SpaceError) Error() string {
	return fmt.Sprintf("a backup needs %d MB on the disk of %s, and %d MB are free\nhint: gemini-manage backup prune --keep-count 3 removes older archives; df -h shows the disks",
		e.Need>>20+1, e.Dir, e.Free>>20)
}

// checkSpace refuses a backup that the disk has no room for: what it gathers lies there up to three times for a moment: gathered, as the
// archive, which is taken for as large, and encrypted for places away from the server.
func checkSpace(root, dir string, logs bool) error {
	free, known := freeSpace(dir)
	if !known {
		return nil
	}
	top, err := os.OpenRoot(root)
	if err != nil {
		return err
	}
	need := int64(spareSpace)
	folders := []string{path.Clean(statePrefix)}
	if logs {
		folders = append(folders, "var/log/nginx")
	}
	for _, folder := range folders {
		size, sizeErr := sizeOf(top, folder)
		err = errors.Join(err, sizeErr)
		need += 3 * size
	}
	if err := errors.Join(err, top.Close()); err != nil {
		return err
	}
	if free < need {
		return &SpaceError{dir, need, free}
	}
	return nil
}

// sizeOf is what the files in a folder hold together; 0 where it is not there.
func sizeOf(top *os.Root, folder string) (int64, error) {
	dir, err := top.OpenRoot(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	var sum int64
	names, err := readNames(dir)
	for _, name := range names {
		if info, err := dir.Lstat(name); err == nil && info.Mode().IsRegular() {
			sum += info.Size()
		}
	}
	return sum, errors.Join(err, dir.Close())
}
