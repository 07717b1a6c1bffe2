package converge

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
)

// A deploy must be able to go back from a disk that is full. Old contents are put back by links to the journal's copies,
// which take no space; for what else an undo writes (ufw, dpkg and userdel rewrite files of their own) the journal keeps
// some of the disk to itself from its beginning, and lets go of it when the undo begins.
const (
	reserveBytes = 16 << 20
	reserveFile  = "reserve"
)

// makeReserve fills the reserve with what no file system can make smaller.
func makeReserve(s *system, dir string) error {
	f, err := os.OpenFile(s.at(dir+"/"+reserveFile), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.CopyN(f, rand.NewChaCha8([32]byte{}), reserveBytes)
	return errors.Join(err, f.Close())
}

func freeReserve(s *system, dir string) error {
	return ignoreMissing(os.Remove(s.at(dir + "/" + reserveFile)))
}

// noSpace reports whether err comes of a full disk or a quota that is used up.
func noSpace(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

// putBack gives path what the journal's copy holds. The copy stays, for an undo that is cut short and begins again.
func (s *system) putBack(saved, path string, mode fs.FileMode, o owner) error {
	from, to := s.at(saved), s.at(path)
	tmp := filepath.Join(filepath.Dir(to), ".gca-back-"+filepath.Base(to))
	if err := ignoreMissing(os.Remove(tmp)); err != nil {
		return err
	}
	// Its owner and mode are given to it here, where nobody but root can put another file in its place.
	if err := errors.Join(os.Lchown(from, o.uid, o.gid), os.Chmod(from, mode)); err != nil {
		return err
	}
	if os.Link(from, tmp) != nil { // it lies on another file system, or this one has no links
		return s.copyFile(saved, path, mode, o)
	}
	err := os.Rename(tmp, to)
	// A rename leaves the name where both are one file already.
	return errors.Join(err, ignoreMissing(os.Remove(tmp)), syncDir(filepath.Dir(to)))
}

// refuseSpace is a refusal for want of room on the file system of path.
func refuseSpace(path string, need, free int64) *Refusal {
	return refuse(RefusedSpace, roomHint, "no space: %d MB needed, %d MB free on %s", need>>20, free>>20, path)
}

const roomHint = "make room; on the server, `df -h` shows what is left, and `apt-get clean` frees some"

// begin opens the journal. Its error is a [*Refusal], and leaves nothing behind.
func begin(s *system) (*Journal, error) {
	journal, err := openJournal(s)
	if err == nil {
		return journal, nil
	}
	left := closeUndone(s, false)
	refusal := asRefusal(RefusedServer, fmt.Errorf("cannot begin a journal: %w", err))
	if now, err2 := diskOf(s.at("/var")); noSpace(err) && err2 == nil {
		refusal = refuseSpace("/var", reserveBytes, now.free)
	}
	for _, err := range left {
		refusal.Message += "; " + err.Error()
	}
	return nil, refusal
}
