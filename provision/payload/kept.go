package payload

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
)

// Kept are the binaries that servers got from this machine: what an upgrade is told apart from. The folder is the user's own,
// and may be deleted at any time: then an upgrade sends a whole binary.
type Kept struct{ dir string }

const mostKept = 6 // the ones that were used last, of all architectures

// KeptHere are those of this user. One without a folder for such things keeps nothing, as the zero value does.
func KeptHere() Kept {
	dir, err := os.UserCacheDir()
	if err != nil {
		return Kept{}
	}
	return Kept{filepath.Join(dir, "gca", "sent")}
}

// Find is the kept binary whose sum begins so.
func (k Kept) Find(sumPrefix string) (Payload, bool) {
	names, err := filepath.Glob(filepath.Join(k.dir, "linux-*-"+sumPrefix+"*.zst"))
	if err != nil || k.dir == "" || len(names) != 1 || len(sumPrefix) < 12 || strings.ContainsAny(sumPrefix, `*?[\`) {
		return Payload{}, false
	}
	p, err := named(filepath.Base(names[0]))
	p.Name, p.open = names[0], opener(os.DirFS(k.dir), filepath.Base(names[0]), p)
	return p, err == nil
}

// Keep keeps a binary that a server has now, and lets go of the ones that were not used for longest.
func (k Kept) Keep(p Payload) error {
	if k.dir == "" {
		return nil
	}
	name := carriedFile(p)
	file := filepath.Join(k.dir, name)
	now := time.Now()
	if err := os.Chtimes(file, now, now); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	binary, err := whole(p)
	if err != nil {
		return err
	}
	packed, err := compress(binary, zstd.SpeedDefault)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(k.dir, 0o700); err != nil {
		return err
	}
	part, err := os.CreateTemp(k.dir, ".part-*")
	if err != nil {
		return err
	}
	_, err = part.Write(packed)
	if err = errors.Join(err, part.Close()); err == nil {
		err = os.Rename(part.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(part.Name()))
	}
	return k.prune()
}

func (k Kept) prune() error {
	names, err := filepath.Glob(filepath.Join(k.dir, "linux-*.zst"))
	if err != nil {
		return err
	}
	used := make(map[string]time.Time, len(names))
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			return err
		}
		used[name] = info.ModTime()
	}
	slices.SortFunc(names, func(a, b string) int { return used[b].Compare(used[a]) })
	for _, name := range names[min(mostKept, len(names)):] {
		err = errors.Join(err, os.Remove(name))
	}
	return err
}

// Drop lets go of a binary, as of one that turns out to be damaged.
func (k Kept) Drop(p Payload) error { return os.Remove(filepath.Join(k.dir, carriedFile(p))) }
